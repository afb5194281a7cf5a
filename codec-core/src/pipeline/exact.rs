//! Lossless coding of a chunk, and where it takes the place of a lossy one: a lossy chunk is never larger.

use std::sync::atomic::Ordering;

use super::job::Job;
use super::quantiser::Quantiser;
use super::source::Source;
use super::worker::{Codec, Coded, Worker};
use crate::{Chain, DType, Error, Result, Target};

/// Bits per value that exact zeros, and other values that repeat, may cost where they survive.
const ZEROS_MAY_COST: f64 = 0.02;
/// Lossless coding is tried where the lossy one takes as large a share of what it is estimated to take.
const NEAR: f64 = 0.75;
/// Chunks of fewer values are coded both ways.
const FEW: usize = 4096;

/// The smallest lossless coding of a chunk; made once.
pub(super) fn smallest<'s>(
    job: &Job<'_, '_>,
    worker: &mut Worker,
    source: &'s Source<'_>,
) -> Result<&'s Coded> {
    if let Some(coded) = source.exact.get() {
        return Ok(coded);
    }
    let mut best: Option<Coded> = None;
    for (at, codec) in job.lossless_codecs()?.iter().enumerate() {
        // The first is the best for noise; others are for what has structure, and for what no coding makes smaller.
        if at > 0 && !is_worth_trying(source, best.as_ref()) {
            break;
        }
        for classes in [None, source.exact_classes()]
            .into_iter()
            .enumerate()
            .filter_map(|(at, classes)| (at == 0 || classes.is_some()).then_some(classes))
        {
            let coded = worker.encode_bits(source, codec, classes)?;
            if best.as_ref().is_none_or(|best| coded.chunk.bytes() < best.chunk.bytes()) {
                best = Some(coded);
            }
        }
    }
    let best = best.ok_or_else(|| Error::unsupported("no lossless codec"))?;
    Ok(source.exact.get_or_init(|| best))
}

fn is_worth_trying(source: &Source<'_>, best: Option<&Coded>) -> bool {
    source.values() < FEW
        || !source.dtype.is_float()
        || !source.survey().frequent.is_empty()
        || best.is_some_and(|best| best.chunk.bytes() >= source.bytes.len() as u64)
        || source.likeness().is_structured
}

/// A chunk coded with a quantiser; losslessly where that is smaller, or where nothing else keeps what the target promises of
/// every chunk.
pub(super) fn or_smaller(
    job: &Job<'_, '_>,
    worker: &mut Worker,
    source: &Source<'_>,
    codec: &Codec,
    chain: &Chain,
    quantiser: Quantiser,
) -> Result<Coded> {
    let lossy = quantised(job, worker, source, codec, chain, quantiser)?;
    let Some(lossy) = lossy.filter(|coded| keeps_step(job, source, coded)) else {
        return smallest(job, worker, source).cloned();
    };
    if !may_take(source, lossy.chunk.bits()) {
        return Ok(lossy);
    }
    // A codec without a lossless mode, in a registry without another, is left as it is.
    match smallest(job, worker, source) {
        Ok(exact) if exact.chunk.bytes() <= lossy.chunk.bytes() => Ok(exact.clone()),
        _ => Ok(lossy),
    }
}

/// A chunk coded with a quantiser; losslessly only where the quantiser is finer than any grid.
pub(super) fn or_only(
    job: &Job<'_, '_>,
    worker: &mut Worker,
    source: &Source<'_>,
    codec: &Codec,
    chain: &Chain,
    quantiser: Quantiser,
) -> Result<Coded> {
    match quantised(job, worker, source, codec, chain, quantiser)? {
        Some(lossy) => Ok(lossy),
        None => smallest(job, worker, source).cloned(),
    }
}

/// A chunk coded with a quantiser, exact zeros and other repeated values as classes where that is wanted or pays.
fn quantised(
    job: &Job<'_, '_>,
    worker: &mut Worker,
    source: &Source<'_>,
    codec: &Codec,
    chain: &Chain,
    quantiser: Quantiser,
) -> Result<Option<Coded>> {
    let cost = |coded: &Coded| cost(coded, quantiser);
    let mut encode = |optional: bool| {
        let classes = source.classes(optional);
        let coded = worker.encode_values(source, codec, chain, quantiser, classes.cloned())?;
        let (Quantiser::Step(step), capabilities) = (quantiser, &codec.encoder.info().capabilities) else {
            return Ok(coded);
        };
        if !(capabilities.lossy && capabilities.lossless && source.likeness().is_structured) {
            return Ok(coded);
        }
        let levels = worker.encode_values(source, codec, chain, Quantiser::Levels(step), classes.cloned())?;
        Ok(coded.into_iter().chain(levels).min_by(|a, b| cost(a).total_cmp(&cost(b))))
    };
    let survey = source.survey();
    if survey.optional.is_empty() {
        return encode(false);
    }
    let keeps_zeros = job.encoding.keep_zeros && survey.zeros > 0;
    if keeps_zeros || source.optional_bits() <= ZEROS_MAY_COST {
        return encode(true);
    }
    if source.without_optional.load(Ordering::Relaxed) {
        return encode(false);
    }
    let (Some(without), Some(with)) = (encode(false)?, encode(true)?) else { return Ok(None) };
    Ok(Some(if cost(&with) <= cost(&without) + ZEROS_MAY_COST { with } else { without }))
}

/// Bits per value, and the error in the bits that it is worth at the quantiser's step.
#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn cost(coded: &Coded, quantiser: Quantiser) -> f64 {
    let bits = coded.chunk.bits();
    match quantiser {
        Quantiser::Step(step) | Quantiser::Levels(step) => {
            let error = coded.distortion.root_mean_square(coded.chunk.values as f64) / step;
            bits + 6.0 / std::f64::consts::LN_2 * error * error
        }
        Quantiser::Bound { .. } => bits,
    }
}

/// Whether a lossless coding may take at most so many bits per value: by estimate, as lossless coding of all would take as
/// long again.
pub(super) fn may_take(source: &Source<'_>, bits: f64) -> bool {
    let likeness = || source.likeness();
    source.values() < FEW
        || !source.survey().frequent.is_empty()
        || likeness().is_structured
        || bits >= NEAR * likeness().bits
}

/// More mean squared error than a uniform quantiser's, by which a step is still that step.
const STEP_MARGIN: f64 = 1.6;

/// Whether a chunk has the error that a step target promises.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn keeps_step(job: &Job<'_, '_>, source: &Source<'_>, coded: &Coded) -> bool {
    let Target::Step(step) = job.encoding.target else { return true };
    let values = source.values().max(1) as f64;
    let error = coded.quantised.root_mean_square(values);
    let energy = coded.quantised.root_mean_energy(values);
    let unit = if source.dtype.is_float() { 0.0 } else { 0.3 };
    let allowed = (STEP_MARGIN / 12.0).sqrt() * step + rounding(source.dtype) * energy + unit;
    // A few values of a chunk may all lie badly.
    error <= allowed || source.values() < 64 && coded.chunk.max_abs_error <= step
}

/// The root mean square error of rounding to a dtype, relative to the values; 0 for integers, where it is absolute.
fn rounding(dtype: DType) -> f64 {
    match dtype {
        DType::F8E5M2 => 0.1,
        DType::F8E4M3 => 0.05,
        DType::Bf16 => 3e-3,
        DType::F16 => 4e-4,
        DType::F32 => 5e-8,
        DType::F64 => 1e-16,
        _ => 0.0,
    }
}
