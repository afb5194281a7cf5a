//! Ordinary values beside NaNs, infinities and fill values.

use telecine_core::DType;

use super::draw::{COLS, Draw, ROWS};
use super::{Maker, Specimen, maker};

pub(super) const MAKERS: &[Maker] = &[
    maker("nan-rectangle", "NaNs in a rectangle, such as land in a field of the sea", |draw| {
        masked(draw, f64::NAN, in_rectangle)
    }),
    maker("nan-triangle", "NaNs above the diagonal", |draw| masked(draw, f64::NAN, |_, row, col| col > row)),
    maker("nan-scattered", "NaNs at 2 % of the places", |draw| {
        masked(draw, f64::NAN, |draw, _, _| draw.chance(0.02))
    }),
    maker("nan-rows", "every eighth row is NaN", |draw| masked(draw, f64::NAN, |_, row, _| row % 8 == 5)),
    maker("nan-blob-in-smooth", "a smooth field with a disc of NaNs", |draw| {
        draw.float()?;
        let specimen = draw.at_each(|_, row, col| {
            let (y, x) = (row as f64 / ROWS as f64 - 0.5, col as f64 / COLS as f64 - 0.4);
            if x * x + y * y < 0.06 { f64::NAN } else { (7.0 * x).sin() + (5.0 * y + 1.0).cos() }
        });
        Some(specimen.masked(f64::is_nan))
    }),
    maker("nan-everywhere", "nothing but NaNs", |draw| masked(draw, f64::NAN, |_, _, _| true)),
    maker("nan-one", "a single NaN", |draw| masked(draw, f64::NAN, |_, row, col| (row, col) == (40, 77))),
    maker("nan-payloads", "NaNs of random payloads at 1 % of the places", |draw| {
        draw.float()?;
        let mut specimen = masked(draw, f64::NAN, |draw, _, _| draw.chance(0.01))?;
        let size = draw.dtype.size();
        if draw.dtype == DType::F8E4M3 {
            return None;
        }
        for (value, &is_nan) in specimen.tensor.bytes.chunks_exact_mut(size).zip(&specimen.mask) {
            if is_nan {
                // Any low bit makes another NaN; the highest is the sign.
                value[0] |= draw.bytes(1)[0] & if size == 1 { 0x81 } else { 0xff };
            }
        }
        Some(specimen)
    }),
    maker("infinite-above-diagonal", "scores with −∞ above the diagonal", |draw| {
        masked(draw, f64::NEG_INFINITY, |_, row, col| col > row)
    }),
    maker("infinite-scattered", "+∞ and −∞ at 2 % of the places", |draw| {
        draw.numbers.has_infinity().then_some(())?;
        let specimen = draw.at_each(|draw, _, _| match draw.below(100) {
            0 => f64::INFINITY,
            1 => f64::NEG_INFINITY,
            _ => draw.value(),
        });
        Some(specimen.masked(f64::is_infinite))
    }),
    maker("infinite-mask", "an additive mask: zeros, and −∞ above the diagonal", |draw| {
        draw.numbers.has_infinity().then_some(())?;
        Some(draw.at_each(|_, row, col| if col > row { f64::NEG_INFINITY } else { 0.0 }))
    }),
    maker(
        "every-special",
        "NaNs, infinities, zeros of both signs, subnormals and the largest among ordinary values",
        |draw| {
            draw.float()?;
            let numbers = draw.numbers;
            Some(draw.at_each(|draw, row, col| match (row * COLS + col) % 64 {
                7 => f64::NAN,
                19 => f64::INFINITY,
                23 => f64::NEG_INFINITY,
                31 => -0.0,
                41 => numbers.smallest,
                53 => -numbers.smallest_normal,
                61 if row == 50 => numbers.largest,
                _ => draw.value(),
            }))
        },
    ),
    maker("fill-rectangle", "9.96921e36, the fill value of netCDF, in a rectangle", |draw| {
        filled(draw, NETCDF, in_rectangle)
    }),
    maker("fill-rows", "9.96921e36 in two rows of five", |draw| {
        filled(draw, NETCDF, |_, row, _| row % 5 < 2)
    }),
    maker("fill-scattered", "9.96921e36 at a tenth of the places", |draw| {
        filled(draw, NETCDF, |draw, _, _| draw.chance(0.1))
    }),
    maker("minus-1e4-above-diagonal", "scores with −10,000 above the diagonal", |draw| {
        filled(draw, -1e4, |_, row, col| col > row)
    }),
    maker("lowest-above-diagonal", "scores with the lowest finite value above the diagonal", |draw| {
        let lowest = draw.numbers.lowest;
        filled(draw, lowest, |_, row, col| col > row)
    }),
    maker("minus-999-scattered", "−999 at a twentieth of the places", |draw| {
        filled(draw, -999.0, |draw, _, _| draw.chance(0.05))
    }),
    maker("padding", "integers with the same padding behind a random length in each row", |draw| {
        draw.integer()?;
        let fill = if draw.numbers.lowest < 0.0 { -100.0 } else { 0.0 };
        let lengths: Vec<usize> = (0..ROWS).map(|_| draw.below(COLS)).collect();
        let specimen = draw.at_each(|draw, row, col| {
            if col >= lengths[row] { fill } else { 1.0 + draw.value().abs().min(0.9 * draw.numbers.largest) }
        });
        Some(specimen.masked(|value| value == fill))
    }),
];

/// The default fill value of netCDF for floats.
const NETCDF: f64 = 9.969_209_968_386_869e36;

fn in_rectangle(_: &mut Draw, row: usize, col: usize) -> bool {
    (20..70).contains(&row) && (30..90).contains(&col)
}

/// Ordinary values with a NaN or an infinity where `hides` says so.
fn masked(
    draw: &mut Draw,
    special: f64,
    hides: impl Fn(&mut Draw, usize, usize) -> bool,
) -> Option<Specimen> {
    draw.float()?;
    if special.is_infinite() && !draw.numbers.has_infinity() {
        return None;
    }
    let specimen = draw.at_each(|draw, row, col| if hides(draw, row, col) { special } else { draw.value() });
    Some(specimen.masked(|value| !value.is_finite()))
}

/// Ordinary values with a fill value where `hides` says so.
fn filled(draw: &mut Draw, fill: f64, hides: impl Fn(&mut Draw, usize, usize) -> bool) -> Option<Specimen> {
    draw.float()?;
    draw.holds(fill.abs())?;
    let specimen = draw.at_each(|draw, row, col| if hides(draw, row, col) { fill } else { draw.value() });
    let near = 0.1 * fill.abs();
    Some(specimen.masked(|value| (value - fill).abs() <= near))
}
