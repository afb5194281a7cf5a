//! From coded chunks back to a tensor.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::side::{Head, Numbers};
use crate::tile::{Tiling, is_mostly_padding};
use crate::{
    Basis, Chain, CodecId, CodedChunk, DType, Decoder, Error, GroupSpec, Limits, MatrixShape, Pick, Registry,
    Result, Role, TensorBuf, TensorMeta, Unavailable, bitcast, count_values, exact,
};

/// Decodes chunks one after the other, with buffers and codec contexts that are kept between them.
pub struct ChunkDecoder<'r> {
    registry: &'r Registry,
    bases: &'r [Arc<Basis>],
    limits: Limits,
    decoder: Option<(CodecId, GroupSpec, Box<dyn Decoder>)>,
    scratch: Scratch,
    /// The values that are coded, of a chunk with classes.
    coded: Vec<u8>,
}

/// Buffers of one worker.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) samples: Vec<u16>,
    plane: Vec<u16>,
    values: Vec<f32>,
    wide: Vec<f64>,
    levels: Vec<u64>,
}

impl<'r> ChunkDecoder<'r> {
    /// A decoder that finds its backends in `registry` and the bases of KLT transforms in `bases`.
    pub fn new(registry: &'r Registry, bases: &'r [Arc<Basis>], limits: Limits) -> Self {
        Self { registry, bases, limits, decoder: None, scratch: Scratch::default(), coded: Vec::new() }
    }

    /// Fills `out` with the little-endian values of the chunk's rows. Usable again after an error.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an `out` of the wrong length, [`Error::Unavailable`] when no backend decodes the codec
    /// here and for a transform that this build does not know, [`Error::Corrupt`] and [`Error::Limit`] for what the chunk
    /// says (a basis that is not among `bases` too).
    pub fn decode(&mut self, dtype: DType, chunk: &CodedChunk<'_>, out: &mut [u8]) -> Result<()> {
        Limits::check("values of a chunk", chunk.values, self.limits.chunk_values)?;
        Limits::check("bytes of a packet", chunk.bytes(), self.limits.packet_bytes)?;
        let size = dtype.size();
        if out.len() as u64 != chunk.values * size as u64 {
            return Err(Error::invalid(format!(
                "{} bytes cannot hold {} {dtype} values",
                out.len(),
                chunk.values
            )));
        }
        if chunk.values == 0 {
            return Ok(());
        }
        let shape = chunk_shape(chunk)?;
        let mut side = &*chunk.side;
        let head = Head::read(&mut side, dtype, shape)?;
        let Some(classes) = &head.classes else {
            return self.decode_coded(dtype, chunk, &head, shape, side, out);
        };
        let coded_shape = classes.shape(shape);
        let mut coded = std::mem::take(&mut self.coded);
        coded.clear();
        coded.resize(coded_shape.0 * coded_shape.1 * size, 0);
        if coded.is_empty() && !(side.is_empty() && chunk.packet.is_empty()) {
            return Err(Error::corrupt("a chunk codes values though all of its own are in classes"));
        }
        if !coded.is_empty() {
            self.decode_coded(dtype, chunk, &head, coded_shape, side, &mut coded)?;
        }
        classes.scatter(&coded, size, out);
        self.coded = coded;
        Ok(())
    }

    /// Fills `out` with the values that are coded, `shape` of them; `side` is what follows the head.
    fn decode_coded(
        &mut self,
        dtype: DType,
        chunk: &CodedChunk<'_>,
        head: &Head,
        shape: (usize, usize),
        mut side: &[u8],
        out: &mut [u8],
    ) -> Result<()> {
        let spec = chunk.spec;
        let spec = GroupSpec::new(spec.frames, spec.height, spec.width, spec.depth, &self.limits)?;
        let values = (shape.0 * shape.1) as u64;
        let wrong = || Error::corrupt(format!("{spec:?} is no group of {values} {dtype} values"));
        let planes = match &head.numbers {
            Numbers::Bits => bitcast::planes_of(dtype, spec.depth).ok_or_else(wrong)?,
            Numbers::Grid(_) => 1,
            Numbers::Levels(levels) => levels.planes(spec.depth),
        };
        let tiling = Tiling::stated(spec, head.layout, shape, planes)?;
        if is_mostly_padding(&spec, values, planes) {
            return Err(wrong());
        }
        let bases = self.bases;
        let chain =
            Chain::parse(&chunk.transform, &|id| bases.iter().find(|basis| basis.id() == id).cloned())
                .map_err(stated_by_the_chunk)?;
        self.scratch.samples.resize(spec.samples(), 0);
        decoder_for(&mut self.decoder, self.registry, chunk.codec, spec)?
            .decode(&chunk.packet, &mut self.scratch.samples)?;
        if head.numbers == Numbers::Bits {
            join_planes(&tiling, dtype, &mut self.scratch, out);
            if !side.is_empty() {
                return Err(Error::corrupt("side information goes on after bit-cast planes"));
            }
            return Ok(());
        }
        restore(&tiling, head, &chain, dtype, shape, &mut side, &mut self.scratch, out)
            .map_err(stated_by_the_chunk)?;
        exact::apply(side, dtype.size(), out)
    }
}

/// A wrong argument, where a chunk and not the caller gave it.
fn stated_by_the_chunk(error: Error) -> Error {
    match error {
        Error::Invalid(reason) => Error::corrupt(format!("a chunk's transform: {reason}")),
        Error::Unsupported(what) => Unavailable::Newer { what }.into(),
        other => other,
    }
}

/// The decoder for a group, made anew only when codec or size change.
fn decoder_for<'d>(
    cached: &'d mut Option<(CodecId, GroupSpec, Box<dyn Decoder>)>,
    registry: &Registry,
    codec: CodecId,
    spec: GroupSpec,
) -> Result<&'d mut dyn Decoder> {
    let decoder = match cached.take() {
        Some((c, s, decoder)) if c == codec && s == spec => decoder,
        _ => registry.find(codec, Role::Decode, Pick::Auto)?.backend.decoder(spec)?,
    };
    Ok(&mut *cached.insert((codec, spec, decoder)).2)
}

/// Rows and columns of a chunk.
fn chunk_shape(chunk: &CodedChunk<'_>) -> Result<(usize, usize)> {
    let rows = chunk.rows.end.saturating_sub(chunk.rows.start);
    if rows == 0 || !chunk.values.is_multiple_of(rows) {
        return Err(Error::corrupt(format!("rows {:?} do not divide {} values", chunk.rows, chunk.values)));
    }
    let too_large = |_| Error::corrupt("a chunk is larger than memory");
    Ok((usize::try_from(rows).map_err(too_large)?, usize::try_from(chunk.values / rows).map_err(too_large)?))
}

/// Puts bit-cast planes back together.
pub(super) fn join_planes(tiling: &Tiling, dtype: DType, scratch: &mut Scratch, out: &mut [u8]) {
    let planes = bitcast::planes_of(dtype, tiling.spec.depth).unwrap_or(0);
    // Padded rows are taken out through a buffer for each plane.
    let mut buffers = [const { Vec::new() }; 8];
    let (samples, buffers) = (&scratch.samples, &mut buffers[..planes as usize]);
    let taken = buffers.iter_mut().enumerate().map(|(plane, buffer)| tiling.take(samples, plane, buffer));
    bitcast::join(dtype, &taken.collect::<Vec<_>>(), out);
}

/// Values that are restored at a time.
const BLOCK: usize = 2048;

/// From decoded samples to values: everything but the exact list, which is what remains of `side`.
#[expect(
    clippy::too_many_arguments,
    reason = "one step of the data flow, shared by decoding and by its check"
)]
pub(super) fn restore(
    tiling: &Tiling,
    head: &Head,
    chain: &Chain,
    dtype: DType,
    (rows, cols): (usize, usize),
    side: &mut &[u8],
    scratch: &mut Scratch,
    out: &mut [u8],
) -> Result<()> {
    let depth = tiling.spec.depth;
    let Scratch { samples, plane, values, wide, levels } = scratch;
    values.clear();
    wide.clear();
    match &head.numbers {
        Numbers::Bits => return Err(Error::corrupt("bits are not restored from numbers")),
        Numbers::Grid(grid) => {
            let samples = tiling.take(samples, 0, plane);
            if chain.is_empty() && head.affine.is_none() && grid.is_finite(depth) {
                // Blocks of values stay in the cache.
                for (samples, out) in samples.chunks(BLOCK).zip(out.chunks_mut(BLOCK * dtype.size())) {
                    values.clear();
                    grid.dequantise(samples, depth, values);
                    write_f32(values, head, dtype, out);
                }
                return Ok(());
            }
            grid.dequantise(samples, depth, values);
        }
        Numbers::Levels(grid) => {
            levels.clear();
            levels.resize(rows * cols, 0);
            for index in 0..grid.planes(depth) {
                grid.join(tiling.take(samples, index as usize, plane), (index, depth), levels);
            }
            wide.extend(levels.iter().map(|&level| grid.value(level)));
        }
    }
    if !chain.is_empty() {
        #[expect(clippy::cast_possible_truncation, reason = "transforms reckon in f32")]
        values.extend(wide.drain(..).map(|value| value as f32));
        chain.inverse(values, rows, cols, side)?;
    }
    if head.affine.is_none() && wide.is_empty() {
        for value in values.iter_mut() {
            // A grid that leaves the range of f32; only a hostile one makes NaN.
            *value = if value.is_nan() { 0.0 } else { value.clamp(f32::MIN, f32::MAX) };
        }
        write_f32(values, head, dtype, out);
        return Ok(());
    }
    wide.extend(values.iter().map(|&value| f64::from(value)));
    for value in wide.iter_mut() {
        let restored = head.affine.map_or(*value, |affine| affine.inverse(*value));
        // Only a hostile grid makes NaN.
        *value = if restored.is_nan() { 0.0 } else { restored.clamp(f64::MIN, f64::MAX) };
    }
    if let Some(bounds) = &head.bounds {
        bounds.hold(wide);
    }
    dtype.write_f64(wide, out);
    if let Some(bounds) = &head.bounds {
        bounds.hold_written(out);
    }
    Ok(())
}

/// Writes finite values, held within the bounds.
fn write_f32(values: &mut [f32], head: &Head, dtype: DType, out: &mut [u8]) {
    match &head.bounds {
        Some(bounds) if dtype.fits_f32() => {
            // Blocks stay in the cache between both.
            for (values, out) in values.chunks_mut(BLOCK).zip(out.chunks_mut(BLOCK * dtype.size())) {
                bounds.hold_f32(values);
                dtype.write_f32(values, out);
            }
            return;
        }
        Some(bounds) => {
            let mut wide: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
            bounds.hold(&mut wide);
            dtype.write_f64(&wide, out);
            bounds.hold_written(out);
            return;
        }
        None => (),
    }
    dtype.write_f32(values, out);
}

/// Decodes rows of a tensor's [matrix view](MatrixShape) on all cores; the result has the tensor's own shape when
/// `rows` are all of them, else `[rows, columns]`.
///
/// `chunks` are those that hold the rows, in order; chunks beside them are passed over.
///
/// # Errors
/// As [`ChunkDecoder::decode`]; [`Error::Invalid`] for rows that the tensor does not have; [`Error::Corrupt`] when the
/// chunks do not cover them; [`Error::Unsupported`] where there is no memory for the result.
pub fn decode_rows(
    registry: &Registry,
    meta: &TensorMeta,
    chunks: &[CodedChunk<'_>],
    rows: Range<u64>,
    bases: &[Arc<Basis>],
    limits: &Limits,
) -> Result<TensorBuf> {
    count_values(&meta.shape, limits)?;
    let matrix = MatrixShape::of(&meta.shape);
    if rows.start > rows.end || rows.end > matrix.rows {
        return Err(Error::invalid(format!(
            "rows {rows:?} of {} are not within its {}",
            meta.name, matrix.rows
        )));
    }
    let too_large = |_| Error::unsupported(format!("{} is larger than memory", meta.name));
    let row_bytes = usize::try_from(matrix.cols).map_err(too_large)? * meta.dtype.size();
    let bytes = usize::try_from(rows.end - rows.start)
        .map_err(too_large)?
        .checked_mul(row_bytes)
        .ok_or_else(|| Error::unsupported(format!("{} is larger than memory", meta.name)))?;
    let parts = cover(meta, &matrix, chunks, &rows)?;
    // Asked for first, because `vec!` ends the process where memory is short.
    Vec::<u8>::new()
        .try_reserve_exact(bytes)
        .map_err(|_| Error::unsupported(format!("{} takes {bytes} bytes: no memory for them", meta.name)))?;
    let mut out = vec![0; bytes];
    let mut jobs = Vec::with_capacity(parts.len());
    let mut rest = out.as_mut_slice();
    for (chunk, part) in parts {
        #[expect(clippy::cast_possible_truncation, reason = "the parts add up to `bytes`")]
        let (head, tail) = rest.split_at_mut((part.end - part.start) as usize * row_bytes);
        jobs.push((chunk, part, head));
        rest = tail;
    }
    jobs.into_par_iter()
        .map_init(
            || (ChunkDecoder::new(registry, bases, *limits), Vec::new()),
            |(decoder, whole), (chunk, part, out)| {
                if part == chunk.rows {
                    return decoder.decode(meta.dtype, chunk, out);
                }
                Limits::check("values of a chunk", chunk.values, limits.chunk_values)?;
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "checked against the limit and the chunk's rows"
                )]
                let (size, skip) = (
                    chunk.values as usize * meta.dtype.size(),
                    (part.start - chunk.rows.start) as usize * row_bytes,
                );
                whole.resize(size, 0);
                decoder.decode(meta.dtype, chunk, whole)?;
                out.copy_from_slice(&whole[skip..skip + out.len()]);
                Ok(())
            },
        )
        .collect::<Result<()>>()?;
    let whole = rows.start == 0 && rows.end == matrix.rows;
    let shape = if whole { meta.shape.clone() } else { vec![rows.end - rows.start, matrix.cols] };
    Ok(TensorBuf { dtype: meta.dtype, shape, bytes: out })
}

/// The part of each chunk that lies within `rows`.
fn cover<'c, 'd>(
    meta: &TensorMeta,
    matrix: &MatrixShape,
    chunks: &'c [CodedChunk<'d>],
    rows: &Range<u64>,
) -> Result<Vec<(&'c CodedChunk<'d>, Range<u64>)>> {
    let mut next = rows.start;
    let mut parts = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        let values = chunk.rows.end.checked_sub(chunk.rows.start).and_then(|n| n.checked_mul(matrix.cols));
        if values != Some(chunk.values) {
            return Err(Error::corrupt(format!(
                "{}: chunk {} has the wrong number of values",
                meta.name, chunk.index
            )));
        }
        let part = chunk.rows.start.max(rows.start)..chunk.rows.end.min(rows.end);
        if part.is_empty() {
            continue;
        }
        if part.start != next {
            break;
        }
        next = part.end;
        parts.push((chunk, part));
    }
    if next != rows.end {
        return Err(Error::corrupt(format!("{}: no chunk holds row {next}", meta.name)));
    }
    Ok(parts)
}
