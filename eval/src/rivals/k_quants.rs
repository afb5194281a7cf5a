//! llama.cpp's K-quants, as candle makes them.

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use super::{Matrix, Quantised};
use crate::{Error, Result};

/// Quantises blocks of 256 values to `Q2_K`, `Q3_K`, `Q4_K`, `Q5_K` or `Q6_K`.
///
/// Blocks run on from row to row: this model's rows of 576 values are no multiple of 256, for which llama.cpp falls
/// back to other types.
///
/// # Errors
/// [`Error::Call`] for another type, a wrong shape, a number of values that is no multiple of 256 and values that are
/// not finite.
pub fn k_quants(matrix: &Matrix<'_>, dtype: GgmlDType) -> Result<Quantised> {
    use GgmlDType::{Q2K, Q3K, Q4K, Q5K, Q6K};
    matrix.check()?;
    let block = dtype.block_size();
    let count = matrix.values.len();
    if !matches!(dtype, Q2K | Q3K | Q4K | Q5K | Q6K) || !count.is_multiple_of(block) {
        return Err(Error::call(format!("{count} values in blocks of {block} of {dtype:?}")));
    }
    let tensor = Tensor::from_slice(matrix.values, (count / block, block), &Device::Cpu)?;
    let coded = QTensor::quantize(&tensor, dtype)?;
    let values = coded.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()?;
    Ok(Quantised { values, bits: 8 * coded.storage_size_in_bytes() as u64 })
}

#[cfg(test)]
mod tests {
    use super::super::testing::nmse;
    use super::*;

    #[test]
    fn sizes_are_llama_cpps() {
        let values = vec![0.5; 4 * 576];
        let matrix = Matrix { rows: 4, cols: 576, values: &values };
        for (dtype, bits) in [(GgmlDType::Q2K, 2.625), (GgmlDType::Q3K, 3.4375), (GgmlDType::Q4K, 4.5)] {
            assert_eq!(k_quants(&matrix, dtype).unwrap().bits as f64 / values.len() as f64, bits);
        }
        assert!(k_quants(&matrix, GgmlDType::F16).is_err());
        assert!(k_quants(&Matrix { rows: 4, cols: 100, values: &values[..400] }, GgmlDType::Q4K).is_err());
    }

    #[test]
    fn errors_fall_with_bits() {
        let errors = [GgmlDType::Q2K, GgmlDType::Q3K, GgmlDType::Q4K, GgmlDType::Q5K]
            .map(|dtype| nmse(|matrix| k_quants(matrix, dtype)));
        assert!(errors.is_sorted_by(|a, b| a > b) && errors[0] < 0.15 && errors[3] < 0.003, "{errors:?}");
    }
}
