//! What comes back is what went in.

use telecine_core::Quality;

use super::EFFORTS;
use crate::signal::{all, gaussian, mean_squared_error};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "round-trip/lossless-exact",
        family: Family::RoundTrip,
        guarantee: "Lossless groups come back sample for sample, at every depth and effort.",
        applies: |subject| subject.is_lossless(),
        run: lossless_exact,
    },
    Rule {
        id: "round-trip/step-bound",
        family: Family::RoundTrip,
        guarantee: "The mean squared error at a step is at most twice step²/12, whatever the effort.",
        applies: |subject| subject.is_lossy(),
        run: step_bound,
    },
    Rule {
        id: "round-trip/samples-within-depth",
        family: Family::RoundTrip,
        guarantee: "Decoded samples fit the depth, also where the error would carry them beyond it.",
        applies: |subject| subject.is_lossy(),
        run: samples_within_depth,
    },
];

fn lossless_exact(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for &depth in subject.encoding()?.info().capabilities.depths {
        let spec = subject.spec(2, 48, 80, depth)?;
        for (name, samples) in all(&spec) {
            for effort in EFFORTS {
                let packet = subject.encode_with(spec, &samples, Quality::Lossless, effort)?;
                let back = subject.decode(spec, &packet)?;
                let wrong = samples.iter().zip(&back).position(|(a, b)| a != b);
                cases.check(wrong.is_none(), || {
                    format!("{name}, {spec:?}, {effort:?}: sample {wrong:?} differs")
                })?;
            }
        }
    }
    Ok(())
}

fn step_bound(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for &depth in subject.encoding()?.info().capabilities.depths {
        let spec = subject.spec(1, 128, 128, depth)?;
        let deviation = f64::from(spec.mid_sample()) / 6.0;
        let samples = gaussian(&spec, deviation, 21);
        for share in [0.1, 0.4, 1.0] {
            #[expect(clippy::cast_possible_truncation, reason = "a step")]
            let step = ((deviation * share) as f32).max(2.0);
            for effort in EFFORTS {
                let packet = subject.encode_with(spec, &samples, Quality::Step(step), effort)?;
                let error = mean_squared_error(&samples, &subject.decode(spec, &packet)?);
                let predicted = f64::from(step * step) / 12.0;
                cases.check(error <= 2.0 * predicted, || {
                    format!("{spec:?}, step {step}, {effort:?}: mean squared error {error:.3}, step²/12 {predicted:.3}")
                })?;
            }
        }
    }
    Ok(())
}

fn samples_within_depth(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for &depth in subject.encoding()?.info().capabilities.depths {
        let spec = subject.spec(1, 64, 64, depth)?;
        for (name, samples) in all(&spec) {
            let step = f32::from(spec.max_sample()) / 5.0;
            let back = subject.pass(spec, &samples, Quality::Step(step))?;
            let largest = back.iter().max().copied().unwrap_or(0);
            cases.check(largest <= spec.max_sample(), || format!("{name}, {spec:?}: sample {largest}"))?;
        }
    }
    Ok(())
}
