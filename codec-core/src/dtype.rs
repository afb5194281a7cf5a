//! The types of a tensor's values, and their conversion to and from `f32`.

use std::fmt;

use float8::{F8E4M3, F8E5M2};
use half::{bf16, f16};
use multiversion::multiversion;

use crate::lanes::append;
use crate::{Error, Result};

macro_rules! dtypes {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $size:literal;)*) => {
        /// The type of a tensor's values, stored little-endian.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum DType { $($(#[$doc])* $variant,)* }

        impl DType {
            /// Every dtype.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name that files and messages use, such as `bf16`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Bytes of one value.
            pub fn size(self) -> usize {
                match self { $(Self::$variant => $size,)* }
            }
        }
    };
}

dtypes! {
    /// IEEE 754 binary64.
    F64, "f64", 8;
    /// IEEE 754 binary32.
    F32, "f32", 4;
    /// IEEE 754 binary16.
    F16, "f16", 2;
    /// The upper half of an `f32`.
    Bf16, "bf16", 2;
    /// OCP 8-bit float, 4 exponent and 3 mantissa bits, no infinities.
    F8E4M3, "f8e4m3", 1;
    /// OCP 8-bit float, 5 exponent and 2 mantissa bits.
    F8E5M2, "f8e5m2", 1;
    /// Signed 64-bit integer.
    I64, "i64", 8;
    /// Signed 32-bit integer.
    I32, "i32", 4;
    /// Signed 16-bit integer.
    I16, "i16", 2;
    /// Signed 8-bit integer.
    I8, "i8", 1;
    /// Unsigned 64-bit integer.
    U64, "u64", 8;
    /// Unsigned 32-bit integer.
    U32, "u32", 4;
    /// Unsigned 16-bit integer.
    U16, "u16", 2;
    /// Unsigned 8-bit integer.
    U8, "u8", 1;
    /// One byte, 0 or 1.
    Bool, "bool", 1;
}

impl DType {
    /// The dtype of this name.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with the names that are known.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|dtype| dtype.name() == name).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|dtype| dtype.name()).collect();
            Error::unsupported(format!("dtype {name:?} is not one of {}", known.join(" ")))
        })
    }

    /// Whether values are floating point.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::Bf16 | Self::F8E4M3 | Self::F8E5M2)
    }

    /// Appends the values of `bytes` as the nearest `f32` (beyond its range: ±Inf).
    ///
    /// `bytes` holds whole little-endian values; a rest is ignored.
    pub fn read_f32(self, bytes: &[u8], out: &mut Vec<f32>) {
        #[multiversion(targets("x86_64+avx2"))]
        fn each<const N: usize>(bytes: &[u8], out: &mut Vec<f32>, to: impl Fn([u8; N]) -> f32) {
            append(bytes.as_chunks::<N>().0, out, to);
        }
        #[expect(clippy::cast_possible_truncation, reason = "the nearest f32 is what is asked for")]
        match self {
            Self::F64 => each(bytes, out, |b| f64::from_le_bytes(b) as f32),
            Self::F32 => each(bytes, out, f32::from_le_bytes),
            Self::F16 => each(bytes, out, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => each(bytes, out, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)),
            Self::F8E4M3 => each(bytes, out, |[b]| F8E4M3::from_bits(b).to_f32()),
            Self::F8E5M2 => each(bytes, out, |[b]| F8E5M2::from_bits(b).to_f32()),
            Self::I64 => each(bytes, out, |b| i64::from_le_bytes(b) as f32),
            Self::I32 => each(bytes, out, |b| i32::from_le_bytes(b) as f32),
            Self::I16 => each(bytes, out, |b| f32::from(i16::from_le_bytes(b))),
            Self::I8 => each(bytes, out, |[b]| f32::from(b.cast_signed())),
            Self::U64 => each(bytes, out, |b| u64::from_le_bytes(b) as f32),
            Self::U32 => each(bytes, out, |b| u32::from_le_bytes(b) as f32),
            Self::U16 => each(bytes, out, |b| f32::from(u16::from_le_bytes(b))),
            Self::U8 | Self::Bool => each(bytes, out, |[b]| f32::from(b)),
        }
    }

    /// Writes `values` as this dtype: rounded to nearest, held within its finite range.
    ///
    /// `values` are finite; `out` holds `values.len()` values of this dtype. Integers round half away from zero.
    pub fn write_f32(self, values: &[f32], out: &mut [u8]) {
        #[multiversion(targets("x86_64+avx2"))]
        fn each<const N: usize>(values: &[f32], out: &mut [u8], from: impl Fn(f32) -> [u8; N]) {
            for (slot, &value) in out.as_chunks_mut::<N>().0.iter_mut().zip(values) {
                *slot = from(value);
            }
        }
        let f16_max = f16::MAX.to_f32();
        let bf16_max = bf16::MAX.to_f32();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, as is wanted"
        )]
        match self {
            Self::F64 => each(values, out, |v| f64::from(v).to_le_bytes()),
            Self::F32 => each(values, out, f32::to_le_bytes),
            Self::F16 => each(values, out, |v| f16::from_f32(v.clamp(-f16_max, f16_max)).to_le_bytes()),
            Self::Bf16 => each(values, out, |v| {
                {
                    // Rounded by half a unit of what is left, ties to even; finite values need no more care.
                    let bits = v.clamp(-bf16_max, bf16_max).to_bits();
                    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
                }
                .to_le_bytes()
            }),
            Self::F8E4M3 => each(values, out, |v| [F8E4M3::from_f32(v.clamp(-448.0, 448.0)).to_bits()]),
            Self::F8E5M2 => each(values, out, |v| [F8E5M2::from_f32(v.clamp(-57344.0, 57344.0)).to_bits()]),
            Self::I64 => each(values, out, |v| (v.round() as i64).to_le_bytes()),
            Self::I32 => each(values, out, |v| (v.round() as i32).to_le_bytes()),
            Self::I16 => each(values, out, |v| (v.round() as i16).to_le_bytes()),
            Self::I8 => each(values, out, |v| (v.round() as i8).to_le_bytes()),
            Self::U64 => each(values, out, |v| (v.round() as u64).to_le_bytes()),
            Self::U32 => each(values, out, |v| (v.round() as u32).to_le_bytes()),
            Self::U16 => each(values, out, |v| (v.round() as u16).to_le_bytes()),
            Self::U8 => each(values, out, |v| [v.round() as u8]),
            Self::Bool => each(values, out, |v| [u8::from(v >= 0.5)]),
        }
    }

    /// Appends the values of `bytes` as the nearest `f64`: exact for all but 64-bit integers beyond 2⁵³.
    #[expect(clippy::cast_precision_loss, reason = "the nearest f64 is what is asked for")]
    pub(crate) fn read_f64(self, bytes: &[u8], out: &mut Vec<f64>) {
        fn each<const N: usize>(bytes: &[u8], out: &mut Vec<f64>, to: impl Fn([u8; N]) -> f64) {
            out.extend(bytes.as_chunks::<N>().0.iter().map(|&value| to(value)));
        }
        match self {
            Self::F64 => each(bytes, out, f64::from_le_bytes),
            Self::I64 => each(bytes, out, |b| i64::from_le_bytes(b) as f64),
            Self::U64 => each(bytes, out, |b| u64::from_le_bytes(b) as f64),
            Self::I32 => each(bytes, out, |b| f64::from(i32::from_le_bytes(b))),
            Self::U32 => each(bytes, out, |b| f64::from(u32::from_le_bytes(b))),
            _ => {
                let mut narrow = Vec::with_capacity(bytes.len() / self.size());
                self.read_f32(bytes, &mut narrow);
                out.extend(narrow.into_iter().map(f64::from));
            }
        }
    }

    /// Writes finite `values` as this dtype: rounded to nearest, held within its finite range. Floats of 16 and 8 bits, and
    /// integers of 16 and 8, are rounded to `f32` first; integers round half away from zero.
    ///
    /// `out` holds `values.len()` values of this dtype.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, as is wanted"
    )]
    pub(crate) fn write_f64(self, values: &[f64], out: &mut [u8]) {
        fn each<const N: usize>(values: &[f64], out: &mut [u8], from: impl Fn(f64) -> [u8; N]) {
            for (slot, &value) in out.as_chunks_mut::<N>().0.iter_mut().zip(values) {
                *slot = from(value);
            }
        }
        let narrow = |value: f64| value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
        match self {
            Self::F64 => each(values, out, f64::to_le_bytes),
            Self::F32 => each(values, out, |v| narrow(v).to_le_bytes()),
            Self::I64 => each(values, out, |v| (v.round() as i64).to_le_bytes()),
            Self::U64 => each(values, out, |v| (v.round() as u64).to_le_bytes()),
            Self::I32 => each(values, out, |v| (v.round() as i32).to_le_bytes()),
            Self::U32 => each(values, out, |v| (v.round() as u32).to_le_bytes()),
            _ => {
                let narrow: Vec<f32> = values.iter().map(|&value| narrow(value)).collect();
                self.write_f32(&narrow, out);
            }
        }
    }

    /// Whether an `f32` holds every value exactly.
    pub(crate) fn fits_f32(self) -> bool {
        self.size() < 4 || self == Self::F32
    }

    /// The distance between two values of this dtype and the first one's magnitude, for measuring errors.
    ///
    /// `None` unless both are finite. Differences of 64-bit integers are taken exactly before rounding to `f64`.
    ///
    /// # Panics
    /// When a slice is shorter than [`DType::size`].
    #[expect(clippy::cast_precision_loss, reason = "the nearest f64 is what is asked for")]
    pub fn distance(self, original: &[u8], decoded: &[u8]) -> Option<(f64, f64)> {
        fn int(bytes: &[u8], signed: bool) -> i128 {
            let mut wide = [if signed && bytes[bytes.len() - 1] >= 0x80 { 0xff } else { 0 }; 16];
            wide[..bytes.len()].copy_from_slice(bytes);
            i128::from_le_bytes(wide)
        }
        let size = self.size();
        let (original, decoded) = (&original[..size], &decoded[..size]);
        let signed = matches!(self, Self::I64 | Self::I32 | Self::I16 | Self::I8);
        if !self.is_float() {
            let (a, b) = (int(original, signed), int(decoded, signed));
            return Some(((a - b).unsigned_abs() as f64, a.unsigned_abs() as f64));
        }
        let (a, b) = (self.float_value(original), self.float_value(decoded));
        (a.is_finite() && b.is_finite()).then(|| ((a - b).abs(), a.abs()))
    }

    fn float_value(self, bytes: &[u8]) -> f64 {
        if self == Self::F64 {
            let mut value = [0; 8];
            value.copy_from_slice(bytes);
            return f64::from_le_bytes(value);
        }
        let mut value = Vec::with_capacity(1);
        self.read_f32(bytes, &mut value);
        value.first().map_or(f64::NAN, |&v| f64::from(v))
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_16_bit_and_8_bit_value_survives_the_way_through_f32() {
        for dtype in [DType::F16, DType::Bf16, DType::I16, DType::U16] {
            for bits in 0..=u16::MAX {
                through_f32(dtype, &bits.to_le_bytes());
            }
        }
        for dtype in [DType::F8E4M3, DType::F8E5M2, DType::I8, DType::U8] {
            for bits in 0..=u8::MAX {
                through_f32(dtype, &[bits]);
            }
        }
    }

    fn through_f32(dtype: DType, bytes: &[u8]) {
        let mut value = Vec::new();
        dtype.read_f32(bytes, &mut value);
        if value[0].is_finite() {
            let mut back = [0; 2];
            dtype.write_f32(&value, &mut back[..dtype.size()]);
            assert_eq!(&back[..dtype.size()], bytes, "{dtype} {bytes:?} read as {}", value[0]);
        }
    }

    #[test]
    fn writing_stays_within_the_finite_range() {
        for &dtype in DType::ALL {
            let mut bytes = [0; 16];
            dtype.write_f32(&[3.0e38, -3.0e38], &mut bytes[..2 * dtype.size()]);
            let mut back = Vec::new();
            dtype.read_f32(&bytes[..2 * dtype.size()], &mut back);
            assert!(back.iter().all(|v| v.is_finite()), "{dtype}: {back:?}");
        }
    }

    #[test]
    fn distance_between_64_bit_integers_is_exact() {
        let (a, b) = (i64::MAX.to_le_bytes(), (i64::MAX - 1).to_le_bytes());
        assert_eq!(DType::I64.distance(&a, &b).map(|d| d.0), Some(1.0));
        let (a, b) = (i64::MIN.to_le_bytes(), i64::MAX.to_le_bytes());
        assert_eq!(DType::I64.distance(&a, &b).map(|d| d.0), Some(u64::MAX as f64));
        assert_eq!(DType::F32.distance(&f32::NAN.to_le_bytes(), &[0; 4]), None);
    }
}
