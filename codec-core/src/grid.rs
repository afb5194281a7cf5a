//! The quantiser in front of the backends: real values on a uniform grid of unsigned samples.

use multiversion::multiversion;

use crate::lanes::{LANES, append, in_lanes};
use crate::{Error, Result};

/// A uniform grid: sample `s` stands for `offset + (s − 2^(depth−1)) · scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Grid {
    /// Distance of neighbouring samples, in the values' units; finite, above 0.
    pub(crate) scale: f32,
    /// The value of the middle sample.
    pub(crate) offset: f32,
}

/// Added to an `f32` below 2²² in magnitude, this leaves the nearest integer in the low mantissa bits: rounding
/// without a library call, and so vectorised on every CPU.
const ROUND: f32 = 12_582_912.0;

/// The largest distance from the middle sample that a depth holds on both sides.
pub(crate) fn reach(depth: u8) -> f32 {
    f32::from((1u16 << (depth - 1)) - 1)
}

impl Grid {
    /// Appends the nearest sample of each value; values beyond the grid take its first or last sample.
    pub(crate) fn quantise(&self, values: &[f32], depth: u8, samples: &mut Vec<u16>) {
        quantise(*self, values, depth, samples);
    }

    /// Appends the value of each sample.
    pub(crate) fn dequantise(&self, samples: &[u16], depth: u8, values: &mut Vec<f32>) {
        dequantise(*self, samples, depth, values);
    }

    /// Whether every sample of a depth stands for a finite value.
    pub(crate) fn is_finite(&self, depth: u8) -> bool {
        (f32::from(1u16 << (depth - 1)) * self.scale + self.offset.abs()).is_finite()
    }

    /// Appends the grid as two little-endian `f32`.
    pub(crate) fn write(&self, side: &mut Vec<u8>) {
        side.extend_from_slice(&self.scale.to_le_bytes());
        side.extend_from_slice(&self.offset.to_le_bytes());
    }

    /// Takes a grid off the front of `side`.
    pub(crate) fn read(side: &mut &[u8]) -> Result<Self> {
        let mut number = || -> Result<f32> {
            let (bytes, rest) = side
                .split_first_chunk::<4>()
                .ok_or_else(|| Error::corrupt("side information ends within the grid"))?;
            *side = rest;
            Ok(f32::from_le_bytes(*bytes))
        };
        let grid = Self { scale: number()?, offset: number()? };
        if grid.scale.is_finite() && grid.scale > 0.0 && grid.offset.is_finite() {
            return Ok(grid);
        }
        Err(Error::corrupt(format!("sample grid {grid:?} is not made of finite numbers")))
    }

    /// The grid for values of which the backend will code a quantiser step of `step`, at a depth.
    ///
    /// Fine enough that its own rounding does not count (64 samples a step) where the range allows. `step_at_most`
    /// names the largest step at or below one, in samples, that the backend has: the grid is such that `step` is one
    /// of those, so that a codec of few quantiser settings codes at any step.
    pub(crate) fn for_step(spread: &Spread, step: f32, depth: u8, step_at_most: impl Fn(f32) -> f32) -> Self {
        let finest = (step / 64.0).max(spread.reach / reach(depth)).max(f32::MIN_POSITIVE);
        let (wanted, has) = (step / finest, step_at_most(step / finest));
        // Where the range leaves a step finer than the backend has, the backend's finest is as near as it gets.
        let scale = if has < wanted { step / has } else { finest };
        Self { scale, offset: spread.offset }
    }

    /// The grid for values that are to be quantised here and now with `step`, and the smallest of the `depths` that
    /// holds them; `None` where none does.
    pub(crate) fn at_step(spread: &Spread, step: f32, depths: &[u8]) -> Option<(Self, u8)> {
        let fits = |&&depth: &&u8| spread.reach / step <= reach(depth);
        let depth = *depths.iter().find(fits)?;
        Some((Self { scale: step, offset: spread.offset }, depth))
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn quantise(grid: Grid, values: &[f32], depth: u8, samples: &mut Vec<u16>) {
    let mid = 1i32 << (depth - 1);
    let (low, high) = (-f32::from(1u16 << (depth - 1)), reach(depth));
    let inverse = 1.0 / grid.scale;
    append(values, samples, |value| {
        // Not `clamp`, which asks whether its bounds are in order.
        let units = ((value - grid.offset) * inverse).max(low).min(high);
        let level = (units + ROUND).to_bits().cast_signed() - ROUND.to_bits().cast_signed();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 2^depth − 1 by the clamp"
        )]
        let nearest = (level + mid) as u16;
        nearest
    });
}

#[multiversion(targets("x86_64+avx2"))]
#[expect(clippy::cast_precision_loss, reason = "17 bits fit f32")]
fn dequantise(grid: Grid, samples: &[u16], depth: u8, values: &mut Vec<f32>) {
    let mid = 1i32 << (depth - 1);
    append(samples, values, |sample| (i32::from(sample) - mid) as f32 * grid.scale + grid.offset);
}

/// Where values lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    /// Their mean where it exceeds their standard deviation, else 0: zeros stay on the grid unless that costs range.
    offset: f32,
    /// Largest distance from `offset`.
    reach: f32,
}

impl Spread {
    /// Where these finite values lie.
    pub(crate) fn of(values: &[f32]) -> Self {
        spread(values)
    }

    /// Samples of a step on the finest grid of a depth that holds all values; infinite for a constant.
    pub(crate) fn samples(&self, step: f32, depth: u8) -> f32 {
        step * reach(depth) / self.reach
    }
}

#[multiversion(targets("x86_64+avx2"))]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a mean for choosing a grid"
)]
fn spread(values: &[f32]) -> Spread {
    let (mut sums, mut squares) = ([0f64; LANES], [0f64; LANES]);
    let first = values.first().copied().unwrap_or(0.0);
    let (mut lows, mut highs) = ([first; LANES], [first; LANES]);
    in_lanes(values, first, |values| {
        // Comparisons, because nothing here is NaN, and `min` and `max` would mind that.
        for lane in 0..LANES {
            lows[lane] = if values[lane] < lows[lane] { values[lane] } else { lows[lane] };
        }
        for lane in 0..LANES {
            highs[lane] = if values[lane] > highs[lane] { values[lane] } else { highs[lane] };
        }
    });
    in_lanes(values, 0.0, |values| {
        for lane in 0..LANES {
            sums[lane] += f64::from(values[lane]);
        }
        for lane in 0..LANES {
            squares[lane] += f64::from(values[lane]) * f64::from(values[lane]);
        }
    });
    let (sum, squares) = (sums.iter().sum::<f64>(), squares.iter().sum::<f64>());
    let low = lows.into_iter().fold(f32::INFINITY, f32::min);
    let high = highs.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let n = values.len().max(1) as f64;
    let mean = sum / n;
    let offset = if mean * mean > squares / n - mean * mean { mean as f32 } else { 0.0 };
    Spread { offset, reach: (high - offset).max(offset - low).max(0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_within_the_grid_return_within_half_a_unit(
            values in prop::collection::vec(-1000f32..1000.0, 1..200), depth in 8u8..=16, step in 0.01f32..100.0
        ) {
            let grid = Grid::for_step(&Spread::of(&values), step, depth, |step| step);
            let (mut samples, mut back) = (Vec::new(), Vec::new());
            grid.quantise(&values, depth, &mut samples);
            prop_assert!(samples.iter().all(|&s| u32::from(s) < 1 << depth));
            grid.dequantise(&samples, depth, &mut back);
            for (a, b) in values.iter().zip(&back) {
                prop_assert!((a - b).abs() <= grid.scale * 0.5 + a.abs() * 1e-5, "{a} {b} {grid:?}");
            }
        }

        #[test]
        fn a_grid_reads_back(scale in 1e-30f32..1e30, offset in any::<f32>().prop_filter("finite", |v| v.is_finite())) {
            let grid = Grid { scale, offset };
            let mut side = Vec::new();
            grid.write(&mut side);
            prop_assert_eq!(Grid::read(&mut side.as_slice()).unwrap(), grid);
            prop_assert!(Grid::read(&mut &side[..7]).is_err());
        }
    }

    #[test]
    fn the_smallest_depth_that_holds_the_levels_is_chosen() {
        let spread = Spread::of(&[-100.0, 0.0, 90.0]);
        let depth = |step: f32, depths: &[u8]| Grid::at_step(&spread, step, depths).map(|found| found.1);
        assert_eq!(depth(1.0, &[8, 16]), Some(8));
        assert_eq!(depth(0.1, &[8, 12, 16]), Some(12));
        assert_eq!(depth(1e-9, &[8, 16]), None);
    }

    #[test]
    fn a_step_is_one_that_the_backend_has() {
        // Powers of √2 from 4 on.
        let has = |step: f32| ((step.log2() * 2.0 + 1e-4).floor() / 2.0).exp2().max(4.0);
        let values = [-1000.0, 500.0];
        for step in [0.5f32, 3.0, 7.0, 20.0, 100.0, 3000.0] {
            let grid = Grid::for_step(&Spread::of(&values), step, 12, has);
            let samples = step / grid.scale;
            assert!((has(samples) / samples - 1.0).abs() < 1e-3 || samples < 4.0, "{step}: {samples}");
            assert!(1000.0 / grid.scale <= reach(12) + 1e-3, "{step}");
        }
    }

    #[test]
    fn a_far_mean_moves_the_grid_and_a_near_one_does_not() {
        assert_eq!(Grid::for_step(&Spread::of(&[99.0, 101.0]), 1.0, 8, |step| step).offset, 100.0);
        assert_eq!(Grid::for_step(&Spread::of(&[-1.0, 1.5]), 1.0, 8, |step| step).offset, 0.0);
    }

    #[test]
    fn a_grid_of_nan_or_zero_is_corrupt() {
        for bad in [Grid { scale: 0.0, offset: 0.0 }, Grid { scale: 1.0, offset: f32::NAN }] {
            let mut side = Vec::new();
            bad.write(&mut side);
            assert!(matches!(Grid::read(&mut side.as_slice()), Err(Error::Corrupt(_))));
        }
    }
}
