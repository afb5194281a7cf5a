//! The codec as a backend: rate near the bound, exact where lossless, robust against damage.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, StandardNormal};
use telecine_core::{Backend, Effort, EncodeOptions, Error, GroupSpec, Limits, Quality, Result};
use telecine_native::Native;

fn spec(frames: u32, height: u32, width: u32, depth: u8) -> GroupSpec {
    GroupSpec::new(frames, height, width, depth, &Limits::default()).unwrap()
}

fn encode(spec: GroupSpec, samples: &[u16], quality: Quality, effort: Effort) -> Vec<u8> {
    let mut packet = Vec::new();
    let mut encoder = Native::default().encoder(spec, &EncodeOptions::with_effort(effort)).unwrap();
    encoder.encode(samples, quality, &mut packet).unwrap();
    packet
}

fn decode(spec: GroupSpec, packet: &[u8]) -> Result<Vec<u16>> {
    let mut samples = vec![0xaaaa; spec.samples()];
    Native::default().decoder(spec)?.decode(packet, &mut samples)?;
    Ok(samples)
}

fn normal(count: usize, seed: u64) -> Vec<f64> {
    let mut rng = SmallRng::seed_from_u64(seed);
    (0..count).map(|_| StandardNormal.sample(&mut rng)).collect()
}

/// Bits per value above Shannon's bound for the variance and error that were measured.
fn gap(values: &[f64], spec: GroupSpec, bits: f64, effort: Effort) -> (f64, f64) {
    let step = 4.0 * (-bits).exp2();
    let grid = step / 64.0;
    let samples: Vec<u16> =
        values.iter().map(|v| (v / grid + 32768.0).round().clamp(0.0, 65535.0) as u16).collect();
    let packet = encode(spec, &samples, Quality::Step((step / grid) as f32), effort);
    let back = decode(spec, &packet).unwrap();
    let n = values.len() as f64;
    let error = |(v, &s): (&f64, &u16)| (v - (f64::from(s) - 32768.0) * grid).powi(2);
    let distortion = values.iter().zip(&back).map(error).sum::<f64>() / n;
    let variance = values.iter().map(|v| v * v).sum::<f64>() / n;
    let rate = packet.len() as f64 * 8.0 / n;
    (rate, rate - 0.5 * (variance / distortion).log2())
}

#[test]
fn gaussian_values_cost_at_most_a_tenth_of_a_bit_over_shannon_from_one_to_eight_bits() {
    let spec = spec(1, 512, 512, 16);
    let values = normal(1 << 18, 1);
    for effort in [Effort::Fast, Effort::Balanced] {
        for bits in [1.05, 2.0, 3.0, 4.0, 8.0] {
            let (rate, gap) = gap(&values, spec, bits, effort);
            assert!((rate - bits).abs() < 0.3 && gap < 0.09, "{effort:?} {bits}: {rate} bits, {gap} over");
        }
    }
    let (_, gap) = gap(&values[..1 << 16], self::spec(1, 256, 256, 16), 3.0, Effort::Best);
    assert!(gap < 0.075, "256 states, 65,536 values: {gap}");
}

#[test]
fn scales_of_rows_and_columns_are_won_back() {
    let mut values = normal(1 << 18, 2);
    let scales = normal(1024, 3);
    for (i, value) in values.iter_mut().enumerate() {
        *value *= (0.5 * (scales[i / 512] + scales[512 + i % 512])).exp();
    }
    let (_, over) = gap(&values, spec(1, 512, 512, 16), 3.0, Effort::Balanced);
    // Known scales would gain the mean of log2(scale) against log2(rms): log2(e)/4 bits for lognormal 0.5, twice.
    let known = -0.5 * std::f64::consts::LOG2_E * 0.5;
    assert!(over < known + 0.15, "{over} against {known} for known scales");
}

#[test]
fn a_value_far_out_is_never_clipped() {
    let spec = spec(1, 256, 256, 16);
    let mut samples: Vec<u16> = normal(1 << 16, 4).iter().map(|v| (32768.0 + 40.0 * v) as u16).collect();
    for (at, value) in [(0, 65535), (700, 0), (65535, 60001), (4242, 3)] {
        samples[at] = value;
    }
    for step in [1.0f32, 30.0, 100.0] {
        let back = decode(spec, &encode(spec, &samples, Quality::Step(step), Effort::Fast)).unwrap();
        let worst = samples.iter().zip(&back).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(f32::from(worst) <= 3.0 * step + 1.0, "step {step}: {worst}");
    }
}

#[test]
fn planes_that_say_nothing_cost_next_to_nothing() {
    for value in [0, 1, 32768, 65535] {
        let samples = vec![value; 1 << 18];
        let spec = spec(1, 512, 512, 16);
        for quality in [Quality::Lossless, Quality::Step(100.0)] {
            let packet = encode(spec, &samples, quality, Effort::Balanced);
            assert!(packet.len() < 200, "{value} {quality:?}: {} bytes", packet.len());
            let back = decode(spec, &packet).unwrap();
            assert!(back.iter().all(|&b| b.abs_diff(value) <= 60));
        }
    }
}

#[test]
fn bf16_weights_take_two_thirds_and_noise_no_more_than_it_has() {
    let weights: Vec<u16> =
        normal(1 << 18, 5).iter().map(|v| ((*v as f32 * 0.02).to_bits() >> 16) as u16).collect();
    let spec = spec(1, 512, 512, 16);
    let packet = encode(spec, &weights, Quality::Lossless, Effort::Balanced);
    assert_eq!(decode(spec, &packet).unwrap(), weights);
    assert!(packet.len() < (1 << 19) * 67 / 100, "{}", packet.len());
    let mut rng = SmallRng::seed_from_u64(6);
    let noise: Vec<u16> = (0..1 << 18).map(|_| rng.random()).collect();
    let packet = encode(spec, &noise, Quality::Lossless, Effort::Balanced);
    assert_eq!(decode(spec, &packet).unwrap(), noise);
    assert!(packet.len() < (1 << 19) + 600, "{}", packet.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn lossless_is_exact_for_any_samples(
        frames in 1u32..4, height in 1u32..20, width in 1u32..40, depth in 8u8..=16, seed in any::<u64>(), spread in 0u32..17
    ) {
        let spec = spec(frames, height, width, depth);
        let mut rng = SmallRng::seed_from_u64(seed);
        let samples: Vec<u16> = (0..spec.samples()).map(|_| {
            let offset = rng.random_range(0..=(1u32 << spread.min(u32::from(depth))) - 1) as u16;
            spec.mid_sample().wrapping_add(offset) & spec.max_sample()
        }).collect();
        for effort in [Effort::Fast, Effort::Balanced, Effort::Best] {
            prop_assert_eq!(decode(spec, &encode(spec, &samples, Quality::Lossless, effort)).unwrap(), &samples[..]);
        }
    }

    #[test]
    fn lossless_is_exact_for_structured_samples(
        (frames, height, width) in (1u32..4, 1u32..50, 1u32..90), depth in 8u8..=16, seed in any::<u64>(), kind in 0u32..6
    ) {
        let spec = spec(frames, height, width, depth);
        let mut rng = SmallRng::seed_from_u64(seed);
        let values: Vec<u16> = (0..rng.random_range(1..40)).map(|_| rng.random()).collect();
        let period = rng.random_range(1..200);
        let rarity = rng.random_range(2..60);
        let mut sum = 0u16;
        let samples: Vec<u16> = (0..spec.samples()).map(|at| {
            let (row, col) = (at as u32 / width, at as u32 % width);
            let one = values[rng.random_range(0..values.len())];
            let is_rare = rng.random_range(0..rarity) == 0;
            let sample = match kind {
                0 => one,
                1 => if is_rare { rng.random() } else { values[0] },
                2 => values[at % period % values.len()],
                3 => if (row / 16 + col / 32) % 3 == 0 { one } else { values[0] },
                4 => (row.wrapping_mul(seed as u32) >> 3).wrapping_add(col * 5) as u16,
                _ => { sum = sum.wrapping_add(if is_rare { one } else { 0 }); sum }
            };
            sample & spec.max_sample()
        }).collect();
        prop_assert_eq!(decode(spec, &encode(spec, &samples, Quality::Lossless, Effort::Fast)).unwrap(), &samples[..]);
        for step in [1.0, 40.0] {
            let back = decode(spec, &encode(spec, &samples, Quality::Step(step), Effort::Fast)).unwrap();
            let error = samples.iter().zip(&back).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum::<f64>();
            prop_assert!(error / samples.len() as f64 <= 0.25 * f64::from(step * step), "step {}: {}", step, error);
        }
    }

    #[test]
    fn any_step_leaves_about_the_error_it_says(step in 0.5f32..3000.0, seed in any::<u64>(), spread in 1.0f64..8000.0) {
        let spec = spec(1, 32, 64, 16);
        let samples: Vec<u16> = normal(2048, seed).iter().map(|v| (32768.0 + v * spread).clamp(0.0, 65535.0) as u16).collect();
        let back = decode(spec, &encode(spec, &samples, Quality::Step(step), Effort::Fast)).unwrap();
        let error = samples.iter().zip(&back).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum::<f64>() / 2048.0;
        prop_assert!(error <= 2.5 * f64::from(step).powi(2) / 12.0 + 0.3, "{} {}", error, step);
    }
}

#[test]
fn every_truncation_and_flipped_bit_is_corrupt_or_decodes() {
    let spec = spec(2, 12, 20, 16);
    let samples: Vec<u16> = normal(480, 7).iter().map(|v| (32768.0 + 900.0 * v) as u16).collect();
    for quality in [Quality::Lossless, Quality::Step(500.0), Quality::Step(3.0)] {
        let packet = encode(spec, &samples, quality, Effort::Balanced);
        let mut decoder = Native::default().decoder(spec).unwrap();
        let mut back = vec![0; 480];
        for len in 0..packet.len() {
            assert!(
                matches!(decoder.decode(&packet[..len], &mut back), Err(Error::Corrupt(_))),
                "{quality:?} {len}"
            );
        }
        for bit in 0..packet.len() * 8 {
            let mut damaged = packet.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decoder.decode(&damaged, &mut back), Ok(()) | Err(Error::Corrupt(_))));
        }
        let mut longer = packet.clone();
        longer.push(0);
        assert!(matches!(decoder.decode(&longer, &mut back), Err(Error::Corrupt(_))));
        decoder.decode(&packet, &mut back).unwrap();
        assert_eq!(back, decode(spec, &packet).unwrap(), "usable again after errors");
    }
}

/// Numbers of the side information that would leave 32 bits, of which a sum or a sign was made.
#[test]
fn numbers_over_32_bits_are_damage() {
    let packet = [0, 0, 2, 0, 0, 0x09, 0x7f, 0xff, 0xf7, 0xff, 0, 0, 0, 0, 1, 0x80, 0, 0, 0x80, 0, 0];
    assert!(matches!(decode(spec(1, 8, 8, 8), &packet), Err(Error::Corrupt(_))));
    // Ones alone: the longest numbers that there are, in classes, tables, masks and palettes.
    for head in [&[0u8, 0, 24, 0, 0][..], &[3, 0, 1, 0, 0, 0x80, 0x3f], &[0xfc, 0, 0], &[0xfb, 9]] {
        let packet = [head, &[40], &[0xff; 80]].concat();
        assert!(matches!(decode(spec(1, 8, 8, 16), &packet), Err(Error::Corrupt(_))));
    }
}

/// Parts lie within each other in one order only, so that no packet makes a decoder go deep.
#[test]
fn parts_in_another_order_are_damage() {
    let spec = spec(1, 4, 4, 16);
    let difference = [0xfd, 1];
    let stored = [&[0xfe][..], &[7; 32]].concat();
    let palette = [0xfb, 2, 0];
    assert!(decode(spec, &[&difference[..], &difference, &stored].concat()).is_ok());
    for wrong in [
        [&difference[..], &difference, &difference, &stored].concat(),
        [&palette[..], &difference, &stored].concat(),
        [&palette[..], &palette, &stored].concat(),
        [&difference[..], &stored, &[0]].concat(),
        [&[0xfd, 16][..], &stored].concat(),
        [&[0xfd, 0][..], &stored].concat(),
        stored[1..].to_vec(),
        vec![0xff, 1],
        vec![],
    ] {
        assert!(matches!(decode(spec, &wrong), Err(Error::Corrupt(_))), "{wrong:x?}");
    }
}

#[test]
fn encoders_append_and_are_reusable() {
    let spec = spec(1, 64, 64, 16);
    let samples: Vec<u16> = normal(4096, 8).iter().map(|v| (32768.0 + 900.0 * v) as u16).collect();
    let mut encoder = Native::default().encoder(spec, &EncodeOptions::default()).unwrap();
    let mut packet = vec![1, 2, 3];
    encoder.encode(&samples, Quality::Step(100.0), &mut packet).unwrap();
    let once = packet[3..].to_vec();
    encoder.encode(&vec![7; 4096], Quality::Lossless, &mut packet).unwrap();
    packet.clear();
    encoder.encode(&samples, Quality::Step(100.0), &mut packet).unwrap();
    assert_eq!(packet, once);
    assert!(matches!(encoder.encode(&samples, Quality::Step(f32::NAN), &mut packet), Err(Error::Invalid(_))));
    assert!(matches!(encoder.encode(&samples[1..], Quality::Lossless, &mut packet), Err(Error::Invalid(_))));
    assert_eq!(packet, once, "an error leaves the packet as it was");
}
