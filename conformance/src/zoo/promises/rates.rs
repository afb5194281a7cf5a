//! Promises about targets: they hold, and what they cost.

use telecine_core::{DType, Target};

use crate::zoo::Trial;
use crate::zoo::measure::{count, rounding_in, size};
use crate::zoo::trial::{Outcome, Passed};

/// Whether a measurement is beyond its bound; NaN is.
fn exceeds(measured: f64, most: f64) -> bool {
    measured.is_nan() || measured > most
}

/// Bytes that a target in bits or bytes allows; others allow any number.
pub(super) fn budget(trial: &Trial<'_>, target: Target) -> f64 {
    match target {
        Target::Bits(bits) => bits * count(trial.len()) / 8.0,
        Target::Bytes(bytes) => size(bytes),
        _ => f64::INFINITY,
    }
}

/// The reason why a result misses its target, if it does.
pub(super) fn miss(trial: &Trial<'_>, target: Target, passed: &Passed) -> Option<String> {
    let measured = &passed.measured;
    let dtype = trial.specimen.tensor.dtype;
    let bits = 8.0 * size(passed.bytes()) / count(trial.len().max(1));
    if let Some(at) = measured.lost_special {
        return Some(format!("value {at}, which is not finite, came back as another"));
    }
    match target {
        Target::Lossless => (!measured.is_exact).then(|| "it is not exact".to_owned()),
        Target::Bits(wanted) => (bits > wanted * (1.0 + 1e-9)).then(|| format!("{bits:.4} bits")),
        Target::Bytes(wanted) => (passed.bytes() > wanted).then(|| format!("{} bytes", passed.bytes())),
        Target::Nmse(wanted) => {
            exceeds(measured.nmse, wanted * (1.0 + 1e-9)).then(|| format!("nmse {:e}", measured.nmse))
        }
        Target::MaxAbs(wanted) => exceeds(measured.max_abs, wanted * (1.0 + 1e-12))
            .then(|| format!("an error of {:e}", measured.max_abs)),
        Target::Step(step) => {
            let (error, rounding) = (measured.mean_square_in(step), rounding_in(dtype, &trial.values, step));
            // Few values have no mean to speak of.
            let factor = if trial.len() < 500 { 12.0 } else { 1.6 };
            let most = factor / 12.0 + 2.0 * rounding;
            exceeds(error, most).then(|| format!("a mean squared error of {:.3} step²/12", 12.0 * error))
        }
        other => Some(format!("no promise knows the target {other}")),
    }
}

pub(super) fn target_holds(trial: &mut Trial<'_>) {
    for target in trial.targets() {
        if let Outcome::Coded(passed) = trial.code(target) {
            let missed = miss(trial, target, &passed);
            trial.case(missed.is_none(), target, Some(&passed), || missed.unwrap_or_default());
        }
    }
}

pub(super) fn refusals(trial: &mut Trial<'_>) {
    let least = trial.least_bytes();
    let lossless = trial.coded(Target::Lossless).map(|passed| passed.bytes());
    for target in trial.targets() {
        match trial.code(target) {
            Outcome::Coded(_) => trial.case(true, target, None, String::new),
            Outcome::Failed(message) => trial.case(false, target, None, || message),
            Outcome::Refused(message) => {
                let budget = budget(trial, target);
                let tight = budget < least && lossless.is_none_or(|lossless| budget < size(lossless));
                let says = ["nearest", "least", "smallest"].iter().any(|word| message.contains(word))
                    && message.chars().any(|c| c.is_ascii_digit());
                trial.case(tight, target, None, || {
                    format!("refused, though {least:.0} bytes should do: {message}")
                });
                trial.case(says, target, None, || format!("the refusal names nothing in reach: {message}"));
            }
        }
    }
}

pub(super) fn never_above_lossless(trial: &mut Trial<'_>) {
    let Some(lossless) = trial.coded(Target::Lossless).map(|passed| passed.bytes()) else { return };
    for target in trial.targets() {
        let Some(passed) = trial.coded(target) else { continue };
        trial.case(passed.bytes() <= lossless, target, Some(&passed), || {
            format!("{} bytes, lossless takes {lossless}", passed.bytes())
        });
        let budget = budget(trial, target);
        let suffices = budget.is_finite() && size(lossless) <= budget;
        trial.case(!suffices || passed.measured.is_exact, target, Some(&passed), || {
            format!("not exact, though {lossless} bytes are")
        });
    }
}

pub(super) fn more_bits_never_worse(trial: &mut Trial<'_>) {
    let mut before: Option<(f64, f64)> = None;
    // Of steps as fine as the dtype's own, what rounding makes is chance.
    let rounding = 2.0 * rounding_nmse(trial);
    // Where short samples are the limit, and no target, the transform that narrows their range most is found by chance.
    let factor = if trial.is_deep() { 1.02 } else { 1.15 };
    for target in trial.targets() {
        let Target::Bits(bits) = target else { continue };
        match trial.code(target) {
            Outcome::Coded(passed) => {
                let error = passed.measured.nmse;
                if let Some((fewer, larger)) = before {
                    trial.case(error <= factor * larger + rounding, target, Some(&passed), || {
                        format!("nmse {error:.4e}, at {fewer} bits {larger:.4e}")
                    });
                }
                before = Some((bits, error));
            }
            Outcome::Refused(message) | Outcome::Failed(message) => {
                trial.case(before.is_none(), target, None, || format!("fewer bits were taken: {message}"));
            }
        }
    }
}

/// The nmse that rounding to the dtype alone leaves.
fn rounding_nmse(trial: &Trial<'_>) -> f64 {
    let unit =
        trial.values.iter().filter(|value| value.is_finite()).fold(0f64, |most, value| most.max(value.abs()));
    if unit == 0.0 {
        return 0.0;
    }
    let finite: Vec<f64> = trial.values.iter().copied().filter(|value| value.is_finite()).collect();
    let energy = finite.iter().map(|value| (value / unit).powi(2)).sum::<f64>() / count(finite.len().max(1));
    rounding_in(trial.specimen.tensor.dtype, &trial.values, unit) / energy
}

/// Bits per value that codes of unlike content may take above a Gaussian bound, beside the backend's own excess.
const UNLIKE_CONTENT: f64 = 0.5;

pub(super) fn bits_well_spent(trial: &mut Trial<'_>) {
    let (Some((excess, deep)), true) = (trial.excess(), trial.len() >= 4096) else { return };
    // Between both values of a binary tensor and one of them there is nothing for a quantiser.
    let mut kinds: Vec<u64> = trial.values.iter().map(|value| value.to_bits()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() <= 2 {
        return;
    }
    let free = 8.0 * trial.least_bytes() / count(trial.len()) + excess.min(0.7) + UNLIKE_CONTENT;
    let rounding = 4.0 * rounding_nmse(trial);
    for target in trial.targets() {
        let Target::Bits(bits) = target else { continue };
        if bits > deep {
            continue;
        }
        if let Some(passed) = trial.coded(target) {
            let most = (-2.0 * (bits - free).max(0.0)).exp2() * 1.02 + rounding;
            trial.case(passed.measured.nmse <= most, target, Some(&passed), || {
                format!("nmse {:.3e}, should be below {most:.3e}", passed.measured.nmse)
            });
        }
    }
}

pub(super) fn max_abs_curve(trial: &mut Trial<'_>) {
    let dtype = trial.specimen.tensor.dtype;
    // Levels of a codec that has no quantiser of its own fill whole bytes.
    if trial.excess().is_none()
        || !matches!(dtype, DType::F32 | DType::F64)
        || !matches!(trial.specimen.name, "gaussian" | "uniform" | "offset-1000")
    {
        return;
    }
    let spread = trial.spread();
    // Levels beyond the deepest samples go into planes of bytes.
    let most = if trial.is_deep() { 1.6 } else { 8.0 };
    let mut before: Option<f64> = None;
    for octave in 2..=24 {
        let target = Target::MaxAbs(spread * (-f64::from(octave)).exp2());
        let Some(passed) = trial.coded(target) else {
            trial.case(false, target, None, || "refused".to_owned());
            return;
        };
        let bits = passed.report.bits();
        if let Some(before) = before {
            trial.case((-0.02..=most).contains(&(bits - before)), target, Some(&passed), || {
                format!("{bits:.3} bits, at twice the bound {before:.3}")
            });
        }
        if passed.measured.is_exact {
            break;
        }
        before = Some(bits);
    }
}

pub(super) fn step_is_step(trial: &mut Trial<'_>) {
    if !trial.specimen.is_continuous {
        return;
    }
    let is_loose = trial.capabilities().is_some_and(|capabilities| capabilities.loose_steps);
    let (least, most) = if is_loose { (0.0, 2.0) } else { (0.3, 1.6) };
    for target in trial.targets() {
        let Target::Step(step) = target else { continue };
        let Some(passed) = trial.coded(target) else { continue };
        // Steps beyond the deviation have few levels, and steps near the dtype's own leave few choices.
        let rounding = 12.0 * rounding_in(trial.specimen.tensor.dtype, &trial.values, step);
        if passed.measured.is_exact || rounding > 0.05 || step > 0.11 * trial.spread() {
            continue;
        }
        let ratio = 12.0 * passed.measured.mean_square_in(step);
        trial.case((least..=most).contains(&ratio), target, Some(&passed), || {
            format!("a mean squared error of {ratio:.3} step²/12")
        });
    }
}
