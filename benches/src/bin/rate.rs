//! Prints the gap between the rate of `native` and the bound, all bytes counted, for distributions and for files.
//!
//! `rate [--efforts fast,balanced,best] [--bits 1,2,3,4] [--only TEXT] [FILE.safetensors …]`

use std::path::Path;
use std::process::ExitCode;

use telecine_benches::{plane, source};
use telecine_core::Effort;

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
    let (mut only, mut files) = (None, Vec::new());
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--efforts" => efforts = value()?,
            "--bits" => bits = value()?,
            "--only" => only = Some(value()?),
            _ => files.push(argument),
        }
    }
    let efforts = efforts.split(',').map(effort).collect::<Result<Vec<_>, _>>()?;
    let bits: Vec<f64> = bits
        .split(',')
        .map(|text| text.parse().map_err(|_| format!("{text} is no rate")))
        .collect::<Result<_, _>>()?;
    let mut sources = if files.is_empty() { source::distributions() } else { Vec::new() };
    for file in &files {
        sources.extend(source::tensors(Path::new(file))?);
    }
    sources.retain(|source| only.as_ref().is_none_or(|text| source.name.contains(text.as_str())));
    println!(
        "{:<44} {:<9} {:>6} {:>8} {:>8} {:>9} {:>9}",
        "source", "effort", "asked", "bits", "gap", "enc M/s", "dec M/s"
    );
    for effort in efforts {
        for &bits in &bits {
            let mut gaps = 0.0;
            for source in &sources {
                let outcome = plane::code_at(&source.values, source.columns, bits, effort)
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

fn effort(text: &str) -> Result<Effort, String> {
    match text {
        "fast" => Ok(Effort::Fast),
        "balanced" => Ok(Effort::Balanced),
        "best" => Ok(Effort::Best),
        _ => Err(format!("{text} is no effort: fast, balanced, best")),
    }
}
