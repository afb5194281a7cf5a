//! Every target survives its seeds and some thousand damaged ones: what fuzzing does, briefly and the same each time.
//!
//! With `TELECINE_FUZZ_INPUT=FILE` a target reads that file alone: the way to look into a finding of cargo-fuzz.

#![allow(clippy::cast_possible_truncation, reason = "numbers without a pattern")]

use telecine_fuzz_targets::{Noise, TARGETS, run, seeds};

/// Damages bytes once, by another seed or by itself.
fn damage(bytes: &mut Vec<u8>, other: &[u8], noise: &mut Noise) {
    if bytes.is_empty() {
        bytes.push(noise.next() as u8);
        return;
    }
    let at = noise.below(bytes.len());
    let count = 1 + noise.below(16.min(bytes.len() - at));
    match noise.below(7) {
        0 => bytes[at] ^= 1 << noise.below(8),
        1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][noise.below(5)],
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..at + count)),
        4 => bytes[at..at + count].fill([0, 0xff][noise.below(2)]),
        5 => {
            let part = bytes[at..at + count].to_vec();
            bytes.splice(at..at, part);
        }
        _ => {
            let part = &other[noise.below(other.len())..];
            bytes.truncate(at);
            bytes.extend_from_slice(&part[..part.len().min(4096)]);
        }
    }
}

fn smoke(name: &str, damaged: usize) {
    if let Some(path) = std::env::var_os("TELECINE_FUZZ_INPUT") {
        return run(name, &std::fs::read(path).expect("the input"));
    }
    let seeds = seeds(name);
    for seed in &seeds {
        run(name, &seed.bytes);
    }
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for _ in 0..damaged {
        let mut bytes = seeds[noise.below(seeds.len())].bytes.clone();
        for _ in 0..=noise.below(4) {
            let other = noise.below(seeds.len());
            damage(&mut bytes, &seeds[other].bytes, &mut noise);
        }
        run(name, &bytes);
    }
}

/// A test for each target, with the number of damaged inputs that it gets.
macro_rules! smoke {
    ($($name:ident $damaged:literal),*) => {
        $(#[test]
        fn $name() {
            smoke(stringify!($name), $damaged);
        })*

        #[test]
        fn every_target_has_its_test() {
            assert_eq!([$(stringify!($name)),*].as_slice(), TARGETS.iter().map(|target| target.name).collect::<Vec<_>>());
        }
    };
}

smoke! {
    api 3000,
    chunk 20_000,
    container 10_000,
    native_decode 1000,
    native_differential 300,
    native_round_trip 500,
    npy 20_000,
    npz 20_000,
    raw_decode 5000,
    safetensors 20_000,
    tensor_round_trip 1000,
    zstd_decode 5000
}
