//! Column scaling: each column over a scale that is larger the less its error counts.
//!
//! Side bytes: one per column; 0 for a column that decodes to zeros, else `b` for a scale of `2^((b − 128) / 8)`. Not
//! orthonormal: the error of a column grows with its scale, so that what is even in the scaled values is least in the
//! weighted error. A column whose scaled values lie below the quantiser's noise would come back as noise many times
//! larger than itself: it is left out instead, which costs no bits and is the smaller error (reverse water-filling).

pub(crate) use super::row_scale::scale;
use crate::{Error, Importance, Result};

/// The byte of the scale 1.
const ONE: f64 = 128.0;
/// Steps of a byte in an octave of weight, whose root is the scale.
const STEPS: f64 = 4.0;
/// A weight below the median of those above 0 by more than this factor is taken for so much: a scale of 64 medians.
/// What no calibration sample used may still be needed, and from 6 bits per value on some of it is kept.
const LEAST: f64 = 1.0 / 4096.0;

/// The side bytes for these weights of mean 1: scales of `√(1 / weight)`, none of them 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
pub(crate) fn scales(weights: &[f64]) -> Vec<u8> {
    let mut above: Vec<f64> = weights.iter().copied().filter(|&weight| weight > 0.0).collect();
    above.sort_unstable_by(f64::total_cmp);
    let least = above.get(above.len().saturating_sub(1) / 2).map_or(1.0, |median| median * LEAST);
    let byte = |weight: &f64| (ONE - STEPS * weight.max(least).log2()).round().clamp(1.0, 255.0) as u8;
    weights.iter().map(byte).collect()
}

/// Divides the columns and appends their scales to `side`; those below the noise of `step` become zeros.
pub(super) fn forward(values: &mut [f32], importance: &Importance, step: f32, side: &mut Vec<u8>) {
    divide(values, importance.scales());
    // A column of great weight can leave the range of f32; what is held within it has an error, and is measured.
    values.iter_mut().for_each(|value| *value = value.clamp(f32::MIN / 2.0, f32::MAX / 2.0));
    let start = side.len();
    side.extend_from_slice(importance.scales());
    drop_noise(values, f64::from(step), &mut side[start..]);
}

/// Makes columns of a mean square below `step² / 12` zeros, and their scales 0.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn drop_noise(values: &mut [f32], step: f64, scales: &mut [u8]) {
    let mut squares = vec![0f64; scales.len()];
    for row in values.chunks_exact(scales.len()) {
        for (sum, &value) in squares.iter_mut().zip(row) {
            *sum += f64::from(value) * f64::from(value);
        }
    }
    let rows = values.len() / scales.len();
    let noise = rows as f64 * step * step / 12.0;
    for (scale, _) in scales.iter_mut().zip(squares).filter(|(_, square)| *square < noise) {
        *scale = 0;
    }
    for row in values.chunks_exact_mut(scales.len()) {
        for (value, _) in row.iter_mut().zip(scales.iter()).filter(|(_, scale)| **scale == 0) {
            *value = 0.0;
        }
    }
}

/// Divides the columns by their scales.
pub(super) fn divide(values: &mut [f32], scales: &[u8]) {
    multiply(values, scales, |byte| 1.0 / scale(byte));
}

/// Multiplies the columns back.
pub(super) fn inverse(values: &mut [f32], cols: usize, side: &mut &[u8]) -> Result<()> {
    let short = || Error::corrupt("side information ends within the column scales");
    let (scales, rest) = side.split_at_checked(cols).ok_or_else(short)?;
    *side = rest;
    multiply(values, scales, |byte| if byte == 0 { 0.0 } else { scale(byte) });
    Ok(())
}

fn multiply(values: &mut [f32], scales: &[u8], factor: impl Fn(u8) -> f32) {
    let factors: Vec<f32> = scales.iter().map(|&byte| factor(byte)).collect();
    for row in values.chunks_exact_mut(factors.len()) {
        for (value, factor) in row.iter_mut().zip(&factors) {
            *value *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_follow_the_root_of_the_weights_within_a_sixteenth_of_an_octave() {
        let weights = [0.02, 1.0, 1.0, 5.0, 0.3];
        for (&byte, weight) in scales(&weights).iter().zip(weights) {
            let octaves = (f64::from(scale(byte)) * weight.sqrt()).log2();
            assert!(octaves.abs() <= 1.0 / 16.0 + 1e-6, "{weight}: {octaves}");
        }
    }

    #[test]
    fn little_weight_and_none_have_64_times_the_median_scale() {
        let bytes = scales(&[1.0, 0.0, 1.0, 1e-30, 1.0, 1e6]);
        assert_eq!(bytes[1], bytes[0] + 48);
        assert_eq!(bytes[3], bytes[1]);
        assert!(bytes[5] < bytes[0]);
        // Whatever the weights, a byte holds their scales.
        assert_eq!(scales(&[1e-300, 1e-300, 1e300]), [255, 255, 1]);
    }

    #[test]
    fn columns_come_back() {
        let importance = Importance::new(&[1.0, 0.0, 1e4]).unwrap();
        let original = [1.0f32, -2.0, 3.0, f32::MAX / 8.0, 0.5, -0.25];
        let (mut values, mut side) = (original, Vec::new());
        forward(&mut values, &importance, 0.0, &mut side);
        assert!(values[1].abs() < 0.001 && values[2] > 3.0 && values.iter().all(|value| value.is_finite()));
        inverse(&mut values, 3, &mut side.as_slice()).unwrap();
        for (a, b) in original.iter().zip(values) {
            assert!((b / a - 1.0).abs() < 1e-5, "{a} {b}");
        }
        assert!(matches!(inverse(&mut values, 3, &mut &side[..2]), Err(Error::Corrupt(_))));
    }

    #[test]
    fn columns_below_the_noise_come_back_as_zeros() {
        let importance = Importance::new(&[1.0, 0.0, 1.0]).unwrap();
        let (mut values, mut side) = ([1.0, -2.0, 3.0, 0.5, 2.0, -1.0], Vec::new());
        forward(&mut values, &importance, 0.5, &mut side);
        assert!(side[0] > 0 && side[1] == 0 && side[2] > 0);
        // Whatever a lossy codec makes of them.
        values[1] = 7.0;
        inverse(&mut values, 3, &mut side.as_slice()).unwrap();
        assert_eq!((values[1], values[4]), (0.0, 0.0));
    }
}
