//! Choosing codec, transform and quantiser for a tensor, by measuring on a sample.

use super::job::Job;
use super::quantiser::Quantiser;
use super::sample::{Measure, Sample};
use super::scale::{Scale, scale};
use super::search::{Goal, Search};
use super::worker::Codec;
use crate::{Chain, Result, Target, Transform, TransformChoice, candidates};

/// How the chunks of a tensor are to be coded.
#[derive(Debug, Clone)]
pub(super) enum Plan {
    /// Losslessly.
    Exact,
    /// Through a quantiser.
    Lossy(Lossy),
}

/// How chunks are to be quantised and coded.
#[derive(Debug, Clone)]
pub(super) struct Lossy {
    pub(super) codec: Codec,
    pub(super) chain: Chain,
    pub(super) aim: Aim,
    /// The sample's bits per value, and where it took them.
    foretold: Foretold,
}

/// What is fixed and what full encodes still have to find.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aim {
    /// Code every chunk like this.
    Fixed(Quantiser),
    /// Meet the goal, starting from log2(step) `x`.
    Search { goal: Goal, x: f64, slope: f64, range: (f64, f64) },
}

#[derive(Debug, Clone, Copy)]
struct Foretold {
    bits: f64,
    x: f64,
}

/// Measurements of a sample in one search.
const MEASUREMENTS: usize = 9;
/// Bits per value that a chain must save to displace a simpler one.
const CLEAR_GAIN: f64 = 0.01;
/// Bounds that a maximum-error quantiser tries to aim at, as shares of the bound: rounding to a narrow dtype adds
/// error of its own, and values beyond the bound are dear.
const SHARES: [f64; 4] = [1.0, 0.93, 0.8, 0.6];
/// A plan holds where the whole takes the bits of its sample but for this share and these bits.
const OFF_SHARE: f64 = 0.1;
const OFF_BITS: f64 = 0.05;

impl Lossy {
    /// Whether chunks coded to this plan came to about what the sample foretold; `x` is log2 of the step.
    pub(super) fn holds(&self, measure: &Measure) -> bool {
        let x = match self.aim {
            Aim::Search { x, .. } => x,
            Aim::Fixed(_) => self.foretold.x,
        };
        // A bit per octave, less where there are less.
        let bits = (self.foretold.bits - (x - self.foretold.x)).max(0.0);
        (measure.bits() - bits).abs() <= OFF_SHARE * bits + OFF_BITS
    }

    /// Whether both do the same.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let fixed = |aim: &Aim| match aim {
            Aim::Fixed(quantiser) => Some(*quantiser),
            Aim::Search { .. } => None,
        };
        self.chain == other.chain && fixed(&self.aim) == fixed(&other.aim)
    }

    /// The same without a transform.
    pub(super) fn plain(&self) -> Self {
        Self { chain: Chain::default(), ..self.clone() }
    }
}

/// Chooses for this tensor and target, by a sample.
pub(super) fn plan(job: &Job<'_, '_>, sample: &Sample<'_>) -> Result<Plan> {
    let is_float = job.tensor.dtype().is_float();
    match job.encoding.target {
        _ if keeps(job) => Ok(Plan::Exact),
        Target::Lossless => Ok(Plan::Exact),
        Target::MaxAbs(bound) if bound == 0.0 || (!is_float && bound < 1.0) => Ok(Plan::Exact),
        Target::MaxAbs(bound) => bounded(job, sample, bound),
        Target::Step(step) => {
            let codec = job.lossy_codec()?;
            let chain = choose_chain(job, sample, &codec, step)?;
            let quantiser = Quantiser::Step(step);
            let bits = sample.measure(job, &codec, &chain, quantiser)?.bits();
            let foretold = Foretold { bits, x: step.log2() };
            Ok(Plan::Lossy(Lossy { codec, chain, aim: Aim::Fixed(quantiser), foretold }))
        }
        Target::Bits(bits) => search(job, sample, Goal::Bits(bits)),
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        Target::Bytes(bytes) => search(job, sample, Goal::Bits(bytes as f64 * 8.0 / job.tensor.len() as f64)),
        Target::Nmse(nmse) => search(job, sample, Goal::Nmse(nmse)),
    }
}

/// Whether the tensor is so small that it is kept losslessly whatever the target.
fn keeps(job: &Job<'_, '_>) -> bool {
    job.encoding.keeps_small(job.tensor.shape())
}

/// A maximum-error target: the cheapest share of the bound.
fn bounded(job: &Job<'_, '_>, sample: &Sample<'_>, max_abs: f64) -> Result<Plan> {
    let chain = match &job.encoding.transform {
        TransformChoice::Auto => Chain::default(),
        TransformChoice::Chain(chain) => chain.clone(),
    };
    let codec = job.lossy_codec()?;
    let mut best: Option<(f64, Quantiser)> = None;
    for share in SHARES {
        let quantiser = Quantiser::Bound { max_abs, share };
        let bits = sample.measure(job, &codec, &chain, quantiser)?.bits();
        if best.as_ref().is_none_or(|(least, _)| bits < *least) {
            best = Some((bits, quantiser));
        }
    }
    let Some((bits, quantiser)) = best else { return Ok(Plan::Exact) };
    Ok(Plan::Lossy(Lossy { codec, chain, aim: Aim::Fixed(quantiser), foretold: Foretold { bits, x: 0.0 } }))
}

/// Octaves below the largest value down to which, and above it up to which, steps are searched.
const FINEST: f64 = 52.0;
const COARSEST: f64 = 40.0;

/// A bits or error target: chain and step by search on the sample.
fn search(job: &Job<'_, '_>, sample: &Sample<'_>, goal: Goal) -> Result<Plan> {
    let codec = job.lossy_codec()?;
    // A sample of zeros says nothing of the chunks that are not.
    let everything = || scale(job.sources(0..job.chunks.len()).iter());
    let Some(Scale { rms, deviation, largest }) = scale(sample.sources()).or_else(everything) else {
        return Ok(Plan::Exact);
    };
    // Steps stay within f64's normal range.
    let range = ((largest.log2() - FINEST).max(-1070.0), (largest.log2() + COARSEST).min(1020.0));
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
    Ok(Plan::Lossy(Lossy { codec, chain, aim: Aim::Search { goal, x, slope, range }, foretold: found }))
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
) -> Result<(Foretold, f64)> {
    let near = match goal {
        Goal::Bits(bits) => 0.01 * bits,
        Goal::Nmse(_) => 0.02,
    };
    let mut search = Search::new(goal, goal.slope(), range);
    let mut next = Some(start);
    let mut found = Foretold { x: start, bits: 0.0 };
    while let Some(x) = next {
        let measure = sample.measure(job, codec, chain, Quantiser::Step(x.exp2()))?;
        search.add(x, &measure);
        found = Foretold { x, bits: measure.bits() };
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
