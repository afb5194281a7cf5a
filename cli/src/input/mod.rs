//! Reading tensors from other people's files, by mapping them; every byte of them is hostile.

mod importance;
mod npy;
mod npz;
mod safetensors;
mod sensitivity;

pub use importance::Weights;
pub use safetensors::DTYPES as SAFETENSORS_DTYPES;
pub use sensitivity::Sensitivities;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use telecine::{DType, Limits, Tensor, count_values};

use crate::failure::{Failure, Result};

/// All tensors of the given files.
pub struct Model {
    files: Vec<Source>,
    entries: Vec<Entry>,
}

/// The bytes of an open file.
struct Source {
    path: PathBuf,
    bytes: Bytes,
}

enum Bytes {
    Mapped { map: Mmap, file: File },
    Owned(Vec<u8>),
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped { map, .. } => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// One tensor of a model.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name; unique within a model.
    pub name: String,
    /// The dtype of its values.
    pub dtype: DType,
    /// Its shape, outermost dimension first.
    pub shape: Vec<u64>,
    file: usize,
    place: Place,
}

/// Where the values of a tensor lie in their file.
#[derive(Debug, Clone)]
enum Place {
    /// At this byte, in row-major order, or column-major where `fortran`.
    Plain { start: usize, fortran: bool },
    /// In a member of a ZIP archive.
    Member(npz::Member),
}

/// The bytes of one tensor: those of its file, or inflated ones.
pub struct Data<'m>(Cow<'m, [u8]>);

impl Entry {
    /// Number of values; the readers have checked that it does not overflow.
    pub fn values(&self) -> u64 {
        self.shape.iter().product()
    }
}

impl Model {
    /// Maps files and lists their tensors, in the order of files and of data within them.
    ///
    /// # Errors
    /// What is wrong with a file, and the exit status that goes with it.
    pub fn open(paths: &[PathBuf], limits: &Limits) -> Result<Self> {
        let mut model = Self { files: Vec::new(), entries: Vec::new() };
        for path in paths {
            model.add(path, limits)?;
        }
        model.check_names(limits)?;
        Ok(model)
    }

    /// Lists the tensors of a file that lies in memory; `name` stands in messages and says what kind of file it is.
    ///
    /// # Errors
    /// As [`Model::open`]; an index of shards is refused.
    pub fn from_bytes(name: &Path, bytes: Vec<u8>, limits: &Limits) -> Result<Self> {
        let mut model = Self { files: Vec::new(), entries: Vec::new() };
        let reader = Reader::of(name)?;
        model.list(Source { path: name.to_owned(), bytes: Bytes::Owned(bytes) }, reader, limits)?;
        model.check_names(limits)?;
        Ok(model)
    }

    /// Refuses names that are too long or come twice.
    fn check_names(&self, limits: &Limits) -> Result<()> {
        let mut seen: HashMap<&str, usize> = HashMap::with_capacity(self.entries.len());
        for entry in &self.entries {
            if entry.name.len() > limits.name_bytes {
                let (value, limit) = (entry.name.len() as u64, limits.name_bytes as u64);
                let path = &self.files[entry.file].path;
                let what = "bytes of a tensor's name";
                return Err(
                    Failure::from(telecine::CoreError::Limit { what, value, limit }).about(path.display())
                );
            }
            if let Some(first) = seen.insert(&entry.name, entry.file) {
                let (a, b) = (self.files[first].path.display(), self.files[entry.file].path.display());
                return Err(Failure::usage(format!(
                    "tensor {:?} is in {a} and in {b}: names must differ",
                    entry.name
                )));
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, limits: &Limits) -> Result<()> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.ends_with(".safetensors.index.json") {
            let reader = Reader::of(path)?;
            self.list(Source::map(path)?, reader, limits)?;
            return Ok(());
        }
        for (shard, wanted) in safetensors::shards(path)? {
            let first = self.entries.len();
            self.list(Source::map(&shard)?, Reader::Safetensors, limits)?;
            safetensors::check_shard(path, &shard, &self.entries[first..], &wanted)?;
        }
        Ok(())
    }

    /// Adds a file and its tensors.
    fn list(&mut self, source: Source, reader: Reader, limits: &Limits) -> Result<()> {
        let (path, bytes) = (&*source.path, source.bytes.as_slice());
        let entries = match reader {
            Reader::Safetensors => safetensors::entries(path, bytes, limits)?,
            Reader::Npy => vec![npy::entry(path, bytes, limits)?],
            Reader::Npz => npz::entries(path, bytes, limits)?,
        };
        let file = self.files.len();
        self.files.push(source);
        self.entries.extend(entries.into_iter().map(|entry| Entry { file, ..entry }));
        Ok(())
    }

    /// The tensors, in the order of files and of data within them.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Their names.
    pub fn names(&self) -> Vec<&str> {
        self.entries.iter().map(|entry| &*entry.name).collect()
    }

    /// Refuses an output that is one of the files read: with it, the only copy of the tensors might go.
    ///
    /// # Errors
    /// A wrong call, where it is.
    pub fn check_not_read(&self, output: &Path) -> Result<()> {
        // An output that does not exist yet has no canonical path, and is no input.
        let Ok(output) = output.canonicalize() else { return Ok(()) };
        if self.files.iter().any(|file| file.path.canonicalize().is_ok_and(|path| path == output)) {
            let message = format!("{} is read and cannot be the output too: name another", output.display());
            return Err(Failure::usage(message));
        }
        Ok(())
    }

    /// The file that an entry is in.
    pub fn path(&self, entry: &Entry) -> &Path {
        &self.files[entry.file].path
    }

    /// The bytes of a tensor, inflated where they are compressed.
    ///
    /// # Errors
    /// Damage of an archive's member; I/O where the file has become shorter since it was opened. One that is truncated
    /// while its bytes are looked at ends the process, by a signal unless it handles `SIGBUS`.
    pub fn data(&self, entry: &Entry) -> Result<Data<'_>> {
        let source = &self.files[entry.file];
        source.check_length()?;
        let (path, bytes) = (&*source.path, source.bytes.as_slice());
        match &entry.place {
            Place::Plain { start, .. } => {
                let len = byte_len(path, &entry.name, entry.dtype, &entry.shape, &Limits::default())?;
                Ok(Data(Cow::Borrowed(&bytes[*start..*start + len])))
            }
            Place::Member(member) => Ok(Data(Cow::Owned(npz::inflate(path, bytes, entry, member)?))),
        }
    }
}

/// What reads a file.
#[derive(Clone, Copy)]
enum Reader {
    Safetensors,
    Npy,
    Npz,
}

impl Reader {
    /// The reader for a file's extension.
    fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let refused = match extension.as_str() {
            "safetensors" => return Ok(Self::Safetensors),
            "npy" => return Ok(Self::Npy),
            "npz" => return Ok(Self::Npz),
            "gguf" => ".gguf is not supported yet; convert it to .safetensors first",
            _ => {
                "not a kind of file that is read; there are .safetensors, .safetensors.index.json, .npy, .npz"
            }
        };
        Err(Failure::usage(format!("{}: {refused}", path.display())))
    }
}

impl Source {
    fn map(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Failure::io(path, "cannot be opened", &error))?;
        // SAFETY: the map is read only, and no value that bytes could make invalid is made of it. That nobody truncates
        // the file meanwhile is the caller's part of the bargain, as for any program that maps its input.
        let map =
            unsafe { Mmap::map(&file) }.map_err(|error| Failure::io(path, "cannot be mapped", &error))?;
        Ok(Self { path: path.to_owned(), bytes: Bytes::Mapped { map, file } })
    }

    /// Fails when the file has become shorter than its map: to look beyond its end would end the process.
    fn check_length(&self) -> Result<()> {
        let Bytes::Mapped { map, file } = &self.bytes else { return Ok(()) };
        let failed = |error| Failure::io(&self.path, "cannot be read", &error);
        let now = file.metadata().map_err(failed)?.len();
        if now < map.len() as u64 {
            let what = format!("it was truncated from {} to {now} bytes while it was read", map.len());
            return Err(failed(io::Error::other(what)));
        }
        Ok(())
    }
}

impl Data<'_> {
    /// The tensor of an entry over its bytes.
    ///
    /// # Errors
    /// None for the entry that the bytes are of.
    pub fn tensor(&self, entry: &Entry) -> Result<Tensor<'_>> {
        let bytes = &*self.0;
        let fortran = match &entry.place {
            Place::Plain { fortran, .. } => *fortran,
            Place::Member(member) => member.fortran,
        };
        if !fortran {
            return Ok(Tensor::new(entry.dtype, &entry.shape, bytes)?);
        }
        let mut stride = 1i64;
        let strides: Vec<i64> = entry
            .shape
            .iter()
            .map(|&n| {
                let own = stride;
                stride = stride.saturating_mul(i64::try_from(n).unwrap_or(i64::MAX));
                own
            })
            .collect();
        Ok(Tensor::strided(entry.dtype, &entry.shape, &strides, 0, bytes)?)
    }
}

/// The bytes that a tensor takes.
fn byte_len(path: &Path, name: &str, dtype: DType, shape: &[u64], limits: &Limits) -> Result<usize> {
    let values = count_values(shape, limits)
        .map_err(|error| Failure::from(error).about(format!("{}: tensor {name:?}", path.display())))?;
    usize::try_from(values).ok().and_then(|values| values.checked_mul(dtype.size())).ok_or_else(|| {
        Failure::damaged(path, format!("tensor {name:?} of shape {shape:?} is larger than memory"))
    })
}

#[cfg(test)]
mod tests;

/// A tensor's name without its layer numbers: `encoder.layer.*.output.dense.weight`.
#[must_use]
pub fn kind(name: &str) -> String {
    let parts = name.split('.').map(|part| if part.bytes().all(|b| b.is_ascii_digit()) { "*" } else { part });
    parts.collect::<Vec<_>>().join(".")
}
