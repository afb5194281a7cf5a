//! GPTQ (arXiv 2210.17323): columns are rounded one after the other, and those to come make up for the error.

use candle_core::{Device, Tensor};
use nalgebra::DMatrix;

use super::{Grid, Matrix, Quantised};
use crate::{Error, Result};

/// What is added to the diagonal of `H`, relative to its mean, as in the paper.
pub const DAMPING: f64 = 0.01;

/// How the columns to come make up for an error: the upper triangle `U` with `H⁻¹ = Uᵀ U`.
#[derive(Debug, Clone)]
pub struct Feedback {
    /// Columns of the weight.
    pub cols: usize,
    /// `U`, row after row.
    pub upper: Vec<f32>,
}

impl Feedback {
    /// From `H = Σ x xᵀ`, `cols × cols`, of the inputs, with [`DAMPING`] times its mean added to the diagonal.
    ///
    /// # Errors
    /// [`Error::Call`] for a matrix of another size, or one that no damping makes positive definite.
    pub fn new(products: &[f32], cols: usize) -> Result<Self> {
        if cols == 0 || products.len() != cols * cols {
            return Err(Error::call(format!("{} products are no matrix of {cols} × {cols}", products.len())));
        }
        let diagonal = (0..cols).map(|at| f64::from(products[at * (cols + 1)])).sum::<f64>();
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let damping = DAMPING * diagonal / cols as f64;
        // H in reverse order is L Lᵀ; in order, H = R Rᵀ with R upper, and U = R⁻¹.
        let reversed = DMatrix::from_fn(cols, cols, |row, col| {
            let (row, col) = (cols - 1 - row, cols - 1 - col);
            f64::from(products[row * cols + col]) + if row == col { damping } else { 0.0 }
        });
        let inverse = reversed.cholesky().and_then(|factor| {
            let identity = DMatrix::identity(cols, cols);
            factor.l().solve_lower_triangular(&identity)
        });
        let inverse = inverse.ok_or_else(|| Error::call("the inputs' products are not positive definite"))?;
        #[expect(clippy::cast_possible_truncation, reason = "rounded to f32")]
        let upper =
            (0..cols * cols).map(|at| inverse[(cols - 1 - at / cols, cols - 1 - at % cols)] as f32).collect();
        Ok(Self { cols, upper })
    }
}

/// Quantises to the grids of [`super::rtn`], fitted where a group begins to what the columns before it left of it.
///
/// # Errors
/// [`Error::Call`] for a grid that is none, feedback of other columns, a wrong shape and values that are not finite.
pub fn gptq(matrix: &Matrix<'_>, grid: &Grid, feedback: &Feedback) -> Result<Quantised> {
    grid.check()?;
    if feedback.cols != matrix.cols {
        return Err(Error::call(format!("feedback of {} columns for {}", feedback.cols, matrix.cols)));
    }
    matrix.by_rows(|row, out| {
        let cols = row.len();
        let mut left = row.to_vec();
        let mut levels = None;
        for at in 0..cols {
            if at % grid.group == 0 {
                let end = at.saturating_add(grid.group).min(cols);
                levels = Some(grid.fit(&left[at..end]));
            }
            let Some(levels) = &levels else { continue };
            out[at] = levels.round(left[at]);
            let weights = &feedback.upper[at * cols..][at..cols];
            let error = (left[at] - out[at]) / weights[0];
            for (value, weight) in left[at..].iter_mut().zip(weights) {
                *value -= error * weight;
            }
        }
        grid.count(cols)
    })
}

/// What an error costs the layer's output: `tr(E H Eᵀ)` over rows, relative to that of the weight itself.
///
/// # Errors
/// What the runtime refuses.
pub(crate) fn output_error(matrix: &Matrix<'_>, values: &[f32], products: &[f32]) -> Result<f64> {
    let shape = (matrix.rows, matrix.cols);
    let weight = Tensor::from_slice(matrix.values, shape, &Device::Cpu)?;
    let error = (Tensor::from_slice(values, shape, &Device::Cpu)? - &weight)?;
    let products = Tensor::from_slice(products, (matrix.cols, matrix.cols), &Device::Cpu)?;
    let cost = |tensor: &Tensor| -> Result<f64> {
        Ok(f64::from((tensor.matmul(&products)? * tensor)?.sum_all()?.to_scalar::<f32>()?))
    };
    Ok(cost(&error)? / cost(&weight)?)
}

#[cfg(test)]
mod tests {
    use super::super::rtn;
    use super::super::testing::{gaussian, products};
    use super::*;

    #[test]
    fn the_triangle_is_a_factor_of_the_inverse() {
        let cols = 12;
        let mut products = products(cols);
        let feedback = Feedback::new(&products, cols).unwrap();
        let mean = (0..cols).map(|at| products[at * (cols + 1)]).sum::<f32>() / cols as f32;
        (0..cols).for_each(|at| products[at * (cols + 1)] += 0.01 * mean);
        let upper = DMatrix::from_row_slice(cols, cols, &feedback.upper);
        let product = DMatrix::from_row_slice(cols, cols, &products) * upper.transpose() * &upper;
        assert!((product - DMatrix::identity(cols, cols)).amax() < 1e-3);
        assert!((0..cols).all(|row| (0..row).all(|col| upper[(row, col)] == 0.0)));
    }

    #[test]
    fn outputs_are_nearer_than_by_rounding_alone() {
        let (rows, cols) = (32, 64);
        let (values, products) = (gaussian(rows * cols, 6), products(cols));
        let matrix = Matrix { rows, cols, values: &values };
        let grid = Grid::new(3, 32);
        let plain = rtn(&matrix, &grid).unwrap();
        let coded = gptq(&matrix, &grid, &Feedback::new(&products, cols).unwrap()).unwrap();
        assert_eq!(plain.bits, coded.bits);
        let [plain, coded] =
            [plain, coded].map(|coded| output_error(&matrix, &coded.values, &products).unwrap());
        assert!(coded < 0.5 * plain, "{coded} {plain}");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(Feedback::new(&[1.0; 8], 3).is_err());
        assert!(Feedback::new(&[-1.0, 0.0, 0.0, -1.0], 2).is_err());
        let feedback = Feedback::new(&[1.0, 0.0, 0.0, 1.0], 2).unwrap();
        let matrix = Matrix { rows: 1, cols: 3, values: &[1.0, 2.0, 3.0] };
        assert!(gptq(&matrix, &Grid::by_row(4), &feedback).is_err());
    }
}
