//! Writing tensors to a file.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use telecine_core::{
    Basis, Chain, CodedChunk, Encoding, Registry, Target, Tensor, TensorMeta, TensorReport, Transform,
    TransformChoice,
};
use telecine_format::{FileWriter, RESERVED_PREFIX};

use crate::{CoreError, Result};

/// Encodes tensors into a file; a bounded number of chunks is in memory at any time.
///
/// The file is written beside its final name and renamed by [`Writer::finish`]: dropped before, it leaves nothing.
#[derive(Debug)]
pub struct Writer<'r> {
    registry: &'r Registry,
    file: FileWriter,
    stored_bases: HashSet<u64>,
}

/// The bases that chunks of an encoding may refer to.
pub(crate) fn bases(encoding: &Encoding) -> Vec<Arc<Basis>> {
    let mut bases = encoding.bases.clone();
    if let TransformChoice::Chain(chain) = &encoding.transform {
        bases.extend(chain.steps().iter().filter_map(Transform::basis).cloned());
    }
    bases
}

/// The name under which a file holds a basis.
pub(crate) fn basis_name(id: u64) -> String {
    format!("{RESERVED_PREFIX}klt/{id:016x}")
}

impl<'r> Writer<'r> {
    /// A writer of a new file.
    ///
    /// # Errors
    /// As [`FileWriter::create`]: an existing file, unless `overwrite`; a folder that cannot be written.
    pub fn create(path: &Path, overwrite: bool, registry: &'r Registry) -> Result<Self> {
        Ok(Self { registry, file: FileWriter::create(path, overwrite)?, stored_bases: HashSet::new() })
    }

    /// Encodes a tensor and writes it.
    ///
    /// # Errors
    /// As [`telecine_core::encode`] and [`FileWriter::write`]. After an error the file can't be finished as meant:
    /// drop the writer.
    pub fn add(&mut self, name: &str, tensor: &Tensor<'_>, encoding: &Encoding) -> Result<TensorReport> {
        self.add_with(name, tensor, encoding, &mut |_| Ok(()))
    }

    /// Encodes a tensor and writes it; `on_chunk` sees each chunk once written, and ends the work with its error.
    ///
    /// # Errors
    /// As [`Writer::add`], and what `on_chunk` returns.
    pub fn add_with(
        &mut self,
        name: &str,
        tensor: &Tensor<'_>,
        encoding: &Encoding,
        on_chunk: &mut dyn FnMut(&CodedChunk<'_>) -> Result<()>,
    ) -> Result<TensorReport> {
        if name.starts_with(RESERVED_PREFIX) {
            let message = format!(
                "tensor name {name:?} begins with {RESERVED_PREFIX}, which Telecine keeps for itself"
            );
            return Err(CoreError::invalid(message).into());
        }
        self.put(name, tensor, encoding, on_chunk)
    }

    fn put(
        &mut self,
        name: &str,
        tensor: &Tensor<'_>,
        encoding: &Encoding,
        on_chunk: &mut dyn FnMut(&CodedChunk<'_>) -> Result<()>,
    ) -> Result<TensorReport> {
        let meta = TensorMeta::new(name, tensor.dtype(), tensor.shape());
        let target = encoding.target.to_string();
        let bases = bases(encoding);
        let (mut begun, mut owed) = (false, Vec::new());
        let report = telecine_core::encode(self.registry, tensor, encoding, |chunk| {
            for id in Chain::basis_ids(&chunk.transform) {
                let Some(basis) = bases.iter().find(|basis| basis.id() == id) else { continue };
                // A tensor's chunks lie together: a basis that its first chunk did without comes behind it.
                if !begun {
                    self.store(basis)?;
                } else if !owed.iter().any(|owed: &&Arc<Basis>| owed.id() == id) {
                    owed.push(basis);
                }
            }
            begun = true;
            self.file.write(&meta, &target, &chunk)?;
            on_chunk(&chunk)
        })?;
        owed.into_iter().try_for_each(|basis| self.store(basis))?;
        Ok(report)
    }

    /// Stores a basis once. Those that no chunk names are not stored.
    fn store(&mut self, basis: &Basis) -> Result<()> {
        if !self.stored_bases.insert(basis.id()) {
            return Ok(());
        }
        let (name, stored) = (basis_name(basis.id()), basis.stored()?);
        self.put(&name, &stored.view()?, &Encoding::new(Target::Lossless), &mut |_| Ok(()))?;
        Ok(())
    }

    /// The size that the file would have if it were finished now, or slightly more.
    pub fn bytes_so_far(&self) -> u64 {
        self.file.bytes_so_far()
    }

    /// Completes the file under its final name; returns its size in bytes.
    ///
    /// # Errors
    /// As [`FileWriter::finish`].
    pub fn finish(self) -> Result<u64> {
        self.file.finish()
    }
}
