//! Levels at the quantiles of a normal distribution (QLoRA's NF4, arXiv 2305.14314).

use std::f64::consts::PI;

use super::float8::{LARGEST, e4m3};
use super::kmeans::nearest_of;
use super::{Matrix, Quantised, to_half};
use crate::Result;

/// Values that share a scale.
const GROUP: usize = 64;
/// Scales that share a scale, where they are quantised in turn.
const SCALES: usize = 256;

/// How the scales of NF4 are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scales {
    /// In 16 bits each.
    Half,
    /// Their distances from their mean as 8-bit floats, with an f32 scale for each 256: 8.125 bits each.
    Double,
}

/// Quantises groups of 64 values of a row to 16 levels between minus and plus their largest magnitude.
///
/// # Errors
/// [`crate::Error::Call`] for a wrong shape and values that are not finite.
pub fn nf4(matrix: &Matrix<'_>, scales: Scales) -> Result<Quantised> {
    matrix.check()?;
    let rows = matrix.values.chunks(matrix.cols.max(1));
    let largest = |group: &[f32]| group.iter().fold(0f32, |most, value| most.max(value.abs()));
    let mut all: Vec<f32> = rows.flat_map(|row| row.chunks(GROUP).map(largest)).collect();
    let side = match scales {
        Scales::Half => {
            all.iter_mut().for_each(|scale| *scale = to_half(*scale));
            16 * all.len() as u64
        }
        Scales::Double => quantise_scales(&mut all),
    };
    let levels = levels();
    let mut coded = Quantised { values: Vec::with_capacity(matrix.values.len()), bits: side };
    let groups = matrix.values.chunks(matrix.cols.max(1)).flat_map(|row| row.chunks(GROUP));
    for (group, scale) in groups.zip(all) {
        let code = |&value: &f32| if scale > 0.0 { nearest_of(&levels, value / scale) * scale } else { 0.0 };
        coded.values.extend(group.iter().map(code));
        coded.bits += 4 * group.len() as u64;
    }
    Ok(coded)
}

/// Puts scales as they come back in their place, and counts their bits.
fn quantise_scales(scales: &mut [f32]) -> u64 {
    let mean = scales.iter().map(|&scale| f64::from(scale)).sum::<f64>() / scales.len().max(1) as f64;
    #[expect(clippy::cast_possible_truncation, reason = "a mean of f32 values")]
    let mean = mean as f32;
    for group in scales.chunks_mut(SCALES) {
        let step = group.iter().fold(0f32, |most, scale| most.max((scale - mean).abs())) / LARGEST;
        for scale in group {
            let distance = if step > 0.0 { e4m3((*scale - mean) / step) * step } else { 0.0 };
            *scale = (mean + distance).max(0.0);
        }
    }
    8 * scales.len() as u64 + 32 * scales.len().div_ceil(SCALES) as u64 + 32
}

/// The 16 levels: 0, and quantiles of N(0, 1) over the largest, at 8 even steps from a half to `OFFSET` above 0 and at 7
/// below. `OFFSET` is half a step of either within the distribution, on average.
fn levels() -> Vec<f32> {
    const OFFSET: f64 = 1.0 - (1.0 / 32.0 + 1.0 / 30.0) / 2.0;
    let most = quantile(OFFSET);
    let side = |steps: u32, sign: f64| {
        (1..=steps).map(move |step| {
            sign * quantile(0.5 + (OFFSET - 0.5) * f64::from(step) / f64::from(steps)) / most
        })
    };
    #[expect(clippy::cast_possible_truncation, reason = "levels are f32")]
    let mut levels: Vec<f32> =
        side(7, -1.0).chain([0.0]).chain(side(8, 1.0)).map(|level| level as f32).collect();
    levels.sort_unstable_by(f32::total_cmp);
    levels
}

/// Where N(0, 1) has this share, 0.5 to 0.999, of its mass below.
fn quantile(share: f64) -> f64 {
    // Φ(x) = ½ + φ(x) (x + x³/3 + x⁵/15 + …), Marsaglia 2004.
    let below = |x: f64| {
        let (mut term, mut sum) = (x, 0.0);
        for odd in (3..200u32).step_by(2) {
            sum += term;
            term *= x * x / f64::from(odd);
        }
        0.5 + sum * (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
    };
    let (mut low, mut high) = (0.0, 4.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if below(middle) < share { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::super::testing::{gaussian, nmse, takes_any_shape};
    use super::*;

    #[test]
    fn levels_are_those_that_were_published() {
        // QLoRA, appendix E.
        let published = [
            -1.0,
            -0.696_192_8,
            -0.525_073_05,
            -0.394_917_5,
            -0.284_441_38,
            -0.184_773_43,
            -0.091_050_036,
            0.0,
            0.079_580_3,
            0.160_930_2,
            0.246_112_3,
            0.337_915_24,
            0.440_709_83,
            0.562_617,
            0.722_956_84,
            1.0,
        ];
        let levels = levels();
        assert_eq!(levels.len(), 16);
        assert!(levels.iter().zip(published).all(|(a, b): (&f32, f32)| (a - b).abs() < 3e-7), "{levels:?}");
    }

    #[test]
    fn the_error_on_gaussian_values_is_near_that_of_the_best_levels() {
        let error = nmse(|matrix| nf4(matrix, Scales::Half));
        assert!((0.0080..0.0100).contains(&error), "{error}");
        let double = nmse(|matrix| nf4(matrix, Scales::Double));
        assert!((error..error * 1.05).contains(&double), "{double} instead of {error}");
    }

    #[test]
    fn bits_of_scales_are_counted() {
        let values = gaussian(3 * 130, 1);
        let matrix = Matrix { rows: 3, cols: 130, values: &values };
        // Three groups by row, the last of 2 values.
        assert_eq!(nf4(&matrix, Scales::Half).unwrap().bits, 390 * 4 + 9 * 16);
        assert_eq!(nf4(&matrix, Scales::Double).unwrap().bits, 390 * 4 + 9 * 8 + 32 + 32);
    }

    #[test]
    fn what_was_quantised_comes_back() {
        let values = gaussian(64 * 4, 2);
        let matrix = Matrix { rows: 4, cols: 64, values: &values };
        let once = nf4(&matrix, Scales::Half).unwrap();
        let twice = nf4(&Matrix { values: &once.values, ..matrix }, Scales::Half).unwrap();
        assert!(twice.nmse(&once.values) < 1e-12);
    }

    #[test]
    fn any_shape_is_coded() {
        takes_any_shape(|matrix| nf4(matrix, Scales::Half));
        takes_any_shape(|matrix| nf4(matrix, Scales::Double));
    }
}
