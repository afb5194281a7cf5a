//! `telecine unpack`: get tensors back.

use std::ops::Range;
use std::time::Instant;

use serde::Serialize;
use telecine::{
    CodecId, DType, Limits, MatrixShape, Pick, Reader, Registry, Role, TensorEntry, default_registry,
};

use crate::args::{UnpackArgs, use_jobs};
use crate::failure::{Failure, Result};
use crate::output::{AtomicFile, check_free, npy_header, safetensors_header};
use crate::screen::{self, Table};
use crate::select::chosen;

#[derive(Serialize)]
struct Report {
    tensors: Vec<Unpacked>,
    total: Total,
}

#[derive(Serialize)]
struct Unpacked {
    name: String,
    dtype: &'static str,
    shape: Vec<u64>,
    values: u64,
    bytes: u64,
    seconds: f64,
}

#[derive(Serialize)]
struct Total {
    values: u64,
    bytes: u64,
    seconds: f64,
}

pub(crate) fn run(args: &UnpackArgs) -> Result<()> {
    let start = Instant::now();
    check_free(&args.output, args.force)?;
    use_jobs(args.jobs)?;
    let rows = args.rows.as_deref().map(parse_rows).transpose()?;
    let (registry, codec) = registry(args.backend.as_deref())?;
    let reader = Reader::open(&args.input, &registry, &Limits::default())?;
    let wanted = select(&reader, args)?;
    if let Some(codec) = codec.filter(|codec| wanted.iter().all(|entry| !entry.codecs.contains(codec))) {
        let name = args.backend.as_deref().unwrap_or_default();
        return Err(Failure::usage(format!(
            "--backend {name} decodes {codec}, and no tensor here is coded so"
        )));
    }
    let shapes = wanted.iter().map(|entry| shape(entry, rows.as_ref())).collect::<Result<Vec<_>>>()?;
    let listed: Vec<(&str, DType, &[u64])> = wanted
        .iter()
        .zip(&shapes)
        .map(|(entry, shape)| (entry.meta.name.as_str(), entry.meta.dtype, shape.as_slice()))
        .collect();
    let extension = args.output.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let header = match (extension, listed.as_slice()) {
        ("safetensors", _) => safetensors_header(&listed)?,
        ("npy", [(_, dtype, shape)]) => npy_header(*dtype, shape)?,
        ("npy", _) => {
            let message =
                format!("an .npy file holds one tensor, not {}: choose it with --tensor", listed.len());
            return Err(Failure::usage(message));
        }
        _ => {
            return Err(Failure::usage(format!(
                "{}: name a .safetensors or .npy file",
                args.output.display()
            )));
        }
    };
    screen::stop_on_interrupt();
    let mut file = AtomicFile::create(&args.output, args.force)?;
    file.write(&header)?;
    let bar = screen::progress(wanted.iter().map(|entry| entry.values).sum());
    let mut tensors = Vec::with_capacity(wanted.len());
    for (entry, shape) in wanted.iter().zip(&shapes) {
        bar.set_message(screen::name(&entry.meta.name));
        let begun = Instant::now();
        let bytes = write_one(&reader, entry, rows.as_ref(), &mut file)
            .map_err(|failure| screen::or_stopped(failure.about(format!("tensor {:?}", entry.meta.name))))?;
        bar.inc(entry.values);
        tensors.push(Unpacked {
            name: entry.meta.name.clone(),
            dtype: entry.meta.dtype.name(),
            shape: shape.clone(),
            values: bytes / entry.meta.dtype.size() as u64,
            bytes,
            seconds: begun.elapsed().as_secs_f64(),
        });
    }
    file.finish()?;
    bar.finish_and_clear();
    let (values, bytes) = tensors.iter().fold((0, 0), |(v, b), tensor| (v + tensor.values, b + tensor.bytes));
    let report = Report { tensors, total: Total { values, bytes, seconds: start.elapsed().as_secs_f64() } };
    if args.json { screen::print_json(&report) } else { screen::print(&table(&report)) }
}

/// All backends, but of those that decode the named one's codec that one alone; and that codec.
fn registry(name: Option<&str>) -> Result<(Registry, Option<CodecId>)> {
    let all = default_registry();
    let Some(name) = name else { return Ok((all, None)) };
    let here =
        all.backends().map(|backend| backend.info()).find(|info| info.name == name).map(|info| info.codec);
    // Of those that this build leaves out, the list alone knows.
    let left_out =
        || all.list().into_iter().find(|listing| listing.name == name).map(|listing| listing.codec);
    let codec = here
        .or_else(left_out)
        .ok_or_else(|| Failure::usage(format!("--backend: no backend is named {name}")))?;
    // Before anything is read: a backend that is left out, does not work here or only encodes says so.
    all.find(codec, Role::Decode, Pick::Exactly(name))?;
    let mut registry = Registry::new();
    for backend in
        all.backends().filter(|backend| backend.info().codec != codec || backend.info().name == name)
    {
        registry.register(backend.clone())?;
    }
    Ok((registry, Some(codec)))
}

fn select<'c>(reader: &'c Reader<'_>, args: &UnpackArgs) -> Result<Vec<&'c TensorEntry>> {
    let names: Vec<&str> = reader.tensors().map(|entry| &*entry.meta.name).collect();
    let chosen = chosen("--tensor", args.tensor.as_deref(), &names)
        .map_err(|failure| failure.about(args.input.display()))?;
    Ok(reader.tensors().zip(chosen).filter(|(_, chosen)| *chosen).map(|(entry, _)| entry).collect())
}

fn parse_rows(text: &str) -> Result<Range<u64>> {
    let wrong = || Failure::usage(format!("--rows {text:?} is not written as A..B, with A below B"));
    let (start, end) = text.split_once("..").ok_or_else(wrong)?;
    let rows = start.parse().map_err(|_| wrong())?..end.parse().map_err(|_| wrong())?;
    if rows.start < rows.end { Ok(rows) } else { Err(wrong()) }
}

/// The shape that comes out: the tensor's own, or the rows of its matrix view.
fn shape(entry: &TensorEntry, rows: Option<&Range<u64>>) -> Result<Vec<u64>> {
    let Some(rows) = rows else { return Ok(entry.meta.shape.clone()) };
    let matrix = MatrixShape::of(&entry.meta.shape);
    if rows.end > matrix.rows {
        let message = format!("tensor {:?} has {} rows, not {}", entry.meta.name, matrix.rows, rows.end);
        return Err(Failure::usage(message));
    }
    // A vector stays one.
    Ok(if entry.meta.shape.len() == 1 {
        vec![rows.end - rows.start]
    } else {
        vec![rows.end - rows.start, matrix.cols]
    })
}

fn write_one(
    reader: &Reader<'_>,
    entry: &TensorEntry,
    rows: Option<&Range<u64>>,
    file: &mut AtomicFile,
) -> Result<u64> {
    let name = &entry.meta.name;
    if let Some(rows) = rows {
        let tensor = reader.read_rows(name, rows.clone())?;
        file.write(&tensor.bytes)?;
        return Ok(tensor.bytes.len() as u64);
    }
    let mut written = 0;
    let mut failed = None;
    let outcome = reader.for_each_chunk(name, &mut |bytes| {
        written += bytes.len() as u64;
        if let Err(failure) = file.write(bytes) {
            failed = Some(failure);
            return Err(telecine::CoreError::invalid("the output cannot be written").into());
        }
        screen::check_stop()
    });
    match (outcome, failed) {
        (_, Some(failure)) => Err(failure),
        (Err(error), None) => Err(error.into()),
        (Ok(()), None) => Ok(written),
    }
}

fn table(report: &Report) -> String {
    let mut table = Table::new(&["<tensor", "<dtype", "<shape", "values", "bytes", "seconds"]);
    for tensor in &report.tensors {
        table.row(vec![
            tensor.name.clone(),
            tensor.dtype.into(),
            screen::shape(&tensor.shape),
            tensor.values.to_string(),
            screen::bytes(tensor.bytes),
            format!("{:.2}", tensor.seconds),
        ]);
    }
    let Total { values, bytes, seconds } = &report.total;
    let name = format!("total of {} tensors", report.tensors.len());
    let seconds = format!("{seconds:.2}");
    table.row(vec![name, String::new(), String::new(), values.to_string(), screen::bytes(*bytes), seconds]);
    table.text()
}
