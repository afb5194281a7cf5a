//! Karhunen–Loève: rows rotated by an orthonormal basis that the caller gives.
//!
//! `y = x B`, undone by `x = y Bᵀ`. The basis is stored once, as a tensor of its own. No side bytes.

use super::directions::complete;
use twox_hash::XxHash3_64;

use crate::{DType, Error, Result, TensorBuf};

/// An orthonormal `cols` × `cols` matrix, one basis vector per column, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Basis {
    cols: usize,
    values: Vec<f32>,
    /// The same matrix, columns first.
    transposed: Vec<f32>,
    id: u64,
    directions: Option<Vec<i8>>,
}

/// Largest deviation of `BᵀB` from the identity: room for values rounded to bf16.
const TOLERANCE: f32 = 0.02;
/// Columns of a basis, at most: a larger one would take gigabytes.
const MAX_COLS: usize = 1 << 14;

impl Basis {
    /// A basis of these values.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there are not `cols²` finite values, more than 16,384 columns, or the columns are not
    /// orthonormal within 0.02 (so that bf16 rounding passes).
    pub fn new(cols: usize, values: Vec<f32>) -> Result<Self> {
        if cols == 0 || cols > MAX_COLS || values.len() != cols * cols {
            return Err(Error::invalid(format!("{} values are no {cols} × {cols} basis", values.len())));
        }
        let mut transposed = vec![0.0; values.len()];
        for (i, row) in values.chunks_exact(cols).enumerate() {
            for (j, &value) in row.iter().enumerate() {
                transposed[j * cols + i] = value;
            }
        }
        let columns: Vec<&[f32]> = transposed.chunks_exact(cols).collect();
        for (j, a) in columns.iter().enumerate() {
            for (k, b) in columns.iter().enumerate().skip(j) {
                let product: f32 = a.iter().zip(*b).map(|(a, b)| a * b).sum();
                let wanted = if j == k { 1.0 } else { 0.0 };
                let deviation = (product - wanted).abs();
                if deviation.is_nan() || deviation > TOLERANCE {
                    return Err(Error::invalid(format!(
                        "columns {j} and {k} of the basis have product {product}, where {wanted} is orthonormal"
                    )));
                }
            }
        }
        let mut bytes: Vec<u8> = (cols as u64).to_le_bytes().to_vec();
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        Ok(Self { cols, id: XxHash3_64::oneshot(&bytes), values, transposed, directions: None })
    }

    /// The basis whose first vectors lie along these directions, most important first, each as far as it is orthogonal
    /// to those before it; the others complete it. A file then holds the directions only: a few bits for each number,
    /// and nothing for vectors along which there is too little to code.
    ///
    /// A direction is `cols` whole numbers; how long it is does not matter. The longer, the closer it is met: rounded to
    /// whole numbers at a length of `l`, a vector is off by an angle of about `√(cols / 12) / l`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when these are not one to `cols` directions, for more than 16,384 columns, and for a direction that
    /// is zero or lies, but for a thousandth, among those before it.
    pub fn of_directions(cols: usize, directions: Vec<i8>) -> Result<Self> {
        if cols == 0 || cols > MAX_COLS || directions.is_empty() || !directions.len().is_multiple_of(cols) {
            return Err(Error::invalid(format!(
                "{} numbers are no directions in {cols} columns",
                directions.len()
            )));
        }
        let basis = Self::new(cols, complete(cols, &directions)?)?;
        Ok(Self { directions: Some(directions), ..basis })
    }

    /// The directions that this basis was made of, one after the other.
    pub fn directions(&self) -> Option<&[i8]> {
        self.directions.as_deref()
    }

    /// The tensor that a file holds of it, losslessly: its directions, else its values as bf16 where that holds them exactly,
    /// else as f32.
    ///
    /// # Errors
    /// None that is known: the sizes were checked when the basis was made.
    pub fn stored(&self) -> Result<TensorBuf> {
        let cols = self.cols as u64;
        if let Some(directions) = &self.directions {
            let bytes = directions.iter().map(|number| number.cast_unsigned()).collect();
            let rows = directions.len() as u64 / cols;
            return Ok(TensorBuf { dtype: DType::I8, shape: vec![rows, cols], bytes });
        }
        let wide = TensorBuf::from_f32(&[cols, cols], &self.values)?;
        let bytes = vec![0; wide.bytes.len() / 2];
        let mut narrow = TensorBuf { dtype: DType::Bf16, shape: wide.shape.clone(), bytes };
        DType::Bf16.write_f32(&self.values, &mut narrow.bytes);
        Ok(if narrow.to_f32() == self.values { narrow } else { wide })
    }

    /// Number of rows and columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The matrix, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// XXH3-64 of the number of columns (u64) and the values (f32), little-endian: what files call it by.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// `y = x B` for every row.
    pub(super) fn forward(&self, values: &mut [f32]) {
        multiply(values, self.cols, &self.values);
    }

    /// `x = y Bᵀ` for every row.
    pub(super) fn inverse(&self, values: &mut [f32]) {
        multiply(values, self.cols, &self.transposed);
    }
}

/// Every row times a matrix.
fn multiply(values: &mut [f32], cols: usize, matrix: &[f32]) {
    let mut out = vec![0f32; cols];
    for row in values.chunks_exact_mut(cols) {
        out.fill(0.0);
        for (&value, weights) in row.iter().zip(matrix.chunks_exact(cols)) {
            for (sum, weight) in out.iter_mut().zip(weights) {
                *sum += value * weight;
            }
        }
        row.copy_from_slice(&out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_orthonormal_is_refused() {
        assert!(Basis::new(2, vec![0.6, -0.8, 0.8, 0.6]).is_ok());
        for wrong in
            [vec![1.0, 0.0, 0.0, 1.1], vec![1.0, 0.1, 0.0, 1.0], vec![1.0, 0.0, f32::NAN, 1.0], vec![1.0]]
        {
            assert!(matches!(Basis::new(2, wrong), Err(Error::Invalid(_))));
        }
    }

    #[test]
    fn a_rotation_turns_and_turns_back() {
        let basis = Basis::new(2, vec![0.6, -0.8, 0.8, 0.6]).unwrap();
        let mut values = vec![3.0, 4.0, 1.0, 0.0];
        basis.forward(&mut values);
        assert!((values[0] - 5.0).abs() < 1e-6 && values[1].abs() < 1e-6);
        basis.inverse(&mut values);
        assert!((values[0] - 3.0).abs() < 1e-6 && (values[1] - 4.0).abs() < 1e-6);
    }
}
