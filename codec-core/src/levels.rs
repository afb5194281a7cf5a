//! The quantiser for steps finer than a plane of samples: whole levels in `f64`, over several planes.
//!
//! `x = offset + (level − 2^(bits−1)) · step`. The first plane holds the highest bits of each level, as many as its depth; each
//! plane after it the next lower ones, the last what remains. All are coded losslessly.

use crate::{Error, Result};

/// A uniform grid of `2^bits` levels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Levels {
    /// Distance of neighbouring levels; finite, above 0.
    pub(crate) step: f64,
    /// The value of the middle level; finite.
    pub(crate) offset: f64,
    /// Bits of a level, 1 to 48.
    pub(crate) bits: u8,
}

/// Levels of more bits are farther from `f64`'s precision than they are from being lossless.
const MOST_BITS: u8 = 48;

impl Levels {
    /// The grid of this step that holds these finite values; `None` where it would take more than 48 bits.
    #[expect(clippy::cast_precision_loss, reason = "a mean and a power of two")]
    pub(crate) fn of(values: &[f64], step: f64) -> Option<Self> {
        let count = values.len().max(1) as f64;
        let (low, high) =
            values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)));
        let mean = values.iter().map(|value| value / count).sum::<f64>();
        let variance = values.iter().map(|value| (value - mean) * ((value - mean) / count)).sum::<f64>();
        let offset = if mean * mean > variance { mean } else { 0.0 };
        let reach = ((high - offset).max(offset - low) / step).max(0.0);
        let bits = (1..=MOST_BITS).find(|&bits| reach + 1.0 <= (1u64 << (bits - 1)) as f64)?;
        Some(Self { step, offset, bits })
    }

    /// The number of planes of this depth that hold a level.
    pub(crate) fn planes(&self, depth: u8) -> u32 {
        u32::from(self.bits.div_ceil(depth))
    }

    /// The place of a plane's lowest bit in a level, and how many bits it holds.
    fn part(&self, plane: u32, depth: u8) -> (u32, u32) {
        let (bits, depth) = (u32::from(self.bits), u32::from(depth));
        let above = plane * depth;
        let held = depth.min(bits - above);
        (bits - above - held, held)
    }

    /// Appends the samples of one plane of this depth.
    #[expect(clippy::cast_possible_truncation, reason = "as many bits as a sample has")]
    pub(crate) fn split(&self, levels: &[u64], (plane, depth): (u32, u8), samples: &mut Vec<u16>) {
        let (shift, held) = self.part(plane, depth);
        let mask = (1u64 << held) - 1;
        samples.extend(levels.iter().map(|level| (level >> shift & mask) as u16));
    }

    /// Puts the samples of one plane into levels that are 0 at first. Samples with more bits than the plane holds lose them.
    pub(crate) fn join(&self, samples: &[u16], (plane, depth): (u32, u8), levels: &mut [u64]) {
        let (shift, held) = self.part(plane, depth);
        let mask = (1u64 << held) - 1;
        for (level, &sample) in levels.iter_mut().zip(samples) {
            *level |= (u64::from(sample) & mask) << shift;
        }
    }

    /// The nearest level of each value.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 2^bits − 1 by the clamp"
    )]
    pub(crate) fn quantise(&self, values: &[f64]) -> Vec<u64> {
        let middle = 1i64 << (self.bits - 1);
        let level =
            |value: &f64| (((value - self.offset) / self.step).round() as i64).clamp(-middle, middle - 1);
        values.iter().map(|value| (level(value) + middle) as u64).collect()
    }

    /// The value of a level.
    #[expect(clippy::cast_precision_loss, reason = "at most 48 bits")]
    pub(crate) fn value(&self, level: u64) -> f64 {
        let middle = 1i64 << (self.bits - 1);
        self.offset + (level.cast_signed() - middle) as f64 * self.step
    }

    /// Appends step and offset (f64, little-endian) and the number of bits.
    pub(crate) fn write(&self, side: &mut Vec<u8>) {
        side.extend_from_slice(&self.step.to_le_bytes());
        side.extend_from_slice(&self.offset.to_le_bytes());
        side.push(self.bits);
    }

    /// Takes a grid off the front of `side`.
    pub(crate) fn read(side: &mut &[u8]) -> Result<Self> {
        let short = || Error::corrupt("side information ends within the grid of levels");
        let (step, rest) = side.split_first_chunk().ok_or_else(short)?;
        let (offset, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (&bits, rest) = rest.split_first().ok_or_else(short)?;
        *side = rest;
        let levels = Self { step: f64::from_le_bytes(*step), offset: f64::from_le_bytes(*offset), bits };
        let holds = levels.step.is_finite() && levels.step > 0.0 && levels.offset.is_finite();
        if holds && (1..=MOST_BITS).contains(&bits) {
            return Ok(levels);
        }
        Err(Error::corrupt(format!("{levels:?} is no grid")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_return_within_half_a_step_through_planes_of_any_depth(
            values in prop::collection::vec(-1e6f64..1e6, 1..100), log in -7i32..4, deep in any::<bool>()
        ) {
            let (step, depth) = (10f64.powi(log), if deep { 16 } else { 8 });
            let grid = Levels::of(&values, step).unwrap();
            let levels = grid.quantise(&values);
            let mut back = vec![0; levels.len()];
            for plane in 0..grid.planes(depth) {
                let mut samples = Vec::new();
                grid.split(&levels, (plane, depth), &mut samples);
                prop_assert!(samples.iter().all(|&sample| u32::from(sample) < 1 << depth));
                grid.join(&samples, (plane, depth), &mut back);
            }
            prop_assert_eq!(&back, &levels);
            for (value, level) in values.iter().zip(levels) {
                prop_assert!((grid.value(level) - value).abs() <= 0.5000001 * step + 1e-9);
            }
        }
    }

    #[test]
    fn a_step_beyond_48_bits_is_none() {
        assert_eq!(Levels::of(&[-1.0, 1.0], 1e-15), None);
        assert_eq!(Levels::of(&[-1.0, 1.0], 0.5).map(|grid| grid.bits), Some(3));
        assert_eq!(Levels::of(&[1e300, 1.1e300], 1e296).map(|grid| grid.planes(16)), Some(1));
    }

    #[test]
    fn a_grid_reads_back_and_damage_is_told() {
        let grid = Levels { step: 1e-9, offset: 7.0, bits: 33 };
        let mut side = Vec::new();
        grid.write(&mut side);
        assert_eq!(Levels::read(&mut side.as_slice()).unwrap(), grid);
        for bits in [0, 49] {
            let mut side = Vec::new();
            Levels { bits, ..grid }.write(&mut side);
            assert!(matches!(Levels::read(&mut side.as_slice()), Err(Error::Corrupt(_))));
        }
        assert!(Levels::read(&mut &side[..16]).is_err());
    }
}
