//! Coding one chunk, and measuring what comes back.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::decode::{Scratch, join_planes, restore};
use super::magnitudes::{Magnitudes, magnitudes};
use super::side::Head;
use crate::grid::{self, Grid};
use crate::tile::Tiling;
use crate::{
    Backend, Chain, CodecId, CodedChunk, DType, Decoder, Distortion, EncodeOptions, Encoder, Error,
    GroupSpec, Importance, Limits, Quality, Result, bitcast, exact,
};

/// The values of some rows of a tensor, not yet coded.
pub(super) struct Source<'a> {
    pub(super) dtype: DType,
    pub(super) rows: Range<u64>,
    pub(super) cols: usize,
    pub(super) bytes: Cow<'a, [u8]>,
    pub(super) importance: Option<Arc<Importance>>,
}

impl Source<'_> {
    pub(super) fn values(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    fn shape(&self) -> (usize, usize) {
        (self.values() / self.cols, self.cols)
    }
}

/// What stands between the values and the backend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Quantiser {
    /// The values' bits, losslessly.
    BitCast,
    /// A quantiser step in the tensor's units.
    Step(f64),
    /// Every value within this bound; the quantiser aims at `share` of it, and what misses the bound is kept exactly.
    Bound { max_abs: f64, share: f64 },
}

/// A chunk as coded, with what was measured on the way back.
pub(super) struct Coded {
    pub(super) chunk: CodedChunk<'static>,
    pub(super) distortion: Distortion,
    /// The same weighed by importance, where that is given.
    pub(super) weighted: Option<Distortion>,
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
    plane: Vec<u16>,
    values: Vec<f32>,
    decoded: Vec<u8>,
}

impl Worker {
    pub(super) fn new(options: EncodeOptions, limits: Limits) -> Self {
        Self {
            options,
            limits,
            contexts: HashMap::new(),
            scratch: Scratch::default(),
            group: Vec::new(),
            plane: Vec::new(),
            values: Vec::new(),
            decoded: Vec::new(),
        }
    }

    /// Codes a chunk, decodes it again and measures the difference.
    pub(super) fn encode(
        &mut self,
        source: &Source<'_>,
        codec: &Codec,
        chain: &Chain,
        quantiser: Quantiser,
    ) -> Result<Coded> {
        let mut coded = match quantiser {
            Quantiser::BitCast => self.encode_bits(source, codec)?,
            _ => self.encode_values(source, codec, chain, quantiser)?,
        };
        coded.distortion = Distortion::measure(source.dtype, &source.bytes, &self.decoded);
        coded.weighted = source.importance.as_ref().map(|importance| {
            Distortion::measure_weighted(source.dtype, &source.bytes, &self.decoded, importance)
        });
        coded.chunk.nmse = coded.distortion.nmse();
        coded.chunk.max_abs_error = coded.distortion.max_abs_error;
        coded.chunk.energy = coded.distortion.energy;
        Limits::check("bytes of a packet", coded.chunk.bytes(), self.limits.packet_bytes)?;
        Ok(coded)
    }

    fn encode_bits(&mut self, source: &Source<'_>, codec: &Codec) -> Result<Coded> {
        let (planes, depth) = bitcast::planes_within(source.dtype, codec.encoder.info().capabilities.depths);
        let tiling = self.tile(source, codec, (planes, depth))?;
        self.group.clear();
        for plane in 0..planes as usize {
            self.plane.clear();
            bitcast::split(source.dtype, &source.bytes, (plane, depth), &mut self.plane);
            tiling.place(&self.plane, &mut self.group);
        }
        let packet = self.code(codec, &tiling, Quality::Lossless)?;
        self.decoded.resize(source.bytes.len(), 0);
        join_planes(&tiling, source.dtype, &mut self.scratch, &mut self.decoded);
        if self.decoded != *source.bytes {
            let what = format!("{} returned other samples than it was given", codec.decoder.info().name);
            return Err(Error::Backend { backend: codec.encoder.info().name, source: what.into() });
        }
        let mut side = Vec::new();
        Head { layout: tiling.layout, grid: None }.write(&mut side);
        Ok(coded(source, codec, tiling.spec, "none".into(), side, packet, 0))
    }

    fn encode_values(
        &mut self,
        source: &Source<'_>,
        codec: &Codec,
        chain: &Chain,
        quantiser: Quantiser,
    ) -> Result<Coded> {
        let capabilities = &codec.encoder.info().capabilities;
        let plan = Plan::of(quantiser, chain, source.dtype, codec)?;
        let (rows, cols) = source.shape();
        let deepest = capabilities.depths.last().copied().unwrap_or(16);
        let mut kept = self.read_values(source, plan.step * grid::reach(deepest) / 8.0);
        let mut transform_side = Vec::new();
        chain.forward(&mut self.values, rows, cols, plan.step, &mut transform_side)?;
        let (grid, depth, quality) = if plan.quantise_here {
            let (grid, depth) = Grid::at_step(&self.values, plan.step, capabilities.depths);
            (grid, depth, Quality::Lossless)
        } else {
            let grid = Grid::for_step(&self.values, plan.step, deepest, |step| {
                codec.encoder.step_at_most(deepest, step)
            });
            (grid, deepest, Quality::Step(plan.step / grid.scale))
        };
        if !(grid.scale.is_finite() && grid.offset.is_finite()) {
            return Err(Error::unsupported(format!(
                "a quantiser step of {:e} is too coarse for values of this size in f32",
                plan.step
            )));
        }
        let tiling = self.tile(source, codec, (1, depth))?;
        self.plane.clear();
        grid.quantise(&self.values, depth, &mut self.plane);
        self.group.clear();
        tiling.place(&self.plane, &mut self.group);
        let packet = self.code(codec, &tiling, quality)?;

        let mut side = Vec::new();
        Head { layout: tiling.layout, grid: Some(grid) }.write(&mut side);
        side.extend_from_slice(&transform_side);
        self.decoded.resize(source.bytes.len(), 0);
        restore(
            &tiling,
            &grid,
            chain,
            source.dtype,
            (rows, cols),
            &mut transform_side.as_slice(),
            &mut self.scratch,
            &mut self.decoded,
        )?;
        if let Quantiser::Bound { max_abs, .. } = quantiser {
            self.keep_violators(source, max_abs, &mut kept);
        }
        let at = side.len();
        exact::write(&kept, &source.bytes, source.dtype.size(), &mut side);
        exact::apply(&side[at..], source.dtype.size(), &mut self.decoded)?;
        Ok(coded(source, codec, tiling.spec, chain.to_string(), side, packet, transform_side.len()))
    }

    fn tile(&self, source: &Source<'_>, codec: &Codec, planes: (u32, u8)) -> Result<Tiling> {
        let info = codec.encoder.info();
        Tiling::plan(source.shape(), planes, info.name, &info.capabilities, &self.limits)
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

    /// Reads the values as `f32`; those that are not finite, or farther out than any grid should reach, become 0 and
    /// are listed. `reach` is the distance from 0 that the grid covers comfortably.
    fn read_values(&mut self, source: &Source<'_>, reach: f32) -> Vec<u32> {
        self.values.clear();
        source.dtype.read_f32(&source.bytes, &mut self.values);
        let mut listed = Vec::new();
        // One huge value hides the next: look again after each has left the mean.
        for _ in 0..OUTLIER_PASSES {
            let Magnitudes { mean, largest } = magnitudes(&self.values);
            // By Markov's inequality a pass lists at most 1 value in 16, and none that is common.
            let most = f64::from(reach).clamp(16.0 * mean, 2048.0 * mean);
            if largest.is_finite() && f64::from(largest) <= most {
                break;
            }
            for (position, value) in (0u32..).zip(self.values.iter_mut()) {
                if !value.is_finite() || f64::from(value.abs()) > most {
                    *value = 0.0;
                    listed.push(position);
                }
            }
        }
        listed.sort_unstable();
        listed
    }

    /// Adds every value whose decoded counterpart is farther off than `bound`.
    fn keep_violators(&self, source: &Source<'_>, bound: f64, kept: &mut Vec<u32>) {
        let (dtype, size) = (source.dtype, source.dtype.size());
        let pairs = source.bytes.chunks_exact(size).zip(self.decoded.chunks_exact(size));
        let violators = (0u32..).zip(pairs).filter(|(_, (original, decoded))| {
            original != decoded && dtype.distance(original, decoded).is_none_or(|(error, _)| error > bound)
        });
        kept.extend(violators.map(|(position, _)| position));
        kept.sort_unstable();
        kept.dedup();
    }
}

/// Passes over a chunk in search of outliers, at most.
const OUTLIER_PASSES: usize = 8;

/// How a quantiser is carried out with a codec.
struct Plan {
    step: f32,
    /// Quantised before the backend, which codes the levels losslessly.
    quantise_here: bool,
}

impl Plan {
    fn of(quantiser: Quantiser, chain: &Chain, dtype: DType, codec: &Codec) -> Result<Self> {
        let capabilities = &codec.encoder.info().capabilities;
        let (step, quantise_here) = match quantiser {
            Quantiser::BitCast => (1.0, true),
            Quantiser::Step(step) => (step, !capabilities.lossy),
            // A uniform quantiser meets a bound with the widest step there is: twice the bound. Behind a transform
            // nothing meets it by construction, and the codec's own quantiser is the better one.
            Quantiser::Bound { max_abs, share } if chain.is_empty() && capabilities.lossless => {
                let widest = if dtype.is_float() { 2.0 * max_abs } else { 2.0 * max_abs.floor() + 1.0 };
                (widest * share, true)
            }
            Quantiser::Bound { max_abs, share } => (max_abs * share, !capabilities.lossy),
        };
        #[expect(clippy::cast_possible_truncation, reason = "the nearest f32 serves as well")]
        let step = step as f32;
        if step.is_finite() && step >= f32::MIN_POSITIVE {
            return Ok(Self { step, quantise_here });
        }
        Err(Error::invalid(format!("a quantiser step of {step:e} is outside the range of f32")))
    }
}

fn coded(
    source: &Source<'_>,
    codec: &Codec,
    spec: GroupSpec,
    transform: String,
    side: Vec<u8>,
    packet: Vec<u8>,
    transform_bytes: usize,
) -> Coded {
    let chunk = CodedChunk {
        index: 0,
        rows: source.rows.clone(),
        values: source.values() as u64,
        codec: codec.id,
        spec,
        transform: Cow::Owned(transform),
        side: Cow::Owned(side),
        packet: Cow::Owned(packet),
        nmse: 0.0,
        max_abs_error: 0.0,
        energy: 0.0,
    };
    Coded { chunk, distortion: Distortion::default(), weighted: None, transform_bytes }
}
