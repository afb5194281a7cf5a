//! Every step that an `f32` holds, and what is none.

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use telecine_core::{EncodeOptions, Error, GroupSpec, Quality};

use super::EFFORTS;
use super::error::mean_square;
use crate::signal::{gaussian, noise};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "round-trip/any-step",
        family: Family::RoundTrip,
        guarantee: "Every step of an f32, from 1e-45 to 3e38, is taken: the error is as promised, or that of one value for all.",
        applies: |subject| subject.is_lossy(),
        run: any_step,
    },
    Rule {
        id: "rate-distortion/finer-is-no-worse",
        family: Family::RateDistortion,
        guarantee: "A finer step never makes a larger error, also among steps below 1.",
        applies: |subject| subject.is_lossy(),
        run: finer_is_no_worse,
    },
    Rule {
        id: "arguments/no-step-is-invalid",
        family: Family::Arguments,
        guarantee: "0, NaN, infinities and negative numbers are no steps: invalid at every depth and effort, and soon forgotten.",
        applies: |subject| subject.is_complete(),
        run: no_step,
    },
    Rule {
        id: "arguments/samples-over-the-depth-are-invalid",
        family: Family::Arguments,
        guarantee: "One sample over the depth, wherever it is, is invalid, and the packet left as it was.",
        applies: |subject| {
            subject.is_complete()?;
            let depths = subject.encoding().map(|backend| backend.info().capabilities.depths);
            let narrow = depths.is_ok_and(|depths| depths.iter().any(|depth| *depth < 16));
            if narrow { Ok(()) } else { Err("its only depth is 16 bits, which every sample fits") }
        },
        run: over_the_depth,
    },
    Rule {
        id: "arguments/step-at-most",
        family: Family::Arguments,
        guarantee: "`step_at_most` is at most its argument or the smallest step, rises, stays when repeated, and keeps its promise.",
        applies: |subject| subject.is_lossy(),
        run: step_at_most,
    },
];

/// Steps of every size, ascending.
const LADDER: [f32; 36] = [
    1e-45,
    1e-40,
    f32::MIN_POSITIVE,
    1e-37,
    1e-30,
    1e-20,
    1e-12,
    1e-8,
    1e-6,
    1e-5,
    1e-4,
    1e-3,
    0.01,
    0.1,
    0.2,
    0.3,
    0.5,
    0.7,
    0.9,
    1.0,
    1.5,
    2.5,
    10.0,
    100.0,
    1e3,
    3e3,
    1e4,
    65_535.0,
    65_536.0,
    1e5,
    1e6,
    1e9,
    1e12,
    1e20,
    1e30,
    f32::MAX,
];

/// The ladder and random steps between its ends.
fn steps(rng: &mut SmallRng, quick: bool) -> Vec<f32> {
    let random = (0..if quick { 8 } else { 40 }).map(|at| {
        // Half of them where samples are.
        let exponent = if at % 2 == 0 { rng.random_range(-3.0..4.8) } else { rng.random_range(-44.0..38.0) };
        10f32.powf(exponent)
    });
    let mut steps: Vec<f32> = LADDER.into_iter().chain(random).collect();
    steps.sort_by(f32::total_cmp);
    steps
}

/// Depths: all, or the ends and one between.
fn depths(subject: &Subject) -> Result<Vec<u8>, Failure> {
    let depths = subject.encoding()?.info().capabilities.depths;
    let stride = if subject.is_quick() { depths.len().div_ceil(2) } else { 1 };
    Ok(depths.iter().copied().step_by(stride).collect())
}

fn any_step(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let mut rng = SmallRng::seed_from_u64(221);
    for (at, depth) in depths(subject)?.into_iter().enumerate() {
        let (frames, height, width) = if at % 2 == 0 { (1, 64, 66) } else { (2, 51, 43) };
        let spec = subject.spec(frames, height, width, depth)?;
        let mid = f64::from(spec.mid_sample());
        for (name, samples) in [("Gaussian", gaussian(&spec, mid / 6.0, 222)), ("noise", noise(&spec, 223))] {
            // Of a decoder that returns one value for all, the middle or 0.
            let zeros = vec![0; samples.len()];
            let all_alike = 1.05 * mean_square(&samples, &zeros);
            for (step, effort) in
                steps(&mut rng, subject.is_quick()).into_iter().zip(EFFORTS.into_iter().cycle())
            {
                let packet = subject.encode_with(spec, &samples, Quality::Step(step), effort)?;
                let error = mean_square(&samples, &subject.decode(spec, &packet)?);
                let own = f64::from(subject.promised_step(depth, step)).max(f64::from(step)).max(1.0);
                let bound = (2.0 * own * own / 12.0).min(all_alike);
                cases.check(error <= bound, || {
                    format!("{name}, {spec:?}, step {step:e}, {effort:?}: mean squared error {error:.3}, bound {bound:.3}")
                })?;
                // Exact where much is allowed is a step that was not taken.
                let least = own * own / 12.0 / 1.6;
                let takes = subject.loosely(false, true) || own < 3.0 || own > mid / 6.0 || error >= least;
                cases.check(takes, || {
                    format!("{name}, {spec:?}, step {step:e}, {effort:?}: mean squared error {error:.3}, {least:.3} at least are meant")
                })?;
            }
        }
    }
    Ok(())
}

fn finer_is_no_worse(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for depth in depths(subject)? {
        let spec = subject.spec(1, 90, 100, depth)?;
        let deviation = f64::from(spec.mid_sample()) / 6.0;
        let samples = gaussian(&spec, deviation, 224);
        for effort in EFFORTS {
            let mut worst: (f32, f64) = (0.0, 0.0);
            for step in LADDER.into_iter().filter(|step| f64::from(*step) <= deviation) {
                let packet = subject.encode_with(spec, &samples, Quality::Step(step), effort)?;
                let error = mean_square(&samples, &subject.decode(spec, &packet)?);
                cases.check(worst.1 <= 1.1 * error + 0.005, || {
                    let (finer, larger) = worst;
                    format!("{spec:?}, {effort:?}: step {finer:e} leaves {larger:.4}, the coarser {step:e} {error:.4}")
                })?;
                if error > worst.1 {
                    worst = (step, error);
                }
            }
        }
    }
    Ok(())
}

fn no_step(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let lossy = subject.is_lossy().is_ok();
    for depth in depths(subject)? {
        for (frames, height, width) in [(1, 40, 50), (3, 16, 16)] {
            let spec = subject.spec(frames, height, width, depth)?;
            let samples = gaussian(&spec, f64::from(spec.mid_sample()) / 6.0, 225);
            for effort in EFFORTS {
                let options = EncodeOptions::with_effort(effort);
                let mut encoder = subject.encoding()?.encoder(spec, &options)?;
                for step in
                    [0.0, -0.0, -1.0, -1e-30, -1e30, f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY]
                {
                    let mut packet = b"before".to_vec();
                    let result = encoder.encode(&samples, Quality::Step(step), &mut packet);
                    let right = match &result {
                        Err(Error::Invalid(_)) => true,
                        Err(Error::Unsupported(_)) => !lossy,
                        _ => false,
                    };
                    cases.check(right && packet == b"before", || {
                        format!("{spec:?}, {effort:?}, step {step}: {result:?}, {} bytes", packet.len())
                    })?;
                }
                for quality in subject.qualities(f32::from(spec.mid_sample()) / 20.0) {
                    let mut packet = Vec::new();
                    encoder.encode(&samples, quality, &mut packet)?;
                    let same = packet == subject.encode_as(spec, &samples, quality, &options)?;
                    cases.check(same, || {
                        format!("{spec:?}, {effort:?}, {quality:?}: another packet after them")
                    })?;
                }
            }
        }
    }
    Ok(())
}

fn over_the_depth(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let mut rng = SmallRng::seed_from_u64(226);
    let narrow = subject.encoding()?.info().capabilities.depths.iter().copied().filter(|depth| *depth < 16);
    for depth in narrow {
        for (frames, height, width) in [(1, 64, 64), (4, 17, 23), (1, 1, 1), (1, 180, 200)] {
            let spec = subject.spec(frames, height, width, depth)?;
            let good = gaussian(&spec, f64::from(spec.mid_sample()) / 6.0, 227);
            let last = good.len() - 1;
            let places = [0, last / 2, last].into_iter().chain((0..5).map(|_| rng.random_range(0..=last)));
            for (place, effort) in places.collect::<Vec<_>>().into_iter().zip(EFFORTS.into_iter().cycle()) {
                let over = spec.max_sample() + 1;
                let mut encoder = subject.encoding()?.encoder(spec, &EncodeOptions::with_effort(effort))?;
                for wrong in [over, 0xffff, rng.random_range(over..=0xffff)] {
                    let mut samples = good.clone();
                    samples[place] = wrong;
                    for quality in subject.qualities(f32::from(spec.mid_sample()) / 20.0) {
                        let mut packet = b"before".to_vec();
                        let result = encoder.encode(&samples, quality, &mut packet);
                        let right = matches!(result, Err(Error::Invalid(_))) && packet == b"before";
                        cases.check(right, || {
                            format!(
                                "sample {place} of {spec:?} is {wrong}, {quality:?}: {result:?}, {} bytes",
                                packet.len()
                            )
                        })?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn step_at_most(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let mut rng = SmallRng::seed_from_u64(228);
    let backend = subject.encoding()?;
    for &depth in backend.info().capabilities.depths {
        let smallest = backend.step_at_most(depth, 1e-45);
        let mut before = smallest;
        for step in steps(&mut rng, false) {
            let own = backend.step_at_most(depth, step);
            let what = || format!("depth {depth}: step {step:e} becomes {own:e}");
            cases.check(own.is_finite() && own > 0.0, what)?;
            cases.check(own <= step || own == smallest, || {
                format!("{}, the smallest is {smallest:e}", what())
            })?;
            cases.check(own >= before, || format!("{}, a smaller one {before:e}", what()))?;
            let again = backend.step_at_most(depth, own);
            cases.check(again == own, || format!("{}, and that {again:e}", what()))?;
            before = own;
        }
        keeps_promise(subject, &subject.spec(1, 64, 80, depth)?, &mut rng, cases)?;
    }
    Ok(())
}

/// At a step that the backend has, the error is as promised.
fn keeps_promise(
    subject: &Subject,
    spec: &GroupSpec,
    rng: &mut SmallRng,
    cases: &mut Cases,
) -> Result<(), Failure> {
    let deviation = f64::from(spec.mid_sample()) / 6.0;
    let samples = gaussian(spec, deviation, 229);
    for _ in 0..if subject.is_quick() { 3 } else { 8 } {
        #[expect(clippy::cast_possible_truncation, reason = "a step")]
        let wanted = (deviation * rng.random_range(0.2..1.0)) as f32;
        let own = subject.own_step(spec.depth, wanted);
        let error = mean_square(&samples, &subject.pass(*spec, &samples, Quality::Step(own))?);
        let ratio = error / (f64::from(own * own) / 12.0);
        cases.check(own < 3.0 || (1.0 / 1.6..1.6).contains(&ratio), || {
            format!("{spec:?}: at {own}, which it says is a step of its own, the error is {ratio:.2} times step²/12")
        })?;
    }
    Ok(())
}
