//! stub
use crate::{CodedChunk, Encoding, Error, Registry, Tensor, TensorReport};

/// Encodes a tensor; hands each coded chunk to `sink` in order.
pub fn encode<E: From<Error>>(
    _registry: &Registry,
    _tensor: &Tensor<'_>,
    _encoding: &Encoding,
    _sink: impl FnMut(CodedChunk<'static>) -> Result<(), E>,
) -> Result<TensorReport, E> {
    todo!()
}
