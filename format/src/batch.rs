//! Finds the columns of a record batch within its bytes, trusting none of its numbers.
//!
//! Arrow's own reader builds arrays from a batch; here a batch stays where it is, and a value is looked up when it is
//! asked for. That needs no memory sized by the file's claims, and touches no payload that is not wanted.

use std::borrow::Cow;
use std::ops::Range;

use telecine_core::SideEffects;

use crate::row::Row;
use crate::schema::{Column, Kind};

/// Where the columns of one batch lie in the container's bytes. All ranges were within them when it was made.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) rows: u64,
    slots: [Slot; Column::ALL.len()],
}

/// Where one column lies.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Start of the offsets; unused for fixed widths.
    offsets: usize,
    /// Start of the values.
    start: usize,
    /// Bytes of the values.
    len: usize,
}

/// Takes the buffers of a batch one after the other.
struct Buffers<'a> {
    nodes: flatbuffers::VectorIter<'a, arrow_ipc::FieldNode>,
    buffers: flatbuffers::VectorIter<'a, arrow_ipc::Buffer>,
    body: Range<usize>,
}

impl Buffers<'_> {
    /// The next node, which must be free of nulls; skips its validity buffer, which says nothing then.
    fn node(&mut self) -> Result<u64, String> {
        let node = self.nodes.next().ok_or("has too few field nodes")?;
        if node.null_count() != 0 {
            return Err("has nulls".into());
        }
        self.buffer()?;
        u64::try_from(node.length()).map_err(|_| "has a field of negative length".into())
    }

    /// The next buffer's place in the container's bytes, which is within the body.
    fn buffer(&mut self) -> Result<Range<usize>, String> {
        let buffer = self.buffers.next().ok_or("has too few buffers")?;
        let part = (|| {
            let start = self.body.start.checked_add(usize::try_from(buffer.offset()).ok()?)?;
            let end = start.checked_add(usize::try_from(buffer.length()).ok()?)?;
            (end <= self.body.end).then_some(start..end)
        })();
        part.ok_or_else(|| {
            let (offset, length, body) = (buffer.offset(), buffer.length(), self.body.len());
            format!("has a buffer of {length} bytes at {offset}, beyond its body of {body} bytes")
        })
    }

    /// The next buffer, which holds `count` items of `width` bytes at least.
    fn items(&mut self, count: u64, width: usize) -> Result<Range<usize>, String> {
        let buffer = self.buffer()?;
        if count.checked_mul(width as u64).is_none_or(|bytes| bytes > buffer.len() as u64) {
            return Err(format!("has {} bytes for {count} items of {width} bytes", buffer.len()));
        }
        Ok(buffer)
    }
}

impl Batch {
    /// Finds the columns of a batch whose body is at `body` in the container's bytes.
    ///
    /// # Errors
    /// What the batch has or lacks, as the rest of a sentence.
    pub(crate) fn find(header: arrow_ipc::RecordBatch<'_>, body: Range<usize>) -> Result<Self, String> {
        if header.compression().is_some() {
            return Err("is compressed by Arrow; have it written again without compression".into());
        }
        let rows = u64::try_from(header.length()).map_err(|_| "has a negative number of rows")?;
        let mut buffers = Buffers {
            nodes: header.nodes().ok_or("has no field nodes")?.iter(),
            buffers: header.buffers().ok_or("has no buffers")?.iter(),
            body,
        };
        let mut slots = [Slot::default(); Column::ALL.len()];
        for (slot, column) in slots.iter_mut().zip(Column::ALL) {
            *slot = Self::find_column(*column, rows, &mut buffers)
                .map_err(|reason| format!("column `{}` {reason}", column.name()))?;
        }
        Ok(Self { rows, slots })
    }

    fn find_column(column: Column, rows: u64, buffers: &mut Buffers<'_>) -> Result<Slot, String> {
        if buffers.node()? != rows {
            return Err(format!("does not have the batch's {rows} rows"));
        }
        // An array without rows may leave out the one offset that it should have.
        let ends = if rows == 0 { 0 } else { rows.saturating_add(1) };
        let (offsets, values) = match column.kind() {
            Kind::Fixed(width) => (0..0, buffers.items(rows, width)?),
            Kind::Text => (buffers.items(ends, 4)?, buffers.buffer()?),
            Kind::Bytes => (buffers.items(ends, 8)?, buffers.buffer()?),
            Kind::Shape => {
                let offsets = buffers.items(ends, 4)?;
                let items = buffers.node()?;
                (offsets, buffers.items(items, 8)?)
            }
        };
        Ok(Slot { offsets: offsets.start, start: values.start, len: values.len() })
    }

    /// The row and its checksum.
    ///
    /// # Errors
    /// What is wrong with it. Only the row itself is looked at, not what its columns mean.
    pub(crate) fn row<'a>(&self, bytes: &'a [u8], row: usize) -> Result<(Row<'a>, u64), String> {
        let at = At { batch: self, bytes, row };
        let row = Row {
            tensor: at.text(Column::Tensor)?,
            dtype: at.text(Column::DType)?,
            shape: at.shape()?,
            chunk: at.u32(Column::Chunk)?,
            row_start: at.u64(Column::RowStart)?,
            row_end: at.u64(Column::RowEnd)?,
            values: at.u64(Column::Values)?,
            codec: at.text(Column::Codec)?,
            frames: at.u32(Column::Frames)?,
            height: at.u32(Column::Height)?,
            width: at.u32(Column::Width)?,
            depth: u8::from_le_bytes(at.fixed(Column::Depth)?),
            transform: at.text(Column::Transform)?,
            target: at.text(Column::Target)?,
            bytes: at.u64(Column::Bytes)?,
            bits: at.f64(Column::Bits)?,
            nmse: at.f64(Column::Nmse)?,
            max_abs_error: at.f64(Column::MaxAbsError)?,
            energy: at.f64(Column::Energy)?,
            side_effects: SideEffects {
                lost_zeros: at.u64(Column::LostZeros)?,
                changed_signs: at.u64(Column::ChangedSigns)?,
                flattened: at.u64(Column::Flattened)?,
            },
            side: at.slice(Column::Side, 8, 1)?,
            payload: at.slice(Column::Payload, 8, 1)?,
        };
        Ok((row, at.u64(Column::Checksum)?))
    }
}

/// One row of a batch.
struct At<'a, 'b> {
    batch: &'b Batch,
    bytes: &'a [u8],
    row: usize,
}

impl<'a> At<'a, '_> {
    fn slot(&self, column: Column) -> Slot {
        self.batch.slots[column as usize]
    }

    /// `N` bytes at the `index`-th item of those that start at `start`.
    fn item<const N: usize>(&self, start: usize, index: usize) -> Option<[u8; N]> {
        let start = start.checked_add(index.checked_mul(N)?)?;
        self.bytes.get(start..)?.first_chunk().copied()
    }

    fn fixed<const N: usize>(&self, column: Column) -> Result<[u8; N], String> {
        self.item(self.slot(column).start, self.row).ok_or_else(|| wrong(column, "ends early"))
    }

    fn u32(&self, column: Column) -> Result<u32, String> {
        self.fixed(column).map(u32::from_le_bytes)
    }

    fn u64(&self, column: Column) -> Result<u64, String> {
        self.fixed(column).map(u64::from_le_bytes)
    }

    fn f64(&self, column: Column) -> Result<f64, String> {
        self.fixed(column).map(f64::from_le_bytes)
    }

    /// The row's bytes of a column with offsets of 4 or 8 bytes, which count items of `unit` bytes.
    fn slice(&self, column: Column, offset: usize, unit: usize) -> Result<&'a [u8], String> {
        let slot = self.slot(column);
        let end = |row: usize| -> Option<usize> {
            let items = if offset == 4 {
                usize::try_from(i32::from_le_bytes(self.item(slot.offsets, row)?)).ok()?
            } else {
                usize::try_from(i64::from_le_bytes(self.item(slot.offsets, row)?)).ok()?
            };
            items.checked_mul(unit).filter(|&end| end <= slot.len)
        };
        let part = end(self.row).zip(end(self.row + 1)).filter(|(start, end)| start <= end);
        part.and_then(|(start, end)| self.bytes.get(slot.start + start..slot.start + end))
            .ok_or_else(|| wrong(column, "has offsets beyond its bytes"))
    }

    fn text(&self, column: Column) -> Result<&'a str, String> {
        std::str::from_utf8(self.slice(column, 4, 1)?).map_err(|_| wrong(column, "is not UTF-8"))
    }

    fn shape(&self) -> Result<Cow<'a, [u64]>, String> {
        let items = self.slice(Column::Shape, 4, 8)?.as_chunks::<8>().0;
        Ok(items.iter().map(|&item| u64::from_le_bytes(item)).collect())
    }
}

fn wrong(column: Column, reason: &str) -> String {
    format!("column `{}` {reason}", column.name())
}

#[cfg(test)]
mod tests;
