//! A part of a tensor that stands for the whole while a step, a transform or a codec is chosen.

use rayon::prelude::*;

use super::exact;
use super::job::Job;
use super::quantiser::Quantiser;
use super::source::Source;
use super::worker::{Codec, Coded};
use crate::{Chain, Distortion, Result};

/// Values of a sample, at most.
const SAMPLE_VALUES: u64 = 1 << 17;
/// A strip shorter than this costs the codec too much in tables.
const STRIP_VALUES: u64 = 1 << 14;
/// A strip of fewer rows flatters transforms that fit its rows: centring n rows takes 1/n of any noise away.
const STRIP_ROWS: u64 = 128;
/// Strips of a sample, at most.
const STRIPS: u64 = 4;
/// A tensor up to this size is its own sample.
const WHOLE_VALUES: u64 = 1 << 13;

/// Bits and error of a sample or of several chunks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Measure {
    pub(super) values: f64,
    pub(super) bytes: f64,
    /// Of the values that were quantised, weighed by importance, where that is given: what targets and costs are about.
    pub(super) distortion: Distortion,
}

impl Measure {
    pub(super) fn bits(&self) -> f64 {
        self.bytes * 8.0 / self.values.max(1.0)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts for a ratio")]
    pub(super) fn of(coded: &[Coded]) -> Self {
        let mut sum = Self::default();
        for coded in coded {
            sum.values += coded.chunk.values as f64;
            sum.bytes += coded.chunk.bytes() as f64;
            sum.distortion.merge(&coded.quantised);
        }
        sum
    }

    /// True where the mean squared error is about that of a quantiser of this step, or less.
    pub(super) fn keeps_to(&self, step: f64) -> bool {
        let error = self.distortion.root_mean_square(self.values) / step;
        error * error <= 1.5 / 12.0
    }

    /// Cost in bits per value at the slope that belongs to `step`: rate plus distortion over λ.
    ///
    /// At high rate `D = step²/12` and `dR/dD = −1/(2 ln2 · D)`, so a unit of distortion is worth `6 / (ln2 · step²)`
    /// bits.
    pub(super) fn cost(&self, step: f64) -> f64 {
        let error = self.distortion.root_mean_square(self.values) / step;
        self.bits() + 6.0 / std::f64::consts::LN_2 * error * error
    }
}

/// The part of each chunk that a sample takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The middle of chunks in the middle of each part of the tensor.
    Middle,
    /// The beginning or the end of chunks, the first and the last among them.
    Ends,
}

/// Strips of whole rows, each from within one chunk.
pub(super) struct Sample<'a> {
    strips: Vec<(Source<'a>, f64)>,
}

impl<'a> Sample<'a> {
    /// At most a quarter of the tensor, evenly spread over its chunks, but one strip of enough rows at least; tiny tensors
    /// whole.
    pub(super) fn take(job: &Job<'_, 'a>, place: Place) -> Self {
        let (values, cols, chunks) = (job.matrix.values(), job.matrix.cols, job.chunks.len());
        let strip_values = STRIP_VALUES.max(STRIP_ROWS.saturating_mul(cols));
        let least = WHOLE_VALUES.max(strip_values).min(values);
        let wanted = (values / 4).min(SAMPLE_VALUES).max(least);
        let strips = (wanted / strip_values).clamp(1, STRIPS.min(chunks));
        let strip_rows = (wanted / strips).div_ceil(cols);
        let strips = (0..strips).map(|strip| {
            let index = match place {
                Place::Middle => (2 * strip + 1) * chunks / (2 * strips),
                Place::Ends => strip * (chunks - 1) / (strips - 1).max(1),
            };
            let chunk = job.chunks.rows(index);
            let len = chunk.end - chunk.start;
            // Row transforms work in blocks of up to 64 rows: a strip should hold whole ones.
            let rows = if strip_rows > 64 { strip_rows.next_multiple_of(64) } else { strip_rows }.min(len);
            let start = match place {
                Place::Middle => (len - rows) / 2 / 64 * 64,
                Place::Ends if strip % 2 == 0 => 0,
                Place::Ends => (len - rows) / 64 * 64,
            };
            #[expect(clippy::cast_precision_loss, reason = "a share")]
            let share = rows as f64 / len as f64;
            (job.source(index, chunk.start + start..chunk.start + start + rows), share)
        });
        Self { strips: strips.collect() }
    }

    /// The values.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source<'a>> {
        self.strips.iter().map(|(source, _)| source)
    }

    /// Codes the sample and measures; side information that a chunk has once is counted by the sample's share of it.
    #[expect(clippy::cast_precision_loss, reason = "counts for a ratio")]
    pub(super) fn measure(
        &self,
        job: &Job<'_, 'a>,
        codec: &Codec,
        chain: &Chain,
        quantiser: Quantiser,
    ) -> Result<Measure> {
        let parts = self.strips.par_iter().map(|(source, share)| {
            let coded =
                job.with_worker(|worker| exact::or_only(job, worker, source, codec, chain, quantiser))?;
            let mut part = Measure::of(std::slice::from_ref(&coded));
            part.bytes -= coded.transform_bytes as f64 * (1.0 - share);
            Ok(part)
        });
        let mut sum = Measure::default();
        for part in parts.collect::<Result<Vec<_>>>()? {
            sum.values += part.values;
            sum.bytes += part.bytes;
            sum.distortion.merge(&part.distortion);
        }
        Ok(sum)
    }
}
