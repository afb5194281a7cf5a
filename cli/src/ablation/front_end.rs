//! The paper's front end: every row on an 8-bit grid of its own.

use serde::Serialize;
use telecine::{
    Chain, Codec, CodecId, CoreError, DType, Effort, Encoding, Error, GroupSpec, Limits, Target,
    TransformChoice,
};

use super::Stack;
use super::stages::Cell;
use crate::failure::Result;

/// A stack as 8-bit samples, each row spread over all of them from its least value to its largest.
#[derive(Debug)]
pub(crate) struct Samples {
    /// The planes.
    pub(crate) spec: GroupSpec,
    /// Their samples.
    pub(crate) samples: Vec<u16>,
    /// Each row's least value and the distance of two samples, both in half precision as they are stored.
    rows: Vec<(f32, f32)>,
}

impl Samples {
    /// Rows that reach beyond half precision end at its largest value.
    ///
    /// # Errors
    /// More samples than the default limits allow.
    pub(crate) fn row_wise(stack: &Stack) -> Result<Self> {
        let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let spec =
            GroupSpec::new(size(stack.planes), size(stack.rows), size(stack.cols), 8, &Limits::default())?;
        let mut samples = Vec::with_capacity(stack.values.len());
        let mut rows = Vec::with_capacity(stack.values.len() / stack.cols);
        for row in stack.values.chunks_exact(stack.cols) {
            let bounds =
                row.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
            let low = half(bounds.0);
            let step = half((bounds.1 - low) / 255.0);
            let sample =
                |value: &f32| if step > 0.0 { ((value - low) / step).round().clamp(0.0, 255.0) } else { 0.0 };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
            samples.extend(row.iter().map(|value| sample(value) as u16));
            rows.push((low, step));
        }
        Ok(Self { spec, samples, rows })
    }

    /// Bits that the rows' grids take: two halves each.
    pub(crate) fn side_bits(&self) -> u64 {
        32 * self.rows.len() as u64
    }

    /// Mean squared error of decoded samples over the mean square of the values.
    pub(crate) fn nmse(&self, decoded: &[u16], stack: &Stack) -> f64 {
        let mut error = 0f64;
        let rows = decoded.chunks_exact(stack.cols).zip(stack.values.chunks_exact(stack.cols));
        for ((decoded, values), (low, step)) in rows.zip(&self.rows) {
            let square =
                |(sample, value): (&u16, &f32)| f64::from(low + f32::from(*sample) * step - value).powi(2);
            error += decoded.iter().zip(values).map(square).sum::<f64>();
        }
        error / stack.values.len() as f64 / stack.mean_square
    }

    /// Mean square of the values in units of the rows' grids: what a step in samples is to be compared with.
    pub(crate) fn mean_square_step(&self) -> f64 {
        let squares = self.rows.iter().map(|(_, step)| f64::from(*step).powi(2)).sum::<f64>();
        squares / self.rows.len().max(1) as f64
    }

    /// Order-0 entropy of the samples in bits.
    pub(crate) fn entropy(&self) -> f64 {
        let mut counts = [0u64; 256];
        self.samples.iter().for_each(|sample| counts[usize::from(sample & 255)] += 1);
        let all = self.samples.len() as f64;
        let bits =
            |count: u64| if count == 0 { 0.0 } else { -(count as f64 / all).log2() * count as f64 / all };
        counts.into_iter().map(bits).sum()
    }
}

/// The nearest half-precision number.
fn half(value: f32) -> f32 {
    let (mut bytes, mut back) = ([0; 2], Vec::with_capacity(1));
    DType::F16.write_f32(&[value.clamp(-65504.0, 65504.0)], &mut bytes);
    DType::F16.read_f32(&bytes, &mut back);
    back.first().copied().unwrap_or(0.0)
}

/// One codec behind different front ends at the same error, in bits per value.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FrontEnd {
    /// The codec's id.
    pub(crate) codec: String,
    /// The backend that coded.
    pub(crate) backend: String,
    /// The paper's front end: 8-bit rows.
    pub(crate) row_wise: Cell,
    /// Ours without a transform: one grid for a chunk, its depth and step free, what lies beyond stored exactly.
    pub(crate) ours: Cell,
    /// Ours with a Hadamard transform of the rows.
    pub(crate) hadamard: Cell,
    /// Ours with the transform that measures cheapest.
    pub(crate) auto: Cell,
}

/// Bits per value of our front end at an error. `chain` names the transform; the cheapest unless given.
///
/// # Errors
/// What coding brings; that a codec cannot reach the error is a cell.
pub(crate) fn ours(
    codec: &Codec,
    stack: &Stack,
    (id, backend): (CodecId, &str),
    effort: Effort,
    nmse: f64,
    chain: Option<&str>,
) -> Result<Cell> {
    let mut encoding = Encoding::new(Target::Nmse(nmse));
    (encoding.codec, encoding.backend, encoding.effort) = (Some(id), Some(backend.to_owned()), effort);
    if let Some(chain) = chain {
        encoding.transform = TransformChoice::Chain(Chain::parse(chain, &|_| None)?);
    }
    let tensor = stack.tensor()?;
    match codec.encode(&tensor.view()?, &encoding) {
        Ok(encoded) => Ok(Cell::Bits(encoded.report.bits())),
        Err(Error::Core(error @ (CoreError::Unsupported(_) | CoreError::OutOfReach { .. }))) => {
            Ok(Cell::Missing(error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}
