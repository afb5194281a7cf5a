//! Ordinary values, smooth fields, and values in order.

use super::draw::{COLS, Draw, ROWS};
use super::{Maker, Specimen, maker};

pub(super) const MAKERS: &[Maker] =
    &[
        maker("gaussian", "Gaussian values of a deviation that suits the dtype", |draw| {
            Some(draw.gaussian(&[ROWS as u64, COLS as u64]).continuous())
        }),
        maker("uniform", "values from an interval around zero", |draw| {
            let unit = draw.unit();
            Some(draw.at_each(|draw, _, _| (draw.uniform() - 0.5) * 3.0 * unit).continuous())
        }),
        maker("sorted", "Gaussian values in ascending order", |draw| {
            let mut values = draw.values();
            values.sort_by(f64::total_cmp);
            Some(draw.specimen(values))
        }),
        maker("sorted-rows", "rows in ascending order", |draw| {
            let mut values = draw.values();
            values.chunks_exact_mut(COLS).for_each(|row| row.sort_by(f64::total_cmp));
            Some(draw.specimen(values))
        }),
        maker("ramp", "an even slope from the first value to the last", |draw| {
            let unit = draw.unit();
            Some(draw.at_each(|_, row, col| unit * (row * COLS + col) as f64 / 4096.0))
        }),
        maker("periodic", "the same 37 values again and again", |draw| {
            let period: Vec<f64> = (0..37).map(|_| draw.value()).collect();
            Some(draw.at_each(|_, row, col| period[(row * COLS + col) % 37]))
        }),
        maker("repeated-rows", "the same row again and again", |draw| {
            let row: Vec<f64> = (0..COLS).map(|_| draw.value()).collect();
            Some(draw.at_each(|_, _, col| row[col]))
        }),
        maker("constant-rows", "each row is one value", |draw| {
            let rows: Vec<f64> = (0..ROWS).map(|_| draw.value()).collect();
            Some(draw.at_each(|_, row, _| rows[row]))
        }),
        maker("sine", "a sine along the rows", |draw| {
            let unit = draw.unit();
            Some(draw.at_each(|_, row, col| unit * (1.0 + (0.2 * col as f64 + 0.05 * row as f64).sin())))
        }),
        maker("smooth-field", "a sum of slow waves", |draw| Some(smooth(draw, 0.0))),
        maker("smooth-with-noise", "a sum of slow waves with a hundredth of noise", |draw| {
            Some(smooth(draw, 0.01))
        }),
        maker("random-walk", "sums of Gaussian steps along each row", |draw| {
            draw.float()?;
            let mut at = 0.0;
            Some(draw.at_each(|draw, _, col| {
                at = if col == 0 { 0.0 } else { at + draw.normal() };
                at
            }))
        }),
        maker("identity", "the identity matrix", |draw| {
            Some(draw.at_each(|_, row, col| if row == col { 1.0 } else { 0.0 }))
        }),
        maker("low-rank", "the product of two Gaussian matrices of rank 2", |draw| {
            draw.float()?;
            let left: Vec<f64> = (0..2 * ROWS).map(|_| draw.normal()).collect();
            let right: Vec<f64> = (0..2 * COLS).map(|_| draw.normal()).collect();
            Some(draw.at_each(|_, row, col| {
                left[2 * row] * right[2 * col] + left[2 * row + 1] * right[2 * col + 1]
            }))
        }),
        maker("probabilities", "rows that are positive and sum to 1", |draw| {
            draw.float()?;
            Some(draw.at_each(|draw, _, _| (1.5 * draw.normal()).exp() / (COLS as f64 * 3.08)))
        }),
    ];

fn smooth(draw: &mut Draw, noise: f64) -> Specimen {
    let waves: Vec<[f64; 4]> =
        (0..5).map(|_| [draw.normal(), draw.normal(), draw.uniform() * 6.3, draw.normal()]).collect();
    let unit = draw.unit();
    draw.at_each(|draw, row, col| {
        let (y, x) = (row as f64 / 24.0, col as f64 / 24.0);
        let sum: f64 = waves.iter().map(|[a, b, c, size]| size * (a * y + b * x + c).sin()).sum();
        unit * (3.0 + sum + noise * draw.normal())
    })
}
