//! Ranges of the dtypes, and values to and from `f64`.

use telecine_core::DType;

/// The range of a dtype, in its own units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    /// The largest finite value.
    pub(crate) largest: f64,
    /// The lowest finite value.
    pub(crate) lowest: f64,
    /// The smallest value above 0.
    pub(crate) smallest: f64,
    /// The smallest value above 0 with full precision; 1 for integers.
    pub(crate) smallest_normal: f64,
    /// The distance from 1 to the next value above it; 1 for integers.
    pub(crate) epsilon: f64,
    /// Bits of +∞ and of a NaN, where there are such values.
    infinity: Option<u64>,
    nan: Option<u64>,
}

impl Numbers {
    /// The range of this dtype.
    pub(crate) fn of(dtype: DType) -> Self {
        let float = |largest: f64, normal: i32, mantissa: i32, infinity, nan| Self {
            largest,
            lowest: -largest,
            smallest: power(normal - mantissa),
            smallest_normal: power(normal),
            epsilon: power(-mantissa),
            infinity,
            nan: Some(nan),
        };
        let whole = |lowest: f64, largest: f64| Self {
            largest,
            lowest,
            smallest: 1.0,
            smallest_normal: 1.0,
            epsilon: 1.0,
            infinity: None,
            nan: None,
        };
        match dtype {
            DType::F64 => float(f64::MAX, -1022, 52, Some(0x7ff0_0000_0000_0000), 0x7ff8_0000_0000_0000),
            DType::F32 => float(f64::from(f32::MAX), -126, 23, Some(0x7f80_0000), 0x7fc0_0000),
            DType::F16 => float(65504.0, -14, 10, Some(0x7c00), 0x7e00),
            DType::Bf16 => float(255.0 * power(120), -126, 7, Some(0x7f80), 0x7fc0),
            DType::F8E4M3 => float(448.0, -6, 3, None, 0x7f),
            DType::F8E5M2 => float(57344.0, -14, 2, Some(0x7c), 0x7e),
            DType::Bool => whole(0.0, 1.0),
            _ => {
                let bits = i32::try_from(8 * dtype.size()).unwrap_or(64);
                if is_signed(dtype) {
                    whole(-power(bits - 1), power(bits - 1) - 1.0)
                } else {
                    whole(0.0, power(bits) - 1.0)
                }
            }
        }
    }

    /// Whether the dtype has infinities.
    pub(crate) fn has_infinity(&self) -> bool {
        self.infinity.is_some()
    }
}

/// Two to this power, exact down to the smallest `f64`.
pub(crate) fn power(exponent: i32) -> f64 {
    2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2)
}

/// Whether the dtype is an integer type with values below 0.
pub(crate) fn is_signed(dtype: DType) -> bool {
    matches!(dtype, DType::I64 | DType::I32 | DType::I16 | DType::I8)
}

/// Writes values as a dtype: rounded to nearest, held within the finite range; ±∞ and NaN as such where the dtype has
/// them.
pub(crate) fn write(dtype: DType, values: &[f64]) -> Vec<u8> {
    let (numbers, size) = (Numbers::of(dtype), dtype.size());
    let mut bytes = vec![0; values.len() * size];
    for (slot, &value) in bytes.chunks_exact_mut(size).zip(values) {
        let sign = if value.is_sign_negative() { 1u64 << (8 * size - 1) } else { 0 };
        let special = match value {
            _ if value.is_finite() => None,
            _ if value.is_nan() => numbers.nan,
            _ => numbers.infinity.map(|bits| bits | sign),
        };
        if let Some(bits) = special {
            slot.copy_from_slice(&bits.to_le_bytes()[..size]);
            continue;
        }
        let held = if value.is_nan() { 0.0 } else { value.clamp(numbers.lowest, numbers.largest) };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the nearest value is what is asked for, and `as` saturates"
        )]
        match dtype {
            DType::F64 => slot.copy_from_slice(&held.to_le_bytes()),
            DType::I64 | DType::I32 | DType::I16 | DType::I8 => {
                slot.copy_from_slice(&(held.round() as i64).to_le_bytes()[..size]);
            }
            DType::U64 | DType::U32 | DType::U16 | DType::U8 | DType::Bool => {
                slot.copy_from_slice(&(held.round() as u64).to_le_bytes()[..size]);
            }
            _ => dtype.write_f32(&[held as f32], slot),
        }
    }
    bytes
}

/// Reads values as the nearest `f64`.
#[expect(clippy::cast_precision_loss, reason = "the nearest f64 is what is asked for")]
pub(crate) fn read(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    match dtype {
        DType::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
        DType::I64 => bytes.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b) as f64).collect(),
        DType::U64 => bytes.as_chunks().0.iter().map(|&b| u64::from_le_bytes(b) as f64).collect(),
        DType::I32 => bytes.as_chunks().0.iter().map(|&b| f64::from(i32::from_le_bytes(b))).collect(),
        DType::U32 => bytes.as_chunks().0.iter().map(|&b| f64::from(u32::from_le_bytes(b))).collect(),
        _ => {
            let mut values = Vec::new();
            dtype.read_f32(bytes, &mut values);
            values.into_iter().map(f64::from).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_every_range_are_written_and_read() {
        for &dtype in DType::ALL {
            let numbers = Numbers::of(dtype);
            let ends = [numbers.largest, numbers.lowest, numbers.smallest, numbers.smallest_normal, 0.0];
            assert_eq!(read(dtype, &write(dtype, &ends)), ends, "{dtype}");
            let beyond = read(dtype, &write(dtype, &[f64::INFINITY, f64::NEG_INFINITY, f64::NAN]));
            if dtype.is_float() {
                assert!(beyond[2].is_nan(), "{dtype}");
                assert_eq!(beyond[0].is_infinite(), numbers.has_infinity(), "{dtype}");
                assert_eq!(read(dtype, &write(dtype, &[1.0 + numbers.epsilon])), [1.0 + numbers.epsilon]);
                assert_eq!(read(dtype, &write(dtype, &[0.4 * numbers.smallest])), [0.0], "{dtype}");
            }
        }
    }
}
