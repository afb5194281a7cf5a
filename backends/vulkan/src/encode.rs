//! Groups to packets, by a search over the bitrate.

use std::num::NonZeroU32;
use std::time::Duration;

use gpu_video::parameters::{ColorRange, EncoderParametersH264, RateControl, VideoParameters};
use gpu_video::{InputFrame, RawFrameData};
use telecine_core::{Encoder, Error, GroupSpec, Quality, Result, check_encode_input};
use telecine_video::{Bitstream, store, stored_len};

use crate::ENCODER;
use crate::decode::decode;
use crate::device::Device;

/// Bitrates that are tried for a plane.
const TRIES: usize = 10;
/// The error of a step, over `step² / 12`, that ends the search.
const NEAR: std::ops::RangeInclusive<f64> = 0.93..=1.07;
/// The error that is taken when no bitrate comes nearer.
const ENOUGH: std::ops::RangeInclusive<f64> = 0.4..=1.26;

/// An encoder for groups of one size.
pub(crate) struct VulkanEncoder {
    device: Device,
    spec: GroupSpec,
}

/// A search for the bits per sample at which an error falls to what is wanted.
#[derive(Debug, Clone, Copy)]
struct Search {
    bits: f64,
    /// Bits that were too few, and too many.
    bracket: (Option<f64>, Option<f64>),
}

impl Search {
    /// Starts at Shannon's bound for the samples' variance and half a bit.
    fn new(variance: f64, wanted: f64) -> Self {
        let bound = 0.5 * (variance / wanted).max(1.0).log2();
        Self { bits: bound + 0.5, bracket: (None, None) }
    }

    /// Goes on after an error `ratio` times what is wanted.
    fn go_on(&mut self, ratio: f64) {
        let (low, high) = &mut self.bracket;
        if ratio > 1.0 {
            *low = Some(self.bits)
        } else {
            *high = Some(self.bits)
        }
        // A bit is worth 6 dB.
        let guess = self.bits + 0.5 * ratio.clamp(1e-3, 1e3).log2();
        self.bits = match (*low, *high) {
            (Some(low), Some(high)) if guess <= low || guess >= high => f64::midpoint(low, high),
            _ => guess.clamp(0.01, 16.0),
        };
    }
}

impl VulkanEncoder {
    pub(crate) fn new(device: Device, spec: GroupSpec) -> Self {
        Self { device, spec }
    }

    fn failed(source: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::Backend { backend: ENCODER.name, source: Box::new(source) }
    }

    /// One picture as the device makes it of this many bits.
    fn picture(&self, samples: &[u16], bits: u64) -> Result<Vec<u8>> {
        let nonzero = |n: u32| NonZeroU32::new(n).ok_or_else(|| Error::invalid("a plane of no size"));
        let rate_control = RateControl::ConstantBitrate {
            // One picture a second.
            bitrate: bits.max(1),
            virtual_buffer_size: Duration::from_secs(1),
        };
        let output = self.device.vulkan.encoder_output_parameters_h264_high_quality(rate_control);
        let mut output = output.map_err(Self::failed)?;
        output.idr_period = NonZeroU32::new(1);
        output.inline_stream_params = Some(true);
        output.color_range = Some(ColorRange::Full);
        let input = VideoParameters {
            width: nonzero(self.spec.width)?,
            height: nonzero(self.spec.height)?,
            target_framerate: 1.into(),
        };
        let parameters = EncoderParametersH264 { input_parameters: input, output_parameters: output };
        let mut encoder = self.device.vulkan.create_bytes_encoder_h264(parameters).map_err(Self::failed)?;
        // Chroma of half the size in both directions, both kinds side by side.
        let mut frame: Vec<u8> =
            samples.iter().map(|sample| u8::try_from(*sample).unwrap_or(u8::MAX)).collect();
        frame.resize(samples.len() * 3 / 2, 128);
        let data = RawFrameData { frame, width: self.spec.width, height: self.spec.height };
        Ok(encoder.encode(&InputFrame { data, pts: Some(0) }, true).map_err(Self::failed)?.data)
    }

    /// Appends the picture of one plane whose error comes nearest to `wanted`; false where none is near enough.
    fn plane(&self, samples: &[u16], wanted: f64, start: usize, packet: &mut Vec<u8>) -> Result<bool> {
        let mut spec = self.spec;
        spec.frames = 1;
        let count = samples.len() as f64;
        let mean = samples.iter().map(|sample| f64::from(*sample)).sum::<f64>() / count;
        let variance = samples.iter().map(|sample| (f64::from(*sample) - mean).powi(2)).sum::<f64>() / count;
        let mut search = Search::new(variance, wanted);
        let mut best: Option<(f64, Vec<u8>)> = None;
        let mut decoded = vec![0; samples.len()];
        for _ in 0..TRIES {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of bits")]
            let picture = self.picture(samples, (search.bits * count) as u64)?;
            let mut alone = Vec::new();
            Bitstream::Avc.append(&picture, 0, &mut alone)?;
            Bitstream::Avc.finish(&mut alone);
            decode(&self.device, &spec, &alone, &mut decoded)?;
            let square = |(a, b): (&u16, &u16)| f64::from(a.abs_diff(*b)).powi(2);
            let error = samples.iter().zip(&decoded).map(square).sum::<f64>() / count;
            let ratio = error / wanted;
            let distance = |ratio: f64| ratio.max(1e-9).ln().abs();
            if best.as_ref().is_none_or(|(before, _)| distance(ratio) < distance(*before)) {
                best = Some((ratio, picture));
            }
            if NEAR.contains(&ratio) {
                break;
            }
            search.go_on(ratio);
        }
        // Less error than asked for is no fault where there is less to err by than that.
        let is_enough = |ratio: f64| ENOUGH.contains(&ratio) || (variance <= wanted && ratio < 1.0);
        match best {
            Some((ratio, picture)) if is_enough(ratio) => {
                Bitstream::Avc.append(&picture, start, packet)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

impl Encoder for VulkanEncoder {
    fn encode(&mut self, samples: &[u16], quality: Quality, packet: &mut Vec<u8>) -> Result<()> {
        check_encode_input(&ENCODER, &self.spec, samples, quality)?;
        let Quality::Step(step) = quality else {
            return Err(Error::unsupported(format!("{} has no lossless mode", ENCODER.name)));
        };
        let (start, wanted) = (packet.len(), f64::from(step).powi(2) / 12.0);
        let mut code = || -> Result<bool> {
            for plane in samples.chunks_exact(self.spec.height as usize * self.spec.width as usize) {
                if !self.plane(plane, wanted, start, packet)? {
                    return Ok(false);
                }
            }
            Bitstream::Avc.finish(packet);
            Ok(packet.len() - start < stored_len(&self.spec))
        };
        let outcome = code();
        if !matches!(outcome, Ok(true)) {
            packet.truncate(start);
        }
        if !outcome? {
            // No bitrate of the device comes near: exact samples keep the promise.
            store(&self.spec, samples, packet);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_finds_the_bits_of_any_encoder_that_gains_6_db_a_bit_or_less() {
        for (excess, slope) in [(0.3, 2.0), (1.5, 2.0), (-0.4, 1.2)] {
            let (variance, wanted) = (900.0, 9.0);
            let error = |bits: f64| variance * (-slope * (bits - excess)).exp2();
            let mut search = Search::new(variance, wanted);
            let mut tries = 0;
            while !NEAR.contains(&(error(search.bits) / wanted)) {
                search.go_on(error(search.bits) / wanted);
                tries += 1;
                assert!(tries < TRIES, "{excess} {slope}: {search:?}");
            }
        }
    }

    #[test]
    fn the_search_stays_between_what_was_too_few_and_too_many() {
        let mut search = Search::new(100.0, 1.0);
        search.go_on(30.0);
        let low = search.bracket.0.unwrap_or(f64::NAN);
        search.go_on(0.001);
        assert!(search.bits > low && Some(search.bits) < search.bracket.1, "{search:?}");
    }
}
