//! The header of a `.safetensors` file.

use std::fmt::Write;

use telecine::DType;

use crate::failure::{Failure, Result};
use crate::input::SAFETENSORS_DTYPES;

/// Length and header for tensors whose data follow in this order; padded so that the data start at a multiple of 8.
pub(crate) fn safetensors_header(tensors: &[(&str, DType, &[u64])]) -> Result<Vec<u8>> {
    let mut text = String::from("{");
    let mut start = 0u64;
    for (at, (name, dtype, shape)) in tensors.iter().enumerate() {
        let known = SAFETENSORS_DTYPES.iter().find(|(_, known)| known == dtype);
        let (dtype_name, _) =
            known.ok_or_else(|| Failure::usage(format!(".safetensors has no dtype {dtype}")))?;
        let values = shape.iter().try_fold(1u64, |product, &n| product.checked_mul(n));
        let end = values
            .and_then(|values| values.checked_mul(dtype.size() as u64))
            .and_then(|len| len.checked_add(start));
        let end = end.ok_or_else(|| Failure::usage(format!("tensor {name:?} is too large for a file")))?;
        let name = serde_json::Value::from(*name);
        let comma = if at == 0 { "" } else { "," };
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            r#"{comma}{name}:{{"dtype":"{dtype_name}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#
        );
        start = end;
    }
    text.push('}');
    while text.len() % 8 != 0 {
        text.push(' ');
    }
    Ok([&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat())
}
