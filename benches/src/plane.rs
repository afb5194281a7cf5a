//! One matrix through the backend `native`, and what came out.

use std::time::Instant;

use telecine_core::{Backend, Effort, EncodeOptions, GroupSpec, Limits, Quality, Result};
use telecine_native::Native;

/// Values of a chunk, about.
pub const CHUNK: usize = 1 << 18;
/// Units of the sample grid in one step.
const UNITS: f64 = 64.0;

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
pub fn code(values: &[f32], columns: usize, step: f64, effort: Effort) -> Result<Outcome> {
    let largest = values.iter().fold(0f32, |most, value| most.max(value.abs()));
    let grid = (step / UNITS).max(f64::from(largest) / 32_767.0);
    let quality = Quality::Step((step / grid) as f32);
    let (mut bytes, mut error, mut encode, mut decode) = (0usize, 0f64, 0f64, 0f64);
    let mut packet = Vec::new();
    let rows = (CHUNK / columns).max(1);
    for chunk in values.chunks(rows * columns) {
        let height = u32::try_from(chunk.len() / columns).unwrap_or(u32::MAX);
        let width = u32::try_from(columns).unwrap_or(u32::MAX);
        let spec = GroupSpec::new(1, height, width, 16, &Limits::default())?;
        let sample =
            |value: &f32| ((f64::from(*value) / grid).round() + 32_768.0).clamp(0.0, 65_535.0) as u16;
        let samples: Vec<u16> = chunk.iter().map(sample).collect();
        let mut encoder = Native::default().encoder(spec, &EncodeOptions::with_effort(effort))?;
        packet.clear();
        let start = Instant::now();
        encoder.encode(&samples, quality, &mut packet)?;
        encode += start.elapsed().as_secs_f64();
        bytes += packet.len();
        let mut back = vec![0; samples.len()];
        let mut decoder = Native::default().decoder(spec)?;
        let start = Instant::now();
        decoder.decode(&packet, &mut back)?;
        decode += start.elapsed().as_secs_f64();
        let squared = |(&value, &sample): (&f32, &u16)| {
            (f64::from(value) - (f64::from(sample) - 32_768.0) * grid).powi(2)
        };
        error += chunk.iter().zip(&back).map(squared).sum::<f64>();
    }
    let count = values.len() as f64;
    Ok(Outcome { rate: bytes as f64 * 8.0 / count, error: error / count, encode, decode })
}

/// Codes a matrix at the step whose rate comes within 1 % of `bits`, or as near as six tries bring it.
///
/// # Errors
/// Those of the backend.
pub fn code_at(values: &[f32], columns: usize, bits: f64, effort: Effort) -> Result<Outcome> {
    let energy = values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / values.len() as f64;
    let mut step = energy.sqrt() * 12f64.sqrt() * (0.03 - bits).exp2();
    let mut last: Option<(f64, f64)> = None;
    let mut outcome = code(values, columns, step, effort)?;
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
        outcome = code(values, columns, step, effort)?;
    }
    Ok(outcome)
}
