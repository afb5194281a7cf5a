//! Writes the rows of a container as an Arrow IPC stream.

use std::fmt;
use std::io::Write;

use arrow_ipc::writer::StreamWriter as ArrowWriter;
use telecine_core::{CodedChunk, Limits, TensorMeta};

use crate::error::{Place, Result};
use crate::gather::{Gather, write_options};
use crate::row::{Row, writing_limits};
use crate::sequence::Sequence;

/// Writes rows as an Arrow IPC stream, for sockets and pipes.
///
/// Rows are gathered into batches of about 1 MiB; [`StreamWriter::flush`] sends those that wait. A stream that was not
/// finished is told from a whole one by its reader.
pub struct StreamWriter<W: Write> {
    arrow: ArrowWriter<W>,
    gather: Gather,
    sequence: Sequence,
    rows: u64,
    place: Place,
    /// After an error of writing, what was sent is not known.
    failed: bool,
}

impl<W: Write> StreamWriter<W> {
    /// Begins a stream by writing its schema. Batches are written in pieces: a socket is best wrapped in a
    /// [`BufWriter`](std::io::BufWriter).
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io).
    pub fn new(sink: W) -> Result<Self> {
        let place = Place::stream();
        let gather = Gather::new();
        let arrow = write_options()
            .and_then(|options| ArrowWriter::try_new_with_options(sink, gather.schema(), options))
            .map_err(|error| place.arrow(error))?;
        Ok(Self { arrow, gather, sequence: Sequence::default(), rows: 0, place, failed: false })
    }

    /// Writes the next chunk. The chunks of a tensor come one after the other, in order.
    ///
    /// # Errors
    /// As [`FileWriter::write`](crate::FileWriter::write); `Limit` for more rows than the default [`Limits::packets`], which
    /// bounds what the writer, and a reader, remember of names.
    pub fn write(&mut self, meta: &TensorMeta, target: &str, chunk: &CodedChunk<'_>) -> Result<()> {
        self.usable()?;
        let row = Row::new(meta, target, chunk);
        let limits = writing_limits();
        let checked = row.check(&limits)?;
        Limits::check("rows of a stream", self.rows + 1, Limits::DEFAULT.packets)?;
        row.spec(&limits)?;
        self.sequence.step(&row, &checked)?;
        self.rows += 1;
        self.gather.push(&row);
        if self.gather.is_full() { self.write_batch() } else { Ok(()) }
    }

    /// Sends the rows that wait for their batch to fill, and flushes the sink.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io), after which the stream cannot go on.
    pub fn flush(&mut self) -> Result<()> {
        self.usable()?;
        if !self.gather.is_empty() {
            self.write_batch()?;
        }
        self.arrow.flush().map_err(|error| self.place.arrow(error))
    }

    /// Sends what waits and the end of the stream; returns the sink.
    ///
    /// # Errors
    /// `Invalid` where the last tensor lacks chunks; [`Error::Io`](crate::Error::Io).
    pub fn finish(mut self) -> Result<W> {
        self.usable()?;
        self.sequence.end()?;
        if !self.gather.is_empty() {
            self.write_batch()?;
        }
        self.arrow.finish().map_err(|error| self.place.arrow(error))?;
        self.arrow.into_inner().map_err(|error| self.place.arrow(error))
    }

    fn write_batch(&mut self) -> Result<()> {
        self.failed = true;
        let written = self.gather.take().and_then(|batch| self.arrow.write(&batch));
        written.map_err(|error| self.place.arrow(error))?;
        self.failed = false;
        Ok(())
    }

    fn usable(&self) -> Result<()> {
        if self.failed {
            return Err(self
                .place
                .io(std::io::Error::other("an earlier write failed; begin the stream anew")));
        }
        Ok(())
    }
}

impl<W: Write> fmt::Debug for StreamWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter").field("failed", &self.failed).finish_non_exhaustive()
    }
}
