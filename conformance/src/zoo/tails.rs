//! Heavy tails and giant outliers.

use super::draw::{COLS, Draw, ROWS};
use super::{Maker, Specimen, maker};

pub(super) const MAKERS: &[Maker] = &[
    maker("cauchy", "the Cauchy distribution", |draw| {
        draw.float()?;
        Some(draw.at_each(|draw, _, _| draw.normal() / draw.normal().abs().max(1e-9)))
    }),
    maker("student-3", "Student's distribution of 3 degrees of freedom", |draw| {
        draw.float()?;
        Some(draw.at_each(|draw, _, _| {
            let squares: f64 = (0..3).map(|_| draw.normal().powi(2)).sum();
            draw.normal() / (squares / 3.0).sqrt()
        }))
    }),
    maker("laplace", "the Laplace distribution", |draw| {
        draw.float()?;
        Some(draw.at_each(|draw, _, _| {
            let size = -(1.0 - draw.uniform()).ln();
            if draw.chance(0.5) { size } else { -size }
        }))
    }),
    maker("lognormal", "exp(3N − 18), or exp(3N) where that is too small for the dtype", |draw| {
        draw.float()?;
        let shift = if draw.numbers.smallest < 1e-20 { 18.0 } else { 0.0 };
        Some(draw.at_each(|draw, _, _| (3.0 * draw.normal() - shift).exp()))
    }),
    maker(
        "gradient",
        "values of both signs whose rows differ in scale by e⁴ and more, as in a gradient",
        |draw| {
            draw.float()?;
            let rows: Vec<f64> = (0..ROWS).map(|_| (4.0 * draw.normal() - 3.0).exp()).collect();
            Some(draw.at_each(|draw, row, _| rows[row] * draw.normal() * draw.normal()))
        },
    ),
    maker("outlier-1e3", "N(0, 1) with one 10³", |draw| outliers(draw, 1e3, &[6000])),
    maker("outlier-1e4", "N(0, 1) with one 10⁴", |draw| outliers(draw, 1e4, &[77])),
    maker("outlier-minus-1e4", "N(0, 1) with one −10⁴", |draw| outliers(draw, -1e4, &[ROWS * COLS - 1])),
    maker("outlier-1e30", "N(0, 1) with one 10³⁰", |draw| outliers(draw, 1e30, &[5000])),
    maker("outlier-1e300", "N(0, 1) with one 10³⁰⁰", |draw| outliers(draw, 1e300, &[5000])),
    maker("outlier-largest", "N(0, 1) with one of the largest value", |draw| {
        let largest = draw.numbers.largest;
        outliers(draw, largest, &[64])
    }),
    maker("outliers-of-every-size", "N(0, 1) with 10³, 10⁶, 10⁹ and 10¹²", |draw| {
        draw.float()?;
        draw.holds(1e12)?;
        let mut specimen = draw.gaussian(&[ROWS as u64, COLS as u64]);
        let mut values = specimen.values();
        for (at, size) in [(100, 1e3), (3000, -1e6), (7000, 1e9), (9000, -1e12)] {
            values[at] = size;
            specimen.outliers.push(at);
        }
        Some(Specimen { outliers: specimen.outliers, ..draw.specimen(values) })
    }),
    maker("outliers-16", "N(0, 1) with 16 values of 200 at random places", |draw| {
        let places: Vec<usize> = (0..16).map(|_| draw.below(ROWS * COLS)).collect();
        outliers(draw, 200.0, &places)
    }),
    maker("integer-outlier", "small integers with the largest value once", |draw| {
        draw.integer()?;
        let mut values: Vec<f64> = (0..ROWS * COLS).map(|_| draw.below(8) as f64).collect();
        values[4321] = draw.numbers.largest;
        Some(Specimen { outliers: vec![4321], ..draw.specimen(values) })
    }),
];

/// Gaussian values, some of them replaced.
fn outliers(draw: &mut Draw, size: f64, places: &[usize]) -> Option<Specimen> {
    draw.float()?;
    draw.holds(size.abs())?;
    let mut values = draw.values();
    places.iter().for_each(|&at| values[at] = size);
    let outweighs = size * size * places.len() as f64 > 10.0 * values.len() as f64;
    let outliers = if outweighs { places.to_vec() } else { Vec::new() };
    Some(Specimen { outliers, ..draw.specimen(values) })
}
