//! Levels wherever a row's values gather (SqueezeLLM, arXiv 2306.07629, its dense part).

use super::{Matrix, Quantised, to_half};
use crate::{Error, Result};

/// Quantises each row to `2^bits` 16-bit levels of its own, chosen for the least sum of squared errors, each column
/// with its weight.
///
/// The levels are the best that there are, before 16 bits round them: in one dimension, dynamic programming over the
/// sorted values finds them (Wang & Song 2011), where Lloyd's iteration depends on its start.
///
/// # Errors
/// [`Error::Call`] for bits beyond 1 to 8, weights that are negative, not finite or not one by column, a wrong shape and
/// values that are not finite.
pub fn kmeans(matrix: &Matrix<'_>, bits: u32, weights: Option<&[f32]>) -> Result<Quantised> {
    if !(1..=8).contains(&bits) {
        return Err(Error::call(format!("no code book of {bits} bits: 1 to 8")));
    }
    if weights
        .is_some_and(|all| all.len() != matrix.cols || all.iter().any(|one| !(0.0..f32::MAX).contains(one)))
    {
        return Err(Error::call(format!("{} columns need as many weights, none negative", matrix.cols)));
    }
    matrix.by_rows(|row, out| {
        let mut points: Vec<(f32, f64)> = match weights {
            Some(weights) => {
                row.iter().zip(weights).map(|(&value, &weight)| (value, weight.into())).collect()
            }
            None => row.iter().map(|&value| (value, 1.0)).collect(),
        };
        points.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut levels = Sums::of(&points).means(1 << bits);
        levels.iter_mut().for_each(|level| *level = to_half(*level));
        out.iter_mut().zip(row).for_each(|(out, &value)| *out = nearest_of(&levels, value));
        u64::from(bits) * row.len() as u64 + (16 << bits)
    })
}

/// The nearest of ascending levels, of which there is one or more.
pub(super) fn nearest_of(levels: &[f32], value: f32) -> f32 {
    let above = levels.partition_point(|&level| level < value).min(levels.len() - 1);
    let (low, high) = (levels[above.saturating_sub(1)], levels[above]);
    if value - low < high - value { low } else { high }
}

/// Sums over the first values: of the weights, and of the weighted values.
struct Sums(Vec<(f64, f64)>);

impl Sums {
    fn of(points: &[(f32, f64)]) -> Self {
        let mut sum = (0.0, 0.0);
        let sums = points.iter().map(|&(value, weight)| {
            sum = (sum.0 + weight, sum.1 + weight * f64::from(value));
            sum
        });
        Self(std::iter::once((0.0, 0.0)).chain(sums).collect())
    }

    /// What one level for all values of a range takes off their energy.
    fn gain(&self, from: usize, to: usize) -> f64 {
        let (weight, sum) = (self.0[to].0 - self.0[from].0, self.0[to].1 - self.0[from].1);
        if weight > 0.0 { sum * sum / weight } else { 0.0 }
    }

    /// The means of the best ranges, in ascending order: as many as asked for, or one for each value.
    fn means(&self, count: usize) -> Vec<f32> {
        let size = self.0.len();
        let mut gains: Vec<f64> = (0..size).map(|to| self.gain(0, to)).collect();
        let mut starts = Vec::new();
        for _ in 1..count.min(size - 1) {
            let mut next =
                Split { sums: self, before: &gains, gains: vec![0.0; size], starts: vec![0; size] };
            next.between(0, size - 1, 0, size - 1);
            let Split { gains: better, starts: found, .. } = next;
            gains = better;
            starts.push(found);
        }
        let (mut to, mut means) = (size - 1, Vec::new());
        for from in starts.iter().rev().map(Some).chain([None]) {
            let from = from.map_or(0, |from| from[to]);
            let (weight, sum) = (self.0[to].0 - self.0[from].0, self.0[to].1 - self.0[from].1);
            if weight > 0.0 {
                #[expect(clippy::cast_possible_truncation, reason = "a mean of f32 values")]
                means.push((sum / weight) as f32);
            }
            to = from;
        }
        // Values that count nothing still need some level.
        if means.is_empty() {
            means.push(0.0);
        }
        means.reverse();
        means
    }
}

/// The best start of a further, last range, for every end.
struct Split<'s> {
    sums: &'s Sums,
    before: &'s [f64],
    gains: Vec<f64>,
    starts: Vec<usize>,
}

impl Split<'_> {
    /// Fills ends `low..=high`, whose starts lie in `first..=last`: starts only grow with their ends.
    fn between(&mut self, low: usize, high: usize, first: usize, last: usize) {
        let end = low.midpoint(high);
        let (mut best, mut start) = (f64::NEG_INFINITY, first);
        for from in first..=last.min(end) {
            let gain = self.before[from] + self.sums.gain(from, end);
            if gain > best {
                (best, start) = (gain, from);
            }
        }
        (self.gains[end], self.starts[end]) = (best, start);
        if low < end {
            self.between(low, end - 1, first, start);
        }
        if end < high {
            self.between(end + 1, high, start, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{gaussian, nmse, takes_any_shape};
    use super::*;

    #[test]
    fn a_row_by_hand() {
        let row = [1.0, 9.0, 2.0, 11.0, 3.0];
        let matrix = Matrix { rows: 1, cols: 5, values: &row };
        let coded = kmeans(&matrix, 1, None).unwrap();
        assert_eq!(coded.values, [2.0, 10.0, 2.0, 10.0, 2.0]);
        assert_eq!(coded.bits, 5 + 2 * 16);
        // A column that counts three times as much as its neighbour draws the level over.
        let coded = kmeans(&matrix, 1, Some(&[1.0, 3.0, 1.0, 1.0, 1.0])).unwrap();
        assert_eq!(coded.values, [2.0, 9.5, 2.0, 9.5, 2.0]);
        let coded = kmeans(&matrix, 3, None).unwrap();
        assert_eq!((coded.values.as_slice(), coded.bits), (row.as_slice(), 5 * 3 + 8 * 16));
    }

    #[test]
    fn errors_on_long_gaussian_rows_are_those_of_lloyd_and_max() {
        let values = gaussian(1 << 16, 1);
        let matrix = Matrix { rows: 1, cols: 1 << 16, values: &values };
        // Max 1960, table 1.
        for (bits, expected) in [(1, 0.3634), (2, 0.1175), (3, 0.03454), (4, 0.009_497)] {
            let error = kmeans(&matrix, bits, None).unwrap().nmse(&values);
            assert!((error / expected - 1.0).abs() < 0.02, "{bits} bits: {error}");
        }
    }

    #[test]
    fn levels_of_its_own_do_a_short_row_good() {
        let error = nmse(|matrix| kmeans(matrix, 4, None));
        assert!((0.0070..0.0085).contains(&error), "{error}");
    }

    #[test]
    fn no_other_partition_is_better() {
        for seed in 0..20 {
            let values = gaussian(9, seed);
            let weights: Vec<f32> = gaussian(9, seed + 99).iter().map(|value| value.abs()).collect();
            let mut points: Vec<(f32, f64)> =
                values.iter().zip(&weights).map(|(&v, &w)| (v, w.into())).collect();
            points.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            let sums = Sums::of(&points);
            // Every choice of three borders among the eight places between nine values.
            let mut best = f64::NEG_INFINITY;
            for (a, b, c) in (1..9).flat_map(|a| (a..9).flat_map(move |b| (b..9).map(move |c| (a, b, c)))) {
                best = best.max(
                    [(0, a), (a, b), (b, c), (c, 9)].iter().map(|&(from, to)| sums.gain(from, to)).sum(),
                );
            }
            let levels = sums.means(4);
            let error: f64 = points
                .iter()
                .map(|&(value, weight)| weight * f64::from(value - nearest_of(&levels, value)).powi(2))
                .sum();
            let energy: f64 = points.iter().map(|&(value, weight)| weight * f64::from(value).powi(2)).sum();
            assert!((energy - best - error).abs() < 1e-5, "{error} instead of {}", energy - best);
        }
    }

    #[test]
    fn columns_of_weight_err_less() {
        let values = gaussian(64 * 64, 4);
        let matrix = Matrix { rows: 64, cols: 64, values: &values };
        let weights: Vec<f32> = (0..64).map(|column| if column < 16 { 100.0 } else { 1.0 }).collect();
        let error = |coded: &Quantised| -> f64 {
            let errors = coded.values.iter().zip(&values).map(|(a, b)| f64::from(a - b).powi(2));
            errors.zip(weights.iter().cycle()).map(|(error, &weight)| error * f64::from(weight)).sum()
        };
        let (with, without) = (kmeans(&matrix, 3, Some(&weights)), kmeans(&matrix, 3, None));
        assert!(error(&with.unwrap()) < 0.5 * error(&without.unwrap()));
    }

    #[test]
    fn any_shape_is_coded_and_wrong_weights_are_refused() {
        takes_any_shape(|matrix| kmeans(matrix, 2, None));
        takes_any_shape(|matrix| kmeans(matrix, 2, Some(&vec![0.0; matrix.cols])));
        let matrix = Matrix { rows: 1, cols: 2, values: &[1.0, 2.0] };
        for weights in [&[1.0][..], &[1.0, -1.0], &[1.0, f32::NAN]] {
            assert!(kmeans(&matrix, 2, Some(weights)).is_err());
        }
        assert!(kmeans(&matrix, 9, None).is_err());
    }
}
