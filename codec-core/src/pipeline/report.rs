//! Sums over the chunks of a tensor.

use super::TensorReport;
use crate::{CodecId, CodedChunk, Distortion};

/// Sums over the chunks of a tensor.
#[derive(Default)]
pub(super) struct Report {
    sums: TensorReport,
    distortion: Distortion,
    weighted: Option<Distortion>,
    /// Bytes by codec, in the order of appearance.
    codecs: Vec<(CodecId, u64)>,
    /// Chains in the order of appearance.
    transforms: Vec<String>,
}

impl Report {
    /// Adds a chunk.
    pub(super) fn add(
        &mut self,
        chunk: &CodedChunk<'_>,
        distortion: &Distortion,
        weighted: Option<&Distortion>,
    ) {
        self.sums.values += chunk.values;
        self.sums.bytes += chunk.bytes();
        self.sums.side_effects.merge(&chunk.side_effects);
        self.distortion.merge(distortion);
        if let Some(weighted) = weighted {
            self.weighted.get_or_insert_default().merge(weighted);
        }
        if self.transforms.iter().all(|transform| *transform != chunk.transform) {
            self.transforms.push(chunk.transform.clone().into_owned());
        }
        match self.codecs.iter_mut().find(|(id, _)| *id == chunk.codec) {
            Some((_, bytes)) => *bytes += chunk.bytes(),
            None => self.codecs.push((chunk.codec, chunk.bytes())),
        }
    }

    /// The report of the tensor.
    pub(super) fn finish(mut self) -> TensorReport {
        self.codecs.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let codecs: Vec<_> = self.codecs.iter().map(|(id, _)| id.as_str()).collect();
        TensorReport {
            nmse: self.distortion.nmse(),
            weighted_nmse: self.weighted.map(|weighted| weighted.nmse()),
            max_abs_error: self.distortion.max_abs_error,
            codec: codecs.join(","),
            transform: self.transforms.join(","),
            ..self.sums
        }
    }
}
