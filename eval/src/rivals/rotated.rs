//! A Hadamard rotation around a quantiser, as llama.cpp has it for its caches.

use super::{Matrix, Quantised};
use crate::{Error, Result};

/// Rotates every `size` values of a row before `quantise`, and back behind it.
///
/// # Errors
/// [`Error::Call`] for a size that is no power of two or does not divide the columns; as `quantise`.
pub fn rotated(
    matrix: &Matrix<'_>,
    size: usize,
    quantise: &dyn Fn(&Matrix<'_>) -> Result<Quantised>,
) -> Result<Quantised> {
    matrix.check()?;
    if !size.is_power_of_two() || !matrix.cols.is_multiple_of(size) {
        return Err(Error::call(format!("a rotation of {size} of {} columns", matrix.cols)));
    }
    let mut turned = matrix.values.to_vec();
    turned.chunks_exact_mut(size).for_each(hadamard);
    let mut coded = quantise(&Matrix { values: &turned, ..*matrix })?;
    coded.values.chunks_exact_mut(size).for_each(hadamard);
    Ok(coded)
}

/// The orthonormal transform, which is its own inverse.
fn hadamard(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    #[expect(clippy::cast_precision_loss, reason = "a small power of two")]
    let scale = 1.0 / (values.len() as f32).sqrt();
    values.iter_mut().for_each(|value| *value *= scale);
}

#[cfg(test)]
mod tests {
    use super::super::testing::gaussian;
    use super::super::{Grid, rtn};
    use super::*;

    #[test]
    fn a_rotation_and_back_changes_nothing() {
        let values = gaussian(4 * 64, 9);
        let matrix = Matrix { rows: 4, cols: 64, values: &values };
        let same = |matrix: &Matrix<'_>| Ok(Quantised { values: matrix.values.to_vec(), bits: 7 });
        let coded = rotated(&matrix, 32, &same).unwrap();
        assert_eq!(coded.bits, 7);
        assert!(coded.nmse(&values) < 1e-12);
        assert!(rotated(&matrix, 48, &same).is_err() && rotated(&matrix, 128, &same).is_err());
    }

    #[test]
    fn one_large_column_is_spread() {
        let values: Vec<f32> = gaussian(64 * 64, 9)
            .iter()
            .enumerate()
            .map(|(at, v)| if at % 64 == 3 { 20.0 } else { *v })
            .collect();
        let matrix = Matrix { rows: 64, cols: 64, values: &values };
        let plain = |matrix: &Matrix<'_>| rtn(matrix, &Grid::new(4, 32));
        let error = rotated(&matrix, 64, &plain).unwrap().nmse(&values);
        assert!(error < 0.5 * plain(&matrix).unwrap().nmse(&values), "{error}");
    }
}
