//! Odd shapes, and tensors whose chunks are unlike each other.

use super::draw::Draw;
use super::{Maker, Specimen, maker};

pub(super) const MAKERS: &[Maker] = &[
    maker("scalar", "one value without dimensions", |draw| Some(draw.gaussian(&[]))),
    maker("single", "one value", |draw| Some(draw.gaussian(&[1]))),
    maker("empty", "no values", |draw| Some(draw.gaussian(&[0]))),
    maker("empty-4-0-3", "no values in three dimensions", |draw| Some(draw.gaussian(&[4, 0, 3]))),
    maker("tiny", "15 values", |draw| Some(draw.gaussian(&[3, 5]))),
    maker("lora", "the shape of a low-rank adapter", |draw| Some(draw.gaussian(&[4, 320]))),
    maker("lora-tall", "the shape of a low-rank adapter's other half", |draw| Some(draw.gaussian(&[320, 4]))),
    maker("vector", "one dimension", |draw| Some(draw.gaussian(&[5000]))),
    maker("row", "one row", |draw| Some(draw.gaussian(&[1, 8192]))),
    maker("column", "one column", |draw| Some(draw.gaussian(&[8192, 1]))),
    maker("convolution", "kernels of 3 × 3", |draw| Some(draw.gaussian(&[24, 16, 3, 3]))),
    maker("pointwise", "kernels of 1 × 1", |draw| Some(draw.gaussian(&[96, 96, 1, 1]))),
    maker("heads", "keys of 3 heads", |draw| Some(draw.gaussian(&[3, 64, 32]))),
    maker("prime", "a matrix of 101 × 103", |draw| Some(draw.gaussian(&[101, 103]))),
    maker("gaussian-then-zeros", "4 chunks: two Gaussian, two zeros", |draw| {
        Some(by_chunk(draw, |draw, chunk, _| if chunk < 2 { draw.value() } else { 0.0 }))
    }),
    maker("zeros-then-gaussian", "4 chunks: three of zeros, one Gaussian", |draw| {
        Some(by_chunk(draw, |draw, chunk, _| if chunk == 3 { draw.value() } else { 0.0 }))
    }),
    maker("calm-middle", "4 chunks: Gaussian at both ends, zeros in the middle of each", |draw| {
        Some(by_chunk(draw, |draw, _, at| if (0.2..0.8).contains(&at) { 0.0 } else { draw.value() }))
    }),
    maker("loud-middle", "4 chunks: Gaussian in the middle of each, zeros at both ends", |draw| {
        Some(by_chunk(draw, |draw, _, at| if (0.4..0.6).contains(&at) { draw.value() } else { 0.0 }))
    }),
    maker("calm-then-storm", "4 chunks: each 100 × the scale of the one before", |draw| {
        draw.float()?;
        Some(by_chunk(draw, |draw, chunk, _| draw.value() * [1e-3, 1e-1, 1e1, 1e3][chunk]))
    }),
    maker("storm-then-calm", "4 chunks: each a hundredth of the scale of the one before", |draw| {
        draw.float()?;
        Some(by_chunk(draw, |draw, chunk, _| draw.value() * [1e3, 1e1, 1e-1, 1e-3][chunk]))
    }),
    maker("one-chunk-nan", "4 chunks: one of NaNs", |draw| {
        draw.float()?;
        Some(by_chunk(draw, |draw, chunk, _| if chunk == 2 { f64::NAN } else { draw.value() }))
    }),
    maker("one-chunk-constant", "4 chunks: one of a single value", |draw| {
        Some(by_chunk(draw, |draw, chunk, _| if chunk == 1 { draw.unit() } else { draw.value() }))
    }),
    maker("one-chunk-smooth", "4 chunks: one smooth, three Gaussian", |draw| {
        draw.float()?;
        Some(by_chunk(draw, |draw, chunk, at| if chunk == 0 { (20.0 * at).sin() } else { draw.value() }))
    }),
    maker("one-chunk-huge", "4 chunks: one 10⁶ × as large as the others", |draw| {
        draw.float()?;
        draw.holds(1e7)?;
        Some(by_chunk(draw, |draw, chunk, _| if chunk == 3 { 1e6 * draw.value() } else { draw.value() }))
    }),
];

const CHUNK: usize = 64 * 128;

/// Four chunks of 64 rows each; values by number of the chunk and place within it from 0 to 1.
fn by_chunk(draw: &mut Draw, mut value: impl FnMut(&mut Draw, usize, f64) -> f64) -> Specimen {
    let values: Vec<f64> =
        (0..4 * CHUNK).map(|at| value(draw, at / CHUNK, (at % CHUNK) as f64 / CHUNK as f64)).collect();
    draw.shaped(&[256, 128], &values).in_chunks(CHUNK as u64)
}
