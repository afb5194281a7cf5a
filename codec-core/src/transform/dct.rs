//! DCT-II along the rows (time, tokens), in blocks of rows, each column alone.
//!
//! `X[k] = c(k) Σ x[n] cos(π (2n+1) k / 2N)` with `c(0) = √(1/N)`, else `√(2/N)`: Ahmed, Natarajan and Rao,
//! "Discrete cosine transform", IEEE Trans. Comput. 23 (1974). Blocks of a power of two go by Lee's recursion (IEEE
//! Trans. ASSP 32 (1984)) with whole strips of rows as its elements; a short block at the end of a chunk goes by the
//! definition. No side bytes.

use std::f64::consts::PI;

/// Columns that are transformed together: a strip of a block stays in the first-level cache.
const STRIP: usize = 32;

/// Transforms blocks of `block` rows.
pub(super) fn forward(values: &mut [f32], cols: usize, block: usize) {
    each_strip(values, cols, block, Strip::forward);
}

/// Undoes [`forward`].
pub(super) fn inverse(values: &mut [f32], cols: usize, block: usize) {
    each_strip(values, cols, block, Strip::inverse);
}

/// One element of the recursion: a value for each column of the strip.
type Element = [f32; STRIP];

fn each_strip(values: &mut [f32], cols: usize, block: usize, apply: impl Fn(&mut Strip, usize)) {
    let mut strip =
        Strip { data: vec![[0.0; STRIP]; block], scratch: vec![[0.0; STRIP]; block], tables: tables(block) };
    for rows in values.chunks_mut(block * cols) {
        let count = rows.len() / cols;
        for start in (0..cols).step_by(STRIP) {
            let width = STRIP.min(cols - start);
            for (row, element) in rows.chunks_exact(cols).zip(&mut strip.data) {
                element[..width].copy_from_slice(&row[start..start + width]);
            }
            apply(&mut strip, count);
            for (row, element) in rows.chunks_exact_mut(cols).zip(&strip.data) {
                row[start..start + width].copy_from_slice(&element[..width]);
            }
        }
    }
}

/// `1 / (2 cos(π (2n+1) / 2N))` for N = 2, 4, … up to `block`.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a table in f32")]
fn tables(block: usize) -> Vec<Vec<f32>> {
    let table = |n: usize| {
        let factor = |i: usize| (0.5 / (PI * (2 * i + 1) as f64 / (2 * n) as f64).cos()) as f32;
        (0..n / 2).map(factor).collect()
    };
    (1..=block.ilog2()).map(|log| table(1 << log)).collect()
}

struct Strip {
    data: Vec<Element>,
    scratch: Vec<Element>,
    tables: Vec<Vec<f32>>,
}

impl Strip {
    fn forward(&mut self, count: usize) {
        let (data, scratch) = (&mut self.data[..count], &mut self.scratch[..count]);
        if count.is_power_of_two() {
            lee(data, scratch, &self.tables);
            normalise(data);
        } else {
            by_definition(data, scratch, |k, n| basis(k, n, count));
        }
    }

    fn inverse(&mut self, count: usize) {
        let (data, scratch) = (&mut self.data[..count], &mut self.scratch[..count]);
        if count.is_power_of_two() {
            normalise(data);
            lee_transposed(data, scratch, &self.tables);
        } else {
            by_definition(data, scratch, |n, k| basis(k, n, count));
        }
    }
}

/// `c(k) cos(π (2n+1) k / 2N)`.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a factor in f32")]
fn basis(k: usize, n: usize, count: usize) -> f32 {
    let norm = (if k == 0 { 1.0 } else { 2.0 } / count as f64).sqrt();
    (norm * (PI * ((2 * n + 1) * k) as f64 / (2 * count) as f64).cos()) as f32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a factor in f32")]
fn normalise(data: &mut [Element]) {
    let count = data.len() as f64;
    for (k, element) in data.iter_mut().enumerate() {
        let norm = (if k == 0 { 1.0 } else { 2.0 } / count).sqrt() as f32;
        element.iter_mut().for_each(|value| *value *= norm);
    }
}

fn by_definition(data: &mut [Element], scratch: &mut [Element], factor: impl Fn(usize, usize) -> f32) {
    for (to, out) in scratch.iter_mut().enumerate() {
        *out = [0.0; STRIP];
        for (from, element) in data.iter().enumerate() {
            let factor = factor(to, from);
            for (sum, value) in out.iter_mut().zip(element) {
                *sum += factor * value;
            }
        }
    }
    data.copy_from_slice(scratch);
}

fn combine(a: &Element, b: &Element, f: impl Fn(f32, f32) -> f32) -> Element {
    let mut out = [0.0; STRIP];
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = f(*a, *b);
    }
    out
}

/// The DCT-II without its norms.
fn lee(data: &mut [Element], scratch: &mut [Element], tables: &[Vec<f32>]) {
    let count = data.len();
    if count < 2 {
        return;
    }
    let half = count / 2;
    let table = &tables[count.ilog2() as usize - 1];
    for n in 0..half {
        let (a, b) = (&data[n], &data[count - 1 - n]);
        scratch[n] = combine(a, b, |a, b| a + b);
        scratch[half + n] = combine(a, b, |a, b| (a - b) * table[n]);
    }
    let (sums, differences) = scratch.split_at_mut(half);
    let (low, high) = data.split_at_mut(half);
    lee(sums, low, tables);
    lee(differences, high, tables);
    for k in 0..half {
        data[2 * k] = scratch[k];
        data[2 * k + 1] = match scratch.get(half + k + 1) {
            Some(next) => combine(&scratch[half + k], next, |a, b| a + b),
            None => scratch[half + k],
        };
    }
}

/// The transpose of [`lee`].
fn lee_transposed(data: &mut [Element], scratch: &mut [Element], tables: &[Vec<f32>]) {
    let count = data.len();
    if count < 2 {
        return;
    }
    let half = count / 2;
    let table = &tables[count.ilog2() as usize - 1];
    for k in 0..half {
        scratch[k] = data[2 * k];
        scratch[half + k] =
            if k == 0 { data[1] } else { combine(&data[2 * k + 1], &data[2 * k - 1], |a, b| a + b) };
    }
    let (sums, differences) = scratch.split_at_mut(half);
    let (low, high) = data.split_at_mut(half);
    lee_transposed(sums, low, tables);
    lee_transposed(differences, high, tables);
    for n in 0..half {
        let (a, b) = (&scratch[n], &scratch[half + n]);
        data[n] = combine(a, b, |a, b| a + b * table[n]);
        data[count - 1 - n] = combine(a, b, |a, b| a - b * table[n]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_agrees_with_the_definition() {
        for count in 1..=64usize {
            for one in 0..count {
                let mut values = vec![0.0; count];
                values[one] = 1.0;
                forward(&mut values, 1, 64);
                for (k, value) in values.iter().enumerate() {
                    assert!((value - basis(k, one, count)).abs() < 1e-5, "{count} {one} {k}: {value}");
                }
            }
        }
    }

    #[test]
    fn a_slow_signal_gathers_in_the_first_rows() {
        let mut values: Vec<f32> = (0..32 * 5).map(|i| 3.0 + (i / 5) as f32 * 0.01).collect();
        forward(&mut values, 5, 32);
        let energy = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>();
        assert!(energy(&values[..10]) > 0.9999 * energy(&values));
    }
}
