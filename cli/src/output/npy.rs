//! The header of an `.npy` file, version 1.

use telecine::DType;

use crate::failure::{Failure, Result};

/// Magic and header for a tensor whose values follow in row-major order.
pub(crate) fn npy_header(dtype: DType, shape: &[u64]) -> Result<Vec<u8>> {
    let descr = match dtype {
        DType::F64 => "<f8",
        DType::F32 => "<f4",
        DType::F16 => "<f2",
        DType::I64 => "<i8",
        DType::I32 => "<i4",
        DType::I16 => "<i2",
        DType::I8 => "|i1",
        DType::U64 => "<u8",
        DType::U32 => "<u4",
        DType::U16 => "<u2",
        DType::U8 => "|u1",
        DType::Bool => "|b1",
        DType::Bf16 | DType::F8E4M3 | DType::F8E5M2 => {
            return Err(Failure::usage(format!("NumPy has no dtype {dtype}: unpack to .safetensors")));
        }
    };
    let mut dims: String = shape.iter().map(|n| format!("{n}, ")).collect();
    if shape.len() > 1 {
        dims.truncate(dims.len() - 2);
    } else {
        dims.truncate(dims.trim_end().len());
    }
    let mut dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}");
    // Magic, version, length and dictionary end at a multiple of 64, with a line feed.
    while (10 + dict.len() + 1) % 64 != 0 {
        dict.push(' ');
    }
    dict.push('\n');
    let len =
        u16::try_from(dict.len()).map_err(|_| Failure::usage("too many dimensions for an .npy header"))?;
    Ok([b"\x93NUMPY\x01\x00".as_slice(), &len.to_le_bytes(), dict.as_bytes()].concat())
}
