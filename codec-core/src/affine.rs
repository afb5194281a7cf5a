//! Values brought to the order of magnitude of 1, where `f32` reckons well.
//!
//! `x = offset + v · 2^exponent`, reckoned in `f64`. What transforms and grids see are the `v`: so tensors at either end of
//! a dtype's range, and small spreads around far offsets, are coded like any other.

use crate::{Error, Result};

/// Where a chunk's values lie: `x = offset + v · 2^exponent`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Affine {
    /// In the tensor's units; finite.
    pub(crate) offset: f64,
    /// From −1,100 to 1,100.
    pub(crate) exponent: i16,
}

/// The largest exponent and, negated, the smallest.
const MOST: i16 = 1100;

impl Affine {
    /// The one that brings these finite values to magnitudes of at most 1: around their mean where that exceeds their
    /// standard deviation.
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    pub(crate) fn of(values: &[f64]) -> Self {
        let exponent = exponent_of(values.iter().fold(0.0, |most, value| value.abs().max(most)));
        let (mut sum, mut squares) = (0.0, 0.0);
        for &value in values {
            let value = times_power(value, -exponent);
            sum += value;
            squares += value * value;
        }
        let count = values.len().max(1) as f64;
        let (mean, square) = (sum / count, squares / count);
        let offset = if mean * mean > square - mean * mean { times_power(mean, exponent) } else { 0.0 };
        let reach = values.iter().fold(0.0, |most, value| (value - offset).abs().max(most));
        Self { offset, exponent: exponent_of(reach) }
    }

    /// The `v` of `x`, as the nearest `f32`.
    #[expect(clippy::cast_possible_truncation, reason = "of magnitude 1 or so")]
    pub(crate) fn forward(&self, x: f64) -> f32 {
        times_power(x - self.offset, -self.exponent) as f32
    }

    /// The `x` of `v`.
    pub(crate) fn inverse(&self, v: f64) -> f64 {
        self.offset + times_power(v, self.exponent)
    }

    /// A step in the tensor's units, in those of the `v`.
    pub(crate) fn step(&self, step: f64) -> f64 {
        times_power(step, -self.exponent)
    }

    /// Appends offset (f64) and exponent (i16), little-endian.
    pub(crate) fn write(&self, side: &mut Vec<u8>) {
        side.extend_from_slice(&self.offset.to_le_bytes());
        side.extend_from_slice(&self.exponent.to_le_bytes());
    }

    /// Takes one off the front of `side`.
    pub(crate) fn read(side: &mut &[u8]) -> Result<Self> {
        let short = || Error::corrupt("side information ends within the range of values");
        let (offset, rest) = side.split_first_chunk().ok_or_else(short)?;
        let (exponent, rest) = rest.split_first_chunk().ok_or_else(short)?;
        *side = rest;
        let affine = Self { offset: f64::from_le_bytes(*offset), exponent: i16::from_le_bytes(*exponent) };
        if affine.offset.is_finite() && affine.exponent.abs() <= MOST {
            return Ok(affine);
        }
        Err(Error::corrupt(format!("{affine:?} is no range of values")))
    }
}

/// The exponent `e` for which `2^(e−1) ≤ value < 2^e`; 0 for 0.
fn exponent_of(value: f64) -> i16 {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    // A subnormal is first made a normal number.
    let (value, raised) = if value < f64::MIN_POSITIVE { (value * 2f64.powi(64), 64) } else { (value, 0) };
    let biased = (value.to_bits() >> 52) as i16;
    biased - 1022 - raised
}

/// `value · 2^exponent`, in three steps, of which none leaves the range where the result does not.
pub(crate) fn times_power(value: f64, exponent: i16) -> f64 {
    let power = |exponent: i16| f64::from_bits(u64::from((exponent + 1023).unsigned_abs()) << 52);
    let third = exponent / 3;
    value * power(third) * power(third) * power(exponent - 2 * third)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_any_size_come_to_magnitudes_of_at_most_1() {
        for scale in [5e-324, 1e-310, 1e-100, 1e-3, 1.0, 3e38, 1e300, 1.7e308] {
            let values = [scale, -scale * 0.3, scale * 0.7];
            let affine = Affine::of(&values);
            for x in values {
                let v = affine.forward(x);
                assert!(v.abs() <= 1.0, "{scale}: {v}");
                assert!((affine.inverse(v.into()) - x).abs() <= 1e-7 * scale.abs(), "{scale}: {x}");
            }
            assert!(values.iter().any(|x| affine.forward(*x).abs() >= 0.49), "{scale}");
        }
    }

    #[test]
    fn a_small_spread_around_a_far_offset_keeps_its_precision() {
        let values: Vec<f64> = (0..100).map(|at| 1e8 + f64::from(at) * 0.01).collect();
        let affine = Affine::of(&values);
        for &x in &values {
            assert!((affine.inverse(affine.forward(x).into()) - x).abs() < 1e-7);
        }
    }

    #[test]
    fn both_ends_of_the_range_at_once_stay_finite() {
        let values = [f64::MAX, f64::MIN, 1.0];
        let affine = Affine::of(&values);
        for x in values {
            let back = affine.inverse(affine.forward(x).into()).clamp(f64::MIN, f64::MAX);
            assert!((back / 2.0 - x / 2.0).abs() <= 1e-7 * f64::MAX, "{x} {back}");
        }
    }

    #[test]
    fn it_reads_back_and_damage_is_told() {
        let affine = Affine { offset: -3.5e200, exponent: -1074 };
        let mut side = Vec::new();
        affine.write(&mut side);
        assert_eq!(Affine::read(&mut side.as_slice()).unwrap(), affine);
        for wrong in [Affine { offset: f64::NAN, exponent: 0 }, Affine { offset: 0.0, exponent: 2000 }] {
            let mut side = Vec::new();
            wrong.write(&mut side);
            assert!(matches!(Affine::read(&mut side.as_slice()), Err(Error::Corrupt(_))));
        }
        assert!(Affine::read(&mut &side[..9]).is_err());
    }
}
