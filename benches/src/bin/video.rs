//! Codes groups of one picture each from a file of raw samples, or decodes them: for timing from outside.
//!
//! `video encode BACKEND EFFORT STEP WIDTHxHEIGHTxDEPTH IN.raw OUT.packets`,
//! `video decode BACKEND WIDTHxHEIGHTxDEPTH IN.packets OUT.raw`
//!
//! Raw samples take two bytes each, little-endian, one byte at a depth of 8; a packet follows its length in four bytes.
//! `OUT.packets` of `-` writes the packets one after the other to standard output, as one stream.

use std::io::Write;
use std::process::ExitCode;

use telecine::default_registry;
use telecine_core::{Backend, Effort, EncodeOptions, GroupSpec, Limits, Quality};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["encode", backend, effort, step, size, from, to] => encode(backend, effort, step, size, from, to),
        ["decode", backend, size, from, to] => decode(backend, size, from, to),
        _ => Err("the call is wrong: see the top of benches/src/bin/video.rs".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("video: {error}");
            ExitCode::FAILURE
        }
    }
}

fn with_backend(name: &str, work: impl FnOnce(&dyn Backend) -> Outcome<()>) -> Outcome<()> {
    let registry = default_registry();
    let backend = registry.backends().find(|backend| backend.info().name == name);
    work(&**backend.ok_or_else(|| format!("no backend is named {name}"))?)
}

fn spec(size: &str) -> Outcome<GroupSpec> {
    let numbers: Vec<u32> = size.split('x').map(str::parse).collect::<Result<_, _>>()?;
    let &[width, height, depth] = &numbers[..] else { return Err("a size is WIDTHxHEIGHTxDEPTH".into()) };
    Ok(GroupSpec::new(1, height, width, u8::try_from(depth)?, &Limits::default())?)
}

fn encode(backend: &str, effort: &str, step: &str, size: &str, from: &str, to: &str) -> Outcome<()> {
    let effort = match effort {
        "fast" => Effort::Fast,
        "balanced" => Effort::Balanced,
        "best" => Effort::Best,
        other => return Err(format!("{other} is no effort").into()),
    };
    let (spec, quality) = (spec(size)?, Quality::Step(step.parse()?));
    let raw = std::fs::read(from)?;
    let samples: Vec<u16> = if spec.depth == 8 {
        raw.into_iter().map(u16::from).collect()
    } else {
        raw.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect()
    };
    with_backend(backend, |backend| {
        let mut encoder = backend.encoder(spec, &EncodeOptions::with_effort(effort))?;
        let mut out = Vec::new();
        for group in samples.chunks_exact(spec.samples()) {
            let mut packet = Vec::new();
            encoder.encode(group, quality, &mut packet)?;
            if to != "-" {
                out.extend_from_slice(&u32::try_from(packet.len())?.to_le_bytes());
            }
            out.extend_from_slice(&packet);
        }
        if to == "-" {
            std::io::stdout().write_all(&out)?
        } else {
            std::fs::write(to, out)?
        }
        Ok(())
    })
}

fn decode(backend: &str, size: &str, from: &str, to: &str) -> Outcome<()> {
    let spec = spec(size)?;
    let packets = std::fs::read(from)?;
    with_backend(backend, |backend| {
        let mut decoder = backend.decoder(spec)?;
        let (mut rest, mut samples, mut out) = (&packets[..], vec![0; spec.samples()], Vec::new());
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let cut = || "the file ends within a packet";
            let (packet, after) =
                after.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(cut)?;
            decoder.decode(packet, &mut samples)?;
            let bytes = samples.iter().flat_map(|sample| sample.to_le_bytes());
            if spec.depth == 8 {
                out.extend(bytes.step_by(2))
            } else {
                out.extend(bytes)
            }
            rest = after;
        }
        std::fs::write(to, out)?;
        Ok(())
    })
}
