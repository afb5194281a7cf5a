//! From a few directions to an orthonormal basis of the whole space, by Householder reflections.
//!
//! All arithmetic is f64, one multiplication or addition at a time and in a fixed order, so that every CPU makes the same
//! basis of the same directions.

use crate::{Error, Result};

/// What must be left of a direction beside those before it, relative to its length.
const INDEPENDENT: f64 = 1e-3;

/// `x − 2 v vᵀ x / vᵀ v` for the coordinates from `start` on.
struct Reflection {
    start: usize,
    v: Vec<f64>,
    /// `2 / vᵀ v`.
    factor: f64,
}

impl Reflection {
    /// Reflects the columns from `first` on of a matrix of `cols` columns.
    fn apply(&self, matrix: &mut [f64], cols: usize, first: usize) {
        // Columns side by side, so that each sum has its own order.
        let mut sums = vec![0.0; cols - first];
        let rows = matrix[self.start * cols..].chunks_exact(cols).zip(&self.v);
        for (row, v) in rows {
            sums.iter_mut().zip(&row[first..]).for_each(|(sum, value)| *sum += v * value);
        }
        sums.iter_mut().for_each(|sum| *sum *= self.factor);
        let rows = matrix[self.start * cols..].chunks_exact_mut(cols).zip(&self.v);
        for (row, v) in rows {
            row[first..].iter_mut().zip(&sums).for_each(|(value, sum)| *value -= v * sum);
        }
    }
}

/// An orthonormal `cols` × `cols` matrix, row by row, whose first columns are the directions made orthonormal in turn.
///
/// # Errors
/// [`Error::Invalid`] for more directions than columns, and for one that the others leave nothing of.
pub(super) fn complete(cols: usize, directions: &[i8]) -> Result<Vec<f32>> {
    let count = directions.len() / cols;
    if count > cols {
        return Err(Error::invalid(format!(
            "{count} directions in {cols} columns: there are no more than {cols}"
        )));
    }
    // One direction per column.
    let mut left: Vec<f64> =
        (0..cols * count).map(|at| f64::from(directions[at % count * cols + at / count])).collect();
    let lengths: Vec<f64> = directions
        .chunks_exact(cols)
        .map(|direction| direction.iter().map(|&n| f64::from(n) * f64::from(n)).sum::<f64>().sqrt())
        .collect();
    let mut reflections = Vec::with_capacity(count);
    let mut signs = vec![1.0; cols];
    for at in 0..count {
        let mut v: Vec<f64> = (at..cols).map(|row| left[row * count + at]).collect();
        let length = v.iter().map(|value| value * value).sum::<f64>().sqrt();
        if length <= INDEPENDENT * lengths[at] {
            return Err(Error::invalid(format!("direction {at} is zero or lies among those before it")));
        }
        // Away from the axis that it lies nearest to, so that nothing cancels.
        let along = if v[0] > 0.0 { -length } else { length };
        v[0] -= along;
        signs[at] = if along < 0.0 { -1.0 } else { 1.0 };
        let square = v.iter().map(|value| value * value).sum::<f64>();
        let reflection = Reflection { start: at, v, factor: 2.0 / square };
        reflection.apply(&mut left, count, at);
        reflections.push(reflection);
    }
    let mut basis = vec![0.0; cols * cols];
    (0..cols).for_each(|at| basis[at * (cols + 1)] = 1.0);
    for reflection in reflections.iter().rev() {
        reflection.apply(&mut basis, cols, reflection.start);
    }
    #[expect(clippy::cast_possible_truncation, reason = "rounded to f32")]
    let rounded = |row: &[f64]| -> Vec<f32> {
        row.iter().zip(&signs).map(|(value, sign)| (value * sign) as f32).collect()
    };
    Ok(basis.chunks_exact(cols).flat_map(rounded).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Orthonormal, and every direction within the span of the vectors up to its own, on its positive side.
        #[test]
        fn the_first_vectors_span_what_the_directions_span(
            (cols, directions) in (1usize..20).prop_flat_map(|cols| {
                (1..=cols).prop_flat_map(move |count| {
                    (Just(cols), proptest::collection::vec(any::<i8>(), cols * count))
                })
            }),
        ) {
            let Ok(basis) = complete(cols, &directions) else {
                return Ok(());
            };
            let product = |a: usize, b: usize| -> f64 {
                (0..cols).map(|row| f64::from(basis[row * cols + a]) * f64::from(basis[row * cols + b])).sum()
            };
            for (a, b) in (0..cols).flat_map(|a| (0..cols).map(move |b| (a, b))) {
                let wanted = f64::from(u8::from(a == b));
                prop_assert!((product(a, b) - wanted).abs() < 1e-5, "{} {}", a, b);
            }
            for (index, direction) in directions.chunks_exact(cols).enumerate() {
                let length = direction.iter().map(|&n| f64::from(n).powi(2)).sum::<f64>().sqrt();
                let along = |col: usize| -> f64 {
                    (0..cols).map(|row| f64::from(direction[row]) * f64::from(basis[row * cols + col])).sum()
                };
                prop_assert!(along(index) > 0.0);
                for col in index + 1..cols {
                    prop_assert!(along(col).abs() < 1e-5 * length, "{} {}", index, col);
                }
            }
        }
    }

    #[test]
    fn by_hand() {
        // (3, 4) / 5, and what is left of (1, 0): along (4, −3) / 5.
        let basis = complete(2, &[3, 4, 1, 0]).unwrap();
        for (value, wanted) in basis.iter().zip([0.6, 0.8, 0.8, -0.6]) {
            assert!((value - wanted).abs() < 1e-7, "{basis:?}");
        }
        assert_eq!(complete(1, &[-7]).unwrap(), [-1.0]);
    }

    #[test]
    fn what_has_no_direction_is_refused() {
        for (cols, directions) in [(2, vec![0, 0]), (2, vec![1, 2, 2, 4]), (1, vec![1, 1])] {
            assert!(matches!(complete(cols, &directions), Err(Error::Invalid(_))), "{directions:?}");
        }
    }

    /// Stored bases are found by a hash of their values: these may never change.
    #[test]
    fn values_are_the_same_everywhere() {
        let directions: Vec<i8> =
            (0..3 * 8).map(|at: i32| i8::try_from((at * at * 7 + 3 * at) % 251 - 125).unwrap()).collect();
        let basis = super::super::Basis::of_directions(8, directions).unwrap();
        assert_eq!(basis.id(), 0x8fad7ddfbbc21340);
    }
}
