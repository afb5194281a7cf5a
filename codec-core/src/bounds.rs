//! The least and the largest value of a chunk, within which decoded values are held: an error never leads out of the range
//! that the original had, so that what was above zero stays above it.
//!
//! Layout: the two values, little-endian in the tensor's dtype.

use multiversion::multiversion;

use crate::lanes::{LANES, in_lanes};
use crate::{DType, Error, Result};

/// The range of a chunk's values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    dtype: DType,
    /// The two values as they are stored.
    bytes: [u8; 16],
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Bounds {
    /// Bounds from the bytes of the least and the largest value; `None` unless both are finite and in order.
    pub(crate) fn new(dtype: DType, low: &[u8], high: &[u8]) -> Option<Self> {
        let size = dtype.size();
        let (mut bytes, mut values) = ([0; 16], Vec::with_capacity(2));
        bytes[..size].copy_from_slice(&low[..size]);
        bytes[size..2 * size].copy_from_slice(&high[..size]);
        dtype.read_f64(&bytes[..2 * size], &mut values);
        match values[..] {
            [low, high] if low.is_finite() && high.is_finite() && low <= high => {
                Some(Self { dtype, bytes, low, high })
            }
            _ => None,
        }
    }

    /// The range of values, but for those that are not finite and those at the positions `but`, which ascend; `None` where
    /// none is left.
    pub(crate) fn of(dtype: DType, bytes: &[u8], but: &[u32]) -> Option<Self> {
        match dtype {
            DType::I64 => Self::of_ordered(dtype, bytes, but, i64::from_le_bytes),
            DType::U64 => Self::of_ordered(dtype, bytes, but, u64::from_le_bytes),
            _ if dtype.fits_f32() && but.is_empty() => {
                let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
                let mut values = Vec::with_capacity(BLOCK);
                for block in bytes.chunks(BLOCK * dtype.size()) {
                    values.clear();
                    dtype.read_f32(block, &mut values);
                    let (least, most) = range(&values);
                    (low, high) = (low.min(least), high.max(most));
                }
                let mut ends = [0; 8];
                let (a, b) = ends[..2 * dtype.size()].split_at_mut(dtype.size());
                dtype.write_f32(&[low], a);
                dtype.write_f32(&[high], b);
                (low <= high && low.is_finite() && high.is_finite()).then(|| Self::new(dtype, a, b))?
            }
            _ => {
                let mut values = Vec::with_capacity(bytes.len() / dtype.size());
                dtype.read_f64(bytes, &mut values);
                but.iter().for_each(|&at| values[at as usize] = f64::NAN);
                let finite = |(_, value): &(usize, &f64)| value.is_finite();
                let finite = values.iter().enumerate().filter(finite);
                let low = finite.clone().min_by(|a, b| a.1.total_cmp(b.1))?.0;
                let high = finite.max_by(|a, b| a.1.total_cmp(b.1))?.0;
                let value = |at: usize| &bytes[at * dtype.size()..(at + 1) * dtype.size()];
                Self::new(dtype, value(low), value(high))
            }
        }
    }

    fn of_ordered<T: Ord>(
        dtype: DType,
        bytes: &[u8],
        but: &[u32],
        to: impl Fn([u8; 8]) -> T,
    ) -> Option<Self> {
        let mut but = but.iter().peekable();
        let mut values = Vec::with_capacity(bytes.len() / 8);
        for (at, value) in (0u32..).zip(bytes.as_chunks::<8>().0) {
            if but.next_if(|&&next| next == at).is_none() {
                values.push(value);
            }
        }
        let low = values.iter().min_by_key(|value| to(***value))?;
        let high = values.iter().max_by_key(|value| to(***value))?;
        Self::new(dtype, &low[..], &high[..])
    }

    /// Whether another range lies within this one.
    pub(crate) fn hold_all(&self, other: &Self) -> bool {
        self.low <= other.low && other.high <= self.high
    }

    /// Holds values within the bounds.
    pub(crate) fn hold(&self, values: &mut [f64]) {
        for value in values {
            *value = value.clamp(self.low, self.high);
        }
    }

    /// Holds values within the bounds, for dtypes that `f32` holds exactly.
    #[expect(clippy::cast_possible_truncation, reason = "exact: the dtype fits f32")]
    pub(crate) fn hold_f32(&self, values: &mut [f32]) {
        hold(values, self.low as f32, self.high as f32);
    }

    /// Holds written 64-bit integers within the bounds, which `f64` has rounded.
    pub(crate) fn hold_written(&self, out: &mut [u8]) {
        let (low, high) = self.bytes.split_at(8);
        let number = |bytes: &[u8]| bytes.first_chunk::<8>().copied().unwrap_or_default();
        let (low, high) = (number(low), number(high));
        match self.dtype {
            DType::I64 => {
                for slot in out.as_chunks_mut::<8>().0 {
                    let value = i64::from_le_bytes(*slot).min(i64::from_le_bytes(high));
                    *slot = value.max(i64::from_le_bytes(low)).to_le_bytes();
                }
            }
            DType::U64 => {
                for slot in out.as_chunks_mut::<8>().0 {
                    let value = u64::from_le_bytes(*slot).min(u64::from_le_bytes(high));
                    *slot = value.max(u64::from_le_bytes(low)).to_le_bytes();
                }
            }
            _ => (),
        }
    }

    /// Appends the bounds.
    pub(crate) fn write(&self, side: &mut Vec<u8>) {
        side.extend_from_slice(&self.bytes[..2 * self.dtype.size()]);
    }

    /// Takes bounds off the front of `side`.
    pub(crate) fn read(side: &mut &[u8], dtype: DType) -> Result<Self> {
        let (bytes, rest) = side
            .split_at_checked(2 * dtype.size())
            .ok_or_else(|| Error::corrupt("side information ends within the bounds"))?;
        *side = rest;
        let (low, high) = bytes.split_at(dtype.size());
        Self::new(dtype, low, high)
            .ok_or_else(|| Error::corrupt("the bounds of a chunk are not two finite values in order"))
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn hold(values: &mut [f32], low: f32, high: f32) {
    for value in values {
        // Comparisons: zeros of either sign are equal on every machine.
        let above = if *value < low { low } else { *value };
        *value = if above > high { high } else { above };
    }
}

/// Values that are read at a time: they stay in the cache.
const BLOCK: usize = 4096;

/// The least and the largest value, NaN aside.
#[multiversion(targets("x86_64+avx2"))]
fn range(values: &[f32]) -> (f32, f32) {
    let (mut lows, mut highs) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
    in_lanes(values, values.first().copied().unwrap_or(0.0), |values| {
        for lane in 0..LANES {
            lows[lane] = if values[lane] < lows[lane] { values[lane] } else { lows[lane] };
        }
        for lane in 0..LANES {
            highs[lane] = if values[lane] > highs[lane] { values[lane] } else { highs[lane] };
        }
    });
    (lows.into_iter().fold(f32::INFINITY, f32::min), highs.into_iter().fold(f32::NEG_INFINITY, f32::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_held_in_every_dtype() {
        for &dtype in DType::ALL {
            let mut bytes = vec![0; 2 * dtype.size()];
            dtype.write_f32(&[0.0, 1.0], &mut bytes);
            let mut rest = bytes.as_slice();
            let bounds = Bounds::read(&mut rest, dtype).unwrap();
            assert!(rest.is_empty());
            let mut side = Vec::new();
            bounds.write(&mut side);
            assert_eq!(side, bytes);
            let mut values = [-1.0, 0.5, 7.0];
            bounds.hold(&mut values);
            assert_eq!(values, [0.0, 0.5, 1.0]);
            let mut values = [-1.0f32, 0.5, 7.0];
            bounds.hold_f32(&mut values);
            assert_eq!(values, [0.0, 0.5, 1.0]);
            assert!(Bounds::read(&mut &bytes[1..], dtype).is_err());
            bytes.rotate_left(dtype.size());
            assert!(Bounds::read(&mut bytes.as_slice(), dtype).is_err(), "{dtype}: out of order");
        }
        let nan = [f32::NAN, 1.0].map(f32::to_le_bytes);
        assert!(Bounds::new(DType::F32, &nan[0], &nan[1]).is_none());
    }

    #[test]
    fn integers_beyond_the_precision_of_f64_are_held_too() {
        let (low, high) = (i64::MAX - 1000, i64::MAX - 513);
        let bounds = Bounds::new(DType::I64, &low.to_le_bytes(), &high.to_le_bytes()).unwrap();
        let mut out: Vec<u8> = [i64::MAX, i64::MIN, low + 3].iter().flat_map(|v| v.to_le_bytes()).collect();
        bounds.hold_written(&mut out);
        let held: Vec<i64> = out.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect();
        assert_eq!(held, [high, low, low + 3]);
    }
}
