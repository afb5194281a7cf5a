//! Tables of nearly as many symbols as there may be: a few frequent, half of the rest just worth a share, the others not.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use telecine_core::{Backend, EncodeOptions, GroupSpec, Limits, Quality};
use telecine_native::{Instructions, Native};

/// Over a hundred of the 460 symbols of count 32 have a share below 1 that is rounded to 0 and then raised to 1: more
/// than the largest frequency, 97, can give.
#[test]
fn more_shares_are_raised_to_one_than_the_largest_frequency_can_give() {
    let mut rng = SmallRng::seed_from_u64(1);
    let mut counts = [vec![4096; 12], vec![32; 460], vec![1; 539]].concat();
    counts.shuffle(&mut rng);
    // Of the outermost symbols none is rare, so that none escapes.
    for outermost in [0, 1010] {
        let frequent = (400..600).find(|&at| counts[at] == 32).unwrap();
        counts.swap(outermost, frequent);
    }
    let symbols = (32768u16 - 505..).zip(&counts);
    let mut samples: Vec<u16> =
        symbols.flat_map(|(sample, &count)| std::iter::repeat_n(sample, count)).collect();
    samples.shuffle(&mut rng);
    let spec = GroupSpec::new(1, 1, samples.len() as u32, 16, &Limits::default()).unwrap();
    let mut packet = Vec::new();
    let mut encoder = Native::default().encoder(spec, &EncodeOptions::default()).unwrap();
    encoder.encode(&samples, Quality::Lossless, &mut packet).unwrap();
    for instructions in Instructions::here() {
        let mut back = vec![0; samples.len()];
        let native = Native::with_instructions(instructions).unwrap();
        native.decoder(spec).unwrap().decode(&packet, &mut back).unwrap();
        assert!(back == samples, "{instructions:?}");
    }
}
