//! The error itself: at every effort, without a bias, and everywhere alike.

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use telecine_core::{Effort, GroupSpec, Quality};

use super::EFFORTS;
use crate::signal::{gaussian, noise};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "rate-distortion/efforts-agree",
        family: Family::RateDistortion,
        guarantee: "At the same step no effort's error is over 1.15 times another's.",
        applies: |subject| subject.is_lossy(),
        run: efforts_agree,
    },
    Rule {
        id: "rate-distortion/near-shannon-everywhere",
        family: Family::RateDistortion,
        guarantee: "So near is every depth, in one plane or three, balanced or best; a fast search loses 0.15 bit more at most.",
        applies: |subject| subject.is_lossy(),
        run: near_shannon_everywhere,
    },
    Rule {
        id: "rate-distortion/no-bias",
        family: Family::RateDistortion,
        guarantee: "The mean error is within 0.02 steps of 0, in every plane, at every depth and effort.",
        applies: |subject| subject.is_lossy(),
        run: no_bias,
    },
    Rule {
        id: "rate-distortion/error-is-spread",
        family: Family::RateDistortion,
        guarantee: "No row, column, plane, residue of the index or range of samples has twice the mean squared error, or a bias.",
        applies: |subject| subject.is_lossy(),
        run: error_is_spread,
    },
    Rule {
        id: "content/extremes-survive",
        family: Family::Content,
        guarantee: "At steps of 1 to 2 the smallest and the largest samples have at most three times step²/12.",
        applies: |subject| subject.is_lossy(),
        run: extremes_survive,
    },
];

/// Mean squared difference.
pub(super) use crate::signal::mean_squared_error as mean_square;

/// Errors, decoded less original.
fn errors<'s>(samples: &'s [u16], back: &'s [u16]) -> impl Iterator<Item = f64> + 's {
    samples.iter().zip(back).map(|(a, b)| f64::from(*b) - f64::from(*a))
}

#[expect(clippy::cast_possible_truncation, reason = "a step")]
fn step(deviation: f64, share: f64) -> f32 {
    (deviation * share) as f32
}

/// Every depth, or three of them when few are wanted.
fn depths(subject: &Subject) -> Result<impl Iterator<Item = u8>, Failure> {
    let depths = subject.encoding()?.info().capabilities.depths;
    let stride = if subject.is_quick() { depths.len().div_ceil(3) } else { 1 };
    Ok(depths.iter().copied().step_by(stride))
}

/// Frames, height and width of groups: these, and a large one unless few are wanted.
fn sizes(subject: &Subject, these: [(u32, u32, u32); 2]) -> impl Iterator<Item = (u32, u32, u32)> {
    these.into_iter().chain((!subject.is_quick()).then_some((1, 610, 700)))
}

fn efforts_agree(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for depth in depths(subject)? {
        for (frames, height, width) in sizes(subject, [(1, 150, 170), (3, 90, 81)]) {
            let spec = subject.spec(frames, height, width, depth)?;
            let deviation = f64::from(spec.mid_sample()) / 6.0;
            let samples = gaussian(&spec, deviation, 211);
            for share in [0.2, 0.55, 1.0, 1.7] {
                let step = subject.own_step(depth, step(deviation, share).max(3.1));
                let mut measured = Vec::new();
                for effort in EFFORTS {
                    let packet = subject.encode_with(spec, &samples, Quality::Step(step), effort)?;
                    measured.push((effort, mean_square(&samples, &subject.decode(spec, &packet)?)));
                }
                let least = measured.iter().map(|(_, error)| *error).fold(f64::INFINITY, f64::min);
                for (effort, error) in measured {
                    cases.check(error <= subject.loosely(1.15, 2.0) * least, || {
                        format!(
                            "{spec:?}, step {step}: {error:.2} at {effort:?}, {least:.2} at another effort"
                        )
                    })?;
                }
            }
        }
    }
    Ok(())
}

fn near_shannon_everywhere(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let declared = f64::from(subject.encoding()?.info().capabilities.excess.min(0.7));
    let mut rng = SmallRng::seed_from_u64(217);
    for depth in depths(subject)? {
        for (frames, height, width) in sizes(subject, [(1, 256, 256), (3, 150, 150)]) {
            let spec = subject.spec(frames, height, width, depth)?;
            let deviation = f64::from(spec.mid_sample()) / 6.0;
            let samples = gaussian(&spec, deviation, 212);
            let random = (0..if subject.is_quick() { 0 } else { 6 }).map(|_| rng.random_range(0.14..1.2));
            for share in [0.15, 0.165, 0.3, 0.6, 1.1].into_iter().chain(random.collect::<Vec<f64>>()) {
                let step = subject.own_step(depth, step(deviation, share).max(3.0));
                for effort in EFFORTS {
                    // Where steps are kept to loosely, that holds for ordinary pictures alone.
                    if subject.loosely(false, frames > 1 || step < 8.0 || effort == Effort::Fast) {
                        continue;
                    }
                    let packet = subject.encode_with(spec, &samples, Quality::Step(step), effort)?;
                    let error = mean_square(&samples, &subject.decode(spec, &packet)?);
                    let bound = 0.5 * (deviation * deviation / error).log2();
                    if !(1.5..4.5).contains(&bound) {
                        continue;
                    }
                    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
                    let excess = packet.len() as f64 * 8.0 / samples.len() as f64 - bound;
                    let allowed = declared
                        + subject.loosely(0.0, 0.15)
                        + if effort == Effort::Fast { 0.15 } else { 0.0 };
                    cases.check((-0.02..=allowed).contains(&excess), || {
                        format!(
                            "{spec:?}, step {step}, {effort:?}: {excess:.3} bits above Shannon's bound, {allowed:.3} are allowed"
                        )
                    })?;
                }
            }
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn no_bias(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for depth in depths(subject)? {
        for (frames, height, width) in [(1, 180, 190), (2, 171, 163)] {
            let spec = subject.spec(frames, height, width, depth)?;
            let deviation = f64::from(spec.mid_sample()) / 6.0;
            let samples = gaussian(&spec, deviation, 213);
            let plane = spec.height as usize * spec.width as usize;
            // Steps that are no whole numbers: at these the halves between two samples round to one side.
            for share in [0.413, 0.771, 1.437] {
                let step = subject.own_step(depth, step(deviation, share));
                for effort in EFFORTS {
                    let packet = subject.encode_with(spec, &samples, Quality::Step(step), effort)?;
                    let back = subject.decode(spec, &packet)?;
                    for (index, (a, b)) in samples.chunks(plane).zip(back.chunks(plane)).enumerate() {
                        let bias = errors(a, b).sum::<f64>() / plane as f64 / f64::from(step);
                        // Four deviations of the mean of as many errors.
                        let allowed = subject.loosely(0.02, 0.05f64).max(4.0 / (12.0 * plane as f64).sqrt());
                        cases.check(bias.abs() <= allowed, || {
                            format!("{spec:?}, plane {index}, step {step}, {effort:?}: the mean error is {bias:.3} steps")
                        })?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Sums of squared errors by class.
struct Classes {
    sums: Vec<(f64, u64)>,
}

impl Classes {
    fn of(samples: &[u16], back: &[u16], classes: usize, class: impl Fn(usize) -> usize) -> Self {
        let mut sums = vec![(0.0, 0); classes];
        for (at, error) in errors(samples, back).enumerate() {
            let (sum, count) = &mut sums[class(at)];
            (*sum, *count) = (*sum + error * error, *count + 1);
        }
        Self { sums }
    }

    /// The class of at least 100 samples with the largest mean.
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    fn worst(&self) -> Option<(usize, f64)> {
        let means = self.sums.iter().map(|(sum, count)| (*sum / (*count).max(1) as f64, *count));
        let full = means.enumerate().filter(|(_, (_, count))| *count >= 100);
        full.map(|(class, (mean, _))| (class, mean)).max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

fn error_is_spread(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for depth in depths(subject)? {
        for (frames, height, width) in [(1, 190, 230), (5, 110, 120)] {
            let spec = subject.spec(frames, height, width, depth)?;
            let deviation = f64::from(spec.mid_sample()) / 6.0;
            for (name, samples) in
                [("Gaussian", gaussian(&spec, deviation, 214)), ("noise", noise(&spec, 215))]
            {
                let step = subject.own_step(depth, step(deviation, 0.413));
                for effort in EFFORTS {
                    let packet = subject.encode_with(spec, &samples, Quality::Step(step), effort)?;
                    let back = subject.decode(spec, &packet)?;
                    let what = || format!("{name}, {spec:?}, step {step}, {effort:?}");
                    spread_of((&spec, subject.loosely(2.0, 4.0)), (&samples, &back), cases, what)?;
                    bias_by_range((&spec, step, subject.loosely(0.2, 0.4)), (&samples, &back), cases, what)?;
                }
            }
        }
    }
    Ok(())
}

fn spread_of(
    (spec, most): (&GroupSpec, f64),
    (samples, back): (&[u16], &[u16]),
    cases: &mut Cases,
    what: impl Fn() -> String,
) -> Result<(), Failure> {
    let mean = mean_square(samples, back);
    let (height, width) = (spec.height as usize, spec.width as usize);
    let mut check = |kind: &str, classes: usize, class: &dyn Fn(usize) -> usize| {
        let worst = Classes::of(samples, back, classes, class).worst();
        cases.check(worst.is_none_or(|(_, worst)| worst <= most * mean), || {
            let (class, worst) = worst.unwrap_or_default();
            format!("{}: {kind} {class} has {:.2} times the mean squared error", what(), worst / mean)
        })
    };
    check("column", width, &|at| at % width)?;
    check("row", height, &|at| at / width % height)?;
    check("plane", spec.frames as usize, &|at| at / width / height)?;
    for modulus in [2, 3, 5, 7, 8, 16, 32, 64, 100] {
        check(&format!("the index modulo {modulus} at"), modulus, &|at| at % modulus)?;
    }
    let shift = spec.depth - 4;
    check("the sixteenth of the samples' range", 16, &|at| usize::from(samples[at] >> shift))?;
    check("the sixty-fourth of the group", 64, &|at| at * 64 / samples.len())
}

/// Holds the mean error of each sixteenth of the samples' range, but for the ends, against the step.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn bias_by_range(
    (spec, step, most): (&GroupSpec, f32, f64),
    (samples, back): (&[u16], &[u16]),
    cases: &mut Cases,
    what: impl Fn() -> String,
) -> Result<(), Failure> {
    let mut sums = [(0.0, 0u64); 16];
    for (sample, error) in samples.iter().zip(errors(samples, back)) {
        let (sum, count) = &mut sums[usize::from(sample >> (spec.depth - 4))];
        (*sum, *count) = (*sum + error, *count + 1);
    }
    for (range, (sum, count)) in sums.into_iter().enumerate().skip(1).take(14) {
        let bias = sum / count.max(1) as f64 / f64::from(step);
        cases.check(count < 400 || bias.abs() <= most, || {
            format!(
                "{}: samples of sixteenth {range} of the range are off by {bias:.2} steps on average",
                what()
            )
        })?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn extremes_survive(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    const STEPS: [f32; 9] = [1.0, 1.1, 1.2, 1.3, 1.45, 1.6, 1.75, 1.9, 2.0];
    for depth in depths(subject)? {
        let spec = subject.spec(1, 96, 100, depth)?;
        let max = spec.max_sample();
        let beside = gaussian(&spec, f64::from(spec.mid_sample()) / 6.0, 216);
        let among = |every: usize, extreme: u16| -> Vec<u16> {
            let sample = |(at, &other): (usize, &u16)| if at % every == 0 { extreme } else { other };
            beside.iter().enumerate().map(sample).collect()
        };
        for extreme in [0, max] {
            let other = max - extreme;
            let contents = [
                ("alone", vec![extreme; spec.samples()]),
                ("every second", among(2, extreme)),
                ("every seventh", among(7, extreme)),
                (
                    "beside the other extreme",
                    (0..spec.samples()).map(|at| if at % 2 == 0 { extreme } else { other }).collect(),
                ),
            ];
            for (name, samples) in contents {
                for effort in EFFORTS {
                    // Over all steps: at one of them every value of a quantiser may lie beside the extreme.
                    let (mut error, mut promised, mut count) = (0.0, 0.0, 0u64);
                    for step in STEPS {
                        let step = subject.promised_step(depth, step);
                        let packet = subject.encode_with(spec, &samples, Quality::Step(step), effort)?;
                        let back = subject.decode(spec, &packet)?;
                        for (a, b) in samples.iter().zip(&back).filter(|(a, _)| **a == extreme) {
                            error += f64::from(a.abs_diff(*b)).powi(2);
                            promised += f64::from(step * step) / 12.0;
                            count += 1;
                        }
                    }
                    cases.check(error <= 3.0 * promised, || {
                        let count = count as f64;
                        format!(
                            "{extreme} {name}, {spec:?}, {effort:?}: its mean squared error is {:.3} where steps of 1 to 2 promise {:.3}",
                            error / count, promised / count
                        )
                    })?;
                }
            }
        }
    }
    Ok(())
}
