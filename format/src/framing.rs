//! Bytes that a container file takes besides packets and side information.

use std::io::Write;

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter as ArrowWriter;
use arrow_schema::{ArrowError, Schema};
use telecine_core::{SideEffects, TensorMeta};

use crate::error::{Place, Result};
use crate::gather::{BATCH_BYTES, Gather, write_options};
use crate::row::Row;
use crate::schema::{Column, Kind};

/// Bytes that each batch takes in the footer.
pub(crate) const BLOCK_BYTES: u64 = 24;
/// Bytes of padding that the buffers of a batch take, at most: 33 of them, each padded to 8.
const PADDING: u64 = 33 * 7;
/// Bytes of a codec's id.
const CODEC_BYTES: u64 = 4;

/// Bytes that a container file takes besides packets and side information, measured by writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    /// A file without rows.
    pub file: u64,
    /// A batch, besides its body and its block in the footer.
    pub(crate) message: u64,
}

impl Framing {
    /// Measures them.
    ///
    /// # Errors
    /// None but Arrow's own.
    pub fn measure() -> Result<Self> {
        Self::try_measure().map_err(|error| Place::stream().arrow(error))
    }

    /// A batch besides its rows, at most.
    pub fn batch(&self) -> u64 {
        self.message + BLOCK_BYTES + PADDING + row_bytes(0) - fixed_bytes()
    }

    /// Batches that rows of as many bytes in all make, packets included.
    pub fn batches(bytes: u64) -> u64 {
        bytes.div_ceil(BATCH_BYTES)
    }

    /// A row besides its side information and packet, when its transform and target have `texts` bytes together.
    pub fn row(meta: &TensorMeta, texts: u64) -> u64 {
        let names = (meta.name.len() + meta.dtype.name().len()) as u64;
        row_bytes(meta.shape.len() as u64) + names + CODEC_BYTES + texts
    }

    fn try_measure() -> Result<Self, ArrowError> {
        let mut gather = Gather::new();
        let file = written(gather.schema(), None)?;
        gather.push(&Row {
            tensor: "",
            dtype: "",
            shape: [].as_slice().into(),
            chunk: 0,
            row_start: 0,
            row_end: 0,
            values: 0,
            codec: "",
            frames: 0,
            height: 0,
            width: 0,
            depth: 0,
            transform: "",
            target: "",
            bytes: 0,
            bits: 0.0,
            nmse: 0.0,
            max_abs_error: 0.0,
            energy: 0.0,
            side_effects: SideEffects::default(),
            side: &[],
            payload: &[],
        });
        let body = gather.body_bytes();
        let one_batch = written(&gather.schema().clone(), Some(&gather.take()?))?;
        Ok(Self { file, message: one_batch - file - body - BLOCK_BYTES })
    }
}

/// A row's numbers, offsets and lengths of `dimensions` dimensions.
fn row_bytes(dimensions: u64) -> u64 {
    let column = |column: &Column| match column.kind() {
        Kind::Fixed(width) => width as u64,
        Kind::Text => 4,
        Kind::Shape => 4 + 8 * dimensions,
        Kind::Bytes => 8,
    };
    Column::ALL.iter().map(column).sum()
}

/// The part of a row's bytes that is no offset: a column of offsets has one more than the batch has rows.
fn fixed_bytes() -> u64 {
    let column = |column: &Column| match column.kind() {
        Kind::Fixed(width) => width as u64,
        _ => 0,
    };
    Column::ALL.iter().map(column).sum()
}

fn written(schema: &Schema, batch: Option<&RecordBatch>) -> Result<u64, ArrowError> {
    let mut writer = arrow_writer(Vec::new(), schema)?;
    if let Some(batch) = batch {
        writer.write(batch)?;
    }
    Ok(writer.into_inner()?.len() as u64)
}

pub(crate) fn arrow_writer<W: Write>(sink: W, schema: &Schema) -> Result<ArrowWriter<W>, ArrowError> {
    ArrowWriter::try_new_with_options(sink, schema, write_options()?)
}
