//! Ways that every machine has against the plain one; tests/instructions.rs has the others, and says which are missing.

#![allow(clippy::cast_possible_truncation, reason = "casts in tests are fine")]

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, StandardNormal};
use telecine_core::{Effort, Quality};

use super::Way;
use crate::decode::PlaneDecoder;
use crate::encode::PlaneEncoder;
use crate::plane::PlaneSpec;

/// Samples around the middle with rows of different scale, a few of them far out.
fn samples(spec: &PlaneSpec, scale: f32, seed: u64) -> Vec<u16> {
    let mut rng = SmallRng::seed_from_u64(seed);
    (0..spec.samples())
        .map(|at| {
            let value: f32 = StandardNormal.sample(&mut rng);
            let row = 1.0 + (at / spec.width % 7) as f32;
            let far = if rng.random_range(0..2000) == 0 { 60.0 } else { 1.0 };
            (32768.0 + value * scale * row * far).clamp(0.0, 65535.0) as u16
        })
        .collect()
}

/// Packets that use contexts, raw bits, escapes, wide alphabets, 16 to 64 lanes and a part of a step at the end.
fn packets() -> Vec<(PlaneSpec, Vec<u8>)> {
    let mut out = Vec::new();
    for (height, width) in [(300, 301), (96, 700), (530, 513)] {
        let spec = PlaneSpec { height, width, depth: 16 };
        for (scale, quality) in [
            (100.0, Quality::Step(60.0)),
            (100.0, Quality::Step(400.0)),
            (1000.0, Quality::Step(20.0)),
            (4000.0, Quality::Step(1.0)),
            (30.0, Quality::Lossless),
            (3000.0, Quality::Lossless),
        ] {
            let mut packet = Vec::new();
            let samples = samples(&spec, scale, 9);
            PlaneEncoder::default().encode(&spec, &samples, quality, Effort::Fast, &mut packet).unwrap();
            out.push((spec, packet));
        }
    }
    out
}

fn agrees(way: Way) {
    let (mut plain, mut fast) = (PlaneDecoder::new(None), PlaneDecoder::new(Some(way)));
    let mut rng = SmallRng::seed_from_u64(10);
    for (spec, packet) in packets() {
        let (mut wanted, mut found) = (vec![0; spec.samples()], vec![1; spec.samples()]);
        plain.decode(&spec, &packet, &mut wanted).unwrap();
        fast.decode(&spec, &packet, &mut found).unwrap();
        assert!(wanted == found, "{spec:?}");
        for _ in 0..12 {
            let mut damaged = packet.clone();
            let bit = rng.random_range(0..8 * packet.len());
            damaged[bit / 8] ^= 1 << (bit % 8);
            let plain = plain.decode(&spec, &damaged, &mut wanted).is_ok();
            assert_eq!(plain, fast.decode(&spec, &damaged, &mut found).is_ok(), "{spec:?} bit {bit}");
            assert!(!plain || wanted == found, "{spec:?} bit {bit}");
        }
    }
}

#[test]
fn one_lane_at_a_time_decodes_as_the_plain_way_does() {
    agrees(Way::Portable);
}

#[test]
fn sixteen_lanes_of_a_vector_decode_as_the_plain_way_does() {
    agrees(Way::Sixteen);
}
