//! Prints how fast Telecine is on one thread beside its rivals, `memcpy` and `zstd`, on the same tensor in the same run.
//!
//! `speed [--runs N] [--values N] [--only TEXT] [--json FILE]`, `speed --linear [--runs N]`
//!
//! Every round trip is checked before it is timed. All coders take turns, N times (7), and the fastest turn of each
//! counts, so that a noisy machine treats them alike. `x zstd` compares values per second with `zstd -1` on the f32
//! tensor of as many values; `x copy` compares bytes of the coder's own tensor per second with `memcpy`, so that 0.5 is
//! half as fast as copying the output. `--values` makes tensors of that many values instead of 2²⁰; `--only` leaves out what has
//! no TEXT in its name, but for `memcpy` and `zstd -1`. `--linear` prints the cost per value from 2²⁰ to 2²⁸ values instead.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use half::bf16;
use telecine::{Encoding, TensorBuf};
use telecine_benches::entropy::{Constriction, Rans, Stream, Symbols};
use telecine_benches::ours::{Pipeline, Plane};
use telecine_benches::race::{Fault, Race, ZSTD};
use telecine_benches::rivals::{Lz4, Memcpy, Pco, Zstd};
use telecine_benches::source::Source;
use telecine_benches::{linear, source, step_of};
use telecine_core::{Chain, CodecId, DType, Effort, EncodeOptions, Target, TransformChoice};
use telecine_native::{Instructions, Native};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("speed: {error}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "speed [--runs N] [--values N] [--only TEXT] [--json FILE], speed --linear [--runs N]";

fn run() -> Result<(), Fault> {
    let mut arguments = std::env::args().skip(1);
    let (mut runs, mut values, mut json, mut is_linear, mut only) = (7, 1 << 20, None, false, String::new());
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--runs" => runs = value()?.parse::<usize>()?.max(1),
            "--json" => json = Some(PathBuf::from(value()?)),
            "--values" => values = value()?.parse::<usize>()?,
            "--only" => only = value()?,
            "--linear" => is_linear = true,
            _ => return Err(USAGE.into()),
        }
    }
    if is_linear {
        return linear::print(runs);
    }
    let mut tables = Vec::new();
    for mut source in source::distributions() {
        // Over and over, for threads that want many chunks.
        source.values = source.values.iter().copied().cycle().take(values).collect();
        if ["N(0,1)", "columns scaled"].contains(&source.name.as_str()) {
            let bytes: Vec<u8> = source.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let mut race = Race::new(&source.name, source.values.len(), &only);
            enter_rivals(&mut race, &source, &bytes)?;
            enter_backend(&mut race, &source)?;
            enter_pipeline(&mut race, &source)?;
            race.run(runs)?;
            race.print();
            tables.push(race.json());
        }
    }
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_string_pretty(&tables)?)?;
    }
    Ok(())
}

fn enter_rivals<'a>(race: &mut Race<'a>, source: &'a Source, bytes: &'a [u8]) -> Result<(), Fault> {
    race.enter("memcpy of the f32 tensor", 4, Memcpy::new(bytes))?;
    race.enter(ZSTD, 4, Zstd::new(bytes, 1)?)?;
    race.enter("zstd -3 of the f32 tensor", 4, Zstd::new(bytes, 3)?)?;
    race.enter("lz4_flex of the f32 tensor", 4, Lz4::new(bytes))?;
    race.enter("pco of the f32 tensor", 4, Pco::new(&source.values))?;
    // Symbols of 4 bytes.
    let symbols = Symbols::new(&source.values);
    race.enter("constriction ANS, rounded to 3 bits", 4, Constriction::new(&symbols, Stream::Ans)?)?;
    race.enter("constriction range coder, the same", 4, Constriction::new(&symbols, Stream::Range)?)?;
    race.enter("msrtc-rans-core, 4 states, the same", 4, Rans::new(&symbols)?)
}

/// The backend alone: planes of 16-bit samples.
fn enter_backend(race: &mut Race<'_>, source: &Source) -> Result<(), Fault> {
    for (effort, bits) in [
        (Effort::Fast, 2.0),
        (Effort::Fast, 3.0),
        (Effort::Fast, 4.0),
        (Effort::Fast, 8.0),
        (Effort::Balanced, 3.0),
        (Effort::Best, 3.0),
    ] {
        let options = EncodeOptions::with_effort(effort);
        let plane =
            Plane::lossy(&Native::default(), &source.values, source.columns, step_of(bits), &options)?;
        race.enter(&format!("native {}, {bits} bits", name_of(effort)), 2, plane)?;
    }
    // The best instructions of this machine decode above; the others here.
    for instructions in Instructions::here().iter().skip(1) {
        let (native, options) =
            (Native::with_instructions(*instructions)?, EncodeOptions::with_effort(Effort::Fast));
        let plane = Plane::lossy(&native, &source.values, source.columns, step_of(3.0), &options)?;
        race.enter(&format!("native fast, 3 bits, decoded by {instructions:?}"), 2, plane)?;
    }
    // The pipeline puts the sign last before it codes losslessly.
    let halves = source.values.iter().map(|value| weight(*value).to_bits().rotate_left(1)).collect();
    race.enter("native lossless bf16", 2, Plane::lossless(halves, source.columns)?)
}

/// Tensors through the facade, on one thread and on two.
fn enter_pipeline(race: &mut Race<'_>, source: &Source) -> Result<(), Fault> {
    let shape = [(source.values.len() / source.columns) as u64, source.columns as u64];
    let wide = Arc::new(TensorBuf::from_f32(&shape, &source.values)?);
    let halves = |value: fn(f32) -> bf16| {
        let bytes = source.values.iter().flat_map(|v| value(*v).to_le_bytes()).collect();
        Arc::new(TensorBuf { dtype: DType::Bf16, shape: shape.to_vec(), bytes })
    };
    let (narrow, weights) = (halves(bf16::from_f32), halves(weight));
    let lossy = |effort: Effort, transform: &str| -> Result<Encoding, Fault> {
        let mut encoding = Encoding::new(Target::Step(step_of(3.0)));
        encoding.effort = effort;
        encoding.transform = TransformChoice::Chain(Chain::parse(transform, &|_| None)?);
        Ok(encoding)
    };
    let lossless = Encoding::new(Target::Lossless);
    let mut lossless_native = lossless.clone();
    lossless_native.codec = Some(CodecId::NATIVE);
    for (name, tensor, encoding) in [
        ("pipeline f32 fast, 3 bits", &wide, lossy(Effort::Fast, "none")?),
        ("pipeline f32 fast, 3 bits, hadamard", &wide, lossy(Effort::Fast, "hadamard(128,0)")?),
        ("pipeline bf16 fast, 3 bits", &narrow, lossy(Effort::Fast, "none")?),
        ("pipeline bf16 fast, 3 bits, hadamard", &narrow, lossy(Effort::Fast, "hadamard(128,0)")?),
        ("pipeline f32 balanced, 3 bits", &wide, lossy(Effort::Balanced, "none")?),
        ("pipeline f32 best, 3 bits", &wide, lossy(Effort::Best, "none")?),
        ("pipeline lossless bf16", &weights, lossless),
        ("pipeline lossless bf16, tns1", &weights, lossless_native),
    ] {
        for (threads, suffix) in [(1, ""), (2, ", 2 threads")] {
            let coder = Pipeline::new(tensor, encoding.clone(), threads)?;
            race.enter(&format!("{name}{suffix}"), tensor.dtype.size(), coder)?;
        }
    }
    Ok(())
}

/// A value at the scale of trained weights.
fn weight(value: f32) -> bf16 {
    bf16::from_f32(value * 0.05)
}

fn name_of(effort: Effort) -> String {
    format!("{effort:?}").to_lowercase()
}
