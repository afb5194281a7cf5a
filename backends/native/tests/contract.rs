//! The contract at every step and depth, on planes that are small, many or mostly one sample.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, StandardNormal};
use telecine_core::{Backend, Effort, EncodeOptions, GroupSpec, Limits, Quality};
use telecine_native::Native;
use telecine_zstd::Zstd;

const EFFORTS: [Effort; 3] = [Effort::Fast, Effort::Balanced, Effort::Best];

fn spec(frames: u32, height: u32, width: u32, depth: u8) -> GroupSpec {
    GroupSpec::new(frames, height, width, depth, &Limits::default()).unwrap()
}

fn encode(
    backend: &dyn Backend,
    spec: GroupSpec,
    samples: &[u16],
    quality: Quality,
    effort: Effort,
) -> Vec<u8> {
    let mut packet = Vec::new();
    let mut encoder = backend.encoder(spec, &EncodeOptions::with_effort(effort)).unwrap();
    encoder.encode(samples, quality, &mut packet).unwrap();
    packet
}

/// The packet's size, and what it decodes to.
fn pass(spec: GroupSpec, samples: &[u16], quality: Quality, effort: Effort) -> (usize, Vec<u16>) {
    let packet = encode(&Native::default(), spec, samples, quality, effort);
    let mut back = vec![0x5aa5; samples.len()];
    Native::default().decoder(spec).unwrap().decode(&packet, &mut back).unwrap();
    (packet.len(), back)
}

fn errors<'a>(samples: &'a [u16], back: &'a [u16]) -> impl Iterator<Item = f64> + 'a {
    samples.iter().zip(back).map(|(&sample, &back)| f64::from(back) - f64::from(sample))
}

fn squared(samples: &[u16], back: &[u16]) -> f64 {
    errors(samples, back).map(|error| error * error).sum::<f64>() / samples.len() as f64
}

fn gaussian(spec: &GroupSpec, deviation: f64, seed: u64) -> Vec<u16> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut sample = |_| {
        let value: f64 = StandardNormal.sample(&mut rng);
        let sample = f64::from(spec.mid_sample()) + value * deviation;
        sample.round().clamp(0.0, f64::from(spec.max_sample())) as u16
    };
    (0..spec.samples()).map(&mut sample).collect()
}

fn noise(spec: &GroupSpec, seed: u64) -> Vec<u16> {
    let mut rng = SmallRng::seed_from_u64(seed);
    (0..spec.samples()).map(|_| rng.random::<u16>() & spec.max_sample()).collect()
}

#[test]
fn a_finer_step_never_has_a_larger_error_nor_more_bytes_than_exact_samples() {
    let least = f32::from_bits(1);
    let steps = [least, 1e-30, 1e-6, 0.1, 0.5, 0.7, 0.9, 0.99];
    let steps = steps.into_iter().chain((20..80).map(|twentieths| twentieths as f32 / 20.0));
    let steps: Vec<f32> = steps.chain([1e6, 1e30, f32::MAX]).collect();
    for (depth, deviation) in [(8, 21.0), (12, 300.0), (16, 5461.0), (16, 2.0)] {
        let spec = spec(1, 96, 96, depth);
        for samples in [gaussian(&spec, deviation, 1), noise(&spec, 2)] {
            for effort in EFFORTS {
                let (exact, _) = pass(spec, &samples, Quality::Lossless, effort);
                let (mut last, mut last_step) = (0.0, 0.0);
                for &step in &steps {
                    let (bytes, back) = pass(spec, &samples, Quality::Step(step), effort);
                    let error = squared(&samples, &back);
                    let case =
                        format!("depth {depth}, {effort:?}, step {step}: error {error}, {bytes} bytes");
                    assert!(bytes <= exact, "{case}, exact {exact}");
                    assert!(step >= 1.0 || error == 0.0, "{case}");
                    // Counts of 9,216 samples: a twentieth of a step is less than what chance leaves.
                    assert!(error >= 0.97 * last, "{case}; at {last_step} {last}");
                    assert!(error <= 1.6 / 12.0 * f64::from(step) * f64::from(step), "{case}");
                    (last, last_step) = (error, step);
                }
            }
        }
    }
}

#[test]
fn errors_are_those_of_the_step_unbiased_and_spread_evenly() {
    for (frames, depth) in [(1, 16), (2, 16), (3, 12), (17, 8)] {
        let spec = spec(frames, 96, 96, depth);
        for (samples, deviation) in
            [(gaussian(&spec, f64::from(spec.mid_sample()) / 6.0, 3), 1.0 / 6.0), (noise(&spec, 4), 0.5)]
        {
            for share in [0.1, 0.3, 0.7] {
                let step = (deviation * share * f64::from(spec.mid_sample())) as f32;
                let mut all = Vec::new();
                for effort in EFFORTS {
                    let (_, back) = pass(spec, &samples, Quality::Step(step), effort);
                    let error = squared(&samples, &back);
                    let case = format!("{spec:?}, {effort:?}, step {step}: error {error}");
                    let ratio = error * 12.0 / f64::from(step * step);
                    assert!((1.0 / 1.6..1.6).contains(&ratio), "{case}");
                    let bias = errors(&samples, &back).sum::<f64>() / samples.len() as f64;
                    assert!(bias.abs() <= 0.02 * f64::from(step), "{case}, bias {bias}");
                    for line in 0..96 {
                        let rows = samples.chunks_exact(96).zip(back.chunks_exact(96)).skip(line).step_by(96);
                        let row = rows.map(|(samples, back)| squared(samples, back)).sum::<f64>();
                        let column =
                            errors(&samples, &back).skip(line).step_by(96).map(|error| error * error);
                        let column = column.sum::<f64>() / 96.0;
                        let most = 2.0 * error * f64::from(frames);
                        assert!(row <= most && column <= most, "{case}, line {line}: {row}, {column}");
                    }
                    all.push(error);
                }
                let (low, high) =
                    (all.iter().copied().fold(f64::MAX, f64::min), all.iter().copied().fold(0.0, f64::max));
                assert!(high <= 1.15 * low, "{spec:?}, step {step}: {all:?}");
            }
        }
    }
}

#[test]
fn every_depth_keeps_the_declared_excess() {
    let declared = f64::from(Native::default().info().capabilities.excess);
    for depth in 8..=16 {
        for frames in [1, 3] {
            let spec = spec(frames, 192, 192, depth);
            let deviation = f64::from(spec.mid_sample()) / 6.0;
            let samples = gaussian(&spec, deviation, 31);
            for share in [0.15, 0.2, 0.3, 0.6, 1.2] {
                let step = (deviation * share) as f32;
                let (bytes, back) = pass(spec, &samples, Quality::Step(step), Effort::Balanced);
                let bits = bytes as f64 * 8.0 / samples.len() as f64;
                let bound = 0.5 * (deviation * deviation / squared(&samples, &back)).log2();
                assert!(bits - bound <= declared, "{spec:?}, step {step}: {bits} bits, bound {bound}");
            }
        }
    }
}

#[test]
fn extreme_samples_survive_small_steps() {
    for depth in [8, 12, 16] {
        let spec = spec(1, 64, 64, depth);
        let mut samples = noise(&spec, 5);
        for (at, sample) in samples.iter_mut().enumerate() {
            match at % 5 {
                0 => *sample = 0,
                1 => *sample = spec.max_sample(),
                _ => (),
            }
        }
        for step in [1.0, 1.3, 1.7, 2.0] {
            for effort in EFFORTS {
                let (_, back) = pass(spec, &samples, Quality::Step(step), effort);
                for extreme in [0, spec.max_sample()] {
                    let pairs = || samples.iter().zip(&back).filter(|(sample, _)| **sample == extreme);
                    let kept = pairs().filter(|(sample, back)| sample == back).count();
                    assert!(
                        10 * kept >= 9 * pairs().count(),
                        "depth {depth}, step {step}, {effort:?}: {kept}"
                    );
                    assert!(
                        pairs().all(|(sample, back)| sample.abs_diff(*back) <= 2),
                        "depth {depth}, step {step}"
                    );
                }
            }
        }
    }
}

#[test]
fn noise_grows_by_at_most_2_percent_and_600_bytes() {
    for (frames, height, width) in
        [(1024, 4, 4), (4096, 1, 1), (300, 3, 7), (1, 1, 5), (7, 40, 40), (2, 512, 512)]
    {
        for depth in [8, 11, 16] {
            let spec = spec(frames, height, width, depth);
            let samples = noise(&spec, 6);
            let raw = (samples.len() * usize::from(depth)).div_ceil(8);
            for quality in [Quality::Lossless, Quality::Step(1e-3), Quality::Step(1.0)] {
                let (bytes, _) = pass(spec, &samples, quality, Effort::Balanced);
                assert!(bytes <= raw + raw / 50 + 600, "{spec:?} {quality:?}: {bytes} bytes for {raw}");
            }
        }
    }
}

/// Planes of f32 values as a lossless target makes them: the bits rotated left by one, the upper half first.
fn planes(values: &[f32]) -> Vec<u16> {
    let halves =
        |shift: u32| values.iter().map(move |value| (value.to_bits().rotate_left(1) >> shift) as u16);
    halves(16).chain(halves(0)).collect()
}

const SIDE: usize = 192;

/// Sparse, few-valued and structured tensors.
fn structured() -> Vec<(&'static str, Vec<f32>)> {
    let mut rng = SmallRng::seed_from_u64(7);
    let mut normal = move || -> f32 { StandardNormal.sample(&mut rng) };
    let mut plane = |value: &mut dyn FnMut(usize, usize, f32) -> f32| -> Vec<f32> {
        (0..SIDE * SIDE).map(|at| value(at / SIDE, at % SIDE, normal())).collect()
    };
    let mut carry = 0.0;
    let list: Vec<f32> = plane(&mut |_, _, noise| noise);
    let sorted = {
        let mut list = list.clone();
        list.sort_by(f32::total_cmp);
        list
    };
    vec![
        ("one value in zeros", plane(&mut |row, col, _| if (row, col) == (3, 5) { 1e-3 } else { 0.0 })),
        ("dense rows in zeros", plane(&mut |row, _, noise| if row % 50 == 7 { noise } else { 0.0 })),
        (
            "scattered",
            plane(&mut |_, _, noise| {
                carry = if noise > 2.5 { carry + noise } else { carry };
                if noise > 2.5 { noise * 1.7 + carry } else { 0.0 }
            }),
        ),
        (
            "dense blocks",
            plane(&mut |row, col, noise| if (row / 32 + col / 32) % 5 == 0 { noise } else { 0.0 }),
        ),
        ("half pruned", plane(&mut |row, col, noise| if (row * 7 + col) % 4 < 2 { noise } else { 0.0 })),
        ("causal mask", plane(&mut |row, col, noise| if col > row { f32::NEG_INFINITY } else { noise })),
        (
            "NaN region",
            plane(&mut |row, col, noise| {
                if row.abs_diff(90).pow(2) + col.abs_diff(90).pow(2) < 3000 { f32::NAN } else { noise }
            }),
        ),
        ("seven values", plane(&mut |_, _, noise| (noise * 1.5).round() * 0.25)),
        ("quantised", plane(&mut |_, _, noise| (noise * 30.0).round() * 0.013)),
        ("whole numbers", plane(&mut |_, _, noise| (noise * 1000.0).round())),
        ("two values", plane(&mut |_, _, noise| if noise > 1.0 { 1.0 } else { -1.0 })),
        ("nearly constant", plane(&mut |_, _, noise| 1.0 + 1.2e-7 * noise.round())),
        ("offset 1e8", plane(&mut |_, _, noise| 1e8 + noise)),
        ("sorted", sorted),
        ("counting", plane(&mut |row, col, _| (row * SIDE + col) as f32)),
        ("equal rows", plane(&mut |_, col, _| list[col])),
        ("equal columns", plane(&mut |row, _, _| list[row])),
        ("period 37", plane(&mut |row, col, _| list[(row * SIDE + col) % 37])),
        ("rows of period 16", plane(&mut |row, col, _| list[row % 16 * SIDE + col])),
        ("identity", plane(&mut |row, col, _| if row == col { 1.0 } else { 0.0 })),
        ("ReLU", plane(&mut |_, _, noise| noise.max(0.0))),
    ]
}

#[test]
fn structured_planes_are_exact_and_at_most_a_tenth_larger_than_zstd_makes_them() {
    let spec = spec(2, SIDE as u32, SIDE as u32, 16);
    for (name, values) in structured() {
        let samples = planes(&values);
        let (bytes, back) = pass(spec, &samples, Quality::Lossless, Effort::Balanced);
        assert!(back == samples, "{name}");
        let rival = encode(&Zstd, spec, &samples, Quality::Lossless, Effort::Balanced).len();
        assert!(10 * bytes <= 11 * rival, "{name}: {bytes} bytes, zstd {rival}");
    }
}

#[test]
fn sparse_planes_cost_next_to_nothing_at_coarse_steps() {
    let spec = spec(1, 512, 512, 16);
    let wide = gaussian(&spec, 5461.0, 8);
    let mut rng = SmallRng::seed_from_u64(9);
    let mut rarely = |one: bool| if one { rng.random_range(0..1000) == 0 } else { false };
    let scattered: Vec<u16> = wide.iter().map(|&sample| if rarely(true) { sample } else { 32768 }).collect();
    let rows: Vec<u16> = wide
        .iter()
        .enumerate()
        .map(|(at, &sample)| if at / 512 % 128 == 3 { sample } else { 32768 })
        .collect();
    for effort in EFFORTS {
        // 262 samples: their places take 11.4 bits each.
        let (bytes, back) = pass(spec, &scattered, Quality::Step(100.0), effort);
        assert!(bytes < 850, "{effort:?}: {bytes} bytes");
        assert!(scattered.iter().zip(&back).all(|(a, b)| *a != 32768 || *b == 32768), "{effort:?}");
        let (bytes, _) = pass(spec, &scattered, Quality::Step(4000.0), effort);
        assert!(bytes < 330, "{effort:?}: {bytes} bytes");
        // 2,048 samples of 1.65 bits at least.
        let (bytes, _) = pass(spec, &rows, Quality::Step(6000.0), effort);
        assert!(bytes < 600, "{effort:?}: {bytes} bytes");
    }
}

#[test]
fn a_step_costs_no_more_than_exact_samples_of_structured_planes() {
    let spec = spec(1, SIDE as u32, SIDE as u32, 16);
    for (name, values) in structured() {
        let samples = &planes(&values)[..SIDE * SIDE];
        let (exact, _) = pass(spec, samples, Quality::Lossless, Effort::Fast);
        for step in [0.01, 1.0, 2.0, 5.0, 30.0, 1000.0] {
            let (bytes, back) = pass(spec, samples, Quality::Step(step), Effort::Fast);
            assert!(bytes <= exact, "{name}, step {step}: {bytes} bytes, exact {exact}");
            let error = squared(samples, &back);
            assert!(error <= 1.6 / 12.0 * f64::from(step * step), "{name}, step {step}: error {error}");
        }
    }
}
