//! stub
use std::ops::Range;

use crate::{CodedChunk, DType, Limits, Registry, Result, TensorBuf, TensorMeta};

/// Decodes one chunk into `out`, the little-endian values of its rows.
pub fn decode_chunk(
    _registry: &Registry,
    _dtype: DType,
    _chunk: &CodedChunk<'_>,
    _limits: &Limits,
    _out: &mut [u8],
) -> Result<()> {
    todo!()
}

/// Decodes these rows of a tensor's matrix view from the chunks that hold them (in parallel).
pub fn decode_rows(
    _registry: &Registry,
    _meta: &TensorMeta,
    _chunks: &[CodedChunk<'_>],
    _rows: Range<u64>,
    _limits: &Limits,
) -> Result<TensorBuf> {
    todo!()
}
