//! Fewer bits for more error, as promised.

use telecine_core::{Effort, Quality};

use crate::signal::{gaussian, mean_squared_error, noise};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "rate-distortion/monotone",
        family: Family::RateDistortion,
        guarantee: "A larger step makes a smaller packet and a larger error.",
        applies: |subject| subject.is_lossy(),
        run: monotone,
    },
    Rule {
        id: "rate-distortion/step-predicts-error",
        family: Family::RateDistortion,
        guarantee: "Where the step is below the signal's deviation, the error is step²/12 within a factor of 1.6.",
        applies: |subject| subject.is_lossy(),
        run: step_predicts_error,
    },
    Rule {
        id: "rate-distortion/near-shannon",
        family: Family::RateDistortion,
        guarantee: "On Gaussian samples at 1.5 to 4.5 bits, packets are as near to Shannon's bound as the backend declares.",
        applies: |subject| subject.is_lossy(),
        run: near_shannon,
    },
    Rule {
        id: "rate-distortion/never-above-raw",
        family: Family::RateDistortion,
        guarantee: "Packets of noise, lossless or at a fine step, are at most 2 % and 600 bytes larger than the samples are.",
        applies: |subject| subject.is_complete(),
        run: never_above_raw,
    },
];

/// Steps in units of the signal's deviation, ascending.
const STEPS: [f64; 5] = [0.15, 0.3, 0.6, 1.2, 2.4];

/// Bytes, and mean squared error over the squared deviation, at each step.
fn curve(subject: &Subject, side: u32) -> Result<Vec<(f32, f64, f64)>, Failure> {
    let spec = subject.spec(1, side, side, 16)?;
    let deviation = f64::from(spec.mid_sample()) / 6.0;
    let samples = gaussian(&spec, deviation, 31);
    let mut points = Vec::new();
    for share in STEPS {
        #[expect(clippy::cast_possible_truncation, reason = "a step")]
        let step = (deviation * share) as f32;
        let packet = subject.encode_with(spec, &samples, Quality::Step(step), Effort::Balanced)?;
        let error = mean_squared_error(&samples, &subject.decode(spec, &packet)?);
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let bits = packet.len() as f64 * 8.0 / spec.samples() as f64;
        points.push((step, bits, error / (deviation * deviation)));
    }
    Ok(points)
}

fn monotone(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for pair in curve(subject, 160)?.windows(2) {
        let ((fine, fine_bits, fine_error), (coarse, coarse_bits, coarse_error)) = (pair[0], pair[1]);
        cases.check(coarse_bits < fine_bits && coarse_error > fine_error, || {
            format!(
                "step {fine}: {fine_bits:.3} bits, error {fine_error:.5}; \
                 step {coarse}: {coarse_bits:.3} bits, error {coarse_error:.5}"
            )
        })?;
    }
    Ok(())
}

fn step_predicts_error(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for ((step, _, error), share) in curve(subject, 160)?.into_iter().zip(STEPS) {
        if share > 1.0 {
            continue;
        }
        let ratio = error / (share * share / 12.0);
        cases.check((1.0 / 1.6..1.6).contains(&ratio), || {
            format!("step {step}: the error is {ratio:.2} times step²/12")
        })?;
    }
    Ok(())
}

fn near_shannon(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    // Nothing that deserves the name of a lossy codec needs more than this.
    let declared = f64::from(subject.encoding()?.info().capabilities.excess.min(0.7));
    for (step, bits, error) in curve(subject, 256)? {
        let bound = 0.5 * (1.0 / error).log2();
        // A step of few samples cannot do justice to any codec: the samples themselves are steps of 1.
        if (1.5..4.5).contains(&bound) && step >= 4.0 {
            cases.check(bits - bound <= declared, || {
                format!(
                    "step {step}: {bits:.3} bits where Shannon's bound is {bound:.3}, declared is {declared}"
                )
            })?;
            // Below the bound is impossible: bits were not counted, or the error was not measured on the output.
            cases.check(bits - bound >= -0.02, || {
                format!("step {step}: {bits:.3} bits, below Shannon's {bound:.3}")
            })?;
        }
    }
    Ok(())
}

fn never_above_raw(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for &depth in subject.encoding()?.info().capabilities.depths {
        let spec = subject.spec(1, 96, 96, depth)?;
        let samples = noise(&spec, 32);
        let raw = samples.len() * if depth == 8 { 1 } else { 2 };
        for quality in subject.qualities(2.0) {
            let packet = subject.encode(spec, &samples, quality)?;
            cases.check(packet.len() <= raw + raw / 50 + 600, || {
                format!("{spec:?}, {quality:?}: {} bytes for {raw} bytes of samples", packet.len())
            })?;
        }
    }
    Ok(())
}
