//! Reading the values of a chunk for quantisation: outliers apart, the others of an order of magnitude that `f32` holds.

use super::magnitudes::{Magnitudes, magnitudes};
use crate::affine::Affine;
use crate::{DType, grid};

/// The values of a chunk as transforms and grids take them.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// One for each value of the chunk.
    pub(super) narrow: Vec<f32>,
    /// What the numbers stand for; `None` where they are the values themselves.
    pub(super) affine: Option<Affine>,
    /// Positions of values that are not finite, or farther out than a grid should reach, ascending. Their numbers are those of
    /// the centre.
    pub(super) kept: Vec<u32>,
    /// In the tensor's units: 0, or the median where all values lie far from 0.
    pub(super) centre: f64,
}

/// Passes over a chunk in search of outliers, at most: one huge value hides the next.
const OUTLIER_PASSES: usize = 8;
/// Outliers are at least as many times the mean magnitude. By Markov's inequality a pass lists at most 1 value in 16.
const LEAST: f64 = 16.0;
/// Values as many times the mean magnitude are outliers at any step.
const MOST: f64 = 2048.0;
/// Within these magnitudes `f32` has room for sums of squares and for steps.
const COMFORTABLE: std::ops::Range<f64> = 1e-18..1e18;
/// A median as many times the median distance from it is far from 0.
const FAR: f64 = 64.0;
/// Values that the centre is found by.
const SAMPLE: usize = 512;

impl Values {
    /// Reads values that are to be quantised with `step`, in the tensor's units.
    pub(super) fn read(&mut self, dtype: DType, bytes: &[u8], step: f64) {
        self.narrow.clear();
        self.kept.clear();
        (self.affine, self.centre) = (None, 0.0);
        // A grid of 16 bits covers as much comfortably: 8 samples a step.
        let reach = step * f64::from(grid::reach(16)) / 8.0;
        if dtype.fits_f32() {
            dtype.read_f32(bytes, &mut self.narrow);
            if centre(self.narrow.len(), |at| f64::from(self.narrow[at])) == 0.0 {
                let largest = self.keep_outliers(reach);
                let comfortable = largest == 0.0 || COMFORTABLE.contains(&largest);
                if comfortable && (step > 1e-30 || largest == 0.0) {
                    return;
                }
            }
            self.narrow.clear();
            self.kept.clear();
        }
        self.read_wide(dtype, bytes, reach);
    }

    /// The values in `f64`, for any range and offset.
    fn read_wide(&mut self, dtype: DType, bytes: &[u8], reach: f64) {
        let mut wide = Vec::with_capacity(bytes.len() / dtype.size());
        dtype.read_f64(bytes, &mut wide);
        self.centre = centre(wide.len(), |at| wide[at]);
        for _ in 0..OUTLIER_PASSES {
            let Some(most) = self.outermost(&wide, reach) else { break };
            for (position, value) in (0u32..).zip(wide.iter_mut()) {
                if !value.is_finite() || (*value - self.centre).abs() > most {
                    *value = self.centre;
                    self.kept.push(position);
                }
            }
        }
        self.kept.sort_unstable();
        let affine = Affine::of(&wide);
        self.narrow.extend(wide.iter().map(|&value| affine.forward(value)));
        self.affine = Some(affine);
    }

    /// The distance from the centre beyond which values are outliers; `None` where none is.
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    fn outermost(&self, wide: &[f64], reach: f64) -> Option<f64> {
        let distance = |value: &f64| (value - self.centre).abs();
        let finite = wide.iter().filter(|value| value.is_finite());
        let count = finite.clone().count();
        let largest = finite.clone().map(distance).fold(0.0, f64::max);
        let mean = finite.clone().map(|value| distance(value) / count.max(1) as f64).sum::<f64>();
        let most = reach.clamp(LEAST * mean, MOST * mean);
        if count < wide.len() || largest > most {
            return Some(most);
        }
        apart(finite.map(distance), count, mean, largest)
    }

    /// Lists outliers among values that are read as they are, and makes them 0; returns the largest magnitude of the
    /// others.
    fn keep_outliers(&mut self, reach: f64) -> f64 {
        let mut largest_left = 0.0;
        for _ in 0..OUTLIER_PASSES {
            let Magnitudes { mean, largest } = magnitudes(&self.narrow);
            largest_left = f64::from(largest);
            let mut most = reach.clamp(LEAST * mean, MOST * mean);
            if largest_left <= most {
                let count = self.narrow.len();
                let distances = self.narrow.iter().map(|&value| f64::from(value.abs()));
                let Some(edge) = apart(distances, count, mean, largest_left) else { break };
                most = edge;
            }
            for (position, value) in (0u32..).zip(self.narrow.iter_mut()) {
                if !value.is_finite() || f64::from(value.abs()) > most {
                    *value = 0.0;
                    self.kept.push(position);
                }
            }
            largest_left = most;
        }
        self.kept.sort_unstable();
        largest_left
    }
}

/// Values that stand apart from all others, at most, and at most one in so many.
const APART: usize = 64;
const APART_SHARE: usize = 256;
/// The least of them is as many times the largest of the others.
const GAP: f64 = 4.0;

/// The distance beyond which a few values stand apart from `count` of them and hold more energy than all others together: a step
/// that follows from the energy would be theirs, and ruin the others.
#[expect(clippy::cast_precision_loss, reason = "a sum")]
fn apart(distances: impl Iterator<Item = f64> + Clone, count: usize, mean: f64, largest: f64) -> Option<f64> {
    let most = APART.min((count / APART_SHARE).max(1));
    // Their energy is at most that of so many largest ones, that of all at least its value at equal distances.
    let ratio = mean / largest;
    if largest <= LEAST * mean || most as f64 <= 0.5 * count as f64 * ratio * ratio {
        return None;
    }
    let mut far: Vec<f64> = distances.clone().filter(|distance| *distance > LEAST * mean).collect();
    if far.is_empty() || far.len() > 4 * APART {
        return None;
    }
    far.sort_unstable_by(|a, b| b.total_cmp(a));
    let next = |at: usize| far.get(at).copied().unwrap_or(LEAST * mean / GAP);
    let edge = (1..=most.min(far.len())).find(|&at| far[at - 1] >= GAP * next(at))?;
    // Relative to the largest, squares stay within range.
    let energy =
        |values: &mut dyn Iterator<Item = f64>| values.map(|value| (value / largest).powi(2)).sum::<f64>();
    let all = energy(&mut distances.clone());
    (energy(&mut far[..edge].iter().copied()) > 0.5 * all).then(|| far[edge - 1].next_down())
}

/// The median of a sample where all values lie far from 0, else 0.
fn centre(count: usize, value: impl Fn(usize) -> f64) -> f64 {
    let stride = (count / SAMPLE).max(1);
    let sample = (0..count).step_by(stride).map(value).filter(|value| value.is_finite());
    let mut sample: Vec<f64> = sample.collect();
    let median = |values: &mut Vec<f64>| {
        let middle = values.len() / 2;
        if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(middle, f64::total_cmp).1 }
    };
    let middle = median(&mut sample);
    sample.iter_mut().for_each(|value| *value = (*value - middle).abs());
    let deviation = median(&mut sample);
    if deviation > 0.0 && middle.abs() > FAR * deviation { middle } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[f64], dtype: DType, step: f64) -> Values {
        let mut bytes = vec![0; values.len() * dtype.size()];
        dtype.write_f64(values, &mut bytes);
        let mut read = Values::default();
        read.read(dtype, &bytes, step);
        read
    }

    /// From −1 to 1, none of them 0.
    fn waves(count: usize) -> Vec<f64> {
        (0..count).map(|at| (at as f64 * 0.7 + 0.1).sin()).collect()
    }

    #[test]
    fn ordinary_values_are_read_as_they_are() {
        let values = waves(1000);
        let read = read(&values, DType::F32, 0.1);
        assert!(read.affine.is_none() && read.kept.is_empty());
        assert!(read.narrow.iter().zip(&values).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-7));
    }

    #[test]
    fn outliers_are_kept_wherever_the_others_lie() {
        for (dtype, scale, offset) in [
            (DType::F32, 1.0, 0.0),
            (DType::F32, 1e-36, 0.0),
            (DType::F64, 1e-100, 0.0),
            (DType::F64, 1.0, 1e6),
            (DType::F64, 1e300, 0.0),
        ] {
            let mut values: Vec<f64> = waves(10_000).iter().map(|value| offset + value * scale).collect();
            values[17] = offset + 1e7 * scale;
            values[99] = offset - 9e5 * scale;
            values[400] = f64::NAN;
            let read = read(&values, dtype, 0.1 * scale);
            assert_eq!(read.kept, [17, 99, 400], "{dtype} {scale} {offset}");
            let largest = read.narrow.iter().fold(0f32, |most, value| most.max(value.abs()));
            assert!((0.4..=1.0).contains(&largest), "{dtype} {scale} {offset}: {largest}");
        }
    }

    #[test]
    fn one_value_with_most_of_the_energy_is_an_outlier() {
        let mut values = waves(100_000);
        values[5] = 400.0;
        for dtype in [DType::F32, DType::Bf16, DType::F64] {
            assert_eq!(read(&values, dtype, 1.0).kept, [5], "{dtype}");
        }
        values[5] = 100.0;
        assert!(read(&values, DType::F32, 1.0).kept.is_empty());
        for at in 0..16 {
            values[1000 * at] = -500.0 - at as f64;
        }
        for dtype in [DType::F32, DType::F64] {
            assert_eq!(read(&values, dtype, 1.0).kept.len(), 16, "{dtype}");
        }
    }
}
