//! Reading tensors from a file.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use telecine_core::{
    Basis, ChunkDecoder, CodedChunk, DType, Limits, MatrixShape, Registry, TensorBuf, TensorReport,
    decode_rows,
};
use telecine_format::{Container, RESERVED_PREFIX, TensorEntry};

use crate::{CoreError, Encoded, Result};

/// Decodes tensors, or some rows of them, from a mapped file; only the chunks asked for are touched.
#[derive(Debug)]
pub struct Reader<'r> {
    registry: &'r Registry,
    container: Container,
    limits: Limits,
    bases: OnceLock<Vec<Arc<Basis>>>,
}

impl<'r> Reader<'r> {
    /// A reader of this file.
    ///
    /// # Errors
    /// As [`Container::open`].
    pub fn open(path: &Path, registry: &'r Registry, limits: &Limits) -> Result<Self> {
        let container = Container::open(path, limits)?;
        Ok(Self { registry, container, limits: *limits, bases: OnceLock::new() })
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
        self.decode(entry, rows, self.bases()?)
    }

    /// Decodes rows of a tensor's [matrix view](MatrixShape); the result has shape `[rows, columns]`, or the tensor's
    /// own when they are all.
    ///
    /// # Errors
    /// As [`Reader::read`]; [`CoreError::Invalid`] for rows that the tensor does not have.
    pub fn read_rows(&self, name: &str, rows: Range<u64>) -> Result<TensorBuf> {
        self.decode(self.entry(name)?, rows, self.bases()?)
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
        let used = |basis: &&Arc<Basis>| {
            let id = format!("{:016x}", basis.id());
            entry.transforms.iter().any(|transform| transform.contains(&id))
        };
        let bases = self.bases()?.iter().filter(used).cloned().collect();
        Ok(Encoded { meta: entry.meta.clone(), chunks, report, bases })
    }

    fn decode(&self, entry: &TensorEntry, rows: Range<u64>, bases: &[Arc<Basis>]) -> Result<TensorBuf> {
        let chunks = self.chunks(entry, &rows)?;
        Ok(decode_rows(self.registry, &entry.meta, &chunks, rows, bases, &self.limits)?)
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
        let (bases, dtype) = (self.bases()?, entry.meta.dtype);
        let window = 2 * rayon::current_num_threads() as u64;
        let mut next = entry.rows.start;
        while next < entry.rows.end {
            let rows = next..(next + window).min(entry.rows.end);
            next = rows.end;
            let decoded = rows.into_par_iter().map_init(
                || ChunkDecoder::new(self.registry, bases, self.limits),
                |decoder, row| {
                    let chunk = self.container.chunk(row)?;
                    Limits::check("values of a chunk", chunk.values, self.limits.chunk_values)?;
                    #[expect(clippy::cast_possible_truncation, reason = "within Limits::chunk_values")]
                    let mut bytes = vec![0; chunk.values as usize * dtype.size()];
                    decoder.decode(dtype, &chunk, &mut bytes)?;
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

    /// The bases that the file holds, read at the first call.
    fn bases(&self) -> Result<&[Arc<Basis>]> {
        if let Some(bases) = self.bases.get() {
            return Ok(bases);
        }
        let prefix = format!("{RESERVED_PREFIX}klt/");
        let mut bases = Vec::new();
        for entry in self.container.tensors().iter().filter(|entry| entry.meta.name.starts_with(&prefix)) {
            let [rows, cols] = entry.meta.shape[..] else {
                return Err(CoreError::corrupt(format!("{} is not a matrix", entry.meta.name)).into());
            };
            let tensor = self.decode(entry, 0..MatrixShape::of(&entry.meta.shape).rows, &[])?;
            let cols = usize::try_from(cols).unwrap_or(usize::MAX);
            let basis = if tensor.dtype == DType::I8 {
                // The whole basis may be far larger than what a file says of it.
                let values = (cols as u64).saturating_mul(cols as u64);
                Limits::check("values of a basis", values, self.limits.chunk_values)?;
                Basis::of_directions(cols, tensor.bytes.iter().map(|byte| byte.cast_signed()).collect())
            } else {
                Basis::new(cols, tensor.to_f32())
            };
            let basis = basis.map_err(|error| {
                CoreError::corrupt(format!("{} of {rows} rows is no basis: {error}", entry.meta.name))
            })?;
            bases.push(Arc::new(basis));
        }
        Ok(self.bases.get_or_init(|| bases))
    }
}
