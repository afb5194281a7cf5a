//! `telecine pack`: compress tensors into one file.

use std::time::Instant;

use serde::Serialize;
use telecine::{
    Budget, Chain, CodecId, Encoding, Limits, Pick, Registry, Role, Target, TransformChoice, Writer,
    default_registry,
};

use super::spread::{Spread, allocation, items};
use crate::args::{CodingArgs, PackArgs, use_jobs};
use crate::failure::{Failure, Result};
use crate::input::{Entry, Model, Sensitivities, Weights};
use crate::output::check_free;
use crate::screen::{self, Table};
use crate::select;

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
    codec: String,
    transform: String,
    target: String,
    seconds: f64,
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
    /// Takes its share of the model's bits.
    pub(super) shares: bool,
    /// Has a target of its own.
    pub(super) ruled: bool,
}

pub(crate) fn run(args: &PackArgs) -> Result<()> {
    let start = Instant::now();
    let target = args.target.target()?;
    check_free(&args.output, args.force)?;
    use_jobs(args.coding.jobs)?;
    let registry = default_registry();
    let limits = Limits::default();
    let base = encoding(&registry, target, &args.coding, &args.transform)?;
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
    let plans = plans.collect::<Result<Vec<Plan>>>()?;
    screen::stop_on_interrupt();

    let mut writer = Writer::create(&args.output, args.force, &registry)?;
    let mut budget = match target {
        Target::Bits(bits) => {
            let spread = Spread { allocation: allocation(args), sensitivities: sensitivities.as_ref(), bits };
            Some(Budget::new(bits, &items(&model, &plans, &spread).map_err(screen::or_stopped)?)?)
        }
        _ => None,
    };
    let bar = screen::progress(model.entries().iter().map(Entry::values).sum());
    let mut tensors = Vec::with_capacity(plans.len());
    for (entry, plan) in model.entries().iter().zip(plans) {
        bar.set_message(screen::name(&entry.name));
        let before = writer.bytes_so_far();
        let mut encoding = plan.encoding;
        if let (Some(budget), true) = (&budget, plan.shares) {
            encoding.target = Target::Bits(budget.bits_for_next(before));
        }
        let packed = pack_one(&model, entry, &encoding, &mut writer, &mut |values| bar.inc(values))
            .map_err(|failure| screen::or_stopped(failure.about(format!("tensor {:?}", entry.name))))?;
        if let Some(budget) = &mut budget {
            if plan.ruled {
                budget.written_outside(writer.bytes_so_far() - before);
            } else {
                budget.done();
            }
        }
        tensors.push(packed);
    }
    let bytes = writer.finish()?;
    bar.finish_and_clear();
    let report = Report { total: total(&tensors, bytes, start), tensors };
    if args.json { screen::print_json(&report) } else { screen::print(&table(&report)) }
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
        return Plan { encoding, shares: false, ruled: true };
    }
    // Numbers that count or point must not change unless someone says so.
    let is_kept = base.keeps_small(&entry.shape) || !entry.dtype.is_float();
    if is_kept && base.target != Target::Lossless {
        // Nobody asked for these bits of this codec, which may have no lossless mode: the library chooses one.
        (encoding.target, encoding.codec, encoding.backend) = (Target::Lossless, None, None);
    }
    let shares = matches!(encoding.target, Target::Bits(_));
    Plan { encoding, shares, ruled: false }
}

fn pack_one(
    model: &Model,
    entry: &Entry,
    encoding: &Encoding,
    writer: &mut Writer<'_>,
    advance: &mut dyn FnMut(u64),
) -> Result<Packed> {
    let start = Instant::now();
    let data = model.data(entry)?;
    let report = writer.add_with(&entry.name, &data.tensor(entry)?, encoding, &mut |chunk| {
        advance(chunk.values);
        screen::check_stop()
    })?;
    Ok(Packed {
        name: entry.name.clone(),
        dtype: entry.dtype.name(),
        shape: entry.shape.clone(),
        values: report.values,
        bytes: report.bytes,
        bits: report.bits(),
        nmse: report.nmse,
        weighted_nmse: report.weighted_nmse,
        max_abs_error: report.max_abs_error,
        codec: report.codec,
        transform: report.transform,
        target: encoding.target.to_string(),
        seconds: start.elapsed().as_secs_f64(),
    })
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
