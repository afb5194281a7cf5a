//! What all steps of encoding one tensor share.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Mutex, OnceLock};

use rayon::prelude::*;

use super::Encoding;
use super::exact;
use super::quantiser::Quantiser;
use super::source::Source;
use super::worker::{Codec, Coded, Worker};
use crate::{
    Chain, Chunks, CodecId, EncodeOptions, Error, Limits, MatrixShape, Pick, Registry, Result, Role, Target,
    Tensor,
};

/// One tensor on its way into chunks.
pub(super) struct Job<'j, 'a> {
    pub(super) tensor: &'j Tensor<'a>,
    pub(super) encoding: &'j Encoding,
    pub(super) matrix: MatrixShape,
    pub(super) chunks: Chunks,
    registry: &'j Registry,
    lossless_codecs: OnceLock<Vec<Codec>>,
    /// Idle workers: their contexts and buffers outlive one pass over the chunks.
    workers: Mutex<Vec<Worker>>,
}

impl<'j, 'a> Job<'j, 'a> {
    pub(super) fn new(
        registry: &'j Registry,
        tensor: &'j Tensor<'a>,
        encoding: &'j Encoding,
    ) -> Result<Self> {
        let limits = &encoding.limits;
        Limits::check("dimensions of a tensor", tensor.shape().len() as u64, limits.dimensions as u64)?;
        Limits::check("values of a tensor", tensor.len(), limits.tensor_values)?;
        if encoding.chunk_values == 0 {
            return Err(Error::invalid("chunks of 0 values: the least is 1"));
        }
        let matrix = MatrixShape::of(tensor.shape());
        Limits::check("values of a row", matrix.cols, limits.chunk_values)?;
        if let Some(importance) = &encoding.importance {
            importance.check(matrix.cols)?;
        }
        let chunks = matrix.chunks(encoding.chunk_values.min(limits.chunk_values));
        if chunks.len() > u64::from(u32::MAX) {
            return Err(Error::unsupported(format!("{} chunks: ask for larger ones", chunks.len())));
        }
        let (lossless_codecs, workers) = (OnceLock::new(), Mutex::new(Vec::new()));
        Ok(Self { tensor, encoding, matrix, chunks, registry, lossless_codecs, workers })
    }

    /// Some rows of the tensor's matrix view, as chunk `index`.
    pub(super) fn source(&self, index: u64, rows: Range<u64>) -> Source<'a> {
        let cols = self.matrix.cols;
        let bytes: Cow<'a, [u8]> = self.tensor.read(rows.start * cols..rows.end * cols);
        #[expect(clippy::cast_possible_truncation, reason = "within Limits::chunk_values, checked by `new`")]
        let (index, cols) = (index as u32, cols as usize);
        Source::new(index, self.tensor.dtype(), rows, cols, bytes, self.encoding.importance.clone())
    }

    /// The values of some chunks.
    pub(super) fn sources(&self, chunks: Range<u64>) -> Vec<Source<'a>> {
        chunks.map(|index| self.source(index, self.chunks.rows(index))).collect()
    }

    /// Lends an idle worker.
    pub(super) fn with_worker<T>(&self, work: impl FnOnce(&mut Worker) -> T) -> T {
        let idle = self.workers.lock().ok().and_then(|mut workers| workers.pop());
        let mut worker = idle.unwrap_or_else(|| {
            Worker::new(EncodeOptions::with_effort(self.encoding.effort), self.encoding.limits)
        });
        let result = work(&mut worker);
        if let Ok(mut workers) = self.workers.lock() {
            workers.push(worker);
        }
        result
    }

    /// Codes chunks with a quantiser on all cores, in order; each losslessly where that is smaller.
    pub(super) fn quantise(
        &self,
        sources: &[Source<'_>],
        codec: &Codec,
        chain: &Chain,
        quantiser: Quantiser,
    ) -> Result<Vec<Coded>> {
        let code = |source| {
            self.with_worker(|worker| exact::or_smaller(self, worker, source, codec, chain, quantiser))
        };
        sources.par_iter().map(code).collect()
    }

    /// Codes chunks losslessly on all cores, in order.
    pub(super) fn copy(&self, sources: &[Source<'_>]) -> Result<Vec<Coded>> {
        let code = |source| self.with_worker(|worker| exact::smallest(self, worker, source).cloned());
        sources.par_iter().map(code).collect()
    }

    /// The codec of lossy targets: the one asked for, or the registry's first that works here.
    pub(super) fn lossy_codec(&self) -> Result<Codec> {
        if let Some(id) = self.asked_codec()? {
            return self.codec(id);
        }
        let mut failed = None;
        for id in self.registry.defaults(false) {
            match self.codec(id) {
                Ok(codec) => return Ok(codec),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Err(failed.unwrap_or_else(|| Error::unsupported("this registry holds no codec for a lossy target")))
    }

    /// The codecs among which a lossless coding chooses.
    pub(super) fn lossless_codecs(&self) -> Result<&[Codec]> {
        if let Some(codecs) = self.lossless_codecs.get() {
            return Ok(codecs);
        }
        let codecs = self.find_lossless_codecs()?;
        Ok(self.lossless_codecs.get_or_init(|| codecs))
    }

    fn find_lossless_codecs(&self) -> Result<Vec<Codec>> {
        if let Some(id) = self.asked_codec()? {
            let codec = self.codec(id)?;
            let info = codec.encoder.info();
            if info.capabilities.lossless {
                return Ok(vec![codec]);
            }
            if self.encoding.target == Target::Lossless {
                return Err(Error::unsupported(format!(
                    "{} has no lossless mode: choose another codec",
                    info.name
                )));
            }
            // A small tensor, or an error below what the codec reaches: any codec that can.
        }
        let codecs: Vec<Codec> = self
            .registry
            .defaults(true)
            .into_iter()
            .filter_map(|id| self.codec(id).ok())
            .filter(|codec| codec.encoder.info().capabilities.lossless)
            .collect();
        if codecs.is_empty() {
            return Err(Error::unsupported("this registry holds no lossless codec that works here"));
        }
        Ok(codecs)
    }

    fn asked_codec(&self) -> Result<Option<CodecId>> {
        let Some(name) = &self.encoding.backend else { return Ok(self.encoding.codec) };
        if let Some(id) = self.encoding.codec {
            return Ok(Some(id));
        }
        let named = self.registry.named(name).map(Some);
        named.ok_or_else(|| Error::invalid(format!("no backend is named {name}")))
    }

    fn codec(&self, id: CodecId) -> Result<Codec> {
        let named =
            self.encoding.backend.as_deref().filter(|_| self.asked_codec().ok().flatten() == Some(id));
        let pick = named.map_or(Pick::Auto, Pick::Exactly);
        let encoder = self.registry.find(id, Role::Encode, pick)?.backend;
        let decoder = self.registry.find(id, Role::Decode, Pick::Auto)?.backend;
        Ok(Codec { id, encoder, decoder })
    }
}
