//! Reading tensors from other people's files, by mapping them; every byte of them is hostile.

mod importance;
mod npy;
mod npz;
mod safetensors;

pub(crate) use importance::Weights;
pub(crate) use safetensors::DTYPES as SAFETENSORS_DTYPES;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use telecine::{DType, Limits, Tensor, count_values};

use crate::failure::{Failure, Result};

/// All tensors of the given files.
pub(crate) struct Model {
    files: Vec<Mapped>,
    entries: Vec<Entry>,
}

/// An open file.
pub(crate) struct Mapped {
    pub(crate) path: PathBuf,
    map: Mmap,
}

/// One tensor of a model.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<u64>,
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

/// The bytes of one tensor.
pub(crate) enum Data<'m> {
    Mapped(&'m [u8]),
    Inflated(Vec<u8>),
}

impl Entry {
    /// Number of values; the readers have checked that it does not overflow.
    pub(crate) fn values(&self) -> u64 {
        self.shape.iter().product()
    }
}

impl Model {
    /// Opens files and lists their tensors, in the order of files and of data within them.
    pub(crate) fn open(paths: &[PathBuf], limits: &Limits) -> Result<Self> {
        let mut model = Self { files: Vec::new(), entries: Vec::new() };
        for path in paths {
            model.add(path, limits)?;
        }
        let mut seen: HashMap<&str, usize> = HashMap::with_capacity(model.entries.len());
        for entry in &model.entries {
            if entry.name.len() > limits.name_bytes {
                let (value, limit) = (entry.name.len() as u64, limits.name_bytes as u64);
                let path = &model.files[entry.file].path;
                let what = "bytes of a tensor's name";
                return Err(
                    Failure::from(telecine::CoreError::Limit { what, value, limit }).about(path.display())
                );
            }
            if let Some(first) = seen.insert(&entry.name, entry.file) {
                let (a, b) = (model.files[first].path.display(), model.files[entry.file].path.display());
                return Err(Failure::usage(format!(
                    "tensor {:?} is in {a} and in {b}: names must differ",
                    entry.name
                )));
            }
        }
        Ok(model)
    }

    fn add(&mut self, path: &Path, limits: &Limits) -> Result<()> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        match extension.as_str() {
            "safetensors" => {
                let (file, map) = self.map(path)?;
                let entries = safetensors::entries(path, map, limits)?;
                self.extend(file, entries);
            }
            "json" if name.ends_with(".safetensors.index.json") => {
                for (shard, wanted) in safetensors::shards(path)? {
                    let (file, map) = self.map(&shard)?;
                    let entries = safetensors::entries(&shard, map, limits)?;
                    safetensors::check_shard(path, &shard, &entries, &wanted)?;
                    self.extend(file, entries);
                }
            }
            "npy" => {
                let (file, map) = self.map(path)?;
                let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("tensor");
                let entry = npy::entry(path, map, stem, limits)?;
                self.extend(file, vec![entry]);
            }
            "npz" => {
                let (file, map) = self.map(path)?;
                let entries = npz::entries(path, map, limits)?;
                self.extend(file, entries);
            }
            "gguf" => {
                let message = format!(
                    "{}: .gguf is not supported yet; convert it to .safetensors first",
                    path.display()
                );
                return Err(Failure::usage(message));
            }
            _ => {
                let message = format!(
                    "{}: not a kind of file that is read; there are .safetensors, .safetensors.index.json, .npy, .npz",
                    path.display()
                );
                return Err(Failure::usage(message));
            }
        }
        Ok(())
    }

    fn map(&mut self, path: &Path) -> Result<(usize, &[u8])> {
        let file = File::open(path).map_err(|error| Failure::io(path, "cannot be opened", &error))?;
        // SAFETY: the map is read only; that nobody truncates the file meanwhile is the caller's part of the bargain,
        // as for any program that maps its input.
        let map =
            unsafe { Mmap::map(&file) }.map_err(|error| Failure::io(path, "cannot be mapped", &error))?;
        self.files.push(Mapped { path: path.to_owned(), map });
        let index = self.files.len() - 1;
        Ok((index, &self.files[index].map))
    }

    fn extend(&mut self, file: usize, entries: Vec<Entry>) {
        self.entries.extend(entries.into_iter().map(|entry| Entry { file, ..entry }));
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Refuses an output that is one of the files read: with it, the only copy of the tensors might go.
    pub(crate) fn check_not_read(&self, output: &Path) -> Result<()> {
        // An output that does not exist yet has no canonical path, and is no input.
        let Ok(output) = output.canonicalize() else { return Ok(()) };
        if self.files.iter().any(|file| file.path.canonicalize().is_ok_and(|path| path == output)) {
            let message = format!("{} is read and cannot be the output too: name another", output.display());
            return Err(Failure::usage(message));
        }
        Ok(())
    }

    /// The file that an entry is in.
    pub(crate) fn path(&self, entry: &Entry) -> &Path {
        &self.files[entry.file].path
    }

    /// The bytes of a tensor, inflated where they are compressed.
    pub(crate) fn data(&self, entry: &Entry) -> Result<Data<'_>> {
        let Mapped { path, map } = &self.files[entry.file];
        match &entry.place {
            Place::Plain { start, .. } => {
                let len = byte_len(path, &entry.name, entry.dtype, &entry.shape, &Limits::default())?;
                Ok(Data::Mapped(&map[*start..*start + len]))
            }
            Place::Member(member) => Ok(Data::Inflated(npz::inflate(path, map, entry, member)?)),
        }
    }
}

impl Data<'_> {
    /// The tensor of an entry over its bytes.
    pub(crate) fn tensor(&self, entry: &Entry) -> Result<Tensor<'_>> {
        let bytes: &[u8] = match self {
            Self::Mapped(bytes) => bytes,
            Self::Inflated(bytes) => bytes,
        };
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
