//! From a tensor to coded chunks that meet its target.

use std::borrow::Cow;
use std::ops::Range;

use super::job::Job;
use super::plan::{Aim, Plan, lossless, plan};
use super::sample::{Measure, Sample};
use super::search::{Goal, Search};
use super::worker::{Coded, Quantiser};
use super::{Encoding, TensorReport};
use crate::{
    Chain, CodecId, CodedChunk, Distortion, Error, GroupSpec, Limits, Registry, Result, Tensor,
    TransformChoice,
};

/// Full encodes of a chunk for one target, at most.
const FULL_ENCODES: usize = 4;
/// Below as many bits per value, few rows may hold all that is coded, and no sample tells: a transform must prove itself on
/// the whole.
const FEW_BITS: f64 = 0.1;
/// Chunks that are coded, and steered towards the target, together: bounds the packets in memory.
const WINDOW: u64 = 128;

/// Encodes a tensor on all cores; hands each coded chunk to `sink` in order.
///
/// A tensor of up to 128 chunks is steered towards its target as a whole, a larger one in runs of as many chunks.
/// An error of the sink ends the work and comes back as it is. An empty tensor makes one chunk without bytes.
///
/// # Errors
/// [`Error::Invalid`] for a target or setting out of range, [`Error::Unavailable`] when no backend serves the codec
/// here, [`Error::Unsupported`] for a target that this tensor cannot meet, [`Error::Limit`] for a tensor beyond the
/// limits, [`Error::Backend`] when a codec fails or returns other samples than it was given losslessly.
pub fn encode<E: From<Error>>(
    registry: &Registry,
    tensor: &Tensor<'_>,
    encoding: &Encoding,
    mut sink: impl FnMut(CodedChunk<'static>) -> Result<(), E>,
) -> Result<TensorReport, E> {
    encoding.target.check()?;
    let job = Job::new(registry, tensor, encoding)?;
    let mut report = Report::default();
    if tensor.is_empty() {
        let chunk = empty_chunk()?;
        let none = Distortion::default();
        report.add(&chunk, &none, encoding.importance.is_some().then_some(&none));
        sink(chunk)?;
        return Ok(report.finish());
    }
    let mut plan = plan(&job)?;
    let mut next = 0;
    while next < job.chunks.len() {
        let window = next..(next + WINDOW).min(job.chunks.len());
        next = window.end;
        for coded in encode_window(&job, window, &mut plan)? {
            report.add(&coded.chunk, &coded.distortion, coded.weighted.as_ref());
            sink(coded.chunk)?;
        }
    }
    Ok(report.finish())
}

/// Codes some chunks to the plan; a search goes on from where the chunks before ended.
fn encode_window(job: &Job<'_, '_>, chunks: Range<u64>, plan: &mut Plan) -> Result<Vec<Coded>> {
    let found = code(job, chunks.clone(), plan)?;
    let is_sure = job.encoding.transform != TransformChoice::Auto
        || plan.chain.is_empty()
        || matches!(plan.aim, Aim::Fixed(_))
        || Measure::of(&found).bits() > FEW_BITS;
    if is_sure {
        return Ok(found);
    }
    let mut plain = Plan { chain: Chain::default(), ..plan.clone() };
    let other = code(job, chunks, &mut plain)?;
    if Measure::of(&other).bytes < Measure::of(&found).bytes {
        *plan = plain;
        return Ok(other);
    }
    Ok(found)
}

/// Codes some chunks with the plan's chain.
fn code(job: &Job<'_, '_>, chunks: Range<u64>, plan: &mut Plan) -> Result<Vec<Coded>> {
    let Plan { codec, chain, aim } = plan;
    let (goal, x, slope, range) = match aim {
        Aim::Fixed(quantiser) => return job.encode(chunks, codec, chain, *quantiser),
        Aim::Search { goal, x, slope, range } => (*goal, x, slope, *range),
    };
    let mut search = Search::new(goal, *slope, range);
    let mut best: Option<(Measure, Vec<Coded>)> = None;
    let mut fewest_bits = f64::INFINITY;
    for _ in 0..FULL_ENCODES {
        let coded = job.encode(chunks.clone(), codec, chain, Quantiser::Step(x.exp2()))?;
        let measure = Measure::of(&coded);
        fewest_bits = fewest_bits.min(measure.bits());
        search.add(*x, &measure);
        let permitted = goal.permits(&measure);
        if permitted && best.as_ref().is_none_or(|(best, _)| goal.prefers(&measure, best)) {
            best = Some((measure, coded));
        }
        if goal.accepts(&measure) {
            break;
        }
        let Some(next) = search.next() else { break };
        *x = next;
    }
    *slope = search.local_slope();
    match (best, goal) {
        (Some((_, coded)), _) => Ok(coded),
        (None, Goal::Nmse(_)) => {
            let exact = lossless(job, &Sample::take(job))?;
            job.encode(chunks, &exact.codec, &exact.chain, Quantiser::BitCast)
        }
        (None, Goal::Bits(bits)) => Err(Error::unsupported(format!(
            "bits={bits} is out of reach: the nearest was {fewest_bits:.3} bits per value; \
             ask for more bits, for larger chunks, or for another target"
        ))),
    }
}

/// The one chunk of a tensor without values.
fn empty_chunk() -> Result<CodedChunk<'static>> {
    Ok(CodedChunk {
        index: 0,
        rows: 0..0,
        values: 0,
        codec: CodecId::RAW,
        spec: GroupSpec::new(1, 1, 1, 8, &Limits::default())?,
        transform: Cow::Borrowed("none"),
        side: Cow::Borrowed(&[]),
        packet: Cow::Borrowed(&[]),
        nmse: 0.0,
        max_abs_error: 0.0,
        energy: 0.0,
    })
}

/// Sums over the chunks of a tensor.
#[derive(Default)]
struct Report {
    sums: TensorReport,
    distortion: Distortion,
    weighted: Option<Distortion>,
    /// Bytes by codec, in the order of appearance.
    codecs: Vec<(CodecId, u64)>,
}

impl Report {
    fn add(&mut self, chunk: &CodedChunk<'_>, distortion: &Distortion, weighted: Option<&Distortion>) {
        self.sums.values += chunk.values;
        self.sums.bytes += chunk.bytes();
        self.distortion.merge(distortion);
        if let Some(weighted) = weighted {
            self.weighted.get_or_insert_default().merge(weighted);
        }
        if self.sums.transform.is_empty() {
            self.sums.transform = chunk.transform.clone().into_owned();
        }
        match self.codecs.iter_mut().find(|(id, _)| *id == chunk.codec) {
            Some((_, bytes)) => *bytes += chunk.bytes(),
            None => self.codecs.push((chunk.codec, chunk.bytes())),
        }
    }

    fn finish(mut self) -> TensorReport {
        self.codecs.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let codecs: Vec<_> = self.codecs.iter().map(|(id, _)| id.as_str()).collect();
        TensorReport {
            nmse: self.distortion.nmse(),
            weighted_nmse: self.weighted.map(|weighted| weighted.nmse()),
            max_abs_error: self.distortion.max_abs_error,
            codec: codecs.join(","),
            ..self.sums
        }
    }
}
