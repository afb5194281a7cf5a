//! Centring: a chunk's columns less their means.
//!
//! Side bytes: the scale (f32), then for each column the mean over the scale as an OCP 8-bit float (E4M3). The encoder
//! subtracts the mean as the decoder will read it, so its rounding costs a little variance and no error.

use crate::{DType, Error, Result};

/// The largest finite E4M3 value.
const LARGEST: f32 = 448.0;
/// Rows with more than this many times the median energy have no say in the means: an attention sink is no trend.
const OUTLYING: f64 = 25.0;

/// Subtracts the means and appends them to `side`.
pub(super) fn forward(values: &mut [f32], cols: usize, side: &mut Vec<u8>) {
    let means = means(values, cols);
    let largest = means.iter().fold(0f32, |a, m| a.max(m.abs()));
    let scale = if largest / LARGEST >= f32::MIN_POSITIVE { largest / LARGEST } else { 0.0 };
    let ratios: Vec<f32> = means.iter().map(|mean| if scale > 0.0 { mean / scale } else { 0.0 }).collect();
    side.extend_from_slice(&scale.to_le_bytes());
    let start = side.len();
    side.resize(start + cols, 0);
    DType::F8E4M3.write_f32(&ratios, &mut side[start..]);
    add(values, &read_means(scale, &side[start..]), -1.0);
}

/// Adds the means back.
pub(super) fn inverse(values: &mut [f32], cols: usize, side: &mut &[u8]) -> Result<()> {
    let short = || Error::corrupt("side information ends within the column means");
    let (scale, rest) = side.split_first_chunk::<4>().ok_or_else(short)?;
    let (means, rest) = rest.split_at_checked(cols).ok_or_else(short)?;
    *side = rest;
    add(values, &read_means(f32::from_le_bytes(*scale), means), 1.0);
    Ok(())
}

fn read_means(scale: f32, bytes: &[u8]) -> Vec<f32> {
    let mut means = Vec::with_capacity(bytes.len());
    DType::F8E4M3.read_f32(bytes, &mut means);
    for mean in &mut means {
        *mean *= scale;
    }
    means
}

fn add(values: &mut [f32], means: &[f32], sign: f32) {
    for row in values.chunks_exact_mut(means.len()) {
        for (value, mean) in row.iter_mut().zip(means) {
            *value += sign * mean;
        }
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "means of f32 values")]
fn means(values: &[f32], cols: usize) -> Vec<f32> {
    let energy = |row: &[f32]| row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>();
    let energies: Vec<f64> = values.chunks_exact(cols).map(energy).collect();
    let mut sorted = energies.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let most = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0) * OUTLYING;
    let mut sums = vec![0f64; cols];
    let mut count = 0usize;
    for (row, energy) in values.chunks_exact(cols).zip(&energies) {
        if *energy <= most {
            count += 1;
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += f64::from(value);
            }
        }
    }
    sums.iter().map(|sum| (sum / count.max(1) as f64) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlying_row_does_not_move_the_means() {
        let mut values: Vec<f32> = (0..100 * 4).map(|i| if i % 4 == 0 { 8.0 } else { 0.5 }).collect();
        values[..4].copy_from_slice(&[-4000.0, 4000.0, 4000.0, 4000.0]);
        let means = means(&values, 4);
        assert_eq!(means, [8.0, 0.5, 0.5, 0.5]);
    }

    #[test]
    fn what_is_left_of_a_constant_column_is_small() {
        let mut values: Vec<f32> = (0..300).map(|i| [1.0, -7.3, 0.01][i % 3]).collect();
        let mut side = Vec::new();
        forward(&mut values, 3, &mut side);
        assert_eq!(side.len(), 7);
        assert!(values.iter().all(|v| v.abs() < 0.5));
    }
}
