//! Reads a container from a mapped file.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;
use telecine_core::{CodedChunk, Limits, MatrixShape};

use crate::batch::Batch;
use crate::entry::{Sum, TensorEntry};
use crate::error::{Place, Result};
use crate::ipc::Frame;
use crate::row::Row;
use crate::sequence::Sequence;

/// A container that is open for reading: the list of its tensors, and their chunks on request.
///
/// Opening reads the descriptive columns, not the payloads. Chunks borrow their bytes from the mapped file. A file that
/// was truncated since is an error of the next call, and one that was changed has wrong checksums. But whoever truncates
/// it *during* a call, or while the bytes of a chunk are looked at, ends this process by a signal (`SIGBUS`), as with
/// every mapped file. [`FileWriter`](crate::FileWriter) replaces files whole and so never does that; where others might,
/// read the file into memory for [`Container::from_bytes`].
pub struct Container {
    bytes: Bytes,
    place: Place,
    limits: Limits,
    version: (u16, u16),
    batches: Vec<Batch>,
    /// The first row of each batch.
    starts: Vec<u64>,
    rows: u64,
    tensors: Vec<TensorEntry>,
    names: HashMap<String, usize>,
}

/// The bytes of a container.
enum Bytes {
    /// The file is kept open to be asked for its length.
    Mapped(Mmap, File),
    Owned(Vec<u8>),
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map, _) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl Container {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io); [`Error::NotThisFormat`](crate::Error::NotThisFormat) and
    /// [`Error::NewerVersion`](crate::Error::NewerVersion); `Corrupt` where the file contradicts itself; `Limit` where
    /// it has more rows, or one of them is larger, than `limits` allow.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self> {
        let place = Place::file(path);
        let io = |error| place.io(error);
        // Asked before opening: to open a pipe would wait for its other end.
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(place.io(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file")));
        }
        let file = File::open(path).map_err(io)?;
        // SAFETY: the map is only read, and every look into it goes through a slice of the length that it had when it
        // was made, with no reference to a value that bytes could make invalid: text is checked each time it is read.
        // That others may change the file meanwhile cannot be ruled out; the type's documentation says what follows.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        Self::read(Bytes::Mapped(map, file), place, limits)
    }

    /// Opens a container that lies in memory.
    ///
    /// # Errors
    /// As [`Container::open`], without those of files.
    pub fn from_bytes(bytes: Vec<u8>, limits: &Limits) -> Result<Self> {
        Self::read(Bytes::Owned(bytes), Place::memory(), limits)
    }

    fn read(bytes: Bytes, place: Place, limits: &Limits) -> Result<Self> {
        let Frame { version, batches } = Frame::read(bytes.as_slice(), &place)?;
        let mut starts = Vec::with_capacity(batches.len());
        let mut rows = 0u64;
        for batch in &batches {
            starts.push(rows);
            rows = rows.saturating_add(batch.rows);
        }
        Limits::check("rows of a container", rows, limits.packets)?;
        let (tensors, names) = list(bytes.as_slice(), &batches, &place, limits)?;
        Ok(Self { bytes, place, limits: *limits, version, batches, starts, rows, tensors, names })
    }

    /// The tensors in the order of the file, Telecine's own ones included.
    pub fn tensors(&self) -> &[TensorEntry] {
        &self.tensors
    }

    /// The tensor of this name.
    pub fn find(&self, name: &str) -> Option<&TensorEntry> {
        self.names.get(name).and_then(|&index| self.tensors.get(index))
    }

    /// The chunk in this row of the container; its checksum has been compared, its packet not been looked at.
    ///
    /// # Errors
    /// `Invalid` for a row that is not there, `Corrupt` where checksum or columns do not fit, `Limit`;
    /// [`Error::Io`](crate::Error::Io) where the file has been truncated since it was opened.
    pub fn chunk(&self, row: u64) -> Result<CodedChunk<'_>> {
        let place = &self.place;
        self.check_length()?;
        let (found, checksum) = self.row(row)?;
        let actual = found.checksum();
        if actual != checksum {
            return Err(place.corrupt(format_args!(
                "row {row} (tensor {:?}, chunk {}): checksum {actual:#018x} instead of {checksum:#018x}",
                found.tensor, found.chunk
            )));
        }
        found.coded(&self.limits).map_err(|error| place.damaged_row(row, error))
    }

    /// Fails when the file has become shorter than its map: to look beyond its end would end the process.
    fn check_length(&self) -> Result<()> {
        let Bytes::Mapped(map, file) = &self.bytes else { return Ok(()) };
        let now = file.metadata().map_err(|error| self.place.io(error))?.len();
        if now < map.len() as u64 {
            let what = format!("was truncated from {} to {now} bytes while it was open", map.len());
            return Err(self.place.io(io::Error::new(io::ErrorKind::UnexpectedEof, what)));
        }
        Ok(())
    }

    /// The columns of this row of the container, and the checksum that they should have.
    fn row(&self, row: u64) -> Result<(Row<'_>, u64)> {
        if row >= self.rows {
            let reason = format!("row {row} of a container of {} rows", self.rows);
            return Err(telecine_core::Error::invalid(reason).into());
        }
        let index = self.starts.partition_point(|&start| start <= row) - 1;
        row_of(&self.batches[index], row - self.starts[index], self.bytes.as_slice())
            .map_err(|reason| self.place.corrupt(format_args!("row {row}: {reason}")))
    }

    /// The rows of the container whose chunks hold these rows of a tensor's matrix view.
    ///
    /// Only the descriptive columns are looked at; [`Container::chunk`] compares the checksums of those that are read.
    ///
    /// # Errors
    /// `Invalid` for rows that the tensor does not have, or an entry of another container;
    /// [`Error::Io`](crate::Error::Io) where the file has been truncated since it was opened.
    pub fn chunks_holding(&self, entry: &TensorEntry, rows: Range<u64>) -> Result<Range<u64>> {
        self.check_length()?;
        let matrix = MatrixShape::of(&entry.meta.shape);
        let ours =
            self.find(&entry.meta.name).is_some_and(|own| own.meta == entry.meta && own.rows == entry.rows);
        if !ours || rows.start > rows.end || rows.end > matrix.rows {
            return Err(telecine_core::Error::invalid(format!(
                "rows {}..{} of tensor {:?}, which has {} in {} chunks",
                rows.start,
                rows.end,
                entry.meta.name,
                matrix.rows,
                entry.rows.end - entry.rows.start
            ))
            .into());
        }
        if rows.is_empty() {
            return Ok(entry.rows.start..entry.rows.start);
        }
        let first = self.first_chunk(&entry.rows, |end| end > rows.start)?;
        let last = self.first_chunk(&entry.rows, |end| end >= rows.end)?;
        Ok(first..last + 1)
    }

    /// The first of a tensor's container rows with an end that is `far` enough, by bisection; the last if none is.
    fn first_chunk(&self, rows: &Range<u64>, far: impl Fn(u64) -> bool) -> Result<u64> {
        let (mut low, mut high) = (rows.start, rows.end - 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if far(self.row(middle)?.0.row_end) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }

    /// Size of the file.
    pub fn file_bytes(&self) -> u64 {
        self.bytes.as_slice().len() as u64
    }

    /// The version of the format that the file names, major and minor.
    pub fn version(&self) -> (u16, u16) {
        self.version
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container")
            .field("path", &self.place.path())
            .field("version", &self.version)
            .field("tensors", &self.tensors.len())
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

fn row_of<'a>(batch: &Batch, row: u64, bytes: &'a [u8]) -> Result<(Row<'a>, u64), String> {
    batch.row(bytes, usize::try_from(row).map_err(|_| "is beyond this machine's addresses")?)
}

/// Lists the tensors; checks that their rows are in order and whole.
fn list(
    bytes: &[u8],
    batches: &[Batch],
    place: &Place,
    limits: &Limits,
) -> Result<(Vec<TensorEntry>, HashMap<String, usize>)> {
    let mut sequence = Sequence::default();
    let mut sums: Vec<Sum> = Vec::new();
    let mut number = 0;
    for batch in batches {
        for index in 0..batch.rows {
            let (row, _) = row_of(batch, index, bytes)
                .map_err(|reason| place.corrupt(format_args!("row {number}: {reason}")))?;
            let damaged = |error| place.damaged_row(number, error);
            let checked = row.check(limits).map_err(damaged)?;
            if sequence.step(&row, &checked).map_err(damaged)? {
                sums.push(Sum::new(&row, &checked, number));
            } else if let Some(sum) = sums.last_mut() {
                sum.add(&row, &checked);
            }
            number += 1;
        }
    }
    sequence.end().map_err(|error| place.damaged_row(number, error))?;
    let tensors: Vec<_> = sums.into_iter().map(Sum::finish).collect();
    let names = tensors.iter().enumerate().map(|(at, tensor)| (tensor.meta.name.clone(), at)).collect();
    Ok((tensors, names))
}
