//! Reads the rows of a container from an Arrow IPC stream.

use std::fmt;
use std::io::Read;

use telecine_core::{CodedChunk, Limits, TensorMeta};

use crate::batch::Batch;
use crate::error::{Place, Result};
use crate::gather::BATCH_BYTES;
use crate::ipc::{PREFIX, find_batch, message_len, parse_message};
use crate::row::Row;
use crate::schema::recognise;
use crate::sequence::Sequence;

/// Most bytes of a message without its body; ours have about 1,400, and 4,000 for the schema.
const MESSAGE_BYTES: u64 = 1 << 20;

/// One chunk that came by a stream, with what is known of its tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamRow {
    /// Name, dtype and shape.
    pub meta: TensorMeta,
    /// What the caller asked for, such as `bits=3`.
    pub target: String,
    /// The chunk; its checksum has been compared.
    pub chunk: CodedChunk<'static>,
}

/// Reads rows from an Arrow IPC stream, one batch in memory at a time.
///
/// An iterator over rows. It ends after the stream's end marker, and after the first error. A stream that stops before
/// its end marker, or within a tensor, is damaged.
pub struct StreamReader<R: Read> {
    source: R,
    limits: Limits,
    place: Place,
    version: (u16, u16),
    sequence: Sequence,
    rows: u64,
    body: Vec<u8>,
    batch: Option<(Batch, usize)>,
    ended: bool,
}

impl<R: Read> StreamReader<R> {
    /// Begins by reading the stream's schema.
    ///
    /// Small pieces are read: a socket or file is best wrapped in a [`BufReader`](std::io::BufReader).
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io), [`Error::NotThisFormat`](crate::Error::NotThisFormat),
    /// [`Error::NewerVersion`](crate::Error::NewerVersion), `Corrupt`.
    pub fn new(mut source: R, limits: &Limits) -> Result<Self> {
        let place = Place::stream();
        let mut prefix = [0; PREFIX];
        source.read_exact(&mut prefix).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => place.foreign("it ends before it begins"),
            _ => place.io(error),
        })?;
        let length = match message_len(prefix) {
            Ok(Some(length)) => length,
            Ok(None) => return Err(place.foreign("it ends before a schema")),
            Err(reason) => return Err(place.foreign(format!("it {reason}"))),
        };
        let mut message = Vec::new();
        fill(&mut source, &mut message, length, "bytes of a schema message", MESSAGE_BYTES, &place)?;
        let wrong = |reason| place.corrupt(format_args!("the first message {reason}"));
        let version = match parse_message(&message, &wrong)?.header_as_schema() {
            Some(schema) => recognise(schema, &place)?,
            None => return Err(wrong("is not a schema".into())),
        };
        Ok(Self {
            source,
            limits: *limits,
            place,
            version,
            sequence: Sequence::default(),
            rows: 0,
            body: Vec::new(),
            batch: None,
            ended: false,
        })
    }

    /// The version of the format that the stream names, major and minor.
    pub fn version(&self) -> (u16, u16) {
        self.version
    }

    fn next_row(&mut self) -> Result<Option<StreamRow>> {
        loop {
            if let Some((batch, next)) = &mut self.batch {
                if (*next as u64) < batch.rows {
                    let row = batch.row(&self.body, *next);
                    *next += 1;
                    let number = self.rows;
                    self.rows += 1;
                    return match row {
                        Ok((row, sum)) => {
                            accept(&row, sum, &mut self.sequence, &self.place, number, &self.limits).map(Some)
                        }
                        Err(reason) => Err(self.place.corrupt(format_args!("row {number}: {reason}"))),
                    };
                }
                self.batch = None;
            }
            if !self.next_batch()? {
                self.sequence.end().map_err(|error| self.place.damaged_row(self.rows, error))?;
                return Ok(None);
            }
        }
    }

    /// Reads the next batch; `false` at the stream's end.
    fn next_batch(&mut self) -> Result<bool> {
        let place = &self.place;
        let wrong = |reason| place.corrupt(format_args!("a message after row {} {reason}", self.rows));
        let mut prefix = [0; PREFIX];
        self.source.read_exact(&mut prefix).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => place.corrupt("the stream stops without its end marker"),
            _ => place.io(error),
        })?;
        let Some(length) = message_len(prefix).map_err(wrong)? else { return Ok(false) };
        let mut bytes = Vec::new();
        fill(&mut self.source, &mut bytes, length, "bytes of a message", MESSAGE_BYTES, place)?;
        let message = parse_message(&bytes, &wrong)?;
        let length =
            u64::try_from(message.bodyLength()).map_err(|_| wrong("has a negative length".into()))?;
        // Writers end a batch at the row that brings it to BATCH_BYTES, so it has one full packet besides at most.
        let limit = self.limits.packet_bytes.saturating_add(2 * BATCH_BYTES);
        self.body.clear();
        fill(&mut self.source, &mut self.body, length, "bytes of a batch", limit, place)?;
        let batch = find_batch(&message, 0..self.body.len()).map_err(wrong)?;
        Limits::check("rows of a stream", self.rows.saturating_add(batch.rows), self.limits.packets)?;
        self.batch = Some((batch, 0));
        Ok(true)
    }
}

impl<R: Read> Iterator for StreamReader<R> {
    type Item = Result<StreamRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let row = self.next_row();
        self.ended = !matches!(row, Ok(Some(_)));
        row.transpose()
    }
}

impl<R: Read> fmt::Debug for StreamReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader")
            .field("version", &self.version)
            .field("rows", &self.rows)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// Reads `length` bytes; memory grows with what comes, not with what was announced.
fn fill(
    source: &mut impl Read,
    buffer: &mut Vec<u8>,
    length: u64,
    what: &'static str,
    limit: u64,
    place: &Place,
) -> Result<()> {
    Limits::check(what, length, limit)?;
    let read = source.by_ref().take(length).read_to_end(buffer).map_err(|error| place.io(error))?;
    if (read as u64) < length {
        return Err(place.corrupt(format_args!("the stream stops after {read} of {length} {what}")));
    }
    Ok(())
}

/// Checks a row and takes it out of its batch.
fn accept(
    row: &Row<'_>,
    checksum: u64,
    sequence: &mut Sequence,
    place: &Place,
    number: u64,
    limits: &Limits,
) -> Result<StreamRow> {
    let damaged = |error| place.damaged_row(number, error);
    if row.checksum() != checksum {
        return Err(place.corrupt(format_args!("row {number} does not have its checksum {checksum:#018x}")));
    }
    let checked = row.check(limits).map_err(damaged)?;
    sequence.step(row, &checked).map_err(damaged)?;
    let chunk = row.coded(limits).map_err(damaged)?;
    Ok(StreamRow {
        meta: TensorMeta::new(row.tensor, checked.dtype, &*row.shape),
        target: row.target.to_owned(),
        chunk: chunk.into_owned(),
    })
}
