//! Karhunen–Loève: rows rotated by an orthonormal basis that the caller gives.
//!
//! `y = x B`, undone by `x = y Bᵀ`. The basis is stored once, as a tensor of its own. No side bytes.

use std::hash::Hasher;

use twox_hash::XxHash3_64;

use super::directions::complete;
use crate::{DType, Error, Limits, Result, TensorBuf};

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

/// Largest deviation of `BᵀB` from the identity that is accepted, as [`Basis::new`] measures it: room for values rounded to
/// bf16, which deviate by less than 0.01.
const TOLERANCE: f64 = 0.02;
/// Vectors of random signs on which a basis is tried.
const TRIALS: usize = 8;
/// Columns of a basis, at most.
const MAX_COLS: usize = 1 << 13;

impl Basis {
    /// A basis of these values.
    ///
    /// Takes time in proportion to the number of values: columns are compared in sums, not in pairs. Each column's square
    /// must be 1 within 0.02, and `BᵀB x` must be `x` within 0.02 at every place, for 8 vectors `x` of signs that follow
    /// from a hash of the values. Two columns whose product is above 0.02 are always found where they are the only such
    /// pair. Of a column whose products with the others have a root of squares `r`, the deviations are 8 numbers of mean 0
    /// and standard deviation `r`: at `r` = 0.04 one in 500 such columns passes, at 0.1 one in 2 million. A basis that
    /// passes though it should not decodes to other values than were coded, and the encoder, which measures what comes back,
    /// reports them.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there are not `cols²` finite values, more than 8,192 columns, or the columns are not
    /// orthonormal.
    pub fn new(cols: usize, values: Vec<f32>) -> Result<Self> {
        if cols == 0 || cols > MAX_COLS || values.len() != cols * cols {
            return Err(Error::invalid(format!(
                "{} values are no {cols} × {cols} basis of 1 to {MAX_COLS} columns",
                values.len()
            )));
        }
        let mut hash = XxHash3_64::new();
        hash.write(&(cols as u64).to_le_bytes());
        let mut bytes = Vec::with_capacity(4 * cols);
        let mut transposed = vec![0.0; values.len()];
        for (i, row) in values.chunks_exact(cols).enumerate() {
            for (j, &value) in row.iter().enumerate() {
                transposed[j * cols + i] = value;
            }
            bytes.clear();
            bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
            hash.write(&bytes);
        }
        let id = hash.finish();
        check_orthonormal(cols, &values, id)?;
        Ok(Self { cols, id, values, transposed, directions: None })
    }

    /// The basis whose first vectors lie along these directions, most important first, each as far as it is orthogonal
    /// to those before it; the others complete it. A file then holds the directions only: a few bits for each number,
    /// and nothing for vectors along which there is too little to code.
    ///
    /// A direction is `cols` whole numbers; how long it is does not matter. The longer, the closer it is met: rounded to
    /// whole numbers at a length of `l`, a vector is off by an angle of about `√(cols / 12) / l`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when these are not one to `cols` directions, for more than 8,192 columns, and for a direction that
    /// is zero or lies, but for a thousandth, among those before it. [`Error::Limit`] where completing them takes more than
    /// [`Limits::basis_work`] in the default limits.
    pub fn of_directions(cols: usize, directions: Vec<i8>) -> Result<Self> {
        let rows = directions.len().checked_div(cols).unwrap_or(0);
        if rows * cols != directions.len() {
            return Err(Error::invalid(format!(
                "{} numbers are no directions in {cols} columns",
                directions.len()
            )));
        }
        check_size(DType::I8, rows as u64, cols as u64, &Limits::DEFAULT)?;
        let basis = Self::new(cols, complete(cols, &directions)?)?;
        Ok(Self { directions: Some(directions), ..basis })
    }

    /// Checks dtype and shape of a tensor that a file holds of a basis: what is left to do with its values is then within
    /// `limits`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where no basis is stored as such a tensor; [`Error::Limit`].
    pub fn check_stored(dtype: DType, shape: &[u64], limits: &Limits) -> Result<()> {
        let &[rows, cols] = shape else {
            return Err(Error::corrupt(format!("a basis is stored as a matrix, not in shape {shape:?}")));
        };
        check_size(dtype, rows, cols, limits).map_err(stored_wrong)
    }

    /// The basis that is [stored](Self::stored) as this tensor.
    ///
    /// # Errors
    /// As [`Basis::check_stored`]; [`Error::Corrupt`] for values that are no basis.
    pub fn of_stored(tensor: &TensorBuf, limits: &Limits) -> Result<Self> {
        Self::check_stored(tensor.dtype, &tensor.shape, limits)?;
        // Both were checked to be within MAX_COLS.
        let cols = tensor.shape.get(1).and_then(|&cols| usize::try_from(cols).ok()).unwrap_or(0);
        let basis = if tensor.dtype == DType::I8 {
            Self::of_directions(cols, tensor.bytes.iter().map(|byte| byte.cast_signed()).collect())
        } else {
            Self::new(cols, tensor.to_f32())
        };
        basis.map_err(stored_wrong)
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

/// Checks the size of what a basis is made of.
fn check_size(dtype: DType, rows: u64, cols: u64, limits: &Limits) -> Result<()> {
    let right = match dtype {
        DType::I8 => (1..=cols).contains(&rows),
        DType::F32 | DType::Bf16 => rows == cols,
        _ => false,
    };
    if !right || cols == 0 || cols > MAX_COLS as u64 {
        return Err(Error::invalid(format!(
            "{rows} × {cols} values of {dtype} are no basis of 1 to {MAX_COLS} columns"
        )));
    }
    Limits::check("values of a basis", cols * cols, limits.basis_values)?;
    if dtype == DType::I8 {
        Limits::check("multiplications for a basis", rows * cols * cols, limits.basis_work)?;
    }
    Ok(())
}

/// A wrong argument, where a file and not the caller gave it.
fn stored_wrong(error: Error) -> Error {
    match error {
        Error::Invalid(reason) => Error::corrupt(reason),
        other => other,
    }
}

/// Checks lengths of columns, and their products with each other in random sums; see [`Basis::new`].
fn check_orthonormal(cols: usize, values: &[f32], seed: u64) -> Result<()> {
    let mut state = seed;
    let mut signs = || {
        // SplitMix64 (Steele, Lea and Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = z ^ (z >> 31);
        std::array::from_fn(|trial| if bits >> (63 - trial) & 1 == 1 { -1.0 } else { 1.0 })
    };
    let vectors: Vec<[f64; TRIALS]> = (0..cols).map(|_| signs()).collect();
    let mut back = vec![[0.0; TRIALS]; cols];
    let mut squares = vec![0.0; cols];
    for row in values.chunks_exact(cols) {
        let mut rotated = [0.0; TRIALS];
        for (&value, vector) in row.iter().zip(&vectors) {
            for (sum, sign) in rotated.iter_mut().zip(vector) {
                *sum += f64::from(value) * sign;
            }
        }
        for ((&value, sums), square) in row.iter().zip(&mut back).zip(&mut squares) {
            *square += f64::from(value) * f64::from(value);
            for (sum, along) in sums.iter_mut().zip(&rotated) {
                *sum += f64::from(value) * along;
            }
        }
    }
    let is_near = |value: f64, wanted: f64| (value - wanted).abs() <= TOLERANCE;
    for (column, square) in squares.iter().enumerate() {
        if !is_near(*square, 1.0) {
            return Err(Error::invalid(format!(
                "column {column} of the basis has a square of {square}, where 1 is orthonormal"
            )));
        }
    }
    for (column, (back, vector)) in back.iter().zip(&vectors).enumerate() {
        if let Some((back, sign)) = back.iter().zip(vector).find(|(back, sign)| !is_near(**back, **sign)) {
            let off = (back - sign).abs();
            return Err(Error::invalid(format!(
                "column {column} of the basis is not orthogonal to the others: a vector of signs comes back off by {off:.3} \
                 there, more than {TOLERANCE}"
            )));
        }
    }
    Ok(())
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

    /// A reflection, whose columns all have products with each other before they cancel.
    fn reflection(cols: usize) -> Vec<f32> {
        let v: Vec<f64> = (0..cols).map(|i| 1.0 + (i % 5) as f64).collect();
        let norm: f64 = v.iter().map(|x| x * x).sum();
        let entry = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j] / norm;
        #[expect(clippy::cast_possible_truncation, reason = "rounded")]
        let values = (0..cols * cols).map(|at| entry(at / cols, at % cols) as f32).collect();
        values
    }

    #[test]
    fn one_wrong_column_of_many_is_found_and_rounding_is_not() {
        let cols = 300;
        let rounded = TensorBuf::from_f32(&[300, 300], &reflection(cols)).unwrap();
        let mut narrow = vec![0; 2 * cols * cols];
        DType::Bf16.write_f32(&rounded.to_f32(), &mut narrow);
        let narrow = TensorBuf { dtype: DType::Bf16, shape: vec![300, 300], bytes: narrow };
        assert!(Basis::new(cols, narrow.to_f32()).is_ok());
        let turn = |values: &mut [f32], a: usize, b: usize, angle: f32| {
            // Column b towards column a, at its old length.
            for row in values.chunks_exact_mut(cols) {
                row[b] = angle.cos() * row[b] + angle.sin() * row[a];
            }
        };
        for (a, b) in [(0, 1), (17, 203), (299, 0)] {
            let mut values = reflection(cols);
            turn(&mut values, a, b, 0.05);
            assert!(matches!(Basis::new(cols, values), Err(Error::Invalid(_))), "{a} {b}");
        }
        // Little of many columns each: 0.01 of every other.
        let mut values = reflection(cols);
        (1..cols).for_each(|other| turn(&mut values, other, 0, 0.01));
        assert!(matches!(Basis::new(cols, values), Err(Error::Invalid(_))));
        let mut values = reflection(cols);
        values[cols + 7] = f32::NAN;
        assert!(matches!(Basis::new(cols, values), Err(Error::Invalid(_))));
    }

    #[test]
    fn the_size_of_a_stored_basis_is_checked_before_its_values() {
        let check = |dtype, shape: &[u64]| Basis::check_stored(dtype, shape, &Limits::DEFAULT);
        for (dtype, shape) in [
            (DType::I8, &[0u64, 4][..]),
            (DType::I8, &[5, 4]),
            (DType::I8, &[4, 0]),
            (DType::I8, &[16]),
            (DType::F32, &[3, 4]),
            (DType::F64, &[4, 4]),
            (DType::F32, &[1 << 14, 1 << 14]),
            (DType::I8, &[u64::MAX, u64::MAX]),
        ] {
            assert!(matches!(check(dtype, shape), Err(Error::Corrupt(_))), "{dtype} {shape:?}");
        }
        assert!(check(DType::I8, &[1, 4096]).is_ok() && check(DType::F32, &[4096, 4096]).is_ok());
        let work = check(DType::I8, &[4096, 4096]);
        assert!(matches!(work, Err(Error::Limit { .. })), "{work:?}");
        // The constructor makes nothing that the default limits refuse.
        let made = Basis::of_directions(4096, vec![1; 4096 * 4096]);
        assert!(matches!(made, Err(Error::Limit { .. })), "{made:?}");
        let stored = Basis::of_directions(2, vec![3, 4]).unwrap().stored().unwrap();
        assert_eq!(Basis::of_stored(&stored, &Limits::DEFAULT).unwrap().stored().unwrap(), stored);
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
