//! `telecine pack`: compress tensors into one file.

use std::time::Instant;

use indicatif::ProgressBar;
use serde::Serialize;
use telecine::{
    Budget, Chain, CodecId, CoreError, Encoding, Error, Limits, Pick, Registry, Role, Target, TensorReport,
    TransformChoice, Writer, default_registry, next_best,
};

use super::spread::{Spread, allocation};
use crate::args::{CodingArgs, PackArgs, use_jobs};
use crate::failure::{Failure, Result};
use crate::input::{Entry, Model, Sensitivities, Weights};
use crate::output::check_free;
use crate::screen::{self, Table};
use crate::{select, warn};

#[derive(Serialize)]
struct Report {
    tensors: Vec<Packed>,
    total: Total,
}

#[derive(Serialize)]
struct Packed {
    name: String,
    dtype: &'static str,
    shape: Vec<u64>,
    values: u64,
    bytes: u64,
    bits: f64,
    nmse: f64,
    /// `null` for a tensor coded without importance.
    weighted_nmse: Option<f64>,
    max_abs_error: f64,
    lost_zeros: u64,
    changed_signs: u64,
    flattened: u64,
    codec: String,
    transform: String,
    target: String,
    seconds: f64,
    /// Why it was not coded as asked, and what became of its values.
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Total {
    values: u64,
    /// The size of the file.
    bytes: u64,
    /// What of it is neither packets nor side information.
    container_bytes: u64,
    bits: f64,
    seconds: f64,
}

/// How one tensor is to be encoded.
pub(super) struct Plan {
    pub(super) encoding: Encoding,
    pub(super) kind: Kind,
    /// Failures to code it as asked, and what they were.
    failures: u32,
    warnings: Vec<String>,
}

impl Plan {
    fn new(encoding: Encoding, kind: Kind) -> Self {
        Self { encoding, kind, failures: 0, warnings: Vec::new() }
    }
}

/// Where a tensor's target is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A rule.
    Ruled,
    /// Its dtype: integers must be exact.
    Exact,
    /// Its size: small ones are kept losslessly while a budget allows it.
    Kept,
    /// The model's budget, of which it takes its share.
    Shares,
    /// The target of all tensors.
    Alike,
}

pub(crate) fn run(args: &PackArgs) -> Result<()> {
    let start = Instant::now();
    let target = args.target.target()?;
    check_free(&args.output, args.force)?;
    use_jobs(args.coding.jobs)?;
    let registry = default_registry();
    let limits = Limits::default();
    let mut base = encoding(&registry, target, &args.coding, &args.transform)?;
    base.keep_zeros = args.keep_zeros;
    let model = Model::open(&args.inputs, &limits)?;
    model.check_not_read(&args.output)?;
    let ruled = select::targets(&args.rules, &model.names())?;
    check_used(args, target)?;
    let weights = args.importance.as_ref().map(|path| Weights::open(path, &model, &limits)).transpose()?;
    if let Some(weights) = &weights {
        weights.check_not_read(&args.output)?;
    }
    let sensitivities =
        args.sensitivity.as_ref().map(|path| Sensitivities::open(path, &model)).transpose()?;
    let plans = model.entries().iter().zip(&ruled);
    let plans = plans.map(|(entry, ruled)| plan(entry, &base, *ruled, weights.as_ref()));
    let mut plans = plans.collect::<Result<Vec<Plan>>>()?;
    screen::stop_on_interrupt();

    let spread = Spread {
        allocation: allocation(args),
        sensitivities: sensitivities.as_ref(),
        target,
        strict: args.strict,
    };
    // The name is free and its folder can be written to: said before hours of work.
    drop(Writer::create(&args.output, args.force, &registry)?);
    let mut budget = match target {
        Target::Bits(_) | Target::Bytes(_) => {
            let base = |entry: &Entry| {
                let importance = weights.as_ref().map(|weights| weights.of(entry)).transpose()?.flatten();
                let mut encoding = base.clone();
                (encoding.keep_small, encoding.importance) = (false, importance);
                Ok(encoding)
            };
            let items = spread.items(&model, &mut plans, base).map_err(screen::or_stopped)?;
            Some(Budget::new(target, &items)?)
        }
        _ => None,
    };
    let bar = screen::progress(model.entries().iter().map(Entry::values).sum());
    let (tensors, bytes) = loop {
        bar.set_position(0);
        let mut writer = Writer::create(&args.output, args.force, &registry)?;
        let mut pass = Pass { model: &model, spread: &spread, writer: &mut writer, budget: budget.as_mut() };
        let Some(tensors) = pass.run(&mut plans, &bar)? else { continue };
        if let Some(budget) = &mut budget
            && budget
                .next_pass(writer.bytes_so_far())
                .map_err(|error| refusal(error, &model, budget.container_bytes()))?
        {
            continue;
        }
        break (tensors, writer.finish()?);
    };
    bar.finish_and_clear();
    warn::print(tensors.iter().map(|tensor| (&*tensor.name, &*tensor.warnings)));
    let report = Report { total: total(&tensors, bytes, start), tensors };
    if args.json { screen::print_json(&report) } else { screen::print(&table(&report)) }
}

/// A budget that cannot be met, with what is known of the reason.
fn refusal(error: Error, model: &Model, container_bytes: u64) -> Failure {
    let count = model.entries().len();
    let values: u64 = model.entries().iter().map(Entry::values).sum();
    Failure::from(error).about(format!(
        "{count} tensors of {values} values, for which the container alone takes {container_bytes} bytes"
    ))
}

/// One pass over all tensors into a new file.
struct Pass<'p, 'r> {
    model: &'p Model,
    spread: &'p Spread<'p>,
    writer: &'p mut Writer<'r>,
    budget: Option<&'p mut Budget>,
}

impl Pass<'_, '_> {
    /// Packs all tensors; `None` where a tensor failed after part of it was written, and the file must be begun anew.
    fn run(&mut self, plans: &mut [Plan], bar: &ProgressBar) -> Result<Option<Vec<Packed>>> {
        let mut tensors = Vec::with_capacity(plans.len());
        for (entry, plan) in self.model.entries().iter().zip(plans) {
            bar.set_message(entry.name.clone());
            let before = self.writer.bytes_so_far();
            let packed = self
                .pack_one(entry, plan, &mut |values| bar.inc(values))
                .map_err(|failure| screen::or_stopped(failure.about(format!("tensor {:?}", entry.name))))?;
            let Some(packed) = packed else {
                if let Some(budget) = &mut self.budget {
                    budget.restart();
                }
                return Ok(None);
            };
            if let Some(budget) = &mut self.budget {
                if self.spread.counts(plan) {
                    budget.done(packed.bytes);
                } else {
                    budget.written_outside(self.writer.bytes_so_far() - before);
                }
            }
            tensors.push(packed);
        }
        Ok(Some(tensors))
    }

    fn pack_one(
        &mut self,
        entry: &Entry,
        plan: &mut Plan,
        advance: &mut dyn FnMut(u64),
    ) -> Result<Option<Packed>> {
        let start = Instant::now();
        let data = self.model.data(entry)?;
        let tensor = data.tensor(entry)?;
        let before = self.writer.bytes_so_far();
        let asked = plan.encoding.target;
        let mut encoding = plan.encoding.clone();
        // Each tensor of the budget takes its turn, those too that turned out not to share.
        if let Some(budget) = &mut self.budget
            && self.spread.counts(plan)
        {
            let target = budget.target_for_next(before);
            if plan.kind == Kind::Shares && plan.failures == 0 {
                encoding = to_target(encoding, target);
            }
        }
        let report = loop {
            let added = self.writer.add_with(&entry.name, &tensor, &encoding, &mut |chunk| {
                advance(chunk.values);
                screen::check_stop()
            });
            let error = match added {
                Ok(report) => break report,
                Err(Error::Core(error)) => error,
                Err(error) => return Err(error.into()),
            };
            screen::check_stop()?;
            encoding = match (&error, &mut self.budget) {
                (CoreError::OutOfReach { nearest, .. }, Some(budget))
                    if plan.kind == Kind::Shares && plan.failures == 0 =>
                {
                    to_target(encoding, budget.out_of_reach(*nearest))
                }
                _ => {
                    let next = next_best(&encoding, &error, plan.failures);
                    let Some(next) = next.filter(|_| !self.spread.strict) else { return Err(error.into()) };
                    plan.failures += 1;
                    plan.warnings = vec![match next.target {
                        Target::Lossless => format!("kept losslessly: {error}"),
                        target => format!("{asked} is out of reach; packed at {target}, the nearest"),
                    }];
                    plan.encoding.clone_from(&next);
                    next
                }
            };
            if self.writer.bytes_so_far() != before {
                return Ok(None);
            }
        };
        let mut warnings = plan.warnings.clone();
        warnings.extend(warn::of_side_effects(&report.side_effects, report.values, || {
            warn::is_non_negative(&tensor)
        }));
        Ok(Some(packed(entry, &encoding, report, warnings, start)))
    }
}

/// The encoding with another target; for lossless with whatever codec does that best, which nobody has chosen.
fn to_target(mut encoding: Encoding, target: Target) -> Encoding {
    encoding.target = target;
    if target == Target::Lossless {
        (encoding.codec, encoding.backend) = (None, None);
    }
    encoding
}

fn packed(
    entry: &Entry,
    encoding: &Encoding,
    report: TensorReport,
    warnings: Vec<String>,
    start: Instant,
) -> Packed {
    Packed {
        name: entry.name.clone(),
        dtype: entry.dtype.name(),
        shape: entry.shape.clone(),
        values: report.values,
        bytes: report.bytes,
        bits: report.bits(),
        nmse: report.nmse,
        weighted_nmse: report.weighted_nmse,
        max_abs_error: report.max_abs_error,
        lost_zeros: report.side_effects.lost_zeros,
        changed_signs: report.side_effects.changed_signs,
        flattened: report.side_effects.flattened,
        codec: report.codec,
        transform: report.transform,
        target: encoding.target.to_string(),
        seconds: start.elapsed().as_secs_f64(),
        warnings,
    }
}

/// The encoding that flags ask for.
pub(crate) fn encoding(
    registry: &Registry,
    target: Target,
    coding: &CodingArgs,
    transform: &str,
) -> Result<Encoding> {
    let mut encoding = Encoding::new(target);
    encoding.codec = coding.codec.as_deref().map(CodecId::parse).transpose()?;
    encoding.backend.clone_from(&coding.backend);
    encoding.effort = coding.effort.into();
    encoding.transform = match transform {
        "auto" => TransformChoice::Auto,
        chain => TransformChoice::Chain(Chain::parse(chain, &|_| None)?),
    };
    check_here(registry, &encoding)?;
    Ok(encoding)
}

/// Checks that the codec and backend which are asked for are here, even where no tensor will meet them.
fn check_here(registry: &Registry, encoding: &Encoding) -> Result<()> {
    let name = encoding.backend.as_deref();
    let named = name.map(|name| {
        let unknown =
            || Failure::usage(format!("no backend is named {name}; `telecine backends` lists them"));
        registry.named(name).ok_or_else(unknown)
    });
    if let Some(codec) = encoding.codec.map(Ok).or(named).transpose()? {
        registry.find(codec, Role::Encode, name.map_or(Pick::Auto, Pick::Exactly))?;
    }
    Ok(())
}

/// Refuses options that could change nothing.
fn check_used(args: &PackArgs, target: Target) -> Result<()> {
    let unused = |option: &str, what: &str| {
        Err(Failure::usage(format!(
            "{option} changes nothing: {what}; leave it out, or give targets by --rule"
        )))
    };
    if !args.rules.is_empty() {
        return Ok(());
    }
    match target {
        Target::Lossless if !matches!(&*args.transform, "auto" | "none") => {
            unused("--transform", "--lossless codes the values' bits")
        }
        Target::Lossless if args.importance.is_some() => {
            unused("--importance", "--lossless makes no error to weigh")
        }
        Target::MaxAbs(_) if args.importance.is_some() => {
            unused("--importance", "--max-abs bounds the errors of all columns alike")
        }
        _ => Ok(()),
    }
}

fn plan(entry: &Entry, base: &Encoding, ruled: Option<Target>, weights: Option<&Weights>) -> Result<Plan> {
    let mut plan = targeted(entry, base, ruled);
    if let (Some(weights), true) = (weights, plan.encoding.target != Target::Lossless) {
        plan.encoding.importance = weights.of(entry)?;
    }
    Ok(plan)
}

/// The plan without importance.
fn targeted(entry: &Entry, base: &Encoding, ruled: Option<Target>) -> Plan {
    let mut encoding = base.clone();
    if let Some(target) = ruled {
        // Asked for by name: small or not, this is what is wanted.
        encoding.target = target;
        encoding.keep_small = false;
        return Plan::new(encoding, Kind::Ruled);
    }
    // Numbers that count or point must not change unless someone says so.
    let kind = if !entry.dtype.is_float() {
        Kind::Exact
    } else if base.keeps_small(&entry.shape) {
        Kind::Kept
    } else if matches!(base.target, Target::Bits(_) | Target::Bytes(_)) {
        Kind::Shares
    } else {
        Kind::Alike
    };
    if matches!(kind, Kind::Exact | Kind::Kept) && base.target != Target::Lossless {
        // Nobody asked for these bits of this codec, which may have no lossless mode: the library chooses one.
        encoding = to_target(encoding, Target::Lossless);
    }
    Plan::new(encoding, kind)
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn total(tensors: &[Packed], bytes: u64, start: Instant) -> Total {
    let values: u64 = tensors.iter().map(|tensor| tensor.values).sum();
    let payload: u64 = tensors.iter().map(|tensor| tensor.bytes).sum();
    let bits = if values == 0 { 0.0 } else { bytes as f64 * 8.0 / values as f64 };
    let container_bytes = bytes.saturating_sub(payload);
    Total { values, bytes, container_bytes, bits, seconds: start.elapsed().as_secs_f64() }
}

/// The column of the weighted nmse, where there is any.
const WEIGHTED_AT: usize = 7;

fn table(report: &Report) -> String {
    let mut columns = vec![
        "<tensor",
        "<dtype",
        "<shape",
        "values",
        "bytes",
        "bits",
        "nmse",
        "max error",
        "<codec",
        "<transform",
        "seconds",
    ];
    let weighted = report.tensors.iter().any(|tensor| tensor.weighted_nmse.is_some());
    if weighted {
        columns.insert(WEIGHTED_AT, "weighted nmse");
    }
    let mut table = Table::new(&columns);
    for tensor in &report.tensors {
        let mut cells = vec![
            tensor.name.clone(),
            tensor.dtype.into(),
            screen::shape(&tensor.shape),
            tensor.values.to_string(),
            screen::bytes(tensor.bytes),
            format!("{:.3}", tensor.bits),
            screen::error(tensor.nmse),
            screen::error(tensor.max_abs_error),
            tensor.codec.clone(),
            tensor.transform.clone(),
            format!("{:.2}", tensor.seconds),
        ];
        if weighted {
            cells.insert(WEIGHTED_AT, tensor.weighted_nmse.map(screen::error).unwrap_or_default());
        }
        table.row(cells);
    }
    let Total { values, bytes, container_bytes, bits, seconds } = &report.total;
    let container = screen::bytes(*container_bytes);
    table.row(vec!["container".into(), String::new(), String::new(), String::new(), container]);
    let mut cells = vec![String::new(); columns.len()];
    cells[0] = format!("total of {} tensors", report.tensors.len());
    cells[3] = values.to_string();
    cells[4] = screen::bytes(*bytes);
    cells[5] = format!("{bits:.3}");
    cells[columns.len() - 1] = format!("{seconds:.2}");
    table.row(cells);
    table.text()
}
