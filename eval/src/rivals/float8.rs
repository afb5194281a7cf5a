//! Floats of 8 bits with 4 of exponent and 3 of mantissa (E4M3, arXiv 2209.05433).

use super::{Matrix, Quantised};
use crate::Result;

/// The largest value.
pub(super) const LARGEST: f32 = 448.0;

/// The nearest E4M3 value, ties to even; the largest one for what is beyond.
pub(super) fn e4m3(value: f32) -> f32 {
    // Below 2^-6, values stand as far apart as above it.
    let exponent = ((value.abs().to_bits() >> 23).cast_signed() - 127).clamp(-6, 8);
    let apart = 2f32.powi(exponent - 3);
    ((value / apart).round_ties_even() * apart).clamp(-LARGEST, LARGEST)
}

/// Quantises to E4M3 with one f32 scale that brings the largest value of the matrix to the format's.
///
/// # Errors
/// [`crate::Error::Call`] for a wrong shape and values that are not finite.
pub fn fp8(matrix: &Matrix<'_>) -> Result<Quantised> {
    let scale = matrix.values.iter().fold(0f32, |most, value| most.max(value.abs())) / LARGEST;
    let mut coded = matrix.by_rows(|row, out| {
        let codes = row.iter().map(|&value| if scale > 0.0 { e4m3(value / scale) * scale } else { 0.0 });
        out.iter_mut().zip(codes).for_each(|(out, code)| *out = code);
        8 * row.len() as u64
    })?;
    coded.bits += 32;
    Ok(coded)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{nmse, takes_any_shape};
    use super::*;

    /// All positive values, from their bits.
    fn all() -> Vec<f32> {
        let value = |exponent: i32, mantissa: i32| match exponent {
            0 => mantissa as f32 * 2f32.powi(-9),
            _ => (8 + mantissa) as f32 * 2f32.powi(exponent - 10),
        };
        // The last one would be 480, but stands for NaN.
        (0..127).map(|bits| value(bits >> 3, bits & 7)).collect()
    }

    #[test]
    fn every_value_stands_for_itself_and_draws_what_is_nearer() {
        let all = all();
        assert_eq!(all.last(), Some(&LARGEST));
        for (index, pair) in all.windows(2).enumerate() {
            assert_eq!((e4m3(pair[0]), e4m3(-pair[1])), (pair[0], -pair[1]));
            let middle = f32::midpoint(pair[0], pair[1]);
            assert_eq!(e4m3(middle.next_down()), pair[0]);
            assert_eq!(e4m3(middle.next_up()), pair[1]);
            assert_eq!(e4m3(middle), pair[index & 1], "ties go to even bits");
        }
        assert_eq!((e4m3(1e9), e4m3(-460.0)), (LARGEST, -LARGEST));
    }

    #[test]
    fn three_bits_of_mantissa_leave_their_error() {
        // Steps of 1/8 to 1/16 of a value, evenly over an octave: about 2^-10.5.
        let error = nmse(fp8);
        assert!((5e-4..9e-4).contains(&error), "{error}");
    }

    #[test]
    fn bits_are_8_by_value_and_32_by_tensor() {
        let values = [448.0, -2.0, 0.0, 17.0, 1.0, 3.0];
        let coded = fp8(&Matrix { rows: 2, cols: 3, values: &values }).unwrap();
        assert_eq!(coded.values, [448.0, -2.0, 0.0, 16.0, 1.0, 3.0]);
        assert_eq!(coded.bits, 6 * 8 + 32);
    }

    #[test]
    fn any_shape_is_coded() {
        takes_any_shape(fp8);
    }
}
