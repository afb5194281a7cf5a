//! Offsets and scales up to the ends of the range.

use telecine_core::DType;

use super::draw::{COLS, Draw, ROWS};
use super::{Maker, Specimen, maker};

pub(super) const MAKERS: &[Maker] = &[
    maker("offset-1e8", "values of unit spread around 10⁸", |draw| offset(draw, 1e8)),
    maker("offset-minus-1e5", "values of unit spread around −10⁵", |draw| offset(draw, -1e5)),
    maker("offset-1000", "values of unit spread around 1,000", |draw| offset(draw, 1e3)),
    maker("offset-10", "values of unit spread around 10", |draw| offset(draw, 10.0)),
    maker("offset-1e15", "values of spread 1,000 around 10¹⁵", |draw| {
        if !matches!(draw.dtype, DType::F64 | DType::I64 | DType::U64) {
            return None;
        }
        Some(draw.at_each(|draw, _, _| 1e15 + 1e3 * draw.normal()).continuous())
    }),
    maker("smallest-multiples", "whole multiples of the smallest value, up to 8", |draw| {
        draw.float()?;
        let smallest = draw.numbers.smallest;
        Some(draw.at_each(|draw, _, _| (draw.below(17) as f64 - 8.0) * smallest))
    }),
    maker("subnormal", "Gaussian values of a deviation below the smallest normal number", |draw| {
        draw.float()?;
        let deviation = draw.numbers.smallest_normal / 4.0;
        Some(draw.at_each(|draw, _, _| deviation * draw.normal()))
    }),
    maker("barely-normal", "Gaussian values of a deviation 100 × the smallest normal number", |draw| {
        draw.float()?;
        let deviation = draw.numbers.smallest_normal * 100.0;
        Some(draw.at_each(|draw, _, _| deviation * draw.normal()).continuous())
    }),
    maker("scale-1e-300", "Gaussian values × 10⁻³⁰⁰", |draw| scaled(draw, 1e-300)),
    maker("scale-1e-100", "Gaussian values × 10⁻¹⁰⁰", |draw| scaled(draw, 1e-100)),
    maker("scale-1e-36", "Gaussian values × 10⁻³⁶", |draw| scaled(draw, 1e-36)),
    maker("scale-1e-30", "Gaussian values × 10⁻³⁰", |draw| scaled(draw, 1e-30)),
    maker("scale-1e-20", "Gaussian values × 10⁻²⁰", |draw| scaled(draw, 1e-20)),
    maker("scale-1e-10", "Gaussian values × 10⁻¹⁰", |draw| scaled(draw, 1e-10)),
    maker("scale-1e-3", "Gaussian values × 10⁻³", |draw| scaled(draw, 1e-3)),
    maker("scale-1e3", "Gaussian values × 1,000", |draw| scaled(draw, 1e3)),
    maker("scale-1e10", "Gaussian values × 10¹⁰", |draw| scaled(draw, 1e10)),
    maker("scale-1e30", "Gaussian values × 10³⁰", |draw| scaled(draw, 1e30)),
    maker("scale-1e37", "Gaussian values × 10³⁷", |draw| scaled(draw, 1e37)),
    maker("scale-1e100", "Gaussian values × 10¹⁰⁰", |draw| scaled(draw, 1e100)),
    maker("scale-1e300", "Gaussian values × 10³⁰⁰", |draw| scaled(draw, 1e300)),
    maker("near-largest", "Gaussian values of a deviation an eighth of the largest", |draw| {
        let (deviation, centre) = range(draw);
        Some(draw.at_each(|draw, _, _| centre + deviation * draw.normal()))
    }),
    maker("largest-of-both-signs", "the lowest and the largest value", |draw| {
        let numbers = draw.numbers;
        Some(draw.at_each(|draw, _, _| if draw.chance(0.5) { numbers.lowest } else { numbers.largest }))
    }),
    maker("whole-range", "values spread evenly over all exponents, both signs", |draw| {
        draw.float()?;
        let (low, high) = (draw.numbers.smallest.log2(), draw.numbers.largest.log2());
        Some(draw.at_each(|draw, _, _| {
            let magnitude = (low + (high - low) * draw.uniform()).exp2();
            if draw.chance(0.5) { magnitude } else { -magnitude }
        }))
    }),
    maker("random-bits", "random bits, but no NaN and no infinity in floats", |draw| {
        let size = draw.dtype.size();
        let mut bytes = draw.bytes(ROWS * COLS * size);
        for value in bytes.chunks_exact_mut(size) {
            match draw.dtype {
                DType::Bool => value[0] &= 1,
                _ if draw.dtype.is_float() && draw.dtype.distance(value, value).is_none() => value.fill(0),
                _ => (),
            }
        }
        Some(Specimen::of(draw.dtype, &[ROWS as u64, COLS as u64], bytes))
    }),
    maker("rows-1e-6-to-1e6", "rows of scales from 10⁻⁶ to 10⁶", |draw| {
        draw.float()?;
        Some(draw.at_each(|draw, row, _| draw.normal() * 10f64.powf(row as f64 * 12.0 / 95.0 - 6.0)))
    }),
    maker("columns-1e-6-to-1e6", "columns of scales from 10⁻⁶ to 10⁶", |draw| {
        draw.float()?;
        Some(draw.at_each(|draw, _, col| draw.normal() * 10f64.powf(col as f64 * 12.0 / 127.0 - 6.0)))
    }),
    maker("two-loud-columns", "two columns 1,000 × as large as the others", |draw| {
        draw.float()?;
        Some(draw.at_each(|draw, _, col| draw.normal() * if col % 64 == 9 { 1e3 } else { 1.0 }))
    }),
    maker("two-loud-rows", "two rows 1,000 × as large as the others", |draw| {
        draw.float()?;
        Some(draw.at_each(|draw, row, _| draw.normal() * if row % 48 == 9 { 1e3 } else { 1.0 }))
    }),
    maker("second-moments", "squares of tiny gradients, 10⁻²⁰ to 10⁻¹²", |draw| {
        draw.float()?;
        let rows: Vec<f64> = (0..ROWS).map(|_| 10f64.powf(-8.0 + draw.normal())).collect();
        Some(draw.at_each(|draw, row, _| (rows[row] * draw.normal()).powi(2)))
    }),
];

/// Values of unit spread around an offset.
fn offset(draw: &mut Draw, offset: f64) -> Option<Specimen> {
    let room = offset >= draw.numbers.lowest + 8.0 && offset <= draw.numbers.largest - 8.0;
    room.then_some(())?;
    let coarse = draw.numbers.epsilon * offset.abs() > 0.01;
    let specimen = draw.at_each(|draw, _, _| offset + draw.normal());
    Some(if coarse { specimen } else { specimen.continuous() })
}

/// Gaussian values of a scale that the dtype holds with a few digits.
fn scaled(draw: &mut Draw, scale: f64) -> Option<Specimen> {
    draw.float()?;
    draw.holds(8.0 * scale)?;
    (scale >= 4.0 * draw.numbers.smallest).then_some(())?;
    let specimen = draw.at_each(|draw, _, _| scale * draw.normal());
    Some(if scale >= 1e3 * draw.numbers.smallest_normal { specimen.continuous() } else { specimen })
}

/// A deviation and a centre that use the dtype's range.
fn range(draw: &Draw) -> (f64, f64) {
    let half = draw.numbers.largest / 2.0 - draw.numbers.lowest / 2.0;
    (half / 8.0, draw.numbers.largest / 2.0 + draw.numbers.lowest / 2.0)
}
