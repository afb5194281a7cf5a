//! Tensors that are mostly exact zeros.

use super::draw::{COLS, Draw, ROWS};
use super::{Maker, Specimen, maker};

pub(super) const MAKERS: &[Maker] = &[
    maker("zeros", "nothing but zeros", |draw| Some(draw.at_each(|_, _, _| 0.0))),
    maker(
        "dense-rows-in-zeros",
        "3 rows of Gaussian values among zeros, as in an embedding's gradient",
        dense_rows,
    ),
    maker("dense-columns-in-zeros", "5 columns of Gaussian values among zeros", |draw| {
        kept(draw, |_, _, col| col % 29 == 3)
    }),
    maker("one-value-in-zeros", "a single value in the first place, small for a float", |draw| {
        let value = if draw.dtype.is_float() { 1e-3f64.max(draw.numbers.smallest) } else { 1.0 };
        Some(draw.at_each(|_, row, col| if row + col == 0 { value } else { 0.0 }))
    }),
    maker("last-value-in-zeros", "a single value in the last place", |draw| {
        Some(
            draw.at_each(|draw, row, col| if (row, col) == (ROWS - 1, COLS - 1) { draw.unit() } else { 0.0 }),
        )
    }),
    maker("block-sparse", "an eighth of the 8 × 8 blocks are Gaussian, the others zeros", |draw| {
        let blocks: Vec<bool> = (0..ROWS / 8 * (COLS / 8)).map(|_| draw.chance(0.125)).collect();
        kept(draw, |_, row, col| blocks[row / 8 * (COLS / 8) + col / 8])
    }),
    maker("pruned-2-of-4", "the 2 largest of every 4 values in a row, the others zeros", |draw| {
        Some(of_each(draw, 2, 4))
    }),
    maker("pruned-1-of-4", "the largest of every 4 values in a row, the others zeros", |draw| {
        Some(of_each(draw, 1, 4))
    }),
    maker("pruned-4-of-8", "the 4 largest of every 8 values in a row, the others zeros", |draw| {
        Some(of_each(draw, 4, 8))
    }),
    maker("pruned-50", "half of the values are zeros, at random", |draw| {
        kept(draw, |draw, _, _| draw.chance(0.5))
    }),
    maker("pruned-90", "nine tenths of the values are zeros, at random", |draw| {
        kept(draw, |draw, _, _| draw.chance(0.1))
    }),
    maker("pruned-99", "all but a hundredth of the values are zeros, at random", |draw| {
        kept(draw, |draw, _, _| draw.chance(0.01))
    }),
    maker("pruned-by-size", "the half of smallest magnitude is zero", |draw| {
        let unit = draw.unit();
        let least = 0.6745 * unit;
        let specimen =
            draw.at_each(|draw, _, _| Some(draw.value()).filter(|v| v.abs() >= least).unwrap_or(0.0));
        Some(specimen.masked(|value| value == 0.0))
    }),
    maker("relu", "Gaussian values, those below zero cut to zero", |draw| {
        Some(draw.at_each(|draw, _, _| (draw.normal() * draw.unit()).max(0.0)).masked(|value| value == 0.0))
    }),
    maker("zeros-of-both-signs", "Gaussian values, a quarter −0, a quarter +0", |draw| {
        draw.float()?;
        Some(draw.at_each(|draw, _, _| match draw.below(4) {
            0 => -0.0,
            1 => 0.0,
            _ => draw.value(),
        }))
    }),
    maker("negative-zeros", "nothing but −0", |draw| {
        draw.float()?;
        Some(draw.at_each(|_, _, _| -0.0))
    }),
    maker(
        "causal-probabilities",
        "rows of attention: probabilities up to the diagonal, zeros above it",
        |draw| {
            draw.float()?;
            let specimen = draw.at_each(|draw, row, col| {
                if col > row { 0.0 } else { (2.0 * draw.normal()).exp() / (8.0 * (row + 1) as f64) }
            });
            Some(specimen.masked(|value| value == 0.0))
        },
    ),
];

fn dense_rows(draw: &mut Draw) -> Option<Specimen> {
    kept(draw, |_, row, _| [11, 47, 48].contains(&row))
}

/// Ordinary values where `keeps` says so, zeros elsewhere.
fn kept(draw: &mut Draw, keeps: impl Fn(&mut Draw, usize, usize) -> bool) -> Option<Specimen> {
    let specimen = draw.at_each(|draw, row, col| if keeps(draw, row, col) { draw.value() } else { 0.0 });
    Some(specimen.masked(|value| value == 0.0))
}

/// The `keep` largest of each `group` values in a row.
fn of_each(draw: &mut Draw, keep: usize, group: usize) -> Specimen {
    let mut values = draw.values();
    for group in values.chunks_exact_mut(group) {
        let mut order: Vec<usize> = (0..group.len()).collect();
        order.sort_by(|&a, &b| group[b].abs().total_cmp(&group[a].abs()));
        order[keep..].iter().for_each(|&at| group[at] = 0.0);
    }
    draw.specimen(values).masked(|value| value == 0.0)
}
