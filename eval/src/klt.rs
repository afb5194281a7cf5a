//! Bases for rows, calibrated on text: the eigenvectors of their covariance.

use std::sync::Arc;

use candle_core::Tensor;
use half::bf16;
use nalgebra::DMatrix;
use telecine::{Basis, Chain, Encoding, TransformChoice};

use crate::Result;

/// Bits of a stored value of a basis.
pub const BASIS_BITS: u64 = 16;

/// The Karhunen–Loève basis of rows `[rows, columns]`, largest variance first, its values rounded to bf16.
///
/// # Errors
/// What the runtime refuses; a basis that is not orthonormal.
pub fn basis(rows: &Tensor) -> Result<Arc<Basis>> {
    let cols = rows.dim(1)?;
    let centred = rows.broadcast_sub(&rows.mean_keepdim(0)?)?;
    let covariance: Vec<f32> = centred.t()?.contiguous()?.matmul(&centred)?.flatten_all()?.to_vec1()?;
    let matrix = DMatrix::from_row_iterator(cols, cols, covariance.into_iter().map(f64::from));
    let eigen = matrix.symmetric_eigen();
    let mut order: Vec<usize> = (0..cols).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    let value = |row: usize, at: usize| bf16::from_f64(eigen.eigenvectors[(row, order[at])]).to_f32();
    let values = (0..cols).flat_map(|row| (0..cols).map(move |at| (row, at))).map(|(row, at)| value(row, at));
    Ok(Arc::new(Basis::new(cols, values.collect())?))
}

/// Sets a chain of transforms, behind which comes the projection on a basis where there is one.
///
/// # Errors
/// What the chain's parser refuses.
pub fn set_chain(encoding: &mut Encoding, chain: &str, basis: Option<&Arc<Basis>>) -> Result<()> {
    let chain = match basis {
        Some(basis) => format!("{chain}+klt({:016x})", basis.id()),
        None => chain.to_owned(),
    };
    let find = |id: u64| basis.filter(|basis| basis.id() == id).cloned();
    encoding.transform = TransformChoice::Chain(Chain::parse(&chain, &find)?);
    encoding.bases = basis.into_iter().cloned().collect();
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails says where")]
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_first_vector_lies_along_the_largest_variance() {
        // Rows along (3, 4) / 5, and a little across it.
        let rows: Vec<f32> = (0..200)
            .flat_map(|at| {
                let (along, across) = ((at % 17) as f32 - 8.0, (at % 5) as f32 * 0.1 - 0.2);
                [0.6 * along - 0.8 * across + 1.0, 0.8 * along + 0.6 * across - 2.0]
            })
            .collect();
        let basis = basis(&Tensor::from_vec(rows, (200, 2), &Device::Cpu).unwrap()).unwrap();
        let first = [basis.values()[0], basis.values()[2]];
        let along = (first[0] * 0.6 + first[1] * 0.8).abs();
        assert!(along > 0.998, "{first:?}");
    }
}
