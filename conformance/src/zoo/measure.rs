//! Differences between a tensor and its copy, and the least that a mask costs.

use std::collections::HashMap;
use std::ops::Range;

use telecine_core::{DType, SideEffects, TensorBuf};

use super::numbers::{Numbers, read};

/// Differences between an original and what came back.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// Squared error over squares, over the finite values; computed in units of the largest, so that no square leaves
    /// the range of `f64`.
    pub(crate) nmse: f64,
    /// The largest error of the finite values.
    pub(crate) max_abs: f64,
    /// The error of each value; 0 where the original is not finite.
    pub(crate) errors: Vec<f64>,
    /// Whether every bit is the same.
    pub(crate) is_exact: bool,
    /// A value that is not finite and came back as another.
    pub(crate) lost_special: Option<usize>,
    /// A finite value that came back outside the range of the finite originals.
    pub(crate) strayed: Option<usize>,
    /// A zero that came back as another value.
    pub(crate) lost_zero: Option<usize>,
}

impl Measured {
    pub(crate) fn new(original: &TensorBuf, back: &TensorBuf) -> Self {
        let (dtype, size) = (original.dtype, original.dtype.size());
        let (values, decoded) = (read(dtype, &original.bytes), read(dtype, &back.bytes));
        let pairs = original.bytes.chunks_exact(size).zip(back.bytes.chunks_exact(size));
        let same: Vec<bool> = pairs.clone().map(|(a, b)| a == b).collect();
        let errors: Vec<f64> = pairs
            .zip(values.iter().zip(&decoded))
            .map(|((a, b), (value, decoded))| match () {
                () if !value.is_finite() => 0.0,
                () if dtype.is_float() => (value - decoded).abs(),
                // Exact for 64-bit integers, too.
                () => dtype.distance(a, b).map_or(f64::INFINITY, |(error, _)| error),
            })
            .collect();
        let (low, high) = finite_range(&values);
        let find = |wrong: &dyn Fn(usize) -> bool| (0..values.len()).find(|&at| wrong(at));
        Self {
            nmse: nmse(&values, &errors),
            max_abs: errors.iter().copied().fold(0.0, f64::max),
            is_exact: original == back,
            lost_special: find(&|at| !values[at].is_finite() && !same[at]),
            strayed: find(&|at| values[at].is_finite() && !(low..=high).contains(&decoded[at])),
            lost_zero: find(&|at| values[at] == 0.0 && decoded[at] != 0.0),
            errors,
        }
    }

    /// The mean squared error in units of `step²`.
    pub(crate) fn mean_square_in(&self, step: f64) -> f64 {
        let sum: f64 = self.errors.iter().map(|error| (error / step).powi(2)).sum();
        sum / count(self.errors.len().max(1))
    }
}

/// Squared errors over squares of the finite values; 0 without an error.
pub(crate) fn nmse(values: &[f64], errors: &[f64]) -> f64 {
    let finite = || values.iter().zip(errors).filter(|(value, _)| value.is_finite());
    let unit = finite().map(|(value, error)| value.abs().max(*error)).fold(0.0, f64::max);
    if unit == 0.0 {
        return 0.0;
    }
    let sum = |part: fn((&f64, &f64)) -> f64| finite().map(|pair| (part(pair) / unit).powi(2)).sum::<f64>();
    let (error, energy) = (sum(|(_, error)| *error), sum(|(value, _)| *value));
    if error == 0.0 { 0.0 } else { error / energy }
}

/// The least and the largest finite value; 0 and 0 without one.
pub(crate) fn finite_range(values: &[f64]) -> (f64, f64) {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    if low <= high { (low, high) } else { (0.0, 0.0) }
}

/// The mean square of what rounding to the dtype alone does to values, in units of `step²`.
pub(crate) fn rounding_in(dtype: DType, values: &[f64], step: f64) -> f64 {
    let numbers = Numbers::of(dtype);
    let square = |value: &f64| {
        let unit = if dtype.is_float() {
            (value.abs().log2().floor().exp2() * numbers.epsilon).max(numbers.smallest)
        } else {
            1.0
        };
        (unit / step).powi(2) / 12.0
    };
    let finite: Vec<f64> = values.iter().filter(|value| value.is_finite()).map(square).collect();
    finite.iter().sum::<f64>() / count(finite.len().max(1))
}

/// Counts of values that changed in kind, chunk by chunk as the report's are.
pub(crate) fn side_effects(original: &TensorBuf, back: &TensorBuf, chunks: &[Range<usize>]) -> SideEffects {
    let (values, decoded) = (read(original.dtype, &original.bytes), read(original.dtype, &back.bytes));
    let mut all = SideEffects::default();
    for chunk in chunks {
        let pairs = || values[chunk.clone()].iter().zip(&decoded[chunk.clone()]);
        let count =
            |changed: &dyn Fn(f64, f64) -> bool| pairs().filter(|(a, b)| changed(**a, **b)).count() as u64;
        all.lost_zeros += count(&|a, b| a == 0.0 && b != 0.0);
        all.changed_signs += count(&|a, b| (a > 0.0 && b < 0.0) || (a < 0.0 && b > 0.0));
        let mut frequency: HashMap<u64, usize> = HashMap::new();
        for (_, value) in pairs().filter(|(_, value)| value.is_finite()) {
            // −0 and 0 are one value.
            *frequency.entry((value + 0.0).to_bits()).or_default() += 1;
        }
        let Some((&most, _)) = frequency.iter().max_by_key(|(_, count)| **count) else { continue };
        let most = f64::from_bits(most);
        let flattened = count(&|a, b| b == most && a != most);
        if 2 * flattened >= chunk.len() as u64 {
            all.flattened += flattened;
        }
    }
    all
}

/// The bits that an adaptive coder takes for a mask over rows of `cols` values, each place in the context of its
/// neighbours to the left and above: any reasonable coder of masks does about as well.
pub(crate) fn mask_bits(mask: &[bool], cols: usize) -> f64 {
    let mut counts = [[0.5f64; 2]; 8];
    let mut bits = 0.0;
    for (at, &is_set) in mask.iter().enumerate() {
        let left = at % cols > 0 && mask[at - 1];
        let above = at >= cols && mask[at - cols];
        let beside = at >= cols && at % cols > 0 && mask[at - cols - 1];
        let context = &mut counts[usize::from(left) * 4 + usize::from(above) * 2 + usize::from(beside)];
        bits -= (context[usize::from(is_set)] / (context[0] + context[1])).log2();
        context[usize::from(is_set)] += 1.0;
    }
    bits
}

/// A number of bytes for arithmetic.
#[expect(clippy::cast_precision_loss, reason = "no tensor of the zoo has 2⁵³ bytes")]
pub(crate) fn size(bytes: u64) -> f64 {
    bytes as f64
}

/// A number of values for arithmetic.
#[expect(clippy::cast_precision_loss, reason = "no tensor of the zoo has 2⁵³ values")]
pub(crate) fn count(count: usize) -> f64 {
    count as f64
}
