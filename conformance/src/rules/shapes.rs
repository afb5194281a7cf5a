//! Random sizes: what holds for ordinary groups holds for every one.

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use telecine_core::{Effort, EncodeOptions, GroupSpec, Quality};

use super::EFFORTS;
use super::error::mean_square;
use crate::shapes::{any_content, groups};
use crate::signal::{gaussian, noise};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "round-trip/lossless-at-any-size",
        family: Family::RoundTrip,
        guarantee: "Lossless groups of any size, up to 10,000 a side and 3,000 planes, of any content and depth are exact.",
        applies: |subject| subject.is_lossless(),
        run: lossless_at_any_size,
    },
    Rule {
        id: "rate-distortion/step-predicts-error-at-any-size",
        family: Family::RateDistortion,
        guarantee: "In groups of any size and depth, at any effort, the error is step²/12 within a factor of 1.6.",
        applies: |subject| subject.is_lossy(),
        run: step_at_any_size,
    },
    Rule {
        id: "rate-distortion/step-predicts-error-in-planes",
        family: Family::RateDistortion,
        guarantee: "In each plane of groups of 2, 3 and 17 planes the error is step²/12 within a factor of 1.6.",
        applies: |subject| subject.is_lossy(),
        run: step_in_planes,
    },
    Rule {
        id: "rate-distortion/never-above-raw-at-any-size",
        family: Family::RateDistortion,
        guarantee: "Noise of a million samples, in one plane or a thousand, and any content grow by at most 2 % and 600 bytes.",
        applies: |subject| subject.is_complete(),
        run: never_above_raw,
    },
];

fn lossless_at_any_size(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let rounds = if subject.is_quick() { 2 } else { 20 };
    for (seed, spec) in (0u64..).zip(groups(subject, rounds, 201)?) {
        let (name, samples) = any_content(&spec, seed);
        // The best search takes long.
        let effort = [Effort::Fast, Effort::Balanced, Effort::Fast, Effort::Balanced, Effort::Best]
            [usize::try_from(seed).unwrap_or(0) % 5];
        let packet = subject.encode_with(spec, &samples, Quality::Lossless, effort)?;
        let back = subject.decode(spec, &packet)?;
        let wrong = samples.iter().zip(&back).position(|(a, b)| a != b);
        cases.check(wrong.is_none(), || format!("{name}, {spec:?}, {effort:?}: sample {wrong:?} differs"))?;
    }
    Ok(())
}

/// A step between the smallest that integer samples do not show in and the deviation.
fn random_step(rng: &mut SmallRng, deviation: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "a step")]
    let step = (deviation * rng.random_range(0.15..0.9)) as f32;
    step.max(3.1)
}

/// Holds the error against step²/12: within 1.6, in planes of few samples within 2, of few samples within 3.
fn check_error(
    subject: &Subject,
    (spec, step): (&GroupSpec, f32),
    (samples, back): (&[u16], &[u16]),
    cases: &mut Cases,
    what: impl Fn() -> String,
) -> Result<(), Failure> {
    let factor = match samples.len() {
        0..60 => return Ok(()),
        60..3000 => 3.0,
        // A quantiser that chooses by what comes after has less to choose from near the ends of planes.
        _ if spec.height * spec.width < 100 => 2.0,
        _ => subject.loosely(1.6, 3.0),
    };
    let least = subject.loosely(1.0 / factor, 0.0);
    let ratio = mean_square(samples, back) / (f64::from(step * step) / 12.0);
    cases.check((least..factor).contains(&ratio), || {
        format!("{}, {spec:?}, step {step}: the error is {ratio:.2} times step²/12", what())
    })
}

fn step_at_any_size(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let mut rng = SmallRng::seed_from_u64(202);
    let rounds = if subject.is_quick() { 1 } else { 6 };
    for (seed, spec) in (0u64..).zip(groups(subject, rounds, 203)?) {
        let deviation = f64::from(spec.mid_sample()) / 6.0;
        let samples = gaussian(&spec, deviation, seed);
        let step = subject.own_step(spec.depth, random_step(&mut rng, deviation));
        let effort = EFFORTS[usize::try_from(seed).unwrap_or(0) % 3];
        let packet = subject.encode_with(spec, &samples, Quality::Step(step), effort)?;
        let back = subject.decode(spec, &packet)?;
        check_error(subject, (&spec, step), (&samples, &back), cases, || format!("{effort:?}"))?;
    }
    Ok(())
}

fn step_in_planes(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let mut rng = SmallRng::seed_from_u64(204);
    let depths = subject.encoding()?.info().capabilities.depths;
    for (at, &depth) in depths.iter().enumerate() {
        for frames in [2, 3, 17] {
            let side = rng.random_range(56..90);
            let spec = subject.spec(frames, side, 120 - side, depth)?;
            let deviation = f64::from(spec.mid_sample()) / 6.0;
            let samples = gaussian(&spec, deviation, u64::from(frames) + 10 * at as u64);
            let plane = spec.height as usize * spec.width as usize;
            for effort in EFFORTS.into_iter().skip(if subject.is_quick() { 2 - at % 3 } else { 0 }) {
                let step = subject.own_step(depth, random_step(&mut rng, deviation));
                for inter in [false, true] {
                    let options = EncodeOptions::with_effort(effort).with_inter(inter);
                    let packet = subject.encode_as(spec, &samples, Quality::Step(step), &options)?;
                    let back = subject.decode(spec, &packet)?;
                    for (index, pair) in samples.chunks(plane).zip(back.chunks(plane)).enumerate() {
                        check_error(subject, (&spec, step), pair, cases, || {
                            format!("plane {index}, {effort:?}, inter {inter}")
                        })?;
                    }
                    check_error(subject, (&spec, step), (&samples, &back), cases, || format!("{effort:?}"))?;
                }
            }
        }
    }
    Ok(())
}

/// Holds the size of a packet against that of the samples.
fn check_size(
    spec: &GroupSpec,
    bytes: usize,
    cases: &mut Cases,
    what: impl Fn() -> String,
) -> Result<(), Failure> {
    let raw = spec.samples() * if spec.depth == 8 { 1 } else { 2 };
    cases.check(bytes <= raw + raw / 50 + 600, || {
        format!("{}, {spec:?}: {bytes} bytes for {raw} bytes of samples", what())
    })
}

fn never_above_raw(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let depths = subject.encoding()?.info().capabilities.depths;
    let stride = if subject.is_quick() { depths.len().saturating_sub(1).max(1) } else { 1 };
    let million = if subject.is_quick() { (256, 300) } else { (1024, 1024) };
    let steps = [1e-6, 0.7, 1.0, 2.0].map(Quality::Step);
    let lossless = subject.is_lossless().is_ok().then_some(Quality::Lossless);
    let lossy = steps.into_iter().filter(|_| subject.is_lossy().is_ok());
    let qualities: Vec<_> = lossless.into_iter().chain(lossy).collect();
    let mut seed = 0;
    for &depth in depths.iter().step_by(stride) {
        for (frames, height, width) in
            [(1, million.0, million.1), (1024, 4, 4), (300, 7, 5), (17, 40, 40), (1, 1, 80_000), (2, 3, 3)]
        {
            let spec = subject.spec(frames, height, width, depth)?;
            // Where groups are large, a thousand planes would be many millions.
            let plane = spec.height * spec.width;
            let spec = subject.spec(frames.min((1 << 20) / plane).max(1), height, width, depth)?;
            seed += 1;
            let samples = noise(&spec, seed);
            for (&quality, effort) in qualities.iter().zip(EFFORTS.into_iter().cycle()) {
                let bytes = subject.encode_with(spec, &samples, quality, effort)?.len();
                check_size(&spec, bytes, cases, || format!("noise, {quality:?}, {effort:?}"))?;
            }
        }
    }
    for (seed, spec) in (0u64..).zip(groups(subject, if subject.is_quick() { 1 } else { 2 }, 205)?) {
        let (name, samples) = any_content(&spec, seed);
        for &quality in &qualities {
            let bytes = subject.encode(spec, &samples, quality)?.len();
            check_size(&spec, bytes, cases, || format!("{name}, {quality:?}"))?;
        }
    }
    Ok(())
}
