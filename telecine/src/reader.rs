//! Reading tensors from a file.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use telecine_core::{
    Basis, Chain, ChunkDecoder, CodedChunk, Limits, MatrixShape, Registry, TensorBuf, TensorReport,
    decode_rows,
};
use telecine_format::{Container, TensorEntry};

use crate::writer::basis_name;
use crate::{CoreError, Encoded, Result};

/// Decodes tensors, or some rows of them, from a mapped file; only the chunks asked for are touched.
#[derive(Debug)]
pub struct Reader<'r> {
    registry: &'r Registry,
    container: Container,
    limits: Limits,
    /// Bases that were read, last used last, of at most [`Limits::basis_values`] values together.
    bases: Mutex<Vec<Arc<Basis>>>,
}

/// Bases that the chunks of one read may name, at most.
const MOST_BASES: u64 = 1024;

impl<'r> Reader<'r> {
    /// A reader of this file.
    ///
    /// # Errors
    /// As [`Container::open`].
    pub fn open(path: &Path, registry: &'r Registry, limits: &Limits) -> Result<Self> {
        let container = Container::open(path, limits)?;
        Ok(Self { registry, container, limits: *limits, bases: Mutex::new(Vec::new()) })
    }

    /// The container: coded chunks as they are.
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// The caller's tensors in the order of the file; Telecine's own are left out.
    pub fn tensors(&self) -> impl Iterator<Item = &TensorEntry> {
        self.container.tensors().iter().filter(|entry| !entry.is_internal())
    }

    /// The tensor of this name.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] when the file holds none.
    pub fn entry(&self, name: &str) -> Result<&TensorEntry> {
        let entry = self.container.find(name).filter(|entry| !entry.is_internal());
        entry.ok_or_else(|| CoreError::invalid(format!("the file holds no tensor named {name:?}")).into())
    }

    /// Decodes a tensor.
    ///
    /// # Errors
    /// As [`Reader::entry`], [`Container::chunk`] and [`telecine_core::decode_rows`].
    pub fn read(&self, name: &str) -> Result<TensorBuf> {
        let entry = self.entry(name)?;
        let rows = 0..MatrixShape::of(&entry.meta.shape).rows;
        self.decode(entry, rows)
    }

    /// Decodes rows of a tensor's [matrix view](MatrixShape); the result has shape `[rows, columns]`, or the tensor's
    /// own when they are all.
    ///
    /// # Errors
    /// As [`Reader::read`]; [`CoreError::Invalid`] for rows that the tensor does not have.
    pub fn read_rows(&self, name: &str, rows: Range<u64>) -> Result<TensorBuf> {
        self.decode(self.entry(name)?, rows)
    }

    /// A tensor as it is stored, taken out of the file for [`Codec::decode`](crate::Codec::decode).
    ///
    /// Its report has the plain error alone: a file does not hold the weighted one.
    ///
    /// # Errors
    /// As [`Reader::entry`] and [`Container::chunk`].
    pub fn encoded(&self, name: &str) -> Result<Encoded> {
        let entry = self.entry(name)?;
        let chunks: Vec<_> = self
            .chunks(entry, &(0..MatrixShape::of(&entry.meta.shape).rows))?
            .into_iter()
            .map(CodedChunk::into_owned)
            .collect();
        let codecs: Vec<String> = entry.codecs.iter().map(ToString::to_string).collect();
        let report = TensorReport {
            values: entry.values,
            bytes: entry.bytes,
            nmse: entry.nmse,
            weighted_nmse: None,
            max_abs_error: entry.max_abs_error,
            codec: codecs.join(","),
            transform: entry.transforms.join(","),
            side_effects: entry.side_effects,
        };
        let bases = self.bases(&chunks)?;
        Ok(Encoded { meta: entry.meta.clone(), chunks, report, bases })
    }

    fn decode(&self, entry: &TensorEntry, rows: Range<u64>) -> Result<TensorBuf> {
        let chunks = self.chunks(entry, &rows)?;
        let bases = self.bases(&chunks)?;
        Ok(decode_rows(self.registry, &entry.meta, &chunks, rows, &bases, &self.limits)?)
    }

    /// The chunks of an entry that hold these rows.
    fn chunks(&self, entry: &TensorEntry, rows: &Range<u64>) -> Result<Vec<CodedChunk<'_>>> {
        self.container.chunks_holding(entry, rows.clone())?.map(|row| self.container.chunk(row)).collect()
    }

    /// Decodes a tensor chunk by chunk, several at a time on all cores; `sink` gets the little-endian bytes of each in
    /// order.
    ///
    /// # Errors
    /// As [`Reader::read`], and what `sink` returns.
    pub fn for_each_chunk(&self, name: &str, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let entry = self.entry(name)?;
        let dtype = entry.meta.dtype;
        let window = 2 * rayon::current_num_threads() as u64;
        let mut next = entry.rows.start;
        while next < entry.rows.end {
            let rows = next..(next + window).min(entry.rows.end);
            next = rows.end;
            let chunks =
                rows.into_par_iter().map(|row| self.container.chunk(row)).collect::<Result<Vec<_>>>()?;
            let bases = self.bases(&chunks)?;
            let decoded = chunks.par_iter().map_init(
                || ChunkDecoder::new(self.registry, &bases, self.limits),
                |decoder, chunk| {
                    Limits::check("values of a chunk", chunk.values, self.limits.chunk_values)?;
                    #[expect(clippy::cast_possible_truncation, reason = "within Limits::chunk_values")]
                    let mut bytes = vec![0; chunk.values as usize * dtype.size()];
                    decoder.decode(dtype, chunk, &mut bytes)?;
                    Ok(bytes)
                },
            );
            for bytes in decoded.collect::<Result<Vec<_>>>()? {
                sink(&bytes)?;
            }
        }
        Ok(())
    }

    /// Checks every checksum of a tensor and decodes all of it.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn verify(&self, name: &str) -> Result<()> {
        self.for_each_chunk(name, &mut |_| Ok(()))
    }

    /// The bases that these chunks name and the file holds; others are the decoder's to miss.
    fn bases(&self, chunks: &[CodedChunk<'_>]) -> Result<Vec<Arc<Basis>>> {
        let mut seen = HashSet::new();
        let (mut bases, mut values) = (Vec::new(), 0u64);
        for id in chunks.iter().flat_map(|chunk| Chain::basis_ids(&chunk.transform)) {
            if !seen.insert(id) {
                continue;
            }
            let Some(entry) = self.container.find(&basis_name(id)) else { continue };
            let meta = &entry.meta;
            let about = |error| about_tensor(&meta.name, error);
            Basis::check_stored(meta.dtype, &meta.shape, &self.limits).map_err(about)?;
            let cols = meta.shape.last().copied().unwrap_or(0);
            values += cols * cols;
            Limits::check("values of the bases of one read", values, self.limits.basis_values)?;
            Limits::check("bases of one read", bases.len() as u64 + 1, MOST_BASES)?;
            bases.push(self.basis(id, entry)?);
        }
        Ok(bases)
    }

    /// One basis: kept from before, or read now. Two threads that want it at the same time, for the first time, may both
    /// read it.
    fn basis(&self, id: u64, entry: &TensorEntry) -> Result<Arc<Basis>> {
        let kept = || self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut kept = kept();
            if let Some(at) = kept.iter().position(|basis| basis.id() == id) {
                let basis = kept.remove(at);
                kept.push(basis.clone());
                return Ok(basis);
            }
        }
        // The lock is open meanwhile: a thread that waits for the chunks of this basis may do the work of another read.
        let rows = 0..MatrixShape::of(&entry.meta.shape).rows;
        let chunks = self.chunks(entry, &rows)?;
        let tensor = decode_rows(self.registry, &entry.meta, &chunks, rows, &[], &self.limits)?;
        let basis =
            Basis::of_stored(&tensor, &self.limits).map_err(|error| about_tensor(&entry.meta.name, error))?;
        if basis.id() != id {
            let found = format!("it holds basis {:016x}", basis.id());
            return Err(about_tensor(&entry.meta.name, CoreError::corrupt(found)).into());
        }
        let basis = Arc::new(basis);
        let mut kept = kept();
        kept.push(basis.clone());
        let mut values: u64 = kept.iter().map(|basis| basis.values().len() as u64).sum();
        while values > self.limits.basis_values && !kept.is_empty() {
            values -= kept.remove(0).values().len() as u64;
        }
        Ok(basis)
    }
}

/// The same damage, with the tensor in front.
fn about_tensor(name: &str, error: CoreError) -> CoreError {
    match error {
        CoreError::Corrupt(reason) => CoreError::corrupt(format!("tensor {name:?}: {reason}")),
        other => other,
    }
}
