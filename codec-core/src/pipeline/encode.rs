//! From a tensor to coded chunks that meet its target.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use super::exact;
use super::job::Job;
use super::plan::{Aim, Lossy, Plan, plan};
use super::quantiser::Quantiser;
use super::report::Report;
use super::sample::{Measure, Place, Sample};
use super::search::{Goal, Search};
use super::source::Source;
use super::worker::Coded;
use super::{Encoding, TensorReport};
use crate::{
    CodecId, CodedChunk, Distortion, Error, GroupSpec, Limits, Registry, Result, SideEffects, Target, Tensor,
    TransformChoice,
};

/// Full encodes of a window for one target, to come close to it, and where that is not met or far off.
const FULL_ENCODES: usize = 4;
const MOST_ENCODES: usize = 16;
/// Below as many bits per value, few rows may hold all that is coded, and no sample tells: a transform must prove itself on
/// the whole.
const FEW_BITS: f64 = 0.1;
/// Chunks that are coded, and steered towards the target, together: bounds the packets in memory.
const WINDOW: u64 = 128;

/// Encodes a tensor on all cores; hands each coded chunk to `sink` in order.
///
/// A tensor of up to 128 chunks is steered towards its target as a whole, a larger one in runs of as many chunks; what one run
/// leaves of its bits is the next one's. An error of the sink ends the work and comes back as it is. An empty tensor
/// makes one chunk without bytes.
///
/// # Errors
/// [`Error::Invalid`] for a target or setting out of range, [`Error::Unavailable`] when no backend serves the codec
/// here, [`Error::OutOfReach`] for a target that this tensor cannot meet, [`Error::Unsupported`] for a setting that the
/// codec does not have, [`Error::Limit`] for a tensor beyond the
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
    let mut plan = plan(&job, &Sample::take(&job, Place::Middle))?;
    let mut budget = Budget::of(&job);
    let mut next = 0;
    while next < job.chunks.len() {
        let window = next..(next + WINDOW).min(job.chunks.len());
        next = window.end;
        let sources = job.sources(window);
        for coded in encode_window(&job, &sources, &mut plan, &mut budget)? {
            report.add(&coded.chunk, &coded.distortion, coded.weighted.as_ref());
            sink(coded.chunk)?;
        }
    }
    budget.check()?;
    Ok(report.finish())
}

/// The bytes of a target in bits or bytes, and what is left of them.
struct Budget {
    target: Target,
    /// For all values, and for those to come; infinite for other targets.
    total: f64,
    left: f64,
    values: f64,
    /// Values to come.
    values_left: f64,
}

#[expect(clippy::cast_precision_loss, reason = "shares of bytes")]
impl Budget {
    fn of(job: &Job<'_, '_>) -> Self {
        let values = job.tensor.len() as f64;
        let target = job.encoding.target;
        let kept = job.encoding.keeps_small(job.tensor.shape());
        let total = match target {
            Target::Bits(bits) if !kept => bits * values / 8.0,
            Target::Bytes(bytes) => bytes as f64,
            _ => f64::INFINITY,
        };
        Self { target, total, left: total, values, values_left: values }
    }

    /// The bits per value of the next window.
    fn bits(&self) -> f64 {
        (self.left * 8.0 / self.values_left).max(0.0)
    }

    fn is_last(&self, measure: &Measure) -> bool {
        measure.values >= self.values_left
    }

    fn spend(&mut self, measure: &Measure) {
        self.left -= measure.bytes;
        self.values_left -= measure.values;
    }

    /// # Errors
    /// [`Error::OutOfReach`] where more was spent than there was.
    fn check(&self) -> Result<()> {
        if self.left >= -SLACK { Ok(()) } else { Err(self.out_of_reach(self.total - self.left)) }
    }

    /// The error for a tensor that takes at least so many bytes.
    fn out_of_reach(&self, bytes: f64) -> Error {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of bytes")]
        let nearest = match self.target {
            Target::Bytes(_) => Target::Bytes(bytes.ceil() as u64),
            // Rounded up: what is named can be asked for.
            _ => Target::Bits((bytes * 8.0 / self.values * 1e4).ceil() / 1e4),
        };
        Error::OutOfReach { wanted: self.target, nearest }
    }
}

/// Rounding of sums of bytes.
pub(super) const SLACK: f64 = 1e-6;

/// Codes some chunks to the plan; a search goes on from where the chunks before ended.
///
/// What a sample decided is held against what came of it: where that is far from what the sample foretold, another sample
/// is asked, and what it would do otherwise is tried.
fn encode_window(
    job: &Job<'_, '_>,
    sources: &[Source<'_>],
    plan: &mut Plan,
    budget: &mut Budget,
) -> Result<Vec<Coded>> {
    let Plan::Lossy(lossy) = plan else {
        let coded = job.copy(sources)?;
        budget.spend(&Measure::of(&coded));
        return Ok(coded);
    };
    if let Aim::Search { goal: Goal::Bits(bits), .. } = &mut lossy.aim {
        *bits = budget.bits();
    }
    let mut found = code(job, sources, lossy, budget)?;
    let measure = Measure::of(&found.coded);
    if !lossy.holds(&measure)
        && let Plan::Lossy(other) = super::plan::plan(job, &Sample::take(job, Place::Ends))?
        && !other.is_like(lossy)
    {
        try_instead(job, sources, other, (&mut found, lossy), budget)?;
    }
    let measure = Measure::of(&found.coded);
    // Where samples of few bits are the limit, a transform spreads values over more of them: what a sample says at one step
    // holds at no other. At the finest steps its own rounding is.
    let is_shallow = !lossy.codec.encoder.info().capabilities.depths.contains(&16);
    let is_at_limit = match lossy.aim {
        Aim::Search { goal, .. } => is_shallow || !goal.is_used(&measure),
        Aim::Fixed(Quantiser::Step(step)) => !measure.keeps_to(step),
        Aim::Fixed(_) => false,
    };
    let is_auto = job.encoding.transform == TransformChoice::Auto && !lossy.chain.is_empty();
    if is_auto && (measure.bits() <= FEW_BITS || is_at_limit) {
        try_instead(job, sources, lossy.plain(), (&mut found, lossy), budget)?;
    }
    let measure = Measure::of(&found.coded);
    if !found.permitted && budget.is_last(&measure) {
        return Err(budget.out_of_reach(budget.total - budget.left + measure.bytes));
    }
    budget.spend(&measure);
    Ok(found.coded)
}

/// Codes some chunks to another plan with the same goal, and takes that where it serves the goal better.
fn try_instead(
    job: &Job<'_, '_>,
    sources: &[Source<'_>],
    mut other: Lossy,
    (found, lossy): (&mut Window, &mut Lossy),
    budget: &Budget,
) -> Result<()> {
    if let (Aim::Search { goal, .. }, Aim::Search { goal: now, .. }) = (&mut other.aim, &lossy.aim) {
        *goal = *now;
    }
    let again = code(job, sources, &mut other, budget)?;
    if again.is_better(found, lossy) {
        (*found, *lossy) = (again, other);
    }
    Ok(())
}

/// The chunks of a window as coded, and whether they meet its goal; if not, they are the smallest that were found.
struct Window {
    coded: Vec<Coded>,
    permitted: bool,
}

impl Window {
    /// Whether this serves the plan's aim better.
    fn is_better(&self, other: &Self, lossy: &Lossy) -> bool {
        let (a, b) = (Measure::of(&self.coded), Measure::of(&other.coded));
        if self.permitted != other.permitted {
            return self.permitted;
        }
        match lossy.aim {
            Aim::Search { goal, .. } if self.permitted => goal.prefers(&a, &b),
            Aim::Fixed(Quantiser::Step(step)) if a.keeps_to(step) == b.keeps_to(step) => {
                a.cost(step) < b.cost(step)
            }
            Aim::Fixed(Quantiser::Step(step)) => a.keeps_to(step),
            _ => a.bytes < b.bytes,
        }
    }
}

/// The best chunks of a search, and where none meets the goal the smallest.
#[derive(Default)]
struct Found {
    best: Option<(Measure, Vec<Coded>)>,
    smallest: Option<(Measure, Vec<Coded>)>,
}

impl Found {
    fn add(&mut self, goal: Goal, measure: Measure, coded: Vec<Coded>) {
        if goal.permits(&measure) {
            if self.best.as_ref().is_none_or(|(best, _)| goal.prefers(&measure, best)) {
                self.best = Some((measure, coded));
            }
        } else if self.smallest.as_ref().is_none_or(|(smallest, _)| measure.bytes < smallest.bytes) {
            self.smallest = Some((measure, coded));
        }
    }
}

/// Chunks that meet a bits target far below it, with as many of them from a finer coding as fit: where no step in between makes
/// a difference, this does.
#[expect(clippy::cast_precision_loss, reason = "sums of bytes")]
fn filled(
    goal: Goal,
    (mut measure, mut coded): (Measure, Vec<Coded>),
    finer: &[Coded],
) -> (Measure, Vec<Coded>) {
    for (coarse, fine) in coded.iter_mut().zip(finer) {
        let mut other = measure;
        other.bytes += fine.chunk.bytes() as f64 - coarse.chunk.bytes() as f64;
        if fine.chunk.nmse < coarse.chunk.nmse && goal.permits(&other) {
            *coarse = fine.clone();
            measure = other;
        }
    }
    (Measure::of(&coded), coded)
}

/// Codes some chunks with the plan's chain.
fn code(job: &Job<'_, '_>, sources: &[Source<'_>], lossy: &mut Lossy, budget: &Budget) -> Result<Window> {
    let Lossy { codec, chain, aim, .. } = lossy;
    let (goal, x, slope, range) = match aim {
        Aim::Fixed(quantiser) => {
            return Ok(Window { coded: job.quantise(sources, codec, chain, *quantiser)?, permitted: true });
        }
        Aim::Search { goal, x, slope, range } => (*goal, x, slope, *range),
    };
    // Bits for every value exactly: no step does better.
    if let Goal::Bits(bits) = goal
        && sources.iter().all(|source| exact::may_take(source, bits))
        && let Ok(coded) = job.copy(sources)
        && goal.permits(&Measure::of(&coded))
    {
        return Ok(Window { coded, permitted: true });
    }
    let mut found = Found::default();
    for without_optional in [false, true] {
        // What optional classes cost leaves a gap between steps with them and steps without; what lies in it is reached by
        // the latter alone.
        let is_served = found.best.as_ref().is_some_and(|(best, _)| goal.is_served(best));
        let is_optional = |source: &Source<'_>| {
            let survey = source.survey();
            !(survey.optional.is_empty() || job.encoding.keep_zeros && survey.zeros > 0)
        };
        if without_optional
            && (is_served || matches!(goal, Goal::Nmse(_)) || !sources.iter().any(is_optional))
        {
            break;
        }
        sources.iter().for_each(|source| source.without_optional.store(without_optional, Ordering::Relaxed));
        let mut search = Search::new(goal, *slope, range);
        for pass in 0..MOST_ENCODES {
            let coded = job.quantise(sources, codec, chain, Quantiser::Step(x.exp2()))?;
            let measure = Measure::of(&coded);
            search.add(*x, &measure);
            let accepted = goal.accepts(&measure);
            found.add(goal, measure, coded);
            let is_enough = found.best.as_ref().is_some_and(|(best, _)| goal.is_served(best));
            if accepted || (pass + 1 >= FULL_ENCODES && is_enough) {
                break;
            }
            let Some(next) = search.next() else { break };
            *x = next;
        }
        *slope = search.local_slope();
    }
    let Found { best, smallest } = found;
    let best = match (best, smallest.as_ref()) {
        (Some((measure, coded)), Some((_, finer))) if !goal.is_served(&measure) => {
            Some(filled(goal, (measure, coded), finer))
        }
        (best, _) => best,
    };
    if let Some((_, coded)) = best {
        return Ok(Window { coded, permitted: true });
    }
    // No step does it: every value exactly, which meets an error target, and bits where there are few.
    let exact = job.copy(sources);
    match (exact, smallest) {
        (Ok(exact), _) if goal.permits(&Measure::of(&exact)) => Ok(Window { coded: exact, permitted: true }),
        (Ok(exact), Some((least, _))) if Measure::of(&exact).bytes < least.bytes => {
            Ok(Window { coded: exact, permitted: false })
        }
        (_, Some((_, coded))) if matches!(goal, Goal::Bits(_)) => Ok(Window { coded, permitted: false }),
        (Ok(_), _) => Err(budget.out_of_reach(budget.total)),
        (Err(error), _) => Err(error),
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
        side_effects: SideEffects::default(),
    })
}
