//! Random groups: sizes of every class, at every depth, with content of every kind.

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use telecine_core::{GroupSpec, Result};

use crate::Subject;
use crate::signal::{at_depth, gaussian, noise, ramp};

/// Classes of sizes.
const CLASSES: usize = 9;
/// Samples of a group at most, but for those of the last class.
const MOST_SAMPLES: u64 = 150_000;
/// Samples of a large group at most.
const LARGE: u64 = 800_000;

/// A whole number whose logarithm is uniform over the range.
fn log_uniform(rng: &mut SmallRng, from: u32, to: u32) -> u32 {
    let (low, high) = (f64::from(from).ln(), f64::from(to + 1).ln());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range")]
    let number = rng.random_range(low..high).exp() as u32;
    number.clamp(from, to)
}

/// Frames, height and width of a class. Long sides of even rounds are over 4,096, those of odd rounds below.
fn size(rng: &mut SmallRng, class: usize, round: usize) -> (u32, u32, u32) {
    let long = |rng: &mut SmallRng| {
        let (from, to) = if round.is_multiple_of(2) { (4097, 10_000) } else { (100, 4096) };
        rng.random_range(from..=to)
    };
    let beside_power =
        |rng: &mut SmallRng, most: u32| (1u32 << rng.random_range(1..=most)) + rng.random_range(0..3) - 1;
    match class {
        0 => (1, rng.random_range(1..=40), rng.random_range(1..=40)),
        1 => (1, long(rng), log_uniform(rng, 1, 200)),
        2 => (1, log_uniform(rng, 1, 200), long(rng)),
        3 => (log_uniform(rng, 2, 3000), rng.random_range(1..=14), rng.random_range(1..=14)),
        4 => (1, rng.random_range(65..=380) | 1, rng.random_range(65..=380) | 1),
        5 => (1, beside_power(rng, 13), beside_power(rng, 9)),
        6 => (rng.random_range(2..=17), rng.random_range(1..=90), rng.random_range(1..=90)),
        7 if rng.random() => (1, 1, log_uniform(rng, 1, 100_000)),
        7 => (1, log_uniform(rng, 1, 100_000), 1),
        _ => (rng.random_range(1..=2), rng.random_range(400..=1000), rng.random_range(400..=1000)),
    }
}

/// Groups of random sizes: each class at each depth, `rounds` times over; large ones in the third round alone. Fewer where
/// each takes long and few are wanted.
pub(crate) fn groups(subject: &Subject, rounds: usize, seed: u64) -> Result<Vec<GroupSpec>> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let depths = subject.encoding()?.info().capabilities.depths;
    let stride = if subject.is_quick() && subject.has_large_groups() { 5 } else { 1 };
    let mut groups = Vec::new();
    for at in 0..rounds * CLASSES * depths.len() {
        let (class, depth, round) = (at % CLASSES, at / CLASSES % depths.len(), at / CLASSES / depths.len());
        let (frames, mut height, mut width) = size(&mut rng, class, round);
        let most = if class == CLASSES - 1 { LARGE } else { MOST_SAMPLES };
        while u64::from(frames) * u64::from(height) * u64::from(width) > most {
            let shorter = if height < width { &mut height } else { &mut width };
            *shorter = (*shorter / 2).max(1);
        }
        if at % stride == 0 && (class < CLASSES - 1 || round == 2) {
            groups.push(subject.spec(frames, height, width, depths[depth])?);
        }
    }
    Ok(groups)
}

/// Kinds of content that [`content`] draws from.
pub(crate) const CONTENTS: u64 = 14;

/// Content of a kind, drawn with a seed.
pub(crate) fn content(spec: &GroupSpec, kind: u64, seed: u64) -> (&'static str, Vec<u16>) {
    let mut rng = SmallRng::seed_from_u64(seed ^ 0x5eed);
    let (count, max, mid) = (spec.samples(), spec.max_sample(), spec.mid_sample());
    let any = |rng: &mut SmallRng| rng.random_range(0..=max);
    match kind % CONTENTS {
        0 => ("Gaussian", gaussian(spec, f64::from(log_uniform(&mut rng, 1, u32::from(mid))) / 2.0, seed)),
        1 => ("noise", noise(spec, seed)),
        2 => ("a ramp", ramp(spec)),
        3 => {
            let mut samples = vec![any(&mut rng); count];
            for _ in 0..count / 50 + 1 {
                let at = rng.random_range(0..count);
                samples[at] = any(&mut rng);
            }
            ("few samples among equal ones", samples)
        }
        4 => {
            let values: Vec<u16> = (0..rng.random_range(2..20)).map(|_| any(&mut rng)).collect();
            ("few values", (0..count).map(|_| values[rng.random_range(0..values.len())]).collect())
        }
        5 => {
            let (mut value, mut left) = (mid, 0);
            let sample = |_| {
                if left == 0 {
                    (value, left) = (any(&mut rng), rng.random_range(1..200));
                }
                left -= 1;
                value
            };
            ("runs", (0..count).map(sample).collect())
        }
        6 => {
            let period: Vec<u16> = (0..rng.random_range(2..300)).map(|_| any(&mut rng)).collect();
            ("a period", period.iter().copied().cycle().take(count).collect())
        }
        7 => {
            let (mut at, width) = (i32::from(mid), rng.random_range(1..=i32::from(max) / 40 + 1));
            let sample = |_| {
                at = (at + rng.random_range(-width..=width)).clamp(0, i32::from(max));
                u16::try_from(at).unwrap_or(max)
            };
            ("a random walk", (0..count).map(sample).collect())
        }
        8 => ("extremes", (0..count).map(|_| if rng.random() { 0 } else { max }).collect()),
        9 => {
            let mut samples = gaussian(spec, at_depth(spec, 9000.0), seed);
            samples.sort_unstable();
            ("sorted values", samples)
        }
        10 => {
            let deviations: Vec<f64> = (0..97).map(|_| f64::from(log_uniform(&mut rng, 1, 100))).collect();
            let unit = gaussian(spec, f64::from(mid) / 300.0, seed);
            let scale = |(at, &sample): (usize, &u16)| {
                let far = (f64::from(sample) - f64::from(mid)) * deviations[at % 97];
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
                let sample = (f64::from(mid) + far).clamp(0.0, f64::from(max)) as u16;
                sample
            };
            ("columns of many scales", unit.iter().enumerate().map(scale).collect())
        }
        11 => ("falling values", ramp(spec).into_iter().rev().collect()),
        12 => ("even samples", noise(spec, seed).into_iter().map(|sample| sample & !1).collect()),
        _ => ("one value", vec![any(&mut rng); count]),
    }
}

/// Content of a kind that the seed chooses.
pub(crate) fn any_content(spec: &GroupSpec, seed: u64) -> (&'static str, Vec<u16>) {
    content(spec, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40, seed)
}
