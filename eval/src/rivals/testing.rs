//! What the tests of the rivals share.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, StandardNormal};

use super::{Matrix, Quantised};
use crate::Result;

/// Values of N(0, 1).
pub(crate) fn gaussian(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = SmallRng::seed_from_u64(seed);
    (0..count).map(|_| StandardNormal.sample(&mut rng)).collect()
}

/// Normalised error on 256 rows of 576 values of N(0, 1).
pub(super) fn nmse(quantise: impl Fn(&Matrix<'_>) -> Result<Quantised>) -> f64 {
    let values = gaussian(256 * 576, 1);
    let coded = quantise(&Matrix { rows: 256, cols: 576, values: &values }).unwrap();
    coded.nmse(&values)
}

/// Runs a quantiser on shapes that are nobody's favourite: all values come back, finite, and NaN is refused.
pub(super) fn takes_any_shape(quantise: impl Fn(&Matrix<'_>) -> Result<Quantised>) {
    for (rows, cols) in [(0, 0), (0, 5), (5, 0), (1, 1), (3, 7), (2, 33), (1, 130), (67, 1)] {
        for scale in [0.0, 1e-30, 1e-7, 1.0, 1e4, 1e30] {
            let values: Vec<f32> = gaussian(rows * cols, 3).iter().map(|value| value * scale).collect();
            let coded = quantise(&Matrix { rows, cols, values: &values }).unwrap();
            assert_eq!(coded.values.len(), values.len());
            assert!(coded.values.iter().all(|value| value.is_finite()), "{rows} × {cols} at {scale}");
        }
    }
    assert!(quantise(&Matrix { rows: 1, cols: 2, values: &[1.0, f32::NAN] }).is_err());
    assert!(quantise(&Matrix { rows: 1, cols: 2, values: &[f32::INFINITY, 0.0] }).is_err());
    assert!(quantise(&Matrix { rows: 2, cols: 2, values: &[1.0] }).is_err());
}

/// Products of inputs whose columns go together.
pub(crate) fn products(cols: usize) -> Vec<f32> {
    let inputs: Vec<Vec<f32>> = gaussian(200 * cols, 5)
        .chunks_exact(cols)
        .map(|row| {
            let mut sum = 0.0;
            row.iter()
                .map(|value| {
                    sum = 0.9 * sum + value;
                    sum
                })
                .collect()
        })
        .collect();
    (0..cols * cols)
        .map(|at| inputs.iter().map(|input| input[at / cols] * input[at % cols]).sum::<f32>() / 200.0)
        .collect()
}
