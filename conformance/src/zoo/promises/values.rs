//! Promises about the values that come back: zeros, outliers, masks, and what is reported of them.

use telecine_core::{CodecId, DType, MatrixShape, Target};

use super::rates::{budget, miss};
use crate::zoo::measure::{count, mask_bits, nmse, size};
use crate::zoo::trial::{Outcome, Passed};
use crate::zoo::{Specimen, Trial};

pub(super) fn within_range(trial: &mut Trial<'_>) {
    for target in trial.targets() {
        let Some(passed) = trial.coded(target) else { continue };
        let strayed = passed.measured.strayed;
        trial.case(strayed.is_none(), target, Some(&passed), || format!("value {strayed:?} left the range"));
    }
}

pub(super) fn zeros_kept(trial: &mut Trial<'_>) {
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
                let budget = budget(trial, target);
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

pub(super) fn outliers_exact(trial: &mut Trial<'_>) {
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

pub(super) fn report_is_measured(trial: &mut Trial<'_>) {
    for target in trial.targets() {
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
    }
}

pub(super) fn side_effects_are_measured(trial: &mut Trial<'_>) {
    for target in trial.targets() {
        let Some(passed) = trial.coded(target) else { continue };
        let Passed { report, chunk_side_effects, side_effects, .. } = &*passed;
        let holds = (report.side_effects, chunk_side_effects) == (*side_effects, side_effects);
        trial.case(holds, target, Some(&passed), || {
            format!(
                "the report states {:?}, the chunks {chunk_side_effects:?}, measured are {side_effects:?}",
                report.side_effects
            )
        });
    }
}

pub(super) fn masks_are_cheap(trial: &mut Trial<'_>) {
    let mask = &trial.specimen.mask;
    let (hidden, ordinary): (Vec<usize>, Vec<usize>) = (0..mask.len()).partition(|&at| mask[at]);
    // A mask of booleans is the tensor.
    let is_bool = trial.specimen.tensor.dtype == DType::Bool;
    if is_bool || ordinary.len() < 100 || hidden.is_empty() {
        return;
    }
    let most = mask_allowance(trial, &hidden);
    let twin = without_mask(trial.specimen, &hidden, &ordinary);
    let visible: Vec<f64> = ordinary.iter().map(|&at| trial.values[at]).collect();
    for target in [Target::MaxAbs(deviation(&visible) / 16.0), Target::Lossless] {
        if target.check().is_err() {
            continue;
        }
        let (Some(passed), Some(plain)) = (trial.coded(target), trial.bytes_of(&twin, target)) else {
            continue;
        };
        trial.case(size(passed.bytes()) <= 1.02 * size(plain) + most, target, Some(&passed), || {
            format!(
                "{} bytes; {plain} with ordinary values in their places, and the places may take {most:.0}",
                passed.bytes()
            )
        });
    }
}

/// Bytes that a mask may take: the entropy of its places, that of its values where there are several, and headers.
fn mask_allowance(trial: &Trial<'_>, hidden: &[usize]) -> f64 {
    let Specimen { tensor, mask, .. } = trial.specimen;
    let cols = usize::try_from(MatrixShape::of(&tensor.shape).cols).unwrap_or(1).max(1);
    let width = tensor.dtype.size();
    let mut patterns: Vec<_> = hidden.iter().map(|&at| &tensor.bytes[at * width..][..width]).collect();
    patterns.sort_unstable();
    patterns.dedup();
    let bits_of_each = match patterns.len() {
        1 => 0.0,
        few @ 2..=4 => count(few).log2(),
        _ => count(8 * width),
    };
    (1.15 * mask_bits(mask, cols) + 1.1 * bits_of_each * count(hidden.len())) / 8.0 + 96.0 * trial.chunks()
}

/// The specimen with ordinary values of its own in the places of the mask.
fn without_mask(specimen: &Specimen, hidden: &[usize], ordinary: &[usize]) -> Specimen {
    let tensor = &specimen.tensor;
    let (mut bytes, width) = (tensor.bytes.clone(), tensor.dtype.size());
    for &at in hidden {
        // An order that has nothing to do with places.
        let from = ordinary[at.wrapping_mul(2_654_435_761) % ordinary.len()];
        bytes[at * width..][..width].copy_from_slice(&tensor.bytes[from * width..][..width]);
    }
    let chunk_values = specimen.chunk_values;
    Specimen { chunk_values, ..Specimen::of(tensor.dtype, &tensor.shape, bytes) }
}

fn deviation(values: &[f64]) -> f64 {
    let len = count(values.len());
    let mean = values.iter().map(|value| value / len).sum::<f64>();
    // In units of the largest distance, whose square might leave the range of `f64`.
    let unit = values.iter().fold(0f64, |most, value| most.max((value - mean).abs()));
    if unit == 0.0 {
        return 0.0;
    }
    unit * (values.iter().map(|value| ((value - mean) / unit).powi(2)).sum::<f64>() / len).sqrt()
}

pub(super) fn near_zstd(trial: &mut Trial<'_>) {
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
