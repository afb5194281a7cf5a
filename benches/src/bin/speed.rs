//! Prints how fast `native` decodes and encodes planes on one thread, beside `memcpy` and `zstd` on the same f32 tensor.
//!
//! `speed [--runs N]`. Every round trip is checked before it is timed; each figure is the best of N runs (default 7).
//! Ratios are against the f32 tensor of as many values, in the same run.

#![allow(clippy::cast_possible_truncation, reason = "a measuring program on data of its own")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use half::bf16;
use telecine_benches::source;
use telecine_core::{Backend, Decoder, Effort, EncodeOptions, GroupSpec, Limits, Quality};
use telecine_native::Native;

const COLUMNS: usize = 512;
const CHUNK: usize = 1 << 18;

type Fault = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("speed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Fault> {
    let mut arguments = std::env::args().skip(1);
    let mut runs = 7;
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--runs", Some(text)) => runs = text.parse()?,
            _ => return Err("speed [--runs N]".into()),
        }
    }
    let sources = source::distributions();
    for name in ["N(0,1)", "columns scaled"] {
        let Some(source) = sources.iter().find(|source| source.name == name) else { continue };
        let values = &source.values[..];
        println!("{name}, {} values, {COLUMNS} columns, chunks of {CHUNK}", values.len());
        println!("{:<34} {:>12} {:>12} {:>9}", "", "decode M/s", "encode M/s", "bits");
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut copy = vec![0u8; bytes.len()];
        let seconds = best(runs, || copy.copy_from_slice(black_box(&bytes)));
        print("memcpy of the f32 tensor", values.len(), seconds, seconds, 32.0);
        for level in [1, 3] {
            let packed = zstd::bulk::compress(&bytes, level)?;
            if zstd::bulk::decompress(&packed, bytes.len())? != bytes {
                return Err("zstd did not give the tensor back".into());
            }
            let mut unpacker = zstd::bulk::Decompressor::new()?;
            let decode = best(runs, || black_box(unpacker.decompress_to_buffer(&packed, &mut copy).is_ok()));
            let encode = best(runs.min(3), || black_box(zstd::bulk::compress(&bytes, level).is_ok()));
            let bits = packed.len() as f64 * 8.0 / values.len() as f64;
            print(&format!("zstd -{level} of the f32 tensor"), values.len(), decode, encode, bits);
        }
        for (effort, bits) in [
            (Effort::Fast, 2.0),
            (Effort::Fast, 3.0),
            (Effort::Fast, 4.0),
            (Effort::Fast, 8.0),
            (Effort::Balanced, 3.0),
            (Effort::Best, 3.0),
        ] {
            let step = 4.13 * f64::exp2(-bits);
            let grid = (step / 64.0).max(8.0 / 32_767.0);
            let sample = |v: &f32| ((f64::from(*v) / grid).round() + 32_768.0).clamp(0.0, 65_535.0) as u16;
            let samples: Vec<u16> = values.iter().map(sample).collect();
            measure(
                &format!("native {effort:?}, {bits} bits"),
                &samples,
                Quality::Step((step / grid) as f32),
                effort,
                runs,
            )?;
        }
        let halves: Vec<u16> =
            values.iter().map(|v| bf16::from_f32(*v * 0.05).to_bits().rotate_left(1)).collect();
        measure("native lossless bf16", &halves, Quality::Lossless, Effort::Balanced, runs)?;
    }
    Ok(())
}

/// Codes the samples in chunks and prints what came of it.
fn measure(name: &str, samples: &[u16], quality: Quality, effort: Effort, runs: usize) -> Result<(), Fault> {
    let spec = GroupSpec::new(1, (CHUNK / COLUMNS) as u32, COLUMNS as u32, 16, &Limits::default())?;
    let mut encoder = Native::default().encoder(spec, &EncodeOptions::with_effort(effort))?;
    let mut packets = Vec::new();
    let mut encode_all = || {
        packets.clear();
        for chunk in samples.chunks_exact(CHUNK) {
            let mut packet = Vec::new();
            if encoder.encode(chunk, quality, &mut packet).is_ok() {
                packets.push(packet);
            }
        }
    };
    encode_all();
    let encode = best(if effort == Effort::Fast { runs } else { runs.min(2) }, &mut encode_all);
    let mut back = vec![0; samples.len()];
    let mut decoder = Native::default().decoder(spec)?;
    decode_all(decoder.as_mut(), &packets, &mut back)?;
    check(samples, &back, quality)?;
    let decode = best(runs, || decode_all(decoder.as_mut(), &packets, &mut back).is_ok());
    let bytes: usize = packets.iter().map(Vec::len).sum();
    print(name, samples.len(), decode, encode, bytes as f64 * 8.0 / samples.len() as f64);
    Ok(())
}

fn decode_all(decoder: &mut dyn Decoder, packets: &[Vec<u8>], back: &mut [u16]) -> telecine_core::Result<()> {
    packets
        .iter()
        .zip(back.chunks_exact_mut(CHUNK))
        .try_for_each(|(packet, back)| decoder.decode(packet, back))
}

/// Fails where the samples that came back are too far from those that went in.
fn check(samples: &[u16], back: &[u16], quality: Quality) -> Result<(), Fault> {
    let squared = |(a, b): (&u16, &u16)| f64::from(a.abs_diff(*b)).powi(2);
    let error = samples.iter().zip(back).map(squared).sum::<f64>() / samples.len() as f64;
    let most = match quality {
        Quality::Step(step) => 1.3 * f64::from(step).powi(2) / 12.0 + 0.1,
        _ => 0.0,
    };
    if error > most { Err(format!("a mean squared error of {error}, not {most}").into()) } else { Ok(()) }
}

/// Seconds of the fastest of some runs.
fn best<T>(runs: usize, mut work: impl FnMut() -> T) -> f64 {
    let time = |_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed().as_secs_f64()
    };
    (0..runs.max(1)).map(time).fold(f64::INFINITY, f64::min)
}

fn print(name: &str, values: usize, decode: f64, encode: f64, bits: f64) {
    let speed = |seconds: f64| values as f64 / seconds / 1e6;
    println!("{name:<34} {:>12.1} {:>12.1} {bits:>9.3}", speed(decode), speed(encode));
}
