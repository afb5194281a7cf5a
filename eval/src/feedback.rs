//! `native` behind the feedback of GPTQ (arXiv 2210.17323): blocks of columns are coded one after the other, and the
//! columns to come make up for the error.
//!
//! With `H = Σ x xᵀ` of the inputs and `U` the upper triangle of `H⁻¹ = Uᵀ U`, an error `E` of a block `B` is made up for by
//! taking `E U_BB⁻¹ U_BR` from the columns `R` to come. What is left then costs `tr(E D Eᵀ)` with
//! `D = (U_BB' U_BB)⁻¹`, whose diagonal weighs the block's columns. Blocks instead of columns, because
//! the search through the trellis looks at many columns at once (QuIP#, arXiv 2402.04396, does the same with vectors).

use std::sync::Arc;

use candle_core::{Device, Tensor};
use telecine::{Codec, Effort, Encoding, Importance, Target, TensorBuf};

use crate::klt::set_chain;
use crate::rivals::{Feedback, Matrix, Quantised};
use crate::{Error, Result};

/// Columns of a block: fewer follow the inputs more closely, more have fewer headers.
const BLOCK: usize = 32;
/// Bits for the size of a block's packet.
const SIZE_BITS: u64 = 32;

/// How one projection is coded.
#[derive(Debug, Clone)]
pub struct Plan {
    feedback: Arc<Feedback>,
    blocks: Vec<BlockPlan>,
    /// The error of the layer's output that costs the model so much, per value: relative to other projections.
    tolerance: f64,
}

/// What one block of columns has.
#[derive(Debug, Clone)]
struct BlockPlan {
    start: usize,
    end: usize,
    /// What is to be taken from the columns to come for an error of 1: `U_BB⁻¹ U_BR`.
    correction: Tensor,
    importance: Arc<Importance>,
    /// Mean of the columns' weights.
    weight: f64,
}

impl Plan {
    /// For a projection that tolerates, per value, an output error in proportion to `tolerance`.
    ///
    /// # Errors
    /// What the runtime refuses.
    pub fn new(feedback: &Arc<Feedback>, tolerance: f64) -> Result<Self> {
        let cols = feedback.cols;
        let upper = |row: usize, col: usize| f64::from(feedback.upper[row * cols + col]);
        let mut blocks = Vec::new();
        for start in (0..cols).step_by(BLOCK) {
            let end = (start + BLOCK).min(cols);
            let width = end - start;
            // The inverse of the block's triangle, by substitution.
            let mut inverse = vec![0.0; width * width];
            for col in 0..width {
                inverse[col * width + col] = 1.0 / upper(start + col, start + col);
                for row in (0..col).rev() {
                    let sum: f64 = (row + 1..=col)
                        .map(|at| upper(start + row, start + at) * inverse[at * width + col])
                        .sum();
                    inverse[row * width + col] = -sum / upper(start + row, start + row);
                }
            }
            let weights: Vec<f64> =
                inverse.chunks_exact(width).map(|row| row.iter().map(|value| value * value).sum()).collect();
            #[expect(clippy::cast_precision_loss, reason = "a mean")]
            let weight = weights.iter().sum::<f64>() / width as f64;
            #[expect(clippy::cast_possible_truncation, reason = "beside weights, which are f32")]
            let [inverse, weights] =
                [inverse, weights].map(|values| values.into_iter().map(|v| v as f32).collect::<Vec<f32>>());
            let right: Vec<f32> = (start..end)
                .flat_map(|row| feedback.upper[row * cols + end..(row + 1) * cols].iter().copied())
                .collect();
            let inverse = Tensor::from_vec(inverse, (width, width), &Device::Cpu)?;
            let correction = if end < cols {
                inverse.matmul(&Tensor::from_vec(right, (width, cols - end), &Device::Cpu)?)?
            } else {
                inverse
            };
            blocks.push(BlockPlan {
                start,
                end,
                correction,
                importance: Arc::new(Importance::new(&weights)?),
                weight,
            });
        }
        Ok(Self { feedback: feedback.clone(), blocks, tolerance })
    }

    /// Codes a matrix at an output error of `tolerance · level` per value.
    ///
    /// # Errors
    /// [`Error::Call`] for a matrix of other columns; what the codec refuses.
    pub fn code(&self, codec: &Codec, effort: Effort, matrix: &Matrix<'_>, level: f64) -> Result<Quantised> {
        let Matrix { rows, cols, values } = *matrix;
        if self.feedback.cols != cols {
            return Err(Error::call(format!("feedback of {} columns for {cols}", self.feedback.cols)));
        }
        let (mut left, mut out, mut bits) = (values.to_vec(), vec![0f32; values.len()], 0);
        for block in &self.blocks {
            let (start, end) = (block.start, block.end);
            let columns: Vec<f32> =
                left.chunks_exact(cols).flat_map(|row| row[start..end].iter().copied()).collect();
            let step = (12.0 * self.tolerance * level / block.weight).sqrt();
            let mut encoding = Encoding::new(Target::Step(step));
            set_chain(&mut encoding, "none", None)?;
            (encoding.effort, encoding.keep_small) = (effort, false);
            encoding.importance = Some(block.importance.clone());
            let shape = [rows as u64, (end - start) as u64];
            let encoded = codec.encode(&TensorBuf::from_f32(&shape, &columns)?.view()?, &encoding)?;
            bits += 8 * encoded.report.bytes + SIZE_BITS;
            let back = codec.decode(&encoded)?.to_f32();
            for (row, back) in out.chunks_exact_mut(cols).zip(back.chunks_exact(end - start)) {
                row[start..end].copy_from_slice(back);
            }
            if end == cols {
                continue;
            }
            let errors: Vec<f32> = columns.iter().zip(&back).map(|(a, b)| a - b).collect();
            let errors = Tensor::from_vec(errors, (rows, end - start), &Device::Cpu)?;
            let change: Vec<f32> = errors.matmul(&block.correction)?.flatten_all()?.to_vec1()?;
            for (row, change) in left.chunks_exact_mut(cols).zip(change.chunks_exact(cols - end)) {
                row[end..].iter_mut().zip(change).for_each(|(value, change)| *value -= change);
            }
        }
        Ok(Quantised { values: out, bits })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails says where")]
    use super::*;
    use crate::rivals::DAMPING;
    use crate::rivals::output_error;
    use crate::rivals::testing::{gaussian, products};

    const ROWS: usize = 256;
    const COLS: usize = 128;

    /// Products of inputs of which those that go together stand in different blocks.
    fn spread_products() -> Vec<f32> {
        let (near, place) = (products(COLS), |at: usize| at * 37 % COLS);
        (0..COLS * COLS).map(|at| near[place(at / COLS) * COLS + place(at % COLS)]).collect()
    }

    fn plan(products: &[f32]) -> Plan {
        Plan::new(&Arc::new(Feedback::new(products, COLS).unwrap()), 1.0).unwrap()
    }

    /// Inputs that go together are made up for; the level is the error of the output per value, whatever they are.
    #[test]
    fn the_output_is_nearer_at_fewer_bits() {
        let (values, products) = (gaussian(ROWS * COLS, 6), spread_products());
        let matrix = Matrix { rows: ROWS, cols: COLS, values: &values };
        let codec = Codec::new();
        let coded = plan(&products).code(&codec, Effort::Balanced, &matrix, 0.05).unwrap();
        let mut encoding = Encoding::new(Target::Bits(coded.bits as f64 / values.len() as f64));
        encoding.keep_small = false;
        let tensor = TensorBuf::from_f32(&[ROWS as u64, COLS as u64], &values).unwrap();
        let plain = codec.encode(&tensor.view().unwrap(), &encoding).unwrap();
        assert!(8 * plain.report.bytes >= coded.bits * 99 / 100);
        let plain = codec.decode(&plain).unwrap().to_f32();
        let [plain, fed] =
            [&plain, &coded.values].map(|values| output_error(&matrix, values, &products).unwrap());
        println!("{}: {plain:.5} plain, {fed:.5} with feedback", encoding.target);
        assert!(fed < 0.5 * plain, "{fed} {plain}");
    }

    #[test]
    fn inputs_that_have_nothing_in_common_leave_the_weight_as_it_is() {
        let mut identity = vec![0f32; COLS * COLS];
        (0..COLS).for_each(|at| identity[at * (COLS + 1)] = 2.0);
        for block in plan(&identity).blocks {
            let most = block.correction.abs().unwrap().flatten_all().unwrap().max(0).unwrap();
            // The last block has no columns to come.
            assert!(block.end == COLS || most.to_scalar::<f32>().unwrap() < 1e-6);
            assert!((block.weight - 2.0 * (1.0 + DAMPING)).abs() < 1e-3, "{}", block.weight);
        }
    }

    #[test]
    fn other_columns_are_refused() {
        let matrix = Matrix { rows: 1, cols: 2, values: &[1.0, 2.0] };
        assert!(plan(&products(COLS)).code(&Codec::new(), Effort::Fast, &matrix, 1.0).is_err());
    }
}
