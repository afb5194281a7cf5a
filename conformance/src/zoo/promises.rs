//! The promises that every specimen is held to, whatever codes it.

use telecine_core::{CodecId, DType, Target};

use super::measure::{count, nmse, rounding_in};
use super::trial::{Outcome, Passed, targets};
use super::{Specimen, Trial};

/// One promise to whoever codes a tensor.
#[derive(Debug, Clone, Copy)]
pub struct Promise {
    /// A stable id, such as `within-range`.
    pub id: &'static str,
    /// A sentence that says what holds.
    pub guarantee: &'static str,
    /// The check.
    pub(crate) check: fn(&mut Trial<'_>),
}

/// Every promise.
pub const PROMISES: &[Promise] = &[
    Promise {
        id: "target-holds",
        guarantee: "A tensor comes back within its target, NaNs and infinities bit for bit, or the target is refused.",
        check: target_holds,
    },
    Promise {
        id: "refusals",
        guarantee: "A target is refused only where headers and masks alone exceed it, and with the nearest in reach.",
        check: refusals,
    },
    Promise {
        id: "never-above-lossless",
        guarantee: "No lossy target takes more bytes than lossless does; bits that suffice for lossless are lossless.",
        check: never_above_lossless,
    },
    Promise {
        id: "more-bits-never-worse",
        guarantee: "More bits never make a larger error.",
        check: more_bits_never_worse,
    },
    Promise {
        id: "bits-well-spent",
        guarantee: "At a bits target the error is near that of a Gaussian of the same power, or smaller.",
        check: bits_well_spent,
    },
    Promise {
        id: "max-abs-curve",
        guarantee: "Half the maximum error of Gaussian values costs at most 1.6 bits more, up to lossless.",
        check: max_abs_curve,
    },
    Promise {
        id: "step-is-step",
        guarantee: "The mean squared error at a step is 0.3 to 1.6 times step²/12 where values are continuous.",
        check: step_is_step,
    },
    Promise {
        id: "within-range",
        guarantee: "Values come back within the range of the tensor's finite values.",
        check: within_range,
    },
    Promise {
        id: "zeros-kept",
        guarantee: "Exact zeros come back as zeros on request, and without it where their places cost next to nothing.",
        check: zeros_kept,
    },
    Promise {
        id: "outliers-exact",
        guarantee: "Values that outweigh the rest come back exact, and the rest is coded as if they were not there.",
        check: outliers_exact,
    },
    Promise {
        id: "report-is-measured",
        guarantee: "Errors, bytes and side effects that are reported are those of what comes back.",
        check: report_is_measured,
    },
    Promise {
        id: "masks-are-cheap",
        guarantee: "A mask costs little more than the entropy of its places.",
        check: masks_are_cheap,
    },
    Promise {
        id: "near-zstd",
        guarantee: "Lossless coding of masked and sparse tensors takes at most 1.1 times what zstd takes.",
        check: near_zstd,
    },
];

/// What missed the target, if anything did.
fn miss(trial: &Trial<'_>, target: Target, passed: &Passed) -> Option<String> {
    let measured = &passed.measured;
    let (dtype, bits) = (
        trial.specimen.tensor.dtype,
        count(8 * usize::try_from(passed.bytes()).unwrap_or(0)) / count(trial.len().max(1)),
    );
    if let Some(at) = measured.lost_special {
        return Some(format!("value {at}, which is not finite, came back as another"));
    }
    match target {
        Target::Lossless => (!measured.is_exact).then(|| "it is not exact".to_owned()),
        Target::Bits(wanted) => (bits > wanted * (1.0 + 1e-9)).then(|| format!("{bits:.4} bits")),
        Target::Bytes(wanted) => (passed.bytes() > wanted).then(|| format!("{} bytes", passed.bytes())),
        Target::Nmse(wanted) => {
            (!(measured.nmse <= wanted * (1.0 + 1e-9))).then(|| format!("nmse {:e}", measured.nmse))
        }
        Target::MaxAbs(wanted) => (!(measured.max_abs <= wanted * (1.0 + 1e-12)))
            .then(|| format!("an error of {:e}", measured.max_abs)),
        Target::Step(step) => {
            let (error, rounding) = (measured.mean_square_in(step), rounding_in(dtype, &trial.values, step));
            // Few values have no mean to speak of.
            let factor = if trial.len() < 500 { 12.0 } else { 1.6 };
            let most = factor / 12.0 + 2.0 * rounding;
            (!(error <= most)).then(|| format!("a mean squared error of {:.3} step²/12", 12.0 * error))
        }
    }
}

fn target_holds(trial: &mut Trial<'_>) {
    for target in targets(trial.specimen, true) {
        if let Outcome::Coded(passed) = trial.code(target) {
            let missed = miss(trial, target, &passed);
            trial.case(missed.is_none(), target, Some(&passed), || missed.unwrap_or_default());
        }
    }
}

fn refusals(trial: &mut Trial<'_>) {
    let least = trial.least_bytes();
    let lossless = trial.coded(Target::Lossless).map(|passed| passed.bytes());
    for target in targets(trial.specimen, true) {
        match trial.code(target) {
            Outcome::Coded(_) => trial.case(true, target, None, String::new),
            Outcome::Failed(message) => trial.case(false, target, None, || message),
            Outcome::Refused(message) => {
                #[expect(clippy::cast_precision_loss, reason = "a size")]
                let budget = match target {
                    Target::Bits(bits) => bits * count(trial.len()) / 8.0,
                    Target::Bytes(bytes) => bytes as f64,
                    _ => f64::INFINITY,
                };
                #[expect(clippy::cast_precision_loss, reason = "a size")]
                let tight = budget < least && lossless.is_none_or(|lossless| budget < lossless as f64);
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

fn never_above_lossless(trial: &mut Trial<'_>) {
    let Some(lossless) = trial.coded(Target::Lossless).map(|passed| passed.bytes()) else { return };
    for target in targets(trial.specimen, true) {
        let Some(passed) = trial.coded(target) else { continue };
        trial.case(passed.bytes() <= lossless, target, Some(&passed), || {
            format!("{} bytes, lossless takes {lossless}", passed.bytes())
        });
        #[expect(clippy::cast_precision_loss, reason = "a size")]
        let suffices = match target {
            Target::Bits(bits) => lossless as f64 <= bits * count(trial.len()) / 8.0,
            Target::Bytes(bytes) => lossless <= bytes,
            _ => false,
        };
        trial.case(!suffices || passed.measured.is_exact, target, Some(&passed), || {
            format!("not exact, though {lossless} bytes are")
        });
    }
}

fn more_bits_never_worse(trial: &mut Trial<'_>) {
    let mut before: Option<(f64, f64)> = None;
    let rounding = rounding_nmse(trial);
    for target in targets(trial.specimen, true) {
        let Target::Bits(bits) = target else { continue };
        match trial.code(target) {
            Outcome::Coded(passed) => {
                let error = passed.measured.nmse;
                if let Some((fewer, larger)) = before {
                    trial.case(error <= 1.02 * larger + rounding, target, Some(&passed), || {
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

fn bits_well_spent(trial: &mut Trial<'_>) {
    let (Some(excess), true) = (trial.excess(), trial.len() >= 4096) else { return };
    let free = 8.0 * trial.least_bytes() / count(trial.len()) + excess.min(0.7) + UNLIKE_CONTENT;
    let rounding = 4.0 * rounding_nmse(trial);
    for target in targets(trial.specimen, true) {
        let Target::Bits(bits) = target else { continue };
        if let Some(passed) = trial.coded(target) {
            let most = (-2.0 * (bits - free).max(0.0)).exp2() * 1.02 + rounding;
            trial.case(passed.measured.nmse <= most, target, Some(&passed), || {
                format!("nmse {:.3e}, should be below {most:.3e}", passed.measured.nmse)
            });
        }
    }
}

fn max_abs_curve(trial: &mut Trial<'_>) {
    let dtype = trial.specimen.tensor.dtype;
    if !matches!(dtype, DType::F32 | DType::F64)
        || !matches!(trial.specimen.name, "gaussian" | "uniform" | "offset-1000")
    {
        return;
    }
    let spread = trial.spread();
    let mut before: Option<f64> = None;
    for octave in 2..=24 {
        let target = Target::MaxAbs(spread * (-f64::from(octave)).exp2());
        let Some(passed) = trial.coded(target) else {
            trial.case(false, target, None, || "refused".to_owned());
            return;
        };
        let bits = passed.report.bits();
        if let Some(before) = before {
            trial.case((-0.02..=1.6).contains(&(bits - before)), target, Some(&passed), || {
                format!("{bits:.3} bits, at twice the bound {before:.3}")
            });
        }
        if passed.measured.is_exact {
            break;
        }
        before = Some(bits);
    }
}

fn step_is_step(trial: &mut Trial<'_>) {
    if !trial.specimen.is_continuous {
        return;
    }
    for target in targets(trial.specimen, true) {
        let Target::Step(step) = target else { continue };
        let Some(passed) = trial.coded(target) else { continue };
        // Steps beyond the deviation have few levels, and steps near the dtype's own leave few choices.
        let rounding = 12.0 * rounding_in(trial.specimen.tensor.dtype, &trial.values, step);
        if passed.measured.is_exact || rounding > 0.05 || step > 0.11 * trial.spread() {
            continue;
        }
        let ratio = 12.0 * passed.measured.mean_square_in(step);
        trial.case((0.3..=1.6).contains(&ratio), target, Some(&passed), || {
            format!("a mean squared error of {ratio:.3} step²/12")
        });
    }
}

fn within_range(trial: &mut Trial<'_>) {
    for target in targets(trial.specimen, true) {
        let Some(passed) = trial.coded(target) else { continue };
        let strayed = passed.measured.strayed;
        trial.case(strayed.is_none(), target, Some(&passed), || format!("value {strayed:?} left the range"));
    }
}

fn zeros_kept(trial: &mut Trial<'_>) {
    if !trial.values.contains(&0.0) {
        return;
    }
    let (raw, spread) = (trial.specimen.tensor.bytes.len() as u64, trial.spread());
    let zeros = trial.mask_bytes(|value| value == 0.0);
    let is_cheap = 8.0 * zeros < 0.01 * count(trial.len());
    let least = trial.least_bytes() + zeros;
    let targets = [
        Target::Bits(0.25),
        Target::Bits(2.0),
        Target::Bits(6.0),
        Target::Nmse(0.1),
        Target::Nmse(1e-2),
        Target::Nmse(1e-6),
        Target::MaxAbs(spread / 100.0),
        Target::Step(spread / 10.0),
        Target::Bytes((raw / 8).max(1)),
    ];
    for target in targets {
        match trial.code_with(target, true) {
            Outcome::Coded(passed) => {
                let (lost, missed) = (passed.measured.lost_zero, miss(trial, target, &passed));
                trial.case(lost.is_none(), target, Some(&passed), || format!("zero {lost:?} was lost"));
                trial.case(missed.is_none(), target, Some(&passed), || {
                    format!("with zeros kept: {}", missed.unwrap_or_default())
                });
            }
            Outcome::Failed(message) => {
                trial.case(false, target, None, || format!("with zeros kept: {message}"))
            }
            Outcome::Refused(message) => {
                #[expect(clippy::cast_precision_loss, reason = "a size")]
                let budget = match target {
                    Target::Bits(bits) => bits * count(trial.len()) / 8.0,
                    Target::Bytes(bytes) => bytes as f64,
                    _ => f64::INFINITY,
                };
                trial.case(budget < least, target, None, || format!("with zeros kept: refused, {message}"));
            }
        }
        if is_cheap && let Some(passed) = trial.coded(target) {
            let lost = passed.measured.lost_zero;
            trial.case(lost.is_none(), target, Some(&passed), || {
                format!("zero {lost:?} was lost, though all cost {zeros:.0} bytes")
            });
        }
    }
}

fn outliers_exact(trial: &mut Trial<'_>) {
    if trial.specimen.outliers.is_empty() {
        return;
    }
    let target = Target::Nmse(0.01);
    let Some(passed) = trial.coded(target) else { return };
    let (errors, outliers) = (&passed.measured.errors, trial.specimen.outliers.clone());
    let changed = outliers.iter().find(|&&at| errors[at] != 0.0);
    trial.case(changed.is_none(), target, Some(&passed), || format!("outlier {changed:?} is not exact"));
    let (mut rest, mut errors) = (trial.values.clone(), errors.clone());
    for &at in &outliers {
        (rest[at], errors[at]) = (0.0, 0.0);
    }
    let left = nmse(&rest, &errors);
    trial.case(left <= 0.1, target, Some(&passed), || format!("the rest has nmse {left:.3}"));
}

fn report_is_measured(trial: &mut Trial<'_>) {
    for target in targets(trial.specimen, true) {
        let Some(passed) = trial.coded(target) else { continue };
        let Passed { report, measured, .. } = &*passed;
        let near = |stated: f64, found: f64| (stated - found).abs() <= 1e-6 * found;
        trial.case(near(report.nmse, measured.nmse), target, Some(&passed), || {
            format!("the report states nmse {:e}, measured is {:e}", report.nmse, measured.nmse)
        });
        trial.case(near(report.max_abs_error, measured.max_abs), target, Some(&passed), || {
            format!(
                "the report states an error of {:e}, measured is {:e}",
                report.max_abs_error, measured.max_abs
            )
        });
        let values = trial.len() as u64;
        let sums =
            (report.bytes, report.values) == (passed.chunk_bytes, values) && passed.chunk_values == values;
        trial.case(sums, target, Some(&passed), || {
            format!("the report states {} bytes, there are {}", report.bytes, passed.chunk_bytes)
        });
        let effects = (report.side_effects, passed.chunk_side_effects);
        trial.case(effects == (passed.side_effects, passed.side_effects), target, Some(&passed), || {
            format!(
                "the report states {:?}, the chunks {:?}, measured are {:?}",
                effects.0, effects.1, passed.side_effects
            )
        });
    }
}

fn masks_are_cheap(trial: &mut Trial<'_>) {
    let mask = &trial.specimen.mask;
    let ordinary: Vec<usize> = (0..mask.len()).filter(|&at| !mask[at]).collect();
    if ordinary.len() < 100 || ordinary.len() == mask.len() {
        return;
    }
    let (size, tensor) = (trial.specimen.tensor.dtype.size(), &trial.specimen.tensor);
    let mut bytes = tensor.bytes.clone();
    for (at, _) in mask.iter().enumerate().filter(|(_, is_set)| **is_set) {
        // Any order that has nothing to do with places.
        let from = ordinary[at.wrapping_mul(2_654_435_761) % ordinary.len()];
        bytes[at * size..][..size].copy_from_slice(&tensor.bytes[from * size..][..size]);
    }
    let chunk_values = trial.specimen.chunk_values;
    let twin = Specimen { chunk_values, ..Specimen::of(tensor.dtype, &tensor.shape, bytes) };
    let mean = ordinary.iter().map(|&at| trial.values[at] / count(ordinary.len())).sum::<f64>();
    let variance =
        ordinary.iter().map(|&at| (trial.values[at] - mean).powi(2) / count(ordinary.len())).sum::<f64>();
    let set: std::collections::HashSet<u64> =
        trial.values.iter().zip(mask).filter(|(_, set)| **set).map(|(value, _)| value.to_bits()).collect();
    let special = mask.iter().filter(|set| **set).count();
    let cols = usize::try_from(telecine_core::MatrixShape::of(&tensor.shape).cols).unwrap_or(1).max(1);
    let places = super::measure::mask_bits(mask, cols) / 8.0;
    // Two values in a mask cost up to a bit each more; NaNs of many payloads what they are.
    let payloads = match set.len() {
        0 | 1 => 0.0,
        _ => count(special) / 8.0,
    } + if trial.specimen.name == "nan-payloads" { count(special * size) } else { 0.0 };
    for target in [Target::MaxAbs(variance.sqrt() / 16.0), Target::Lossless] {
        if target.check().is_err() {
            continue;
        }
        let (Some(passed), Some(plain)) = (trial.coded(target), trial.bytes_of(&twin, target)) else {
            continue;
        };
        #[expect(clippy::cast_precision_loss, reason = "a size")]
        let most = 1.02 * plain as f64 + 1.15 * places + 1.1 * payloads + 96.0 * trial.chunks();
        #[expect(clippy::cast_precision_loss, reason = "a size")]
        let holds = passed.bytes() as f64 <= most;
        trial.case(holds, target, Some(&passed), || {
            format!(
                "{} bytes; {plain} with ordinary values instead, the mask itself takes {places:.0}",
                passed.bytes()
            )
        });
    }
}

fn near_zstd(trial: &mut Trial<'_>) {
    let Some(zstd) = trial.lossless_bytes(Some(CodecId::ZSTD)) else { return };
    let codecs: &[Option<CodecId>] =
        if trial.specimen.mask.is_empty() { &[None] } else { &[None, Some(CodecId::NATIVE)] };
    for &codec in codecs {
        let Some(bytes) = trial.lossless_bytes(codec) else { continue };
        let name = codec.map_or("the default".to_owned(), |codec| codec.to_string());
        trial.case(10 * bytes <= 11 * zstd + 640, Target::Lossless, None, || {
            format!("{bytes} bytes by {name}, zstd takes {zstd}")
        });
    }
}
