//! Writes a container file beside its final name and renames it when it is whole.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use arrow_ipc::writer::FileWriter as ArrowWriter;
use telecine_core::{CodedChunk, TensorMeta};
use tempfile::NamedTempFile;

use crate::error::{Place, Result};
use crate::framing::{BLOCK_BYTES, Framing, arrow_writer};
use crate::gather::Gather;
use crate::row::{Row, writing_limits};
use crate::sequence::Sequence;

/// Writes a container file; until [`FileWriter::finish`], nothing is to be seen under the final name.
///
/// Dropped without finish, it leaves nothing behind; a process that is killed leaves `.telecine-*.partial` beside the
/// final name, which is in nobody's way and may be deleted. Memory holds one batch: about 1 MiB, or one chunk if that is more.
pub struct FileWriter {
    arrow: ArrowWriter<BufWriter<NamedTempFile>>,
    gather: Gather,
    sequence: Sequence,
    place: Place,
    /// The final name.
    path: PathBuf,
    overwrite: bool,
    /// Bytes of a file of the batches written so far, once finished.
    bytes: u64,
    framing: Framing,
    /// After an error of writing, what the file holds is not known.
    failed: bool,
}

impl FileWriter {
    /// Begins a file beside `path`.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) where `path` exists and `overwrite` is not set, is not a regular file, or its directory cannot be
    /// written to.
    pub fn create(path: &Path, overwrite: bool) -> Result<Self> {
        let place = Place::file(path);
        let io = |error| place.io(error);
        let path = destination(path, overwrite).map_err(io)?;
        let directory = directory(&path);
        let mut builder = tempfile::Builder::new();
        builder.prefix(".telecine-").suffix(".partial");
        // A temporary file is its owner's alone; this one is to become what the umask makes of other files.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(directory).map_err(|error| Place::file(directory).io(error))?;

        let gather = Gather::new();
        let framing = Framing::measure()?;
        let arrow =
            arrow_writer(BufWriter::new(file), gather.schema()).map_err(|error| place.arrow(error))?;
        Ok(Self {
            arrow,
            gather,
            sequence: Sequence::default(),
            place,
            path,
            overwrite,
            bytes: framing.file,
            framing,
            failed: false,
        })
    }

    /// Writes the next chunk. The chunks of a tensor come one after the other, in order.
    ///
    /// # Errors
    /// `Invalid` where the chunk is not the one that is due, contradicts itself, or its tensor's name was there
    /// before; nothing has then been written. [`Error::Io`](crate::Error::Io), after which the file cannot be finished.
    pub fn write(&mut self, meta: &TensorMeta, target: &str, chunk: &CodedChunk<'_>) -> Result<()> {
        self.usable()?;
        let row = Row::new(meta, target, chunk);
        let limits = writing_limits();
        let checked = row.check(&limits)?;
        row.spec(&limits)?;
        self.sequence.step(&row, &checked)?;
        self.gather.push(&row);
        if self.gather.is_full() { self.flush() } else { Ok(()) }
    }

    /// The exact size of the file if it were finished now.
    pub fn bytes_so_far(&self) -> u64 {
        self.bytes + if self.gather.is_empty() { 0 } else { self.batch_bytes() }
    }

    /// Completes the file, waits until it is on the disk, and gives it its name; returns its size in bytes.
    ///
    /// # Errors
    /// `Invalid` where the last tensor lacks chunks; [`Error::Io`](crate::Error::Io). Nothing is left behind then.
    pub fn finish(mut self) -> Result<u64> {
        self.usable()?;
        self.sequence.end()?;
        if !self.gather.is_empty() {
            self.flush()?;
        }
        let Self { mut arrow, place, path, overwrite, .. } = self;
        let io = |error| place.io(error);
        arrow.finish().map_err(|error| place.arrow(error))?;
        let buffered = arrow.into_inner().map_err(|error| place.arrow(error))?;
        let file = buffered.into_inner().map_err(|error| io(error.into_error()))?;
        file.as_file().sync_all().map_err(io)?;
        let bytes = file.as_file().metadata().map_err(io)?.len();
        let persisted = if overwrite { file.persist(&path) } else { file.persist_noclobber(&path) };
        persisted.map_err(|error| io(error.error))?;
        // The new name too must outlive a crash; only Unix has a way to ask for that.
        #[cfg(unix)]
        File::open(directory(&path)).and_then(|directory| directory.sync_all()).map_err(io)?;
        Ok(bytes)
    }

    fn batch_bytes(&self) -> u64 {
        self.gather.body_bytes() + self.framing.message + BLOCK_BYTES
    }

    fn flush(&mut self) -> Result<()> {
        self.bytes += self.batch_bytes();
        self.failed = true;
        let written = self.gather.take().and_then(|batch| self.arrow.write(&batch));
        written.map_err(|error| self.place.arrow(error))?;
        self.failed = false;
        Ok(())
    }

    fn usable(&self) -> Result<()> {
        if self.failed {
            return Err(self.place.io(io::Error::other("an earlier write failed; begin the file anew")));
        }
        Ok(())
    }
}

impl fmt::Debug for FileWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileWriter")
            .field("path", &self.path)
            .field("bytes_so_far", &self.bytes_so_far())
            .finish_non_exhaustive()
    }
}

/// The name that the file is to have: where `path` is a link to a file, that file's, so that the link stays.
fn destination(path: &Path, overwrite: bool) -> io::Result<PathBuf> {
    if path.file_name().is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "does not name a file"));
    }
    match fs::metadata(path) {
        Ok(there) if !there.is_file() => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "exists and is not a regular file"))
        }
        Ok(_) if !overwrite => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "exists; ask for overwriting to replace it"))
        }
        Ok(_) => fs::canonicalize(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(error),
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
