//! All instructions write the same packets and read the same samples from them, damaged ones too. Those that this machine
//! lacks are listed as ignored.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

use std::process::ExitCode;
use std::sync::LazyLock;

use libtest_mimic::{Arguments, Trial};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, StandardNormal};
use telecine_core::{Backend, Effort, EncodeOptions, GroupSpec, Limits, Quality};
use telecine_native::{Instructions, Native};

/// Everything but the plain ones, which the others are held against.
const ALL: [Instructions; 4] =
    [Instructions::Portable, Instructions::Avx2, Instructions::Avx512, Instructions::Neon];

fn main() -> ExitCode {
    let here = Instructions::here();
    let trials = ALL.map(|instructions| {
        let name = format!("{instructions:?} code as the plain ones do");
        let trial = Trial::test(name, move || {
            agree(instructions);
            Ok(())
        });
        let lacks = !here.contains(&instructions);
        let kind = if lacks { "this machine lacks them" } else { "" };
        trial.with_ignored_flag(lacks).with_kind(kind)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

struct Case {
    spec: GroupSpec,
    samples: Vec<u16>,
    quality: Quality,
    effort: Effort,
    packet: Vec<u8>,
}

/// Samples around the middle with rows of different scale, a few of them far out.
fn samples(spec: &GroupSpec, scale: f32) -> Vec<u16> {
    let mut rng = SmallRng::seed_from_u64(9);
    let sample = |at: usize| {
        let value: f32 = StandardNormal.sample(&mut rng);
        let row = 1.0 + (at / spec.width as usize % 7) as f32;
        let far = if rng.random_range(0..2000) == 0 { 60.0 } else { 1.0 };
        (32768.0 + value * scale * row * far).clamp(0.0, 65535.0) as u16
    };
    (0..spec.samples()).map(sample).collect()
}

/// Packets of the plain instructions with contexts, raw bits, escapes, wide alphabets, 1 to 64 lanes, all numbers of
/// states, and a part of a step at the end.
static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let (fast, balanced, best) = (Effort::Fast, Effort::Balanced, Effort::Best);
    let mut cases = Vec::new();
    let mut add = |(height, width): (u32, u32), scale, quality, effort| {
        let spec = GroupSpec::new(1, height, width, 16, &Limits::default()).unwrap();
        let samples = samples(&spec, scale);
        let packet = encode(Instructions::Plain, spec, &samples, quality, effort);
        cases.push(Case { spec, samples, quality, effort, packet });
    };
    for (size, effort) in
        [((30, 41), best), ((96, 97), fast), ((300, 301), fast), ((96, 700), fast), ((530, 513), fast)]
    {
        add(size, 100.0, Quality::Step(60.0), effort);
        add(size, 100.0, Quality::Step(400.0), effort);
        add(size, 1000.0, Quality::Step(20.0), effort);
        add(size, 4000.0, Quality::Step(1.5), effort);
        add(size, 30.0, Quality::Lossless, effort);
        add(size, 3000.0, Quality::Lossless, effort);
    }
    add((300, 301), 100.0, Quality::Step(200.0), balanced);
    add((180, 190), 100.0, Quality::Step(200.0), best);
    add((1025, 1027), 100.0, Quality::Step(200.0), fast);
    cases
});

fn encode(
    instructions: Instructions,
    spec: GroupSpec,
    samples: &[u16],
    quality: Quality,
    effort: Effort,
) -> Vec<u8> {
    let native = Native::with_instructions(instructions).unwrap();
    let mut packet = Vec::new();
    let mut encoder = native.encoder(spec, &EncodeOptions::with_effort(effort)).unwrap();
    encoder.encode(samples, quality, &mut packet).unwrap();
    packet
}

fn agree(instructions: Instructions) {
    let mut rng = SmallRng::seed_from_u64(10);
    for Case { spec, samples, quality, effort, packet } in CASES.iter() {
        let case = format!("{spec:?} {quality:?} {effort:?}");
        assert!(encode(instructions, *spec, samples, *quality, *effort) == *packet, "{case}");
        let decoder = |by| Native::with_instructions(by).unwrap().decoder(*spec).unwrap();
        let (mut plain, mut fast) = (decoder(Instructions::Plain), decoder(instructions));
        let (mut wanted, mut found) = (vec![0; samples.len()], vec![1; samples.len()]);
        plain.decode(packet, &mut wanted).unwrap();
        fast.decode(packet, &mut found).unwrap();
        assert!(wanted == found, "{case}");
        for _ in 0..8 {
            let mut damaged = packet.clone();
            let bit = rng.random_range(0..8 * packet.len());
            damaged[bit / 8] ^= 1 << (bit % 8);
            let decodes = plain.decode(&damaged, &mut wanted).is_ok();
            assert_eq!(decodes, fast.decode(&damaged, &mut found).is_ok(), "{case} bit {bit}");
            assert!(!decodes || wanted == found, "{case} bit {bit}");
        }
    }
}
