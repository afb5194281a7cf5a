//! `telecine inspect`: list the tensors of a packed file.

use serde::Serialize;
use telecine::{Limits, Reader, TensorEntry, default_registry};

use crate::args::{InspectArgs, use_jobs};
use crate::failure::{Failure, Result};
use crate::screen::{self, Table};
use crate::warn;

#[derive(Serialize)]
struct Report {
    file: String,
    version: String,
    verified: bool,
    tensors: Vec<Listed>,
    total: Total,
}

#[derive(Serialize)]
struct Listed {
    name: String,
    dtype: &'static str,
    shape: Vec<u64>,
    chunks: u64,
    values: u64,
    bytes: u64,
    bits: f64,
    nmse: f64,
    max_abs_error: f64,
    lost_zeros: u64,
    changed_signs: u64,
    flattened: u64,
    codec: String,
    transform: String,
    target: String,
    /// What became of its values.
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Total {
    values: u64,
    bytes: u64,
    container_bytes: u64,
    bits: f64,
}

pub(crate) fn run(args: &InspectArgs) -> Result<()> {
    use_jobs(None)?;
    let registry = default_registry();
    let reader = Reader::open(&args.input, &registry, &Limits::default())?;
    if args.verify {
        let bar = screen::progress(reader.tensors().map(|entry| entry.values).sum());
        for entry in reader.tensors() {
            bar.set_message(screen::name(&entry.meta.name));
            let about = || format!("{}: tensor {:?}", args.input.display(), entry.meta.name);
            reader.verify(&entry.meta.name).map_err(|error| Failure::from(error).about(about()))?;
            bar.inc(entry.values);
        }
        bar.finish_and_clear();
    }
    let tensors: Vec<Listed> = reader.tensors().map(list).collect();
    let values: u64 = tensors.iter().map(|tensor| tensor.values).sum();
    let payload: u64 = tensors.iter().map(|tensor| tensor.bytes).sum();
    let bytes = reader.container().file_bytes();
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    let bits = if values == 0 { 0.0 } else { bytes as f64 * 8.0 / values as f64 };
    let (major, minor) = reader.container().version();
    let report = Report {
        file: args.input.display().to_string(),
        version: format!("{major}.{minor}"),
        verified: args.verify,
        tensors,
        total: Total { values, bytes, container_bytes: bytes.saturating_sub(payload), bits },
    };
    warn::print(report.tensors.iter().map(|tensor| (&*tensor.name, &*tensor.warnings)));
    if args.json { screen::print_json(&report) } else { screen::print(&text(&report)) }
}

fn list(entry: &TensorEntry) -> Listed {
    Listed {
        name: entry.meta.name.clone(),
        dtype: entry.meta.dtype.name(),
        shape: entry.meta.shape.clone(),
        chunks: entry.rows.end - entry.rows.start,
        values: entry.values,
        bytes: entry.bytes,
        bits: entry.bits(),
        nmse: entry.nmse,
        max_abs_error: entry.max_abs_error,
        lost_zeros: entry.side_effects.lost_zeros,
        changed_signs: entry.side_effects.changed_signs,
        flattened: entry.side_effects.flattened,
        codec: entry.codecs.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        transform: entry.transforms.join(","),
        target: entry.target.clone(),
        warnings: warn::of_side_effects(&entry.side_effects, entry.values, || false),
    }
}

fn text(report: &Report) -> String {
    let columns = [
        "<tensor",
        "<dtype",
        "<shape",
        "chunks",
        "bytes",
        "bits",
        "nmse",
        "max error",
        "<codec",
        "<transform",
        "<target",
    ];
    let mut table = Table::new(&columns);
    for tensor in &report.tensors {
        table.row(vec![
            tensor.name.clone(),
            tensor.dtype.into(),
            screen::shape(&tensor.shape),
            tensor.chunks.to_string(),
            screen::bytes(tensor.bytes),
            format!("{:.3}", tensor.bits),
            screen::error(tensor.nmse),
            screen::error(tensor.max_abs_error),
            tensor.codec.clone(),
            tensor.transform.clone(),
            tensor.target.clone(),
        ]);
    }
    let Total { values, bytes, container_bytes, bits } = &report.total;
    let verified = if report.verified { "; every checksum holds and everything decodes" } else { "" };
    format!(
        "{}\n{} tensors, {values} values in {} ({bits:.3} bits per value, {} of it container), format {}{verified}\n",
        table.text(),
        report.tensors.len(),
        screen::bytes(*bytes),
        screen::bytes(*container_bytes),
        report.version,
    )
}
