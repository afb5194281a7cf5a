//! Encoding and decoding in memory.

use std::ops::Range;
use std::sync::Arc;

use telecine_core::{
    Basis, CodedChunk, Encoding, Limits, MatrixShape, Registry, Tensor, TensorBuf, TensorMeta, TensorReport,
};

use crate::Result;

/// Encodes and decodes tensors in memory with the backends of a registry.
#[derive(Debug)]
pub struct Codec {
    registry: Registry,
    limits: Limits,
}

/// An encoded tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// Dtype and shape; the name is empty.
    pub meta: TensorMeta,
    /// The coded chunks, in order.
    pub chunks: Vec<CodedChunk<'static>>,
    /// What it came to.
    pub report: TensorReport,
    /// The bases that the chunks' transforms may refer to; not part of `report.bytes`.
    pub bases: Vec<Arc<Basis>>,
}

impl Default for Codec {
    fn default() -> Self {
        Self::new()
    }
}

impl Codec {
    /// A codec with every backend of this build.
    pub fn new() -> Self {
        Self::with_registry(telecine_backends::default_registry())
    }

    /// A codec with the backends of this registry.
    pub fn with_registry(registry: Registry) -> Self {
        Self { registry, limits: Limits::default() }
    }

    /// The same with other limits for decoding; those for encoding are in each [`Encoding`].
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The limits of decoding.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Encodes a tensor.
    ///
    /// # Errors
    /// As [`telecine_core::encode`].
    pub fn encode(&self, tensor: &Tensor<'_>, encoding: &Encoding) -> Result<Encoded> {
        let mut chunks = Vec::new();
        let report = telecine_core::encode(&self.registry, tensor, encoding, |chunk| {
            chunks.push(chunk);
            Ok::<(), telecine_core::Error>(())
        })?;
        let meta = TensorMeta::new("", tensor.dtype(), tensor.shape());
        Ok(Encoded { meta, chunks, report, bases: crate::writer::bases(encoding) })
    }

    /// Decodes a tensor.
    ///
    /// # Errors
    /// As [`telecine_core::decode_rows`].
    pub fn decode(&self, encoded: &Encoded) -> Result<TensorBuf> {
        self.decode_rows(encoded, 0..MatrixShape::of(&encoded.meta.shape).rows)
    }

    /// Decodes rows of a tensor's [matrix view](MatrixShape), touching only the chunks that hold them; the result has
    /// shape `[rows, columns]`, or the tensor's own when they are all.
    ///
    /// # Errors
    /// As [`telecine_core::decode_rows`].
    pub fn decode_rows(&self, encoded: &Encoded, rows: Range<u64>) -> Result<TensorBuf> {
        let Encoded { meta, chunks, bases, .. } = encoded;
        Ok(telecine_core::decode_rows(&self.registry, meta, chunks, rows, bases, &self.limits)?)
    }
}
