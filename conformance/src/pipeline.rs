//! A tensor's way through the pipeline with nothing but the subject's backends.

use std::ops::Range;

use telecine_core::{
    CodedChunk, DType, Distortion, Effort, Encoding, Error, Limits, MatrixShape, Registry, Result, Target,
    Tensor, TensorBuf, TensorMeta, TensorReport, decode_rows, encode,
};

use crate::Subject;

/// A registry that holds the subject, and how to ask for it.
pub(crate) struct Pipeline {
    registry: Registry,
    encoding: Encoding,
}

/// A tensor as coded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Coded {
    pub(crate) meta: TensorMeta,
    pub(crate) chunks: Vec<CodedChunk<'static>>,
    pub(crate) report: TensorReport,
}

impl Pipeline {
    /// The pipeline for a subject: its codec for everything, in chunks of about `chunk_values` values.
    pub(crate) fn new(subject: &Subject, chunk_values: u64) -> Result<Self> {
        let mut encoding = Encoding::new(Target::Lossless);
        encoding.codec = Some(subject.backend().info().codec);
        encoding.backend = Some(subject.encoding()?.info().name.to_owned());
        encoding.effort = Effort::Fast;
        encoding.chunk_values = chunk_values;
        encoding.keep_small = false;
        Ok(Self { registry: subject.registry()?, encoding })
    }

    /// The same at another effort.
    pub(crate) fn with_effort(mut self, effort: Effort) -> Self {
        self.encoding.effort = effort;
        self
    }

    /// The registry.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The setting, but for the target.
    pub(crate) fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// Encodes a tensor.
    pub(crate) fn encode(&self, tensor: &Tensor<'_>, target: Target) -> Result<Coded> {
        let mut encoding = self.encoding.clone();
        encoding.target = target;
        let mut chunks = Vec::new();
        let report = encode(&self.registry, tensor, &encoding, |chunk| {
            chunks.push(chunk);
            Ok::<(), Error>(())
        })?;
        let meta = TensorMeta::new("tensor", tensor.dtype(), tensor.shape());
        Ok(Coded { meta, chunks, report })
    }

    /// Decodes rows.
    pub(crate) fn decode_rows(&self, coded: &Coded, rows: Range<u64>) -> Result<TensorBuf> {
        decode_rows(&self.registry, &coded.meta, &coded.chunks, rows, &[], &Limits::default())
    }

    /// Decodes everything.
    pub(crate) fn decode(&self, coded: &Coded) -> Result<TensorBuf> {
        self.decode_rows(coded, 0..MatrixShape::of(&coded.meta.shape).rows)
    }
}

/// The mean squared error that rounding to a dtype alone leaves, at most, on values of this mean square.
pub(crate) fn rounding_error(dtype: DType, mean_square: f64) -> f64 {
    let mantissa = match dtype {
        DType::F8E5M2 => 2,
        DType::F8E4M3 => 3,
        DType::Bf16 => 7,
        DType::F16 => 10,
        // The pipeline reckons in `f32`.
        DType::F32 | DType::F64 => 23,
        _ => return 0.25,
    };
    mean_square * 4f64.powi(-mantissa - 1)
}

/// The squared error and the squares of the original per value.
pub(crate) fn mean_squares(original: &TensorBuf, decoded: &TensorBuf) -> (f64, f64) {
    let sums = Distortion::measure(original.dtype, &original.bytes, &decoded.bytes);
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    let count = (original.bytes.len() / original.dtype.size()).max(1) as f64;
    (sums.squared_error / count, sums.energy / count)
}
