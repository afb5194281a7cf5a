//! candle's `VarBuilder` over a Telecine file.

use std::path::Path;

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use telecine::{Limits, Reader, Registry};

use super::to_candle;
use crate::Result;

/// The tensors of a file, decoded when they are asked for.
pub struct Vars<'r> {
    reader: Reader<'r>,
}

/// A `VarBuilder` that decodes a file's tensors as a model loads them.
///
/// # Errors
/// As [`Reader::open`].
pub fn open_vars<'r>(
    path: &Path,
    registry: &'r Registry,
    limits: &Limits,
    dtype: DType,
    device: &Device,
) -> Result<VarBuilder<'r>> {
    let vars = Vars { reader: Reader::open(path, registry, limits)? };
    Ok(VarBuilder::from_backend(Box::new(vars), dtype, device.clone()))
}

impl SimpleBackend for Vars<'_> {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        if tensor.shape() != &shape {
            let (expected, got) = (shape, tensor.shape().clone());
            return Err(candle_core::Error::UnexpectedShape {
                msg: format!("{name} has another shape"),
                expected,
                got,
            }
            .bt());
        }
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        let decoded = self.reader.read(name).map_err(candle_core::Error::wrap)?;
        to_candle(&decoded, device).map_err(candle_core::Error::wrap)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.reader.entry(name).is_ok()
    }
}
