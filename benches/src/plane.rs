//! One matrix through a backend, and what came out.

use std::sync::Arc;
use std::time::Instant;

use telecine::default_registry;
use telecine_core::{Backend, Effort, EncodeOptions, Error, GroupSpec, Limits, Pick, Quality, Result, Role};

/// Values of a chunk, about.
pub const CHUNK: usize = 1 << 18;
/// Units of the sample grid in one step.
const UNITS: f64 = 64.0;

/// The backends that write and read a matrix.
#[derive(Debug)]
pub struct Coder {
    encoder: Arc<dyn Backend>,
    decoder: Arc<dyn Backend>,
    /// Whether pictures are luma alone.
    pub monochrome: bool,
    /// Bits of a sample, in place of the most that the encoder takes.
    pub depth: Option<u8>,
}

impl Coder {
    /// The backend of this name, and a decoder of its codec.
    ///
    /// # Errors
    /// Where either does not work here.
    pub fn new(name: &str) -> Result<Self> {
        let registry = default_registry();
        let codec = registry.named(name);
        let codec = codec.ok_or_else(|| Error::invalid(format!("no backend is named {name}")))?;
        let encoder = registry.find(codec, Role::Encode, Pick::Exactly(name))?.backend;
        let decoder = registry.find(codec, Role::Decode, Pick::Auto)?.backend;
        Ok(Self { encoder, decoder, monochrome: false, depth: None })
    }
}

/// What coding a matrix came to.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Bits per value, all bytes of the packets counted.
    pub rate: f64,
    /// Mean squared error.
    pub error: f64,
    /// Seconds in the encoder.
    pub encode: f64,
    /// Seconds in the decoder.
    pub decode: f64,
}

/// Codes a matrix in chunks of whole rows at a uniform quantiser's `step`, in the units of the values.
///
/// # Errors
/// Those of the backend.
pub fn code(coder: &Coder, values: &[f32], columns: usize, step: f64, effort: Effort) -> Result<Outcome> {
    let largest = values.iter().fold(0f32, |most, value| most.max(value.abs()));
    let deepest = || coder.encoder.info().capabilities.depths.iter().copied().max().unwrap_or(16);
    let depth = coder.depth.unwrap_or_else(deepest);
    let options = EncodeOptions::with_effort(effort).with_monochrome(coder.monochrome);
    let half = f64::from(1u16 << (depth - 1));
    // As the pipeline does it: the grid is such that the step is one that the backend has.
    let finest = (step / UNITS).max(f64::from(largest) / (half - 1.0));
    let has = f64::from(coder.encoder.step_at_most(depth, (step / finest) as f32));
    let grid = (step / has).max(finest);
    let quality = Quality::Step((step / grid) as f32);
    let (mut bytes, mut error, mut encode, mut decode) = (0usize, 0f64, 0f64, 0f64);
    let mut packet = Vec::new();
    let rows = (CHUNK / columns).max(1);
    for chunk in values.chunks(rows * columns) {
        let height = u32::try_from(chunk.len() / columns).unwrap_or(u32::MAX);
        let width = u32::try_from(columns).unwrap_or(u32::MAX);
        let spec = GroupSpec::new(1, height, width, depth, &Limits::default())?;
        let sample =
            |value: &f32| ((f64::from(*value) / grid).round() + half).clamp(0.0, 2.0 * half - 1.0) as u16;
        let samples: Vec<u16> = chunk.iter().map(sample).collect();
        let mut encoder = coder.encoder.encoder(spec, &options)?;
        packet.clear();
        let start = Instant::now();
        encoder.encode(&samples, quality, &mut packet)?;
        encode += start.elapsed().as_secs_f64();
        bytes += packet.len();
        let mut back = vec![0; samples.len()];
        let mut decoder = coder.decoder.decoder(spec)?;
        let start = Instant::now();
        decoder.decode(&packet, &mut back)?;
        decode += start.elapsed().as_secs_f64();
        let squared =
            |(&value, &sample): (&f32, &u16)| (f64::from(value) - (f64::from(sample) - half) * grid).powi(2);
        error += chunk.iter().zip(&back).map(squared).sum::<f64>();
    }
    let count = values.len() as f64;
    Ok(Outcome { rate: bytes as f64 * 8.0 / count, error: error / count, encode, decode })
}

/// Codes a matrix at the step whose rate comes within 1 % of `bits`, or as near as six tries bring it.
///
/// # Errors
/// Those of the backend.
pub fn code_at(coder: &Coder, values: &[f32], columns: usize, bits: f64, effort: Effort) -> Result<Outcome> {
    let energy = values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / values.len() as f64;
    let mut step = energy.sqrt() * 12f64.sqrt() * (0.03 - bits).exp2();
    let mut last: Option<(f64, f64)> = None;
    let mut outcome = code(coder, values, columns, step, effort)?;
    for _ in 0..5 {
        let off = outcome.rate - bits;
        if off.abs() < 0.01 * bits {
            break;
        }
        let slope = match last {
            Some((rate, log)) if (rate - outcome.rate).abs() > 1e-9 => {
                ((step.log2() - log) / (outcome.rate - rate)).clamp(-6.0, -0.3)
            }
            _ => -1.0,
        };
        last = Some((outcome.rate, step.log2()));
        step *= (-off * slope).clamp(-4.0, 4.0).exp2();
        outcome = code(coder, values, columns, step, effort)?;
    }
    Ok(outcome)
}
