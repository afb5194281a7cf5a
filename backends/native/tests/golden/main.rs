//! Packets of `tns1` that were written once decode to the same samples for ever, by all instructions.
//!
//! `vectors/` holds them, and `vectors/index.txt` what each decodes to: name, frames, height, width, depth, XXH3-64 of the
//! little-endian samples. Both are only added to, by `cargo test -p telecine-native --test golden -- --ignored write_golden`,
//! which writes the ones that are missing.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

mod part;
mod vectors;

use std::fs;
use std::path::PathBuf;

use telecine_core::{Backend, EncodeOptions, GroupSpec, Limits};
use telecine_native::{Instructions, Native};
use twox_hash::XxHash3_64;

use part::Part;
use vectors::{Vector, vectors};

/// A line of the index.
struct Entry {
    name: String,
    spec: GroupSpec,
    hash: u64,
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden", "vectors"].iter().collect()
}

fn index() -> Vec<Entry> {
    let text = fs::read_to_string(folder().join("index.txt")).unwrap_or_default();
    let entry = |line: &str| {
        let [name, frames, height, width, depth, hash] =
            line.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
        let [frames, height, width, depth] =
            [frames, height, width, depth].map(|number| number.parse::<u32>().unwrap());
        Entry {
            name: name.to_owned(),
            spec: GroupSpec::new(frames, height, width, depth as u8, &Limits::default()).unwrap(),
            hash: u64::from_str_radix(hash, 16).unwrap(),
        }
    };
    text.lines().map(entry).collect()
}

fn decode(instructions: Instructions, spec: GroupSpec, packet: &[u8]) -> Vec<u16> {
    let mut samples = vec![0x5aa5; spec.samples()];
    let native = Native::with_instructions(instructions).unwrap();
    native.decoder(spec).unwrap().decode(packet, &mut samples).unwrap();
    samples
}

fn hash(samples: &[u16]) -> u64 {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    XxHash3_64::oneshot(&bytes)
}

#[test]
fn every_golden_vector_decodes_as_it_always_did_by_all_instructions() {
    let vectors = vectors();
    let index = index();
    assert_eq!(index.len(), vectors.len(), "vectors without a file: `write_golden` writes them");
    for Entry { name, spec, hash: wanted } in index {
        let vector = vectors.iter().find(|vector| vector.name == name).unwrap();
        assert_eq!(vector.spec, spec, "{name}");
        let packet = fs::read(folder().join(&name).with_extension("tns1")).unwrap();
        for instructions in Instructions::here() {
            let samples = decode(instructions, spec, &packet);
            assert_eq!(hash(&samples), wanted, "{name} by {instructions:?}");
        }
        assert_exercises(vector, &packet);
    }
}

/// A vector that no longer has its feature tests nothing.
fn assert_exercises(vector: &Vector, packet: &[u8]) {
    let samples = decode(Instructions::Plain, vector.spec, packet);
    let parts = Part::read_all(packet, vector.spec.frames);
    assert!((vector.exercises)(&parts, &samples), "{} does not exercise its feature: {parts:?}", vector.name);
}

#[test]
#[ignore = "writes files"]
fn write_golden() {
    let mut text = fs::read_to_string(folder().join("index.txt")).unwrap_or_default();
    let index = index();
    for vector in vectors() {
        let path = folder().join(vector.name).with_extension("tns1");
        let known = index.iter().any(|entry| entry.name == vector.name);
        assert_eq!(known, path.exists(), "{} has only one of file and line in the index", vector.name);
        if known {
            continue;
        }
        let spec = vector.spec;
        let mut packet = Vec::new();
        let options = EncodeOptions::with_effort(vector.effort);
        let mut encoder = Native::default().encoder(spec, &options).unwrap();
        encoder.encode(&vector.samples, vector.quality, &mut packet).unwrap();
        assert_exercises(&vector, &packet);
        let hash = hash(&decode(Instructions::Plain, spec, &packet));
        let GroupSpec { frames, height, width, depth, .. } = spec;
        text += &format!("{} {frames} {height} {width} {depth} {hash:016x}\n", vector.name);
        fs::write(&path, &packet).unwrap();
        fs::write(folder().join("index.txt"), &text).unwrap();
        println!("{}: {} bytes", path.display(), packet.len());
    }
}
