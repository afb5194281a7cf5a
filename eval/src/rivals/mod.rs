//! Other people's quantisers, implemented plainly as references, their bits counted with their scales.
//!
//! All bits are counted that a decoder needs beside the shape: indices, scales, zero points, code books.

use half::f16;
use rayon::prelude::*;
use telecine::TensorBuf;

use crate::{Error, Result};

mod awq;
mod float8;
mod gptq;
mod k_quants;
mod kmeans;
mod nf4;
mod rotated;
mod rtn;
#[cfg(test)]
pub(crate) mod testing;
mod trellis;

pub use awq::awq;
pub use float8::fp8;
#[cfg(test)]
pub(crate) use gptq::output_error;
pub use gptq::{DAMPING, Feedback, gptq};
pub use k_quants::k_quants;
pub use kmeans::kmeans;
pub use nf4::{Scales, nf4};
pub use rotated::rotated;
pub use rtn::{Grid, Origin, rtn};
pub use trellis::trellis;

/// A matrix of f32 values, row after row: an output neuron's weights, or a token, is a row.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// `rows * cols` values.
    pub values: &'a [f32],
}

/// What a quantiser made of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantised {
    /// The values that come back, in the order of the matrix.
    pub values: Vec<f32>,
    /// All bits that are stored: indices, scales, offsets, code books.
    pub bits: u64,
}

impl Matrix<'_> {
    /// # Errors
    /// [`Error::Call`] for another number of values than the shape has, and for values that no scale reaches.
    fn check(&self) -> Result<()> {
        let Self { rows, cols, values } = *self;
        if rows.checked_mul(cols) != Some(values.len()) {
            return Err(Error::call(format!("{} values are no matrix of {rows} × {cols}", values.len())));
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(Error::call(format!("value {at} is {}, which no rival codes", values[at]))),
            None => Ok(()),
        }
    }

    /// Codes every row alone: `code` fills the second slice from the first and counts the bits.
    fn by_rows(&self, code: impl Fn(&[f32], &mut [f32]) -> u64 + Sync) -> Result<Quantised> {
        self.check()?;
        let (mut values, cols) = (vec![0.0; self.values.len()], self.cols.max(1));
        let rows = values.par_chunks_mut(cols).zip(self.values.par_chunks(cols));
        let bits = rows.map(|(out, row)| code(row, out)).sum();
        Ok(Quantised { values, bits })
    }
}

/// Quantises a block of tokens, `[tokens, channels]`: what comes back, and its bits.
///
/// # Errors
/// As `quantise`.
pub fn on_tokens(
    block: &TensorBuf,
    quantise: impl Fn(&Matrix<'_>) -> Result<Quantised>,
) -> Result<(TensorBuf, u64)> {
    let values = block.to_f32();
    let cols = block.shape.last().map_or(1, |&cols| usize::try_from(cols).unwrap_or(1)).max(1);
    let coded = quantise(&Matrix { rows: values.len() / cols, cols, values: &values })?;
    Ok((TensorBuf::from_f32(&block.shape, &coded.values)?, coded.bits))
}

impl Quantised {
    /// Mean squared error over the mean square of what was quantised; 0 for a perfect copy, zeros included.
    pub fn nmse(&self, original: &[f32]) -> f64 {
        let error: f64 = self.values.iter().zip(original).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        let energy: f64 = original.iter().map(|&value| f64::from(value).powi(2)).sum();
        if error == 0.0 { 0.0 } else { error / energy }
    }
}

/// The nearest value that 16 bits hold; the largest one for what is beyond.
fn to_half(value: f32) -> f32 {
    f16::from_f32(value.clamp(f16::MIN.to_f32(), f16::MAX.to_f32())).to_f32()
}

/// The nearest whole number, ties to even, of `-2^22..=2^22`: in two instructions that any vector unit has.
#[inline(always)]
fn nearest(value: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT) - SHIFT
}

/// Sum of squared errors, in lanes.
#[inline(always)]
fn squared_error(values: &[f32], code: impl Fn(f32) -> f32) -> f32 {
    let (mut lanes, mut rest) = ([0f32; 8], 0f32);
    let chunks = values.chunks_exact(8);
    for &value in chunks.remainder() {
        rest += (value - code(value)).powi(2);
    }
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            let error = value - code(value);
            *lane += error * error;
        }
    }
    rest + lanes.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_rounded_as_the_standard_library_does() {
        for value in (-4000..4000).map(|value| value as f32 / 16.0) {
            assert_eq!(nearest(value), value.round_ties_even(), "{value}");
        }
    }

    #[test]
    fn squared_errors_are_those_of_a_plain_sum() {
        let values: Vec<f32> = (0..37).map(|at| at as f32 * 0.25).collect();
        let plain: f32 = values.iter().map(|value| (value - value.round()).powi(2)).sum();
        assert_eq!(squared_error(&values, f32::round), plain);
    }

    #[test]
    fn scales_beyond_16_bits_stay_finite() {
        assert_eq!(to_half(1e9), 65504.0);
        assert_eq!(to_half(-1e9), -65504.0);
        assert_eq!(to_half(1.0 + 1.0 / 4096.0), 1.0);
    }
}
