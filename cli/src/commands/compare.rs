//! `telecine compare`: measure a packed file against its original.

use std::collections::HashMap;

use serde::Serialize;
use telecine::{Distortion, Limits, Reader, SideEffects, TensorEntry, default_registry};

use crate::args::{CompareArgs, use_jobs};
use crate::failure::{Failure, Result};
use crate::input::{Entry, Model};
use crate::screen::{self, Table};
use crate::warn;

#[derive(Serialize)]
struct Report {
    tensors: Vec<Compared>,
    only_in_original: Vec<String>,
    only_in_packed: Vec<String>,
    total: Total,
}

#[derive(Serialize)]
struct Compared {
    name: String,
    values: u64,
    bits: f64,
    /// Measured here.
    nmse: f64,
    max_abs_error: f64,
    lost_zeros: u64,
    changed_signs: u64,
    flattened: u64,
    /// What the file says.
    stored_nmse: f64,
    stored_max_abs_error: f64,
    bit_exact: bool,
    /// What became of its values.
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Total {
    values: u64,
    nmse: f64,
    max_abs_error: f64,
}

pub(crate) fn run(args: &CompareArgs) -> Result<()> {
    use_jobs(None)?;
    let limits = Limits::default();
    let registry = default_registry();
    let reader = Reader::open(&args.packed, &registry, &limits)?;
    let model = Model::open(std::slice::from_ref(&args.original), &limits)?;
    let mut originals: HashMap<&str, &Entry> = model.entries().iter().map(|e| (e.name.as_str(), e)).collect();
    let (mut tensors, mut only_in_packed) = (Vec::new(), Vec::new());
    let mut sum = Distortion::default();
    let bar = screen::progress(reader.tensors().map(|entry| entry.values).sum());
    for packed in reader.tensors() {
        bar.set_message(screen::name(&packed.meta.name));
        let Some(original) = originals.remove(packed.meta.name.as_str()) else {
            only_in_packed.push(packed.meta.name.clone());
            continue;
        };
        let (compared, distortion) = compare(&reader, &model, packed, original)?;
        sum.merge(&distortion);
        tensors.push(compared);
        bar.inc(packed.values);
    }
    bar.finish_and_clear();
    let left = model.entries().iter().filter(|entry| originals.contains_key(entry.name.as_str()));
    let only_in_original: Vec<String> = left.map(|entry| entry.name.clone()).collect();
    let values = tensors.iter().map(|tensor| tensor.values).sum();
    let total = Total { values, nmse: sum.nmse(), max_abs_error: sum.max_abs_error };
    let differ = only_in_original.len() + only_in_packed.len();
    let report = Report { tensors, only_in_original, only_in_packed, total };
    warn::print(report.tensors.iter().map(|tensor| (&*tensor.name, &*tensor.warnings)));
    if args.json {
        screen::print_json(&report)?
    } else {
        screen::print(&text(&report))?
    }
    if differ > 0 {
        return Err(Failure::other(format!("{differ} tensors are in one of the files only")));
    }
    Ok(())
}

fn compare(
    reader: &Reader<'_>,
    model: &Model,
    packed: &TensorEntry,
    original: &Entry,
) -> Result<(Compared, Distortion)> {
    let meta = &packed.meta;
    if (meta.dtype, &meta.shape) != (original.dtype, &original.shape) {
        return Err(Failure::other(format!(
            "tensor {:?} is {} {} in {}, but {} {} in the packed file",
            meta.name,
            original.dtype,
            screen::shape(&original.shape),
            model.path(original).display(),
            meta.dtype,
            screen::shape(&meta.shape)
        )));
    }
    let data = model.data(original)?;
    let tensor = data.tensor(original)?;
    let size = meta.dtype.size() as u64;
    let (mut at, mut sum, mut bit_exact) = (0u64, Distortion::default(), true);
    let mut effects = SideEffects::default();
    reader
        .for_each_chunk(&meta.name, &mut |bytes| {
            let next = at + bytes.len() as u64 / size;
            let wanted = tensor.read(at..next.min(tensor.len()));
            at = next;
            bit_exact &= *wanted == *bytes;
            sum.merge(&Distortion::measure(meta.dtype, &wanted, bytes));
            effects.merge(&SideEffects::measure(meta.dtype, &wanted, bytes));
            Ok(())
        })
        .map_err(|error| Failure::from(error).about(format!("tensor {:?}", meta.name)))?;
    let compared = Compared {
        name: meta.name.clone(),
        values: packed.values,
        bits: packed.bits(),
        nmse: sum.nmse(),
        max_abs_error: sum.max_abs_error,
        lost_zeros: effects.lost_zeros,
        changed_signs: effects.changed_signs,
        flattened: effects.flattened,
        stored_nmse: packed.nmse,
        stored_max_abs_error: packed.max_abs_error,
        bit_exact,
        warnings: warn::of_side_effects(&effects, packed.values, || warn::is_non_negative(&tensor)),
    };
    Ok((compared, sum))
}

fn text(report: &Report) -> String {
    let mut table =
        Table::new(&["<tensor", "values", "bits", "nmse", "max error", "stored nmse", "<bit-exact"]);
    for tensor in &report.tensors {
        table.row(vec![
            tensor.name.clone(),
            tensor.values.to_string(),
            format!("{:.3}", tensor.bits),
            screen::error(tensor.nmse),
            screen::error(tensor.max_abs_error),
            screen::error(tensor.stored_nmse),
            if tensor.bit_exact { "yes" } else { "no" }.into(),
        ]);
    }
    let Total { values, nmse, max_abs_error } = &report.total;
    let name = format!("total of {} tensors", report.tensors.len());
    table.row(vec![
        name,
        values.to_string(),
        String::new(),
        screen::error(*nmse),
        screen::error(*max_abs_error),
    ]);
    let mut text = table.text();
    for (what, names) in [("original", &report.only_in_original), ("packed file", &report.only_in_packed)] {
        for name in names {
            text += &format!("only in the {what}: {}\n", name.escape_debug());
        }
    }
    text
}
