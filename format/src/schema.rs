//! The columns of the container, its version, and how both are recognised in a file.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::error::{Error, Place, Result};

/// The version of the format that this release writes, major and minor.
pub const VERSION: (u16, u16) = (1, 0);

/// The key of the schema's metadata that makes an Arrow file ours; its value is `major.minor`.
pub(crate) const VERSION_KEY: &str = "telecine.version";
const ABOUT_KEY: &str = "telecine.about";
const ABOUT: &str = "Compressed tensors, one row per chunk. Bits per value of a tensor: sum(bytes) * 8 / sum(values). \
                     All columns but side and payload can be read without Telecine.";

/// How a column lies in a record batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Fixed width, in bytes.
    Fixed(usize),
    /// UTF-8 with 32-bit offsets.
    Text,
    /// A list of 64-bit unsigned integers with 32-bit offsets.
    Shape,
    /// Bytes with 64-bit offsets.
    Bytes,
}

macro_rules! columns {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $data_type:expr, $kind:expr;)*) => {
        /// A column; its discriminant is its position in the schema.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Column { $($(#[$doc])* $variant,)* }

        impl Column {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub(crate) fn kind(self) -> Kind {
                match self { $(Self::$variant => $kind,)* }
            }

            fn data_type(self) -> DataType {
                match self { $(Self::$variant => $data_type,)* }
            }
        }
    };
}

// In this order they are in every file, and in this order the checksum covers them. Append only.
columns! {
    Tensor, "tensor", DataType::Utf8, Kind::Text;
    DType, "dtype", DataType::Utf8, Kind::Text;
    Shape, "shape", DataType::List(shape_item()), Kind::Shape;
    Chunk, "chunk", DataType::UInt32, Kind::Fixed(4);
    RowStart, "row_start", DataType::UInt64, Kind::Fixed(8);
    RowEnd, "row_end", DataType::UInt64, Kind::Fixed(8);
    Values, "values", DataType::UInt64, Kind::Fixed(8);
    Codec, "codec", DataType::Utf8, Kind::Text;
    Frames, "frames", DataType::UInt32, Kind::Fixed(4);
    Height, "height", DataType::UInt32, Kind::Fixed(4);
    Width, "width", DataType::UInt32, Kind::Fixed(4);
    Depth, "depth", DataType::UInt8, Kind::Fixed(1);
    Transform, "transform", DataType::Utf8, Kind::Text;
    Target, "target", DataType::Utf8, Kind::Text;
    Bytes, "bytes", DataType::UInt64, Kind::Fixed(8);
    Bits, "bits", DataType::Float64, Kind::Fixed(8);
    Nmse, "nmse", DataType::Float64, Kind::Fixed(8);
    MaxAbsError, "max_abs_error", DataType::Float64, Kind::Fixed(8);
    Energy, "energy", DataType::Float64, Kind::Fixed(8);
    LostZeros, "lost_zeros", DataType::UInt64, Kind::Fixed(8);
    ChangedSigns, "changed_signs", DataType::UInt64, Kind::Fixed(8);
    Flattened, "flattened", DataType::UInt64, Kind::Fixed(8);
    Checksum, "checksum", DataType::UInt64, Kind::Fixed(8);
    Side, "side", DataType::LargeBinary, Kind::Bytes;
    Payload, "payload", DataType::LargeBinary, Kind::Bytes;
}

/// The field of a shape's items.
pub(crate) fn shape_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::UInt64, false))
}

/// The schema that this release writes.
pub(crate) fn schema() -> SchemaRef {
    let fields: Vec<_> =
        Column::ALL.iter().map(|column| Field::new(column.name(), column.data_type(), false)).collect();
    let metadata = HashMap::from([
        (VERSION_KEY.to_owned(), format!("{}.{}", VERSION.0, VERSION.1)),
        (ABOUT_KEY.to_owned(), ABOUT.to_owned()),
    ]);
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// Recognises our schema and returns the version that it names.
///
/// Columns after those of version 1.0 are a newer minor version's: whoever does not know them ignores them.
///
/// # Errors
/// [`Error::NotThisFormat`] without the version key, [`Error::NewerVersion`], and `Corrupt` where the key is there but
/// the columns are not.
pub(crate) fn recognise(schema: arrow_ipc::Schema<'_>, place: &Place) -> Result<(u16, u16)> {
    let little = schema.endianness() == arrow_ipc::Endianness::Little;
    let schema = arrow_ipc::convert::try_fb_to_schema(schema)
        .map_err(|error| place.corrupt(format_args!("the schema cannot be read: {error}")))?;
    let Some(text) = schema.metadata().get(VERSION_KEY) else {
        return Err(place.foreign(format!("an Arrow file whose schema has no metadata `{VERSION_KEY}`")));
    };
    let found = parse_version(text)
        .ok_or_else(|| place.corrupt(format_args!("version {text:?} is not of the form `major.minor`")))?;
    if found.0 > VERSION.0 {
        return Err(Error::NewerVersion { path: place.path().to_owned(), found, supported: VERSION });
    }
    if found.0 == 0 {
        return Err(place.corrupt(format_args!("no version {text} of the format was ever released")));
    }
    if !little {
        return Err(place.corrupt("the columns are big-endian, which no version of the format is"));
    }
    for (index, column) in Column::ALL.iter().enumerate() {
        let wanted = Field::new(column.name(), column.data_type(), false);
        let same = |field: &Field| {
            field.name() == wanted.name()
                && field.data_type() == wanted.data_type()
                && field.is_nullable() == wanted.is_nullable()
        };
        if !schema.fields().get(index).is_some_and(|field| same(field)) {
            return Err(place.corrupt(format_args!(
                "column {index} is not `{}` of type {}",
                wanted.name(),
                wanted.data_type()
            )));
        }
    }
    Ok(found)
}

fn parse_version(text: &str) -> Option<(u16, u16)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_two_numbers() {
        assert_eq!(parse_version("1.0"), Some((1, 0)));
        assert_eq!(parse_version("12.345"), Some((12, 345)));
        for wrong in ["", "1", "1.", ".1", "1.0.0", "1.65536", "-1.0", "a.b"] {
            assert_eq!(parse_version(wrong), None, "{wrong}");
        }
    }
}
