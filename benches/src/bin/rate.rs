//! Prints the gap between the rate of a backend and the bound, all bytes counted, for distributions and for files.
//!
//! `rate [--backend native] [--efforts fast,balanced,best] [--bits 1,2,3,4] [--only TEXT] [--monochrome] [--depth D]
//! [FILE.safetensors …]`, `rate --high`
//!
//! `--monochrome` has a video codec code luma alone, and `--depth` samples of other depth than the most that it takes.
//! `--high` prints the gap at small errors instead: f32 N(0,1) through the whole pipeline.

use std::path::Path;
use std::process::ExitCode;

use telecine::{Codec, Encoding, TensorBuf};
use telecine_benches::{plane, source};
use telecine_core::{Effort, Target};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let mut efforts = "fast,balanced,best".to_string();
    let mut bits = "0.1,0.25,0.5,1,2,3,4,8".to_string();
    let mut backend = "native".to_string();
    let (mut only, mut files, mut is_high) = (None, Vec::new(), false);
    let (mut monochrome, mut depth) = (false, None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--efforts" => efforts = value()?,
            "--bits" => bits = value()?,
            "--backend" => backend = value()?,
            "--only" => only = Some(value()?),
            "--high" => is_high = true,
            "--monochrome" => monochrome = true,
            "--depth" => depth = Some(value()?.parse().map_err(|_| "--depth takes a number of bits")?),
            _ => files.push(argument),
        }
    }
    let efforts = efforts.split(',').map(effort).collect::<Result<Vec<_>, _>>()?;
    if is_high {
        return efforts.into_iter().try_for_each(high);
    }
    let bits: Vec<f64> = bits
        .split(',')
        .map(|text| text.parse().map_err(|_| format!("{text} is no rate")))
        .collect::<Result<_, _>>()?;
    let mut sources = if files.is_empty() { source::distributions() } else { Vec::new() };
    for file in &files {
        sources.extend(source::tensors(Path::new(file))?);
    }
    sources.retain(|source| only.as_ref().is_none_or(|text| source.name.contains(text.as_str())));
    let mut coder = plane::Coder::new(&backend).map_err(|e| e.to_string())?;
    (coder.monochrome, coder.depth) = (monochrome, depth);
    println!(
        "{:<44} {:<9} {:>6} {:>8} {:>8} {:>9} {:>9}",
        "source", "effort", "asked", "bits", "gap", "enc M/s", "dec M/s"
    );
    for effort in efforts {
        for &bits in &bits {
            let mut gaps = 0.0;
            for source in &sources {
                let outcome = plane::code_at(&coder, &source.values, source.columns, bits, effort)
                    .map_err(|e| e.to_string())?;
                let gap = outcome.rate - source.bound.rate(outcome.error);
                gaps += gap / sources.len() as f64;
                let speed = |seconds: f64| source.values.len() as f64 / seconds / 1e6;
                println!(
                    "{:<44} {:<9} {bits:>6} {:>8.4} {gap:>8.4} {:>9.1} {:>9.1}",
                    source.name,
                    format!("{effort:?}").to_lowercase(),
                    outcome.rate,
                    speed(outcome.encode),
                    speed(outcome.decode),
                );
            }
            if !files.is_empty() {
                println!("mean of {} at {bits} bits, {effort:?}: {gaps:.4}", sources.len());
            }
        }
    }
    Ok(())
}

/// Prints the gap at small errors, at one effort.
fn high(effort: Effort) -> Result<(), String> {
    let sources = source::distributions();
    let source = &sources[0];
    let count = source.values.len();
    let shape = [(count / source.columns) as u64, source.columns as u64];
    let tensor = TensorBuf::from_f32(&shape, &source.values).map_err(|e| e.to_string())?;
    let energy = source.values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / count as f64;
    for nmse in [1e-3, 1e-5, 1e-7] {
        let mut encoding = Encoding::new(Target::Nmse(nmse));
        encoding.effort = effort;
        let view = tensor.view().map_err(|e| e.to_string())?;
        let report = Codec::new().encode(&view, &encoding).map_err(|e| e.to_string())?.report;
        let gap = report.bits() - source.bound.rate(report.nmse * energy);
        println!(
            "{}, pipeline at nmse {nmse:.0e}, {effort:?}: {:.4} bits at {:.3e}, gap {gap:.4}",
            source.name,
            report.bits(),
            report.nmse
        );
    }
    Ok(())
}

fn effort(text: &str) -> Result<Effort, String> {
    match text {
        "fast" => Ok(Effort::Fast),
        "balanced" => Ok(Effort::Balanced),
        "best" => Ok(Effort::Best),
        _ => Err(format!("{text} is no effort: fast, balanced, best")),
    }
}
