//! Few distinct values: constants, codebooks, what was quantised before.

use super::draw::{COLS, Draw, ROWS};
use super::{Maker, Specimen, maker};

pub(super) const MAKERS: &[Maker] = &[
    maker("constant", "one value everywhere", |draw| {
        let value = if draw.dtype.is_float() { 0.3 } else { draw.unit() };
        Some(draw.at_each(|_, _, _| value))
    }),
    maker("constant-but-one", "one value everywhere but in one place", |draw| {
        let unit = draw.unit();
        Some(draw.at_each(|_, row, col| if (row, col) == (50, 50) { 0.0 } else { unit }))
    }),
    maker("constant-largest", "the largest finite value everywhere", |draw| {
        let largest = draw.numbers.largest;
        Some(draw.at_each(|_, _, _| largest))
    }),
    maker("near-constant", "two neighbouring values of the dtype, at random", |draw| {
        let (low, next) = (1.0, 1.0 + draw.numbers.epsilon);
        draw.holds(next)?;
        Some(draw.at_each(|draw, _, _| if draw.chance(0.5) { low } else { next }))
    }),
    maker("integers-0-to-15", "whole numbers from 0 to 15", |draw| {
        draw.holds(15.0)?;
        Some(draw.at_each(|draw, _, _| draw.below(16) as f64))
    }),
    maker("ternary", "−1, 0 and 1", |draw| {
        (draw.numbers.lowest < 0.0).then_some(())?;
        Some(draw.at_each(|draw, _, _| draw.below(3) as f64 - 1.0))
    }),
    maker("signs", "−1 and 1", |draw| {
        (draw.numbers.lowest < 0.0).then_some(())?;
        Some(draw.at_each(|draw, _, _| draw.below(2) as f64 * 2.0 - 1.0))
    }),
    maker("ternary-rows", "−s, 0 and s with a scale for each row", |draw| {
        draw.float()?;
        Some(in_rows(draw, |draw, scale| (draw.below(3) as f64 - 1.0) * scale))
    }),
    maker("dequantised-4-bit", "4-bit integers times a scale for each row", |draw| {
        draw.float()?;
        Some(in_rows(draw, |draw, scale| (2.5 * draw.normal()).round().clamp(-8.0, 7.0) * scale))
    }),
    maker("dequantised-8-bit", "8-bit integers times a scale for each row", |draw| {
        draw.float()?;
        Some(in_rows(draw, |draw, scale| (40.0 * draw.normal()).round().clamp(-127.0, 127.0) * scale / 16.0))
    }),
    maker("codebook", "16 values that are not evenly spaced, times a scale for each 64", |draw| {
        draw.float()?;
        let book: Vec<f64> = (0..16).map(|at| ((f64::from(at) - 7.5) / 4.0).sinh() / 3.2).collect();
        let scales: Vec<f64> = (0..ROWS * COLS / 64).map(|_| draw.normal().exp()).collect();
        Some(draw.at_each(|draw, row, col| book[draw.below(16)] * scales[(row * COLS + col) / 64]))
    }),
    maker("rounded-to-hundredths", "Gaussian values with two decimal places", |draw| {
        draw.float()?;
        Some(draw.at_each(|draw, _, _| (draw.normal() * 100.0).round() / 100.0))
    }),
    maker("bf16-in-wider", "values with 8 significant bits in a wider type", |draw| {
        draw.float()?;
        Some(draw.at_each(|draw, _, _| {
            let value = draw.normal();
            let unit = value.abs().log2().floor().exp2() / 128.0;
            (value / unit).round() * unit
        }))
    }),
];

/// Values that come from a scale of their row.
fn in_rows(draw: &mut Draw, value: impl Fn(&mut Draw, f64) -> f64) -> Specimen {
    let scales: Vec<f64> = (0..ROWS).map(|_| draw.normal().exp() * 0.37).collect();
    draw.at_each(|draw, row, _| value(draw, scales[row]))
}
