//! Layers whose weights stay compressed in memory.

use std::sync::Arc;

use candle_core::{D, DType, Module, Tensor};
use telecine::{Codec, Encoded};

use super::to_candle;
use crate::{Error, Result};

/// Rows that are decoded at a time: a block of a wide head stays small.
const ROWS: usize = 4096;

/// `y = x Wᵀ`, where `W` is decoded for each pass, a block of rows at a time, and forgotten.
#[derive(Debug, Clone)]
pub struct CompressedLinear {
    codec: Arc<Codec>,
    weight: Arc<Encoded>,
}

/// Rows of a compressed matrix by index, each decoded when it is looked up.
#[derive(Debug, Clone)]
pub struct CompressedEmbedding {
    codec: Arc<Codec>,
    weight: Arc<Encoded>,
}

fn matrix(weight: &Encoded) -> Result<(u64, u64)> {
    match weight.meta.shape[..] {
        [rows, cols] => Ok((rows, cols)),
        _ => Err(Error::call(format!("a weight of shape {:?} is no matrix", weight.meta.shape))),
    }
}

impl CompressedLinear {
    /// A layer without bias with this weight, `[outputs, inputs]`.
    ///
    /// # Errors
    /// [`Error::Call`] for a weight that is no matrix.
    pub fn new(codec: Arc<Codec>, weight: Arc<Encoded>) -> Result<Self> {
        matrix(&weight)?;
        Ok(Self { codec, weight })
    }
}

impl Module for CompressedLinear {
    fn forward(&self, input: &Tensor) -> candle_core::Result<Tensor> {
        let (rows, _) = matrix(&self.weight).map_err(candle_core::Error::wrap)?;
        let mut outputs = Vec::new();
        for start in (0..rows).step_by(ROWS) {
            let block = self.codec.decode_rows(&self.weight, start..(start + ROWS as u64).min(rows));
            let block = to_candle(&block.map_err(candle_core::Error::wrap)?, input.device());
            let block = block.map_err(candle_core::Error::wrap)?.to_dtype(input.dtype())?;
            outputs.push(input.broadcast_matmul(&block.t()?)?);
        }
        if outputs.len() == 1 { Ok(outputs.remove(0)) } else { Tensor::cat(&outputs, D::Minus1) }
    }
}

impl CompressedEmbedding {
    /// A table of this weight's rows.
    ///
    /// # Errors
    /// [`Error::Call`] for a weight that is no matrix.
    pub fn new(codec: Arc<Codec>, weight: Arc<Encoded>) -> Result<Self> {
        matrix(&weight)?;
        Ok(Self { codec, weight })
    }
}

impl Module for CompressedEmbedding {
    /// Each chunk that holds one of the rows is decoded once.
    fn forward(&self, indices: &Tensor) -> candle_core::Result<Tensor> {
        let wanted = indices.flatten_all()?.to_dtype(DType::U32)?.to_vec1::<u32>()?;
        let (rows, cols) = matrix(&self.weight).map_err(candle_core::Error::wrap)?;
        #[expect(clippy::cast_possible_truncation, reason = "a row fits into memory")]
        let cols = cols as usize;
        let mut out = vec![0f32; wanted.len() * cols];
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        order.sort_by_key(|&at| wanted[at]);
        let mut next = order.into_iter().peekable();
        while let Some(&first) = next.peek() {
            let row = u64::from(wanted[first]);
            let chunk = self.weight.chunks.iter().find(|chunk| chunk.rows.contains(&row));
            let span = chunk
                .map(|chunk| chunk.rows.clone())
                .ok_or_else(|| candle_core::Error::Msg(format!("row {row} of an embedding of {rows}")))?;
            let block = self.codec.decode_rows(&self.weight, span.clone());
            let block = block.map_err(candle_core::Error::wrap)?.to_f32();
            while let Some(at) = next.next_if(|&at| span.contains(&u64::from(wanted[at]))) {
                #[expect(clippy::cast_possible_truncation, reason = "a row of a decoded block")]
                let within = (u64::from(wanted[at]) - span.start) as usize * cols;
                out[at * cols..][..cols].copy_from_slice(&block[within..][..cols]);
            }
        }
        let mut shape = indices.dims().to_vec();
        shape.push(cols);
        Tensor::from_vec(out, shape, indices.device())
    }
}
