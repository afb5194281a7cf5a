//! Constant and adversarial content.

use telecine_core::Quality;

use crate::signal::{all, mean_squared_error};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "content/constant-is-cheap",
        family: Family::Content,
        guarantee: "A constant group costs at most a hundredth of a bit per sample and 300 bytes, unless stored raw.",
        applies: compresses,
        run: constant_is_cheap,
    },
    Rule {
        id: "content/outlier-kept",
        family: Family::Content,
        guarantee: "One extreme sample among equal ones is off by at most four steps: it is never clipped.",
        applies: |subject| subject.is_lossy(),
        run: outlier_kept,
    },
    Rule {
        id: "content/adversarial-error",
        family: Family::Content,
        guarantee: "On any content the mean squared error stays below three times step²/12.",
        applies: |subject| subject.is_lossy(),
        run: adversarial_error,
    },
    Rule {
        id: "content/every-sample-value",
        family: Family::Content,
        guarantee: "Every value that a sample can have comes back losslessly, in order, at once and alone among others.",
        applies: |subject| subject.is_lossless(),
        run: every_sample_value,
    },
];

fn compresses(subject: &Subject) -> Result<(), &'static str> {
    subject.is_complete()?;
    if subject.backend().info().codec == telecine_core::CodecId::RAW {
        Err("it stores samples as they are")
    } else {
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn constant_is_cheap(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for &depth in subject.encoding()?.info().capabilities.depths {
        let spec = subject.spec(1, 512, 512, depth)?;
        for value in [0, 1, spec.mid_sample(), spec.max_sample()] {
            let samples = vec![value; spec.samples()];
            for quality in subject.qualities(f32::from(spec.max_sample()) / 50.0) {
                let bytes = subject.encode(spec, &samples, quality)?.len() as f64;
                cases.check(bytes <= 300.0 + 0.01 / 8.0 * samples.len() as f64, || {
                    format!("{value} at {depth} bits, {quality:?}: {bytes} bytes")
                })?;
            }
        }
    }
    Ok(())
}

fn outlier_kept(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for &depth in subject.encoding()?.info().capabilities.depths {
        let spec = subject.spec(1, 128, 128, depth)?;
        for outlier in [0, spec.max_sample()] {
            let mut samples = vec![spec.mid_sample(); spec.samples()];
            let at = spec.samples() / 3;
            samples[at] = outlier;
            let step = f32::from(spec.max_sample()) / 40.0;
            let back = subject.pass(spec, &samples, Quality::Step(step))?;
            let error = f32::from(back[at].abs_diff(outlier));
            cases
                .check(error <= 4.0 * step, || format!("{outlier} came back as {}, step {step}", back[at]))?;
        }
    }
    Ok(())
}

fn adversarial_error(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for &depth in subject.encoding()?.info().capabilities.depths {
        let spec = subject.spec(1, 96, 128, depth)?;
        for (name, samples) in all(&spec) {
            let step = (f32::from(spec.max_sample()) / 30.0).max(2.0);
            let error = mean_squared_error(&samples, &subject.pass(spec, &samples, Quality::Step(step))?);
            let bound = 3.0 * f64::from(step * step) / 12.0;
            cases.check(error <= bound, || {
                format!("{name}, {spec:?}: mean squared error {error:.2}, bound {bound:.2}")
            })?;
        }
    }
    Ok(())
}

fn every_sample_value(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for &depth in subject.encoding()?.info().capabilities.depths {
        // All values once, as bits of every 8-bit and 16-bit number would make them.
        let side = 1 << depth.div_ceil(2);
        let spec = subject.spec(1, side, side, depth)?;
        let upward: Vec<u16> = (0..=spec.max_sample()).cycle().take(spec.samples()).collect();
        let downward: Vec<u16> = upward.iter().rev().copied().collect();
        // Neighbours far apart: an odd multiplier visits every value once.
        let scattered: Vec<u16> = upward.iter().map(|s| s.wrapping_mul(40_503) & spec.max_sample()).collect();
        for (name, samples) in [("upward", upward), ("downward", downward), ("scattered", scattered)] {
            let back = subject.pass(spec, &samples, Quality::Lossless)?;
            cases.check(back == samples, || format!("{name}, {spec:?}: not exact"))?;
        }
        let powers =
            (0..depth).flat_map(|bit| [1u16 << bit, (1u16 << bit) - 1, spec.max_sample() ^ (1 << bit)]);
        let spec = subject.spec(1, 16, 16, depth)?;
        for value in powers {
            let mut samples = vec![spec.mid_sample(); spec.samples()];
            let at = spec.samples() / 2 + 3;
            samples[at] = value;
            let back = subject.pass(spec, &samples, Quality::Lossless)?;
            cases.check(back == samples, || format!("{value} alone, {spec:?}: came back as {}", back[at]))?;
        }
    }
    Ok(())
}
