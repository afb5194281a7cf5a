//! Coding one chunk, and measuring what comes back.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::decode::{Scratch, join_planes, restore};
use super::quantiser::{Quantised, Quantiser, quantise};
use super::side::{Head, Numbers};
use super::source::Source;
use super::values::Values;
use crate::bounds::Bounds;
use crate::classes::Classes;
use crate::tile::{Layout, Tiling};
use crate::{
    Backend, Chain, CodecId, CodedChunk, DType, Decoder, Distortion, EncodeOptions, Encoder, Error,
    GroupSpec, Limits, Quality, Result, SideEffects, bitcast, exact,
};

/// A chunk as coded, with what was measured on the way back.
#[derive(Debug, Clone)]
pub(super) struct Coded {
    pub(super) chunk: CodedChunk<'static>,
    pub(super) distortion: Distortion,
    /// The same weighed by importance, where that is given.
    pub(super) weighted: Option<Distortion>,
    /// The error of the values that were quantised, weighed by importance where that is given: what error targets and costs
    /// are about. Values that are kept exactly have no part in it, lest one of great energy hide the ruin of all others.
    pub(super) quantised: Distortion,
    /// Bytes of the side information that are the transforms' parameters.
    pub(super) transform_bytes: usize,
}

/// The backends that write a codec and read it back for the check.
#[derive(Debug, Clone)]
pub(super) struct Codec {
    pub(super) id: CodecId,
    pub(super) encoder: Arc<dyn Backend>,
    pub(super) decoder: Arc<dyn Backend>,
}

/// A codec's contexts for groups of one size.
struct Contexts {
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
}

/// Codes chunks one after the other, with contexts and buffers that are kept between them.
pub(super) struct Worker {
    options: EncodeOptions,
    limits: Limits,
    contexts: HashMap<(CodecId, GroupSpec), Contexts>,
    scratch: Scratch,
    group: Vec<u16>,
    /// The samples of all planes.
    samples: Vec<u16>,
    values: Values,
    /// The values that are coded, as they come back.
    decoded: Vec<u8>,
}

/// The part of a chunk that is coded: all of it, or what is left beside its classes.
struct Part<'s> {
    bytes: Cow<'s, [u8]>,
    shape: (usize, usize),
    classes: Option<Classes>,
}

impl Part<'_> {
    /// The class map, where places in `bytes` are those in the chunk and some are padding.
    fn padding(&self) -> Option<&[u8]> {
        self.classes.as_ref().filter(|classes| classes.is_padded()).map(Classes::map)
    }
}

/// A classed share of the values below which rows and columns stay whole: leaving them out gains less than it disturbs.
const FEW_CLASSED: usize = 16;

impl Worker {
    pub(super) fn new(options: EncodeOptions, limits: Limits) -> Self {
        Self {
            options,
            limits,
            contexts: HashMap::new(),
            scratch: Scratch::default(),
            group: Vec::new(),
            samples: Vec::new(),
            values: Values::default(),
            decoded: Vec::new(),
        }
    }

    /// Codes a chunk losslessly, these values as classes.
    pub(super) fn encode_bits(
        &mut self,
        source: &Source<'_>,
        codec: &Codec,
        classes: Option<Classes>,
    ) -> Result<Coded> {
        let part = part(source, classes);
        let (planes, depth) = bitcast::planes_within(source.dtype, codec.encoder.info().capabilities.depths);
        let head = |layout: Layout| Head {
            layout,
            classes: part.classes.clone(),
            affine: None,
            numbers: Numbers::Bits,
            bounds: None,
        };
        if part.bytes.is_empty() {
            return self.finish(source, codec, &part, None, &head(Layout::Rows), &Chain::default(), &[], &[]);
        }
        let tiling = self.tile(part.shape, codec, (planes, depth))?;
        self.group.clear();
        let mut samples = Vec::with_capacity(part.bytes.len() / source.dtype.size());
        for plane in 0..planes as usize {
            samples.clear();
            bitcast::split(source.dtype, &part.bytes, (plane, depth), &mut samples);
            tiling.place(&samples, &mut self.group);
        }
        let packet = self.code(codec, &tiling, Quality::Lossless)?;
        self.decoded.resize(part.bytes.len(), 0);
        join_planes(&tiling, source.dtype, &mut self.scratch, &mut self.decoded);
        if self.decoded != *part.bytes {
            let what = format!("{} returned other samples than it was given", codec.decoder.info().name);
            return Err(Error::Backend { backend: codec.encoder.info().name, source: what.into() });
        }
        let coded = Some((&tiling, packet));
        self.finish(source, codec, &part, coded, &head(tiling.layout), &Chain::default(), &[], &[])
    }

    /// Codes a chunk with a quantiser, these values as classes; `None` where the quantiser is finer than any grid.
    pub(super) fn encode_values(
        &mut self,
        source: &Source<'_>,
        codec: &Codec,
        chain: &Chain,
        quantiser: Quantiser,
        classes: Option<Classes>,
    ) -> Result<Option<Coded>> {
        let keeps_rows = !chain.is_empty() || source.importance.is_some();
        let few = |classes: &Classes| source.values() - classes.coded() < source.values() / FEW_CLASSED;
        let part = part(
            source,
            classes.map(|classes| {
                let padded = keeps_rows || few(&classes);
                classes.with_padding(padded)
            }),
        );
        let layout = Layout::Rows;
        let bits = Numbers::Bits;
        if part.bytes.is_empty() || part.classes.as_ref().is_some_and(|classes| classes.coded() == 0) {
            let classes = part.classes.map(|classes| classes.with_padding(false));
            let part = Part { bytes: Cow::Borrowed(&[]), shape: (0, 1), classes };
            let head =
                Head { layout, classes: part.classes.clone(), affine: None, numbers: bits, bounds: None };
            return self.finish(source, codec, &part, None, &head, &Chain::default(), &[], &[]).map(Some);
        }
        let dtype = source.dtype;
        let mut transform_side = Vec::new();
        let values = (dtype, &*part.bytes, part.shape);
        let encoder = codec.encoder.as_ref();
        let quantised = quantise(
            &mut self.values,
            values,
            encoder,
            chain,
            quantiser,
            &mut self.samples,
            &mut transform_side,
        )?;
        let Some(Quantised { numbers, affine, planes, depth, quality }) = quantised else { return Ok(None) };
        let tiling = self.tile(part.shape, codec, (planes, depth))?;
        self.group.clear();
        for plane in self.samples.chunks_exact(part.shape.0 * part.shape.1) {
            tiling.place(plane, &mut self.group);
        }
        let packet = self.code(codec, &tiling, quality)?;
        let bounds = Bounds::of(dtype, &part.bytes, &self.values.kept);
        let classes = part.classes.clone();
        let mut head = Head { layout: tiling.layout, classes, affine, numbers, bounds };
        self.decoded.resize(part.bytes.len(), 0);
        let is_dear = source.values() < MANY || packet.len() < SMALL_PACKET;
        if is_dear {
            // Bounds that hold nothing are left out where their bytes count.
            head.bounds = None;
            self.restore(&tiling, &head, chain, &part, dtype, &transform_side)?;
            let back = Bounds::of(dtype, &self.decoded, &self.values.kept);
            head.bounds = bounds.filter(|bounds| back.is_none_or(|back| !bounds.hold_all(&back)));
        }
        if !is_dear || head.bounds.is_some() {
            self.restore(&tiling, &head, chain, &part, dtype, &transform_side)?;
        }
        let mut kept = std::mem::take(&mut self.values.kept);
        if let Quantiser::Bound { max_abs, .. } = quantiser {
            self.keep_violators(source, &part, max_abs, &mut kept);
        }
        let coded = Some((&tiling, packet));
        let coded = self.finish(source, codec, &part, coded, &head, chain, &transform_side, &kept);
        self.values.kept = kept;
        coded.map(Some)
    }

    /// Puts a chunk together and measures it; `decoded` holds what comes back but for classes and the `kept` values.
    #[expect(clippy::too_many_arguments, reason = "one step of the data flow, shared by two ways of coding")]
    fn finish(
        &mut self,
        source: &Source<'_>,
        codec: &Codec,
        part: &Part<'_>,
        coded: Option<(&Tiling, Vec<u8>)>,
        head: &Head,
        chain: &Chain,
        transform_side: &[u8],
        kept: &[u32],
    ) -> Result<Coded> {
        let (dtype, size) = (source.dtype, source.dtype.size());
        let (spec, packet) = match coded {
            Some((tiling, packet)) => (tiling.spec, packet),
            None => {
                self.decoded.clear();
                (GroupSpec::new(1, 1, 1, 8, &self.limits)?, Vec::new())
            }
        };
        let mut side = Vec::new();
        head.write(dtype, source.cols, &mut side);
        side.extend_from_slice(transform_side);
        let at = side.len();
        exact::write(kept, &part.bytes, size, &mut side);
        exact::apply(&side[at..], size, &mut self.decoded)?;
        let quantised = (!kept.is_empty() || part.classes.is_some()).then(|| {
            let importance = source.importance.as_deref();
            Distortion::measure_but(dtype, &part.bytes, &self.decoded, importance, (kept, part.padding()))
        });
        let whole = match &part.classes {
            None => Cow::Borrowed(&self.decoded),
            Some(classes) => {
                let mut whole = vec![0; source.bytes.len()];
                classes.scatter(&self.decoded, size, &mut whole);
                Cow::Owned(whole)
            }
        };
        let distortion = Distortion::measure(dtype, &source.bytes, &whole);
        let weighted = source
            .importance
            .as_ref()
            .map(|importance| Distortion::measure_weighted(dtype, &source.bytes, &whole, importance));
        let chunk = CodedChunk {
            index: source.index,
            rows: source.rows.clone(),
            values: source.values() as u64,
            codec: codec.id,
            spec,
            transform: Cow::Owned(chain.to_string()),
            side: Cow::Owned(side),
            packet: Cow::Owned(packet),
            nmse: distortion.nmse(),
            max_abs_error: distortion.max_abs_error,
            energy: distortion.plain_energy(),
            side_effects: SideEffects::measure(dtype, &source.bytes, &whole),
        };
        Limits::check("bytes of a packet", chunk.bytes(), self.limits.packet_bytes)?;
        Ok(Coded {
            chunk,
            distortion,
            weighted,
            quantised: quantised.or(weighted).unwrap_or(distortion),
            transform_bytes: transform_side.len(),
        })
    }

    /// Decodes the scratch samples into the values that come back.
    fn restore(
        &mut self,
        tiling: &Tiling,
        head: &Head,
        chain: &Chain,
        part: &Part<'_>,
        dtype: DType,
        mut parameters: &[u8],
    ) -> Result<()> {
        let (scratch, decoded) = (&mut self.scratch, &mut self.decoded);
        restore(tiling, head, chain, dtype, part.shape, &mut parameters, scratch, decoded)
    }

    fn tile(&self, shape: (usize, usize), codec: &Codec, planes: (u32, u8)) -> Result<Tiling> {
        let info = codec.encoder.info();
        Tiling::plan(shape, planes, info.name, &info.capabilities, &self.limits)
    }

    /// Encodes `group`, and decodes the packet into the scratch samples.
    fn code(&mut self, codec: &Codec, tiling: &Tiling, quality: Quality) -> Result<Vec<u8>> {
        let spec = tiling.spec;
        let key = (codec.id, spec);
        if !self.contexts.contains_key(&key) {
            // Groups differ in size at the ends of tensors only: a handful of contexts serves them all.
            if self.contexts.len() >= 8 {
                self.contexts.clear();
            }
            let encoder = codec.encoder.encoder(spec, &self.options)?;
            let decoder = codec.decoder.decoder(spec)?;
            self.contexts.insert(key, Contexts { encoder, decoder });
        }
        let mut packet = Vec::new();
        if let Some(Contexts { encoder, decoder }) = self.contexts.get_mut(&key) {
            encoder.encode(&self.group, quality, &mut packet)?;
            self.scratch.samples.resize(spec.samples(), 0);
            decoder.decode(&packet, &mut self.scratch.samples)?;
        }
        Ok(packet)
    }

    /// Adds every value whose decoded counterpart is farther off than `bound`.
    fn keep_violators(&self, source: &Source<'_>, part: &Part<'_>, bound: f64, kept: &mut Vec<u32>) {
        let (dtype, size) = (source.dtype, source.dtype.size());
        let is_padding = |at: u32| part.padding().is_some_and(|map| map[at as usize] != 0);
        let pairs = part.bytes.chunks_exact(size).zip(self.decoded.chunks_exact(size));
        let violators = (0u32..).zip(pairs).filter(|(at, (original, decoded))| {
            let is_off = || dtype.distance(original, decoded).is_none_or(|(error, _)| error > bound);
            original != decoded && is_off() && !is_padding(*at)
        });
        kept.extend(violators.map(|(position, _)| position));
        kept.sort_unstable();
        kept.dedup();
    }
}

/// What is coded of a chunk beside these classes. Places that are padded over hold the mean of their column.
fn part<'s>(source: &'s Source<'_>, classes: Option<Classes>) -> Part<'s> {
    let Some(classes) = classes else {
        return Part { bytes: Cow::Borrowed(&source.bytes), shape: source.shape(), classes: None };
    };
    let (size, shape) = (source.dtype.size(), classes.shape(source.shape()));
    let mut bytes = classes.gather(&source.bytes, size);
    if classes.is_padded() {
        pad(source, classes.map(), &mut bytes);
    }
    Part { bytes: Cow::Owned(bytes), shape, classes: Some(classes) }
}

/// Puts the mean of a column's other finite values in place of classed ones; of all values where a column has none.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn pad(source: &Source<'_>, map: &[u8], bytes: &mut [u8]) {
    let (dtype, size, cols) = (source.dtype, source.dtype.size(), source.cols);
    let mut values = Vec::with_capacity(map.len());
    dtype.read_f64(bytes, &mut values);
    // Means of halves: sums stay within the range of f64 at either end of it.
    let (mut sums, mut counts) = (vec![0f64; cols], vec![0usize; cols]);
    let (mut mean, mut seen) = (0f64, 0usize);
    for (at, &value) in values.iter().enumerate().filter(|(at, value)| map[*at] == 0 && value.is_finite()) {
        let column = at % cols;
        counts[column] += 1;
        seen += 1;
        sums[column] += (value - sums[column]) / counts[column] as f64;
        mean += (value - mean) / seen as f64;
    }
    let mut padding = vec![0; cols * size];
    let means: Vec<f64> = sums
        .iter()
        .zip(&counts)
        .map(|(column, count)| if *count > 0 { *column } else { mean })
        .map(|mean| if mean.is_finite() { mean } else { 0.0 })
        .collect();
    dtype.write_f64(&means, &mut padding);
    for (at, slot) in bytes.chunks_exact_mut(size).enumerate().filter(|(at, _)| map[*at] != 0) {
        let column = at % cols * size;
        slot.copy_from_slice(&padding[column..column + size]);
    }
}

/// Values of a chunk from which on its bounds are stored: fewer are not worth their bytes unless a value left them.
const MANY: usize = 4096;
/// The same for bytes of a packet.
const SMALL_PACKET: usize = 1024;
