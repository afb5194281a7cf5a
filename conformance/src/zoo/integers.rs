//! Integers of every width, and booleans.

use telecine_core::DType;

use super::draw::{COLS, Draw, ROWS};
use super::{Maker, Specimen, maker};

pub(super) const MAKERS: &[Maker] = &[
    maker("integers-full-range", "every bit random", |draw| {
        draw.integer()?;
        let bytes = draw.bytes(ROWS * COLS * draw.dtype.size());
        Some(Specimen::of(draw.dtype, &[ROWS as u64, COLS as u64], bytes))
    }),
    maker("integers-extremes", "the lowest, the largest, 0 and 1", |draw| {
        draw.integer()?;
        let all = [draw.numbers.lowest, draw.numbers.largest, 0.0, 1.0];
        Some(draw.at_each(|draw, _, _| all[draw.below(4)]))
    }),
    maker("timestamps", "microseconds that grow by about 1,000", |draw| {
        let start = match draw.dtype {
            DType::I64 | DType::U64 => 1.7e15,
            DType::I32 | DType::U32 => 1e9,
            _ => return None,
        };
        let mut at = start;
        Some(draw.at_each(|draw, _, _| {
            at += (1000.0 + 30.0 * draw.normal()).round();
            at
        }))
    }),
    maker("timestamps-nanoseconds", "64-bit nanoseconds beyond the whole numbers of f64", |draw| {
        if !matches!(draw.dtype, DType::I64 | DType::U64) {
            return None;
        }
        let mut at = 1_700_000_000_000_000_000u64;
        let mut bytes = Vec::new();
        for _ in 0..ROWS * COLS {
            at += draw.below(2_000_000) as u64;
            bytes.extend_from_slice(&at.to_le_bytes());
        }
        Some(Specimen::of(draw.dtype, &[ROWS as u64, COLS as u64], bytes))
    }),
    maker("ids", "ids below 30,000, the small ones far more often", |draw| {
        draw.integer()?;
        let most = draw.numbers.largest.min(30_000.0);
        Some(draw.at_each(|draw, _, _| most.powf(draw.uniform()).floor()))
    }),
    maker("counter", "0, 1, 2 and so on, from 0 again beyond the largest", |draw| {
        draw.integer()?;
        let period = draw.numbers.largest.min(1e9) + 1.0;
        Some(draw.at_each(|_, row, col| (row * COLS + col) as f64 % period))
    }),
    maker("small-integers", "whole numbers from 0 to 3, most of them 0", |draw| {
        draw.integer()?;
        Some(draw.at_each(|draw, _, _| (draw.uniform().powi(4) * 4.0).floor()))
    }),
    maker("booleans", "true and false alike", |draw| bools(draw, |draw, _, _| draw.chance(0.5))),
    maker("booleans-rare", "true at a hundredth of the places", |draw| {
        bools(draw, |draw, _, _| draw.chance(0.01))
    }),
    maker("booleans-triangle", "true up to the diagonal", |draw| bools(draw, |_, row, col| col <= row)),
    maker("booleans-true", "nothing but true", |draw| bools(draw, |_, _, _| true)),
];

fn bools(draw: &mut Draw, is: impl Fn(&mut Draw, usize, usize) -> bool) -> Option<Specimen> {
    (draw.dtype == DType::Bool).then_some(())?;
    Some(draw.at_each(|draw, row, col| f64::from(u8::from(is(draw, row, col)))))
}
