//! WikiText-2 raw out of a Parquet file.

use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;

use crate::{Error, Result};

/// All rows of the column `text`, joined with nothing between.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] for a file that is not Parquet or holds no such column.
pub fn read_text(path: &Path) -> Result<String> {
    let about = |error: parquet::errors::ParquetError| Error::input(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    let reader = SerializedFileReader::new(file).map_err(about)?;
    let fields = reader.metadata().file_metadata().schema().get_fields().to_vec();
    let column = fields
        .iter()
        .position(|field| field.name() == "text")
        .ok_or_else(|| Error::input(format!("{}: has no column named text", path.display())))?;
    let mut text = String::new();
    for row in reader.get_row_iter(None).map_err(about)? {
        text.push_str(row.map_err(about)?.get_string(column).map_err(about)?);
    }
    Ok(text)
}
