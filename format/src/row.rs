//! One row: a chunk with all that describes it, its checks and its checksum.

use std::borrow::Cow;
use std::hash::Hasher;

use telecine_core::{
    CodecId, CodedChunk, DType, Error, GroupSpec, Limits, MatrixShape, Result, SideEffects, TensorMeta,
    count_values,
};
use twox_hash::XxHash3_64;

/// One row, borrowed from what is to be written or from what was read; the checksum is apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row<'a> {
    pub(crate) tensor: &'a str,
    pub(crate) dtype: &'a str,
    pub(crate) shape: Cow<'a, [u64]>,
    pub(crate) chunk: u32,
    pub(crate) row_start: u64,
    pub(crate) row_end: u64,
    pub(crate) values: u64,
    pub(crate) codec: &'a str,
    pub(crate) frames: u32,
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) depth: u8,
    pub(crate) transform: &'a str,
    pub(crate) target: &'a str,
    pub(crate) bytes: u64,
    pub(crate) bits: f64,
    pub(crate) nmse: f64,
    pub(crate) max_abs_error: f64,
    pub(crate) energy: f64,
    pub(crate) side_effects: SideEffects,
    pub(crate) side: &'a [u8],
    pub(crate) payload: &'a [u8],
}

impl<'a> Row<'a> {
    pub(crate) fn new(meta: &'a TensorMeta, target: &'a str, chunk: &'a CodedChunk<'_>) -> Self {
        Self {
            tensor: &meta.name,
            dtype: meta.dtype.name(),
            shape: Cow::Borrowed(&meta.shape),
            chunk: chunk.index,
            row_start: chunk.rows.start,
            row_end: chunk.rows.end,
            values: chunk.values,
            codec: chunk.codec.as_str(),
            frames: chunk.spec.frames,
            height: chunk.spec.height,
            width: chunk.spec.width,
            depth: chunk.spec.depth,
            transform: &chunk.transform,
            target,
            bytes: chunk.bytes(),
            bits: chunk.bits(),
            nmse: chunk.nmse,
            max_abs_error: chunk.max_abs_error,
            energy: chunk.energy,
            side_effects: chunk.side_effects,
            side: &chunk.side,
            payload: &chunk.packet,
        }
    }

    /// XXH3-64 with seed 0 over the columns in the order of the schema, all but the checksum itself.
    ///
    /// Texts, shape, side and payload: their length as 64-bit integer, then their items. Numbers: their bytes.
    /// All little-endian.
    pub(crate) fn checksum(&self) -> u64 {
        let mut hash = XxHash3_64::new();
        let sized = |hash: &mut XxHash3_64, bytes: &[u8]| {
            hash.write(&(bytes.len() as u64).to_le_bytes());
            hash.write(bytes);
        };
        sized(&mut hash, self.tensor.as_bytes());
        sized(&mut hash, self.dtype.as_bytes());
        hash.write(&(self.shape.len() as u64).to_le_bytes());
        for length in self.shape.iter() {
            hash.write(&length.to_le_bytes());
        }
        hash.write(&self.chunk.to_le_bytes());
        hash.write(&self.row_start.to_le_bytes());
        hash.write(&self.row_end.to_le_bytes());
        hash.write(&self.values.to_le_bytes());
        sized(&mut hash, self.codec.as_bytes());
        hash.write(&self.frames.to_le_bytes());
        hash.write(&self.height.to_le_bytes());
        hash.write(&self.width.to_le_bytes());
        hash.write(&self.depth.to_le_bytes());
        sized(&mut hash, self.transform.as_bytes());
        sized(&mut hash, self.target.as_bytes());
        hash.write(&self.bytes.to_le_bytes());
        hash.write(&self.bits.to_le_bytes());
        hash.write(&self.nmse.to_le_bytes());
        hash.write(&self.max_abs_error.to_le_bytes());
        hash.write(&self.energy.to_le_bytes());
        let SideEffects { lost_zeros, changed_signs, flattened } = self.side_effects;
        for count in [lost_zeros, changed_signs, flattened] {
            hash.write(&count.to_le_bytes());
        }
        sized(&mut hash, self.side);
        sized(&mut hash, self.payload);
        hash.finish()
    }

    /// Checks what one row can tell by itself, and that it stays within `limits`.
    ///
    /// # Errors
    /// [`Error::Invalid`] or [`Error::Unsupported`] for what contradicts itself or is not known, [`Error::Limit`].
    pub(crate) fn check(&self, limits: &Limits) -> Result<Checked> {
        let name_bytes = limits.name_bytes as u64;
        Limits::check("bytes of a tensor's name", self.tensor.len() as u64, name_bytes)?;
        Limits::check("bytes of a transform's name", self.transform.len() as u64, name_bytes)?;
        Limits::check("bytes of a target", self.target.len() as u64, name_bytes)?;
        Limits::check("bytes of side information and packet", self.bytes, limits.packet_bytes)?;
        Limits::check("values of a chunk", self.values, limits.chunk_values)?;
        let dtype = DType::parse(self.dtype)?;
        let codec = CodecId::parse(self.codec)?;
        if count_values(&self.shape, limits)? == u64::MAX {
            return Err(Error::invalid(format!("shape {:?} has 2^64 values or more", self.shape)));
        }
        let matrix = MatrixShape::of(&self.shape);
        let held = self.row_end.checked_sub(self.row_start).and_then(|rows| rows.checked_mul(matrix.cols));
        if self.row_end > matrix.rows || held != Some(self.values) {
            return Err(Error::invalid(format!(
                "rows {}..{} of a tensor of {} rows of {} values are not {} values",
                self.row_start, self.row_end, matrix.rows, matrix.cols, self.values
            )));
        }
        if self.side.len() as u64 + self.payload.len() as u64 != self.bytes {
            return Err(Error::invalid(format!(
                "{} bytes of side information and {} of payload are not {} bytes",
                self.side.len(),
                self.payload.len(),
                self.bytes
            )));
        }
        let SideEffects { lost_zeros, changed_signs, flattened } = self.side_effects;
        let most = lost_zeros.max(changed_signs).max(flattened);
        if most > self.values {
            return Err(Error::invalid(format!("{most} of {} values changed in kind", self.values)));
        }
        Ok(Checked { dtype, codec, matrix })
    }

    /// The size of the group that the packet decodes to.
    ///
    /// # Errors
    /// As [`GroupSpec::new`].
    pub(crate) fn spec(&self, limits: &Limits) -> Result<GroupSpec> {
        GroupSpec::new(self.frames, self.height, self.width, self.depth, limits)
    }

    /// The chunk that the row holds, its bytes borrowed.
    ///
    /// # Errors
    /// As [`Row::check`] and [`Row::spec`].
    pub(crate) fn coded(&self, limits: &Limits) -> Result<CodedChunk<'a>> {
        let (rows, codec) = (self.row_start..self.row_end, self.check(limits)?.codec);
        let packet = Cow::Borrowed(self.payload);
        let mut chunk = CodedChunk::new(rows, self.values, codec, self.spec(limits)?, packet);
        chunk.index = self.chunk;
        chunk.transform = Cow::Borrowed(self.transform);
        chunk.side = Cow::Borrowed(self.side);
        chunk.nmse = self.nmse;
        chunk.max_abs_error = self.max_abs_error;
        chunk.energy = self.energy;
        chunk.side_effects = self.side_effects;
        Ok(chunk)
    }
}

/// What the checks of a row found out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checked {
    pub(crate) dtype: DType,
    pub(crate) codec: CodecId,
    pub(crate) matrix: MatrixShape,
}

/// The limits that a writer holds: names must pass every reader, sizes are the encoder's business.
pub(crate) fn writing_limits() -> Limits {
    let mut limits = Limits::DEFAULT;
    (limits.tensor_values, limits.chunk_values) = (u64::MAX, u64::MAX);
    (limits.packet_bytes, limits.packets) = (u64::MAX, u64::MAX);
    limits
}
