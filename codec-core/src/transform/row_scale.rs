//! Row scaling: each row over its rms, relative to the chunk's rms.
//!
//! Side bytes: one per row; 0 for a row of zeros, else `b` for a scale of `2^((b − 128) / 8)`. Not orthonormal: the
//! error of a row grows with the row, so that every row has about the same relative error.

use crate::{Error, Result};

/// 2^(i/8), rounded to f32.
const EIGHTHS: [f32; 8] = [
    1.0,
    1.090_507_7,
    1.189_207_1,
    1.296_839_6,
    std::f32::consts::SQRT_2,
    1.542_210_8,
    1.681_792_8,
    1.834_008,
];

/// The scale of a side byte.
pub(crate) fn scale(byte: u8) -> f32 {
    if byte == 0 {
        return 1.0;
    }
    let eighths = i32::from(byte) - 128;
    let octave = f32::from_bits(((eighths.div_euclid(8) + 127).unsigned_abs()) << 23);
    EIGHTHS[eighths.rem_euclid(8).unsigned_abs() as usize] * octave
}

/// Divides the rows and appends their scales to `side`.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
pub(super) fn forward(values: &mut [f32], cols: usize, side: &mut Vec<u8>) {
    let energy = |row: &[f32]| row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>();
    let mean = energy(values) / values.len().max(1) as f64;
    for row in values.chunks_exact_mut(cols) {
        let ratio = energy(row) / cols as f64 / mean;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
        let byte = if ratio > 0.0 { (128.0 + 4.0 * ratio.log2()).round().clamp(1.0, 255.0) as u8 } else { 0 };
        side.push(byte);
        let factor = 1.0 / scale(byte);
        row.iter_mut().for_each(|value| *value *= factor);
    }
}

/// Multiplies the rows back.
pub(super) fn inverse(values: &mut [f32], rows: usize, cols: usize, side: &mut &[u8]) -> Result<()> {
    let short = || Error::corrupt("side information ends within the row scales");
    let (scales, rest) = side.split_at_checked(rows).ok_or_else(short)?;
    *side = rest;
    for (row, &byte) in values.chunks_exact_mut(cols).zip(scales) {
        let factor = scale(byte);
        row.iter_mut().for_each(|value| *value *= factor);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_eighths_of_octaves() {
        for byte in 1..=255u8 {
            let wanted = ((f64::from(byte) - 128.0) / 8.0).exp2();
            assert!((f64::from(scale(byte)) / wanted - 1.0).abs() < 1e-6, "{byte}");
        }
    }

    #[test]
    fn rows_come_out_alike() {
        let mut values: Vec<f32> =
            (0..80).map(|i| (1 << (i / 8)) as f32 * if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        forward(&mut values, 8, &mut Vec::new());
        let (low, high) = values.iter().fold((f32::MAX, 0f32), |(a, b), v| (a.min(v.abs()), b.max(v.abs())));
        assert!(high / low < 1.1, "{low} {high}");
    }
}
