//! AWQ (arXiv 2306.00978): columns that see large inputs are scaled up before rounding, and their inputs down.

use super::gptq::output_error;
use super::{Grid, Matrix, Quantised, rtn};
use crate::{Error, Result};

/// Exponents that are tried: 0 to 1.
const STEPS: u8 = 10;

/// Quantises matrices that share their inputs, with one scale by column that the layer before takes up (no bits): the
/// mean magnitude of the column's inputs to the power that serves the outputs best.
///
/// # Errors
/// [`Error::Call`] for statistics of other columns, and as [`rtn`].
pub fn awq(
    matrices: &[Matrix<'_>],
    grid: &Grid,
    magnitudes: &[f32],
    products: &[f32],
) -> Result<Vec<Quantised>> {
    let mut best: Option<(f64, Vec<Quantised>)> = None;
    for step in 0..=STEPS {
        let scales = scales(magnitudes, f32::from(step) / f32::from(STEPS));
        let coded = matrices
            .iter()
            .map(|matrix| scaled(matrix, grid, &scales))
            .collect::<Result<Vec<Quantised>>>()?;
        let errors = matrices.iter().zip(&coded);
        let error = errors.map(|(matrix, coded)| output_error(matrix, &coded.values, products));
        let error = error.sum::<Result<f64>>()?;
        if best.as_ref().is_none_or(|best| error < best.0) {
            best = Some((error, coded));
        }
    }
    Ok(best.map(|best| best.1).unwrap_or_default())
}

/// Scales around 1.
fn scales(magnitudes: &[f32], power: f32) -> Vec<f32> {
    let scales: Vec<f32> = magnitudes.iter().map(|value| value.max(1e-4).powf(power)).collect();
    let low = scales.iter().copied().fold(f32::INFINITY, f32::min);
    let high = scales.iter().copied().fold(0.0, f32::max);
    let middle = (low * high).sqrt();
    scales.iter().map(|scale| scale / middle).collect()
}

fn scaled(matrix: &Matrix<'_>, grid: &Grid, scales: &[f32]) -> Result<Quantised> {
    if scales.len() != matrix.cols {
        return Err(Error::call(format!("statistics of {} columns for {}", scales.len(), matrix.cols)));
    }
    let by_column = |values: &[f32], change: fn(f32, f32) -> f32| -> Vec<f32> {
        values.iter().zip(scales.iter().cycle()).map(|(value, scale)| change(*value, *scale)).collect()
    };
    let up = by_column(matrix.values, |value, scale| value * scale);
    let mut coded = rtn(&Matrix { values: &up, ..*matrix }, grid)?;
    coded.values = by_column(&coded.values, |value, scale| value / scale);
    Ok(coded)
}

#[cfg(test)]
mod tests {
    use super::super::testing::gaussian;
    use super::*;

    #[test]
    fn a_column_of_large_inputs_is_spared() {
        let (rows, cols) = (16, 64);
        let values = gaussian(rows * cols, 8);
        let matrix = Matrix { rows, cols, values: &values };
        let magnitudes: Vec<f32> = (0..cols).map(|col| if col == 5 { 20.0 } else { 1.0 }).collect();
        let products: Vec<f32> = (0..cols * cols)
            .map(|at| if at / cols == at % cols { magnitudes[at % cols].powi(2) } else { 0.0 })
            .collect();
        let grid = Grid::new(3, 64);
        let plain = rtn(&matrix, &grid).unwrap();
        let coded = awq(&[matrix], &grid, &magnitudes, &products).unwrap().remove(0);
        assert_eq!(plain.bits, coded.bits);
        let [plain, coded] =
            [plain, coded].map(|coded| output_error(&matrix, &coded.values, &products).unwrap());
        assert!(coded < 0.6 * plain, "{coded} {plain}");
        assert!(awq(&[matrix], &grid, &magnitudes[1..], &products).is_err());
    }
}
