//! Choosing codec, transform and quantiser for a tensor, by measuring on a sample.

use super::job::Job;
use super::sample::{Sample, Scale};
use super::search::{Goal, Search};
use super::worker::{Codec, Quantiser};
use crate::{Chain, Error, Result, Target, Transform, TransformChoice, candidates};

/// How the chunks of a tensor are to be coded.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) codec: Codec,
    pub(super) chain: Chain,
    pub(super) aim: Aim,
}

/// What is fixed and what full encodes still have to find.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aim {
    /// Code every chunk like this.
    Fixed(Quantiser),
    /// Meet the goal, starting from log2(step) `x`.
    Search { goal: Goal, x: f64, slope: f64, range: (f64, f64) },
}

/// Measurements of a sample in one search.
const MEASUREMENTS: usize = 9;
/// Bits per value that a chain must save to displace a simpler one.
const CLEAR_GAIN: f64 = 0.01;
/// Bounds that a maximum-error quantiser tries to aim at, as shares of the bound: rounding to a narrow dtype adds
/// error of its own, and values beyond the bound are dear.
const SHARES: [f64; 4] = [1.0, 0.93, 0.8, 0.6];

/// Chooses for this tensor and target.
pub(super) fn plan(job: &Job<'_, '_>) -> Result<Plan> {
    let sample = Sample::take(job);
    let dtype = job.tensor.dtype();
    match job.encoding.target {
        _ if keeps(job) => lossless(job, &sample),
        Target::Lossless => lossless(job, &sample),
        Target::MaxAbs(bound) if bound == 0.0 || (!dtype.is_float() && bound < 1.0) => lossless(job, &sample),
        Target::MaxAbs(bound) => bounded(job, &sample, bound),
        Target::Step(step) => {
            let codec = job.lossy_codec()?;
            let chain = choose_chain(job, &sample, &codec, step)?;
            Ok(Plan { codec, chain, aim: Aim::Fixed(Quantiser::Step(step)) })
        }
        Target::Bits(bits) => search(job, &sample, Goal::Bits(bits)),
        Target::Nmse(nmse) => search(job, &sample, Goal::Nmse(nmse)),
    }
}

/// Whether the tensor is so small that it is kept losslessly whatever the target.
fn keeps(job: &Job<'_, '_>) -> bool {
    job.encoding.keeps_small(job.tensor.shape())
}

/// The lossless codec that makes the sample smallest.
pub(super) fn lossless(job: &Job<'_, '_>, sample: &Sample<'_>) -> Result<Plan> {
    let none = Chain::default();
    let mut best: Option<(f64, Codec)> = None;
    let codecs = job.lossless_codecs()?;
    let single = codecs.len() == 1;
    for codec in codecs {
        let bytes = if single { 0.0 } else { sample.measure(job, &codec, &none, Quantiser::BitCast)?.bytes };
        if best.as_ref().is_none_or(|(least, _)| bytes < *least) {
            best = Some((bytes, codec));
        }
    }
    let (_, codec) = best.ok_or_else(|| Error::unsupported("no lossless codec"))?;
    Ok(Plan { codec, chain: none, aim: Aim::Fixed(Quantiser::BitCast) })
}

/// A maximum-error target: the cheapest share of the bound, or lossless where that is cheaper still.
fn bounded(job: &Job<'_, '_>, sample: &Sample<'_>, max_abs: f64) -> Result<Plan> {
    let chain = match &job.encoding.transform {
        TransformChoice::Auto => Chain::default(),
        TransformChoice::Chain(chain) => chain.clone(),
    };
    let codec = job.lossy_codec()?;
    let mut best: Option<(f64, Plan)> = None;
    for share in SHARES {
        let quantiser = Quantiser::Bound { max_abs, share };
        let bytes = sample.measure(job, &codec, &chain, quantiser)?.bytes;
        if best.as_ref().is_none_or(|(least, _)| bytes < *least) {
            best = Some((
                bytes,
                Plan { codec: codec.clone(), chain: chain.clone(), aim: Aim::Fixed(quantiser) },
            ));
        }
    }
    if let Ok(exact) = lossless(job, sample) {
        let bytes = sample.measure(job, &exact.codec, &exact.chain, Quantiser::BitCast)?.bytes;
        if best.as_ref().is_none_or(|(least, _)| bytes < *least) {
            return Ok(exact);
        }
    }
    best.map(|(_, plan)| plan).ok_or_else(|| Error::unsupported("no way to meet a maximum error"))
}

/// A bits or error target: chain and step by search on the sample.
fn search(job: &Job<'_, '_>, sample: &Sample<'_>, goal: Goal) -> Result<Plan> {
    let codec = job.lossy_codec()?;
    let Scale { rms, deviation, largest } = sample.scale();
    if largest == 0.0 {
        // Nothing to measure a step by: the sample is all zeros or holds nothing finite.
        return lossless(job, sample);
    }
    // Steps stay within the normal range of f32.
    let range = ((largest.log2() - 24.0).max(-120.0), (largest.log2() + 4.0).clamp(-110.0, 120.0));
    let first = match goal {
        // A Gaussian's entropy at a step is log2(σ √(2πe) / step); a constant sample has no σ.
        Goal::Bits(bits) => deviation.max(1e-6 * rms).log2() + 2.05 - bits,
        Goal::Nmse(nmse) => rms.log2() + 0.5 * (12.0 * nmse).log2(),
    };
    let mut x = first.clamp(range.0, range.1);
    let mut chain = choose_chain(job, sample, &codec, x.exp2())?;
    let (mut found, mut slope) = solve(job, sample, &codec, &chain, goal, x, range)?;
    // The step moves when a transform takes much of the energy away: what pays there may be another transform.
    if (found.x - x).abs() > 0.5 && job.encoding.transform == TransformChoice::Auto {
        let again = choose_chain(job, sample, &codec, found.x.exp2())?;
        if again != chain {
            chain = again;
            (found, slope) = solve(job, sample, &codec, &chain, goal, found.x, range)?;
        }
    }
    x = found.x;
    let out_of_reach = match goal {
        Goal::Bits(bits) => found.bits < 0.99 * bits,
        Goal::Nmse(nmse) => found.nmse > 1.1 * nmse,
    };
    if out_of_reach && let Ok(exact) = lossless(job, sample) {
        let bits = sample.measure(job, &exact.codec, &exact.chain, Quantiser::BitCast)?.bits();
        let fits = match goal {
            Goal::Bits(wanted) => bits <= wanted,
            Goal::Nmse(_) => true,
        };
        if fits {
            return Ok(exact);
        }
    }
    Ok(Plan { codec, chain, aim: Aim::Search { goal, x, slope, range } })
}

struct FoundStep {
    x: f64,
    bits: f64,
    nmse: f64,
}

/// The step at which the sample meets the goal, and the slope there.
fn solve(
    job: &Job<'_, '_>,
    sample: &Sample<'_>,
    codec: &Codec,
    chain: &Chain,
    goal: Goal,
    start: f64,
    range: (f64, f64),
) -> Result<(FoundStep, f64)> {
    let near = match goal {
        Goal::Bits(bits) => 0.01 * bits,
        Goal::Nmse(_) => 0.02,
    };
    let mut search = Search::new(goal, goal.slope(), range);
    let mut next = Some(start);
    let mut found = FoundStep { x: start, bits: 0.0, nmse: 0.0 };
    while let Some(x) = next {
        let measure = sample.measure(job, codec, chain, Quantiser::Step(x.exp2()))?;
        search.add(x, &measure);
        found = FoundStep { x, bits: measure.bits(), nmse: measure.distortion.nmse() };
        next = if search.miss() <= near || search.len() >= MEASUREMENTS { None } else { search.next() };
    }
    Ok((found, search.local_slope()))
}

/// The chain asked for, or the candidate that costs least on the sample at this step; behind importance where given.
fn choose_chain(job: &Job<'_, '_>, sample: &Sample<'_>, codec: &Codec, step: f64) -> Result<Chain> {
    let candidates = match &job.encoding.transform {
        TransformChoice::Chain(chain) => return behind_importance(job, chain),
        TransformChoice::Auto => chains(job)?,
    };
    let mut best: Option<(f64, Chain)> = None;
    for chain in candidates {
        let cost = sample.measure(job, codec, &chain, Quantiser::Step(step))?.cost(step);
        // The earlier, simpler candidate stays unless the gain is clear: a sample says no more than that.
        if best.as_ref().is_none_or(|(least, _)| cost < *least - CLEAR_GAIN) {
            best = Some((cost, chain));
        }
    }
    Ok(best.map(|(_, chain)| chain).unwrap_or_default())
}

/// The chain, with the scaling of columns in front of it that importance asks for.
fn behind_importance(job: &Job<'_, '_>, chain: &Chain) -> Result<Chain> {
    match &job.encoding.importance {
        Some(importance) => chain.behind_importance(importance),
        None => Ok(chain.clone()),
    }
}

/// The candidates for a tensor: those of its shape, and its caller's bases where they fit; with importance each behind
/// the scaling of columns and, as its scales may cost more than they gain, by itself.
fn chains(job: &Job<'_, '_>) -> Result<Vec<Chain>> {
    let to_usize = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let rows = job.chunks.rows(0);
    let mut chains = candidates(to_usize(rows.end - rows.start), to_usize(job.matrix.cols));
    for basis in &job.encoding.bases {
        if basis.cols() as u64 == job.matrix.cols {
            let klt = Transform::klt(basis.clone());
            chains.push(Chain::new(vec![klt.clone()])?);
            chains.push(Chain::new(vec![Transform::centre(), klt.clone()])?);
            chains.push(Chain::new(vec![Transform::centre(), klt, Transform::dct(8)?])?);
        }
    }
    if let Some(importance) = &job.encoding.importance
        && !importance.is_uniform()
    {
        let scaled: Vec<_> =
            chains.iter().map(|chain| chain.behind_importance(importance)).collect::<Result<_>>()?;
        chains.splice(0..0, scaled);
    }
    Ok(chains)
}
