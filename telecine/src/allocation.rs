//! How a model's bits are spread over its tensors.

use telecine_core::{Effort, Encoding, MatrixShape, Target, Tensor, TensorBuf};

use crate::{Codec, Result};

/// Which tensors of a model get more bits than others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Allocation {
    /// All the same.
    Even,
    /// As many as make the normalised errors of all tensors equal.
    Nmse,
    /// As many as make the model's error least, when each tensor adds its normalised error times its sensitivity.
    ///
    /// With `s` for sensitivities, `n` for numbers of values and `D` for normalised errors, `Σ s·D` at a given sum of
    /// bits is least where all tensors lie at equal slopes, which is where squared steps over mean squares are
    /// proportional to `n/s`: reverse water-filling over tensors (Cover & Thomas, Elements of Information Theory,
    /// §10.3.3). Without measured sensitivities all are alike, and small tensors get the more bits: whatever its size, an
    /// error in one changes all that the model computes behind it.
    #[default]
    Auto,
}

/// Bits per value that a tensor is to get: `bits + slope · x`, where `x` is common to all tensors of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Bits at `x = 0`.
    pub bits: f64,
    /// Bits for each octave by which all steps grow finer: 1 for a tensor that takes part with all its values, less for
    /// one of whose values many are below the step.
    pub slope: f64,
}

impl Share {
    /// As much as every other tensor.
    pub const EVEN: Self = Self { bits: 0.0, slope: 1.0 };
}

/// Values of the sample on which rates are measured, about.
const SAMPLE: u64 = 1 << 18;
/// Pieces of which a sample consists.
const PIECES: u64 = 8;

impl Allocation {
    /// Bits per value by which each tensor's step is to be coarser than the model's mean, from numbers of values and
    /// sensitivities.
    ///
    /// Where no sensitivity was measured it counts 1, but as many times more as a tensor has values beyond four times the
    /// median: a head over a large vocabulary is as sensitive for each value as a layer's matrix (`docs/evidence.md`).
    #[expect(clippy::cast_precision_loss, reason = "a logarithm of it")]
    pub fn levels(self, tensors: &[(u64, Option<f64>)]) -> Vec<f64> {
        if self != Self::Auto {
            return vec![0.0; tensors.len()];
        }
        let mut sizes: Vec<u64> =
            tensors.iter().map(|tensor| tensor.0).filter(|values| *values > 0).collect();
        sizes.sort_unstable();
        let large = 4.0 * sizes.get(sizes.len() / 2).map_or(1.0, |median| *median as f64);
        let level = |&(values, sensitivity): &(u64, Option<f64>)| {
            let values = values.max(1) as f64;
            0.5 * (values / sensitivity.unwrap_or((values / large).max(1.0))).log2()
        };
        let values: f64 = tensors.iter().map(|tensor| tensor.0 as f64).sum();
        let sum: f64 = tensors.iter().map(|tensor| tensor.0 as f64 * level(tensor)).sum();
        let mean = sum / values.max(1.0);
        tensors.iter().map(|tensor| level(tensor) - mean).collect()
    }

    /// What a tensor is to get when all take about `bits` per value: measured at fast effort on at most 2¹⁸ of its
    /// values, in 8 blocks of rows. `level` is its own of [`Allocation::levels`].
    ///
    /// # Errors
    /// As [`Codec::encode`].
    pub fn share(
        self,
        codec: &Codec,
        tensor: &Tensor<'_>,
        encoding: &Encoding,
        bits: f64,
        level: f64,
    ) -> Result<Share> {
        if self == Self::Even {
            return Ok(Share::EVEN);
        }
        let sample = sample(tensor);
        let mut encoding = encoding.clone();
        (encoding.effort, encoding.keep_small) = (Effort::Fast, false);
        let error = (2.0 * (level - bits)).exp2().min(0.5);
        let square = mean_square(&sample);
        let mut rate = |finer: f64| -> Result<f64> {
            encoding.target = match self {
                Self::Auto if square > 0.0 => Target::Step((12.0 * error * square).sqrt() / finer.exp2()),
                _ => Target::Nmse((error / (2.0 * finer).exp2()).max(1e-7)),
            };
            Ok(codec.encode(&sample.view()?, &encoding)?.report.bits())
        };
        let (coarse, fine) = (rate(-0.25)?, rate(0.25)?);
        Ok(Share { bits: f64::midpoint(coarse, fine), slope: (2.0 * (fine - coarse)).clamp(0.02, 1.0) })
    }
}

fn sample(tensor: &Tensor<'_>) -> TensorBuf {
    let MatrixShape { rows, cols, .. } = MatrixShape::of(tensor.shape());
    let piece = (SAMPLE / PIECES / cols.max(1)).max(1);
    if piece * PIECES >= rows {
        return tensor.to_owned();
    }
    let mut sample =
        TensorBuf { dtype: tensor.dtype(), shape: vec![piece * PIECES, cols], bytes: Vec::new() };
    for index in 0..PIECES {
        let start = index * (rows - piece) / (PIECES - 1);
        sample.bytes.extend_from_slice(&tensor.read(start * cols..(start + piece) * cols));
    }
    sample
}

/// Of the finite values; 0 where there are none.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn mean_square(tensor: &TensorBuf) -> f64 {
    let finite = tensor.to_f32().into_iter().filter(|value| value.is_finite()).map(f64::from);
    let (count, sum) = finite.fold((0u64, 0.0), |(count, sum), value| (count + 1, sum + value * value));
    sum / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_sensitive_tensors_lie_lower() {
        let levels =
            Allocation::Auto.levels(&[(1 << 16, Some(1.0)), (1 << 20, Some(1.0)), (1 << 20, Some(16.0))]);
        assert!((levels[1] - levels[0] - 2.0).abs() < 1e-12 && (levels[2] - levels[0]).abs() < 1e-12);
        let mean = levels[0] / 16.0 + levels[1] + levels[2];
        assert!(mean.abs() < 1e-9);
        assert_eq!(Allocation::Nmse.levels(&[(1, None), (9, Some(2.0))]), [0.0, 0.0]);
    }

    #[test]
    fn a_head_over_a_large_vocabulary_lies_no_lower_than_a_tensor_of_four_times_the_median() {
        let sizes = [1 << 16, 1 << 18, 1 << 18, 1 << 20, 1 << 25];
        let levels = Allocation::Auto.levels(&sizes.map(|size| (size, None)));
        assert!((levels[4] - levels[3]).abs() < 1e-12, "{levels:?}");
        assert!((levels[3] - levels[0] - 2.0).abs() < 1e-12, "{levels:?}");
    }

    #[test]
    fn shares_follow_the_rate_of_a_tensor() {
        let mut state = 1u64;
        let mut noise = || {
            // Sums of four uniform numbers, of variance 1/3.
            (0..4)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 40) as f32 / 16_777_216.0 - 0.5
                })
                .sum::<f32>()
        };
        let full: Vec<f32> = (0..600_000).map(|_| noise()).collect();
        let sparse: Vec<f32> =
            (0..600_000).map(|at| if at % 8 == 0 { noise() } else { noise() * 1e-3 }).collect();
        let share = |values: &[f32], allocation: Allocation, level: f64| {
            let tensor = TensorBuf::from_f32(&[1000, 600], values).unwrap();
            let encoding = Encoding::new(Target::Lossless);
            allocation.share(&Codec::new(), &tensor.view().unwrap(), &encoding, 3.0, level).unwrap()
        };
        let even = share(&full, Allocation::Auto, 0.0);
        assert!((even.bits - 3.1).abs() < 0.15 && even.slope > 0.95, "{even:?}");
        let coarser = share(&full, Allocation::Auto, 1.0);
        assert!((even.bits - coarser.bits - 1.0).abs() < 0.1, "{coarser:?}");
        let few = share(&sparse, Allocation::Nmse, 0.0);
        assert!(few.bits < 1.0 && few.slope < 0.25, "{few:?}");
    }
}
