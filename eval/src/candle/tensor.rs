//! Between candle's tensors and Telecine's.

use candle_core::{DType, Device, Tensor};
use telecine::TensorBuf;

use crate::{Error, Result};

/// candle's tensor of a decoded one, of the same dtype.
///
/// # Errors
/// [`Error::Call`] for a dtype that candle has not; [`Error::Runtime`].
pub fn to_candle(tensor: &TensorBuf, device: &Device) -> Result<Tensor> {
    let dtype = match tensor.dtype {
        telecine::DType::F64 => DType::F64,
        telecine::DType::F32 => DType::F32,
        telecine::DType::F16 => DType::F16,
        telecine::DType::Bf16 => DType::BF16,
        telecine::DType::I64 => DType::I64,
        telecine::DType::U32 => DType::U32,
        telecine::DType::U8 => DType::U8,
        other => return Err(Error::call(format!("candle has no tensors of {}", other.name()))),
    };
    let shape: Vec<usize> =
        tensor.shape.iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)).collect();
    Ok(Tensor::from_raw_buffer(&tensor.bytes, dtype, &shape, device)?)
}

/// The values of a tensor as f32, with its shape.
///
/// # Errors
/// [`Error::Runtime`].
pub fn from_candle(tensor: &Tensor) -> Result<TensorBuf> {
    let shape: Vec<u64> = tensor.dims().iter().map(|&size| size as u64).collect();
    let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(TensorBuf::from_f32(&shape, &values)?)
}
