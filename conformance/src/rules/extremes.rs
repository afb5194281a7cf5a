//! The smallest, oddest and deepest groups.

use telecine_core::{GroupSpec, Limits};

use crate::signal::{all, mean_squared_error};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "extremes/every-shape",
        family: Family::Extremes,
        guarantee: "Groups of 1 × 1, of odd sizes and of single rows and columns are coded like any other.",
        applies: |subject| subject.is_complete(),
        run: every_shape,
    },
    Rule {
        id: "extremes/large-group",
        family: Family::Extremes,
        guarantee: "A group of a million samples comes back.",
        applies: |subject| subject.is_complete(),
        run: large_group,
    },
    Rule {
        id: "extremes/widest-tallest-longest",
        family: Family::Extremes,
        guarantee: "The widest, the tallest and the longest groups come back, as far as four million samples go.",
        applies: |subject| subject.is_complete(),
        run: largest_dimensions,
    },
];

const SHAPES: [(u32, u32, u32); 12] = [
    (1, 1, 1),
    (1, 1, 2),
    (1, 2, 1),
    (1, 1, 255),
    (1, 255, 1),
    (1, 3, 5),
    (1, 17, 31),
    (5, 1, 1),
    (3, 7, 9),
    (1, 64, 65),
    (1, 1, 4099),
    (2, 33, 129),
];

fn every_shape(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let capabilities = &subject.encoding()?.info().capabilities;
    for (frames, height, width) in SHAPES {
        for &depth in capabilities.depths {
            let mut spec = GroupSpec::new(frames, height, width, depth, &Limits::default())?;
            if capabilities.check("", &spec).is_err() {
                spec = subject.spec(frames, height, width, depth)?;
            }
            check_group(subject, spec, cases)?;
        }
    }
    Ok(())
}

fn large_group(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    check_group(subject, subject.spec(1, 1024, 1024, 16)?, cases)
}

/// Lossless is exact, lossy stays within a wide bound, for a few signals.
fn check_group(subject: &Subject, spec: GroupSpec, cases: &mut Cases) -> Result<(), Failure> {
    let wanted = ["ramp", "wide Gaussian", "one outlier"];
    for (name, samples) in all(&spec).into_iter().filter(|(name, _)| wanted.contains(name)) {
        let step = f32::from(spec.max_sample()) / 64.0;
        for quality in subject.qualities(step) {
            let back = subject.pass(spec, &samples, quality)?;
            let error = mean_squared_error(&samples, &back);
            let bound = match quality {
                telecine_core::Quality::Lossless => 0.0,
                // Few samples have no mean to speak of: none is off by more than a few steps.
                telecine_core::Quality::Step(step) => f64::from(step * step),
            };
            cases.check(error <= bound, || {
                format!("{name}, {spec:?}, {quality:?}: mean squared error {error}")
            })?;
        }
    }
    Ok(())
}

fn largest_dimensions(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let capabilities = &subject.encoding()?.info().capabilities;
    let samples = if subject.is_quick() { 1 << 18 } else { 1 << 22 };
    let (low, narrow) = (*capabilities.height.start(), *capabilities.width.start());
    let wide = subject.spec(1, low, samples / low, 16)?;
    let tall = subject.spec(1, samples / narrow, narrow, 16)?;
    let (low, narrow) = (low.max(8), narrow.max(8));
    let long = subject.spec((samples / 8 / (low * narrow)).max(1), low, narrow, 16)?;
    for spec in [wide, tall, long] {
        check_group(subject, spec, cases)?;
    }
    Ok(())
}
