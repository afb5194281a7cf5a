//! Gathers rows into record batches, and knows to the byte what they will take in a file.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::builder::{
    Float64Builder, LargeBinaryBuilder, ListBuilder, StringBuilder, UInt8Builder, UInt32Builder,
    UInt64Builder,
};
use arrow_ipc::MetadataVersion;
use arrow_ipc::writer::IpcWriteOptions;
use arrow_schema::{ArrowError, SchemaRef};

use crate::row::Row;
use crate::schema::{Column, Kind, schema, shape_item};

/// A batch ends with the row that brings its body to this many bytes, so that framing costs about 0.2 %.
pub(crate) const BATCH_BYTES: u64 = 1 << 20;

/// How batches are written: buffers aligned to 8 bytes, which is the least that Arrow allows.
///
/// # Errors
/// None for these options.
pub(crate) fn write_options() -> Result<IpcWriteOptions, ArrowError> {
    IpcWriteOptions::try_new(8, false, MetadataVersion::V5)
}

/// A record batch in the making.
#[derive(Debug)]
pub(crate) struct Gather {
    schema: SchemaRef,
    rows: u64,
    /// Each with the bytes that it holds, as are side and payload.
    texts: [(StringBuilder, u64); 5],
    shape: ListBuilder<UInt64Builder>,
    shape_items: u64,
    chunk: UInt32Builder,
    row_start: UInt64Builder,
    row_end: UInt64Builder,
    values: UInt64Builder,
    frames: UInt32Builder,
    height: UInt32Builder,
    width: UInt32Builder,
    depth: UInt8Builder,
    bytes: UInt64Builder,
    bits: Float64Builder,
    nmse: Float64Builder,
    max_abs_error: Float64Builder,
    energy: Float64Builder,
    lost_zeros: UInt64Builder,
    changed_signs: UInt64Builder,
    flattened: UInt64Builder,
    checksum: UInt64Builder,
    side: (LargeBinaryBuilder, u64),
    payload: (LargeBinaryBuilder, u64),
}

impl Gather {
    pub(crate) fn new() -> Self {
        Self {
            schema: schema(),
            rows: 0,
            texts: Default::default(),
            shape: ListBuilder::new(UInt64Builder::new()).with_field(shape_item()),
            shape_items: 0,
            chunk: UInt32Builder::new(),
            row_start: UInt64Builder::new(),
            row_end: UInt64Builder::new(),
            values: UInt64Builder::new(),
            frames: UInt32Builder::new(),
            height: UInt32Builder::new(),
            width: UInt32Builder::new(),
            depth: UInt8Builder::new(),
            bytes: UInt64Builder::new(),
            bits: Float64Builder::new(),
            nmse: Float64Builder::new(),
            max_abs_error: Float64Builder::new(),
            energy: Float64Builder::new(),
            lost_zeros: UInt64Builder::new(),
            changed_signs: UInt64Builder::new(),
            flattened: UInt64Builder::new(),
            checksum: UInt64Builder::new(),
            side: (LargeBinaryBuilder::new(), 0),
            payload: (LargeBinaryBuilder::new(), 0),
        }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Whether the batch is large enough to be written.
    pub(crate) fn is_full(&self) -> bool {
        self.body_bytes() >= BATCH_BYTES
    }

    pub(crate) fn push(&mut self, row: &Row<'_>) {
        let texts = [row.tensor, row.dtype, row.codec, row.transform, row.target];
        for ((builder, bytes), text) in self.texts.iter_mut().zip(texts) {
            builder.append_value(text);
            *bytes += text.len() as u64;
        }
        self.shape.values().append_slice(&row.shape);
        self.shape.append(true);
        self.shape_items += row.shape.len() as u64;
        self.chunk.append_value(row.chunk);
        self.row_start.append_value(row.row_start);
        self.row_end.append_value(row.row_end);
        self.values.append_value(row.values);
        self.frames.append_value(row.frames);
        self.height.append_value(row.height);
        self.width.append_value(row.width);
        self.depth.append_value(row.depth);
        self.bytes.append_value(row.bytes);
        self.bits.append_value(row.bits);
        self.nmse.append_value(row.nmse);
        self.max_abs_error.append_value(row.max_abs_error);
        self.energy.append_value(row.energy);
        self.lost_zeros.append_value(row.side_effects.lost_zeros);
        self.changed_signs.append_value(row.side_effects.changed_signs);
        self.flattened.append_value(row.side_effects.flattened);
        self.checksum.append_value(row.checksum());
        for ((builder, bytes), value) in [(&mut self.side, row.side), (&mut self.payload, row.payload)] {
            builder.append_value(value);
            *bytes += value.len() as u64;
        }
        self.rows += 1;
    }

    /// Bytes of the body of the batch's message, each buffer padded to 8.
    pub(crate) fn body_bytes(&self) -> u64 {
        let padded = |bytes: u64| bytes.next_multiple_of(8);
        let mut texts = self.texts.iter();
        let mut large = [self.side.1, self.payload.1].into_iter();
        let column = |column: &Column| match column.kind() {
            Kind::Fixed(width) => padded(self.rows * width as u64),
            Kind::Text => padded((self.rows + 1) * 4) + padded(texts.next().map_or(0, |(_, bytes)| *bytes)),
            Kind::Shape => padded((self.rows + 1) * 4) + self.shape_items * 8,
            Kind::Bytes => (self.rows + 1) * 8 + padded(large.next().unwrap_or(0)),
        };
        Column::ALL.iter().map(column).sum()
    }

    /// The batch so far; begins a new one.
    ///
    /// # Errors
    /// Arrow's, should the columns not fit the schema.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        self.shape_items = 0;
        let [tensor, dtype, codec, transform, target] = self.texts.each_mut().map(|(builder, bytes)| {
            *bytes = 0;
            Arc::new(builder.finish())
        });
        let large = |builder: &mut (LargeBinaryBuilder, u64)| {
            builder.1 = 0;
            Arc::new(builder.0.finish())
        };
        RecordBatch::try_new(
            self.schema.clone(),
            vec![
                tensor,
                dtype,
                Arc::new(self.shape.finish()),
                Arc::new(self.chunk.finish()),
                Arc::new(self.row_start.finish()),
                Arc::new(self.row_end.finish()),
                Arc::new(self.values.finish()),
                codec,
                Arc::new(self.frames.finish()),
                Arc::new(self.height.finish()),
                Arc::new(self.width.finish()),
                Arc::new(self.depth.finish()),
                transform,
                target,
                Arc::new(self.bytes.finish()),
                Arc::new(self.bits.finish()),
                Arc::new(self.nmse.finish()),
                Arc::new(self.max_abs_error.finish()),
                Arc::new(self.energy.finish()),
                Arc::new(self.lost_zeros.finish()),
                Arc::new(self.changed_signs.finish()),
                Arc::new(self.flattened.finish()),
                Arc::new(self.checksum.finish()),
                large(&mut self.side),
                large(&mut self.payload),
            ],
        )
    }
}
