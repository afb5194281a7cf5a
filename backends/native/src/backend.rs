//! The backend: groups are planes coded one after the other.

use telecine_core::{
    Backend, BackendInfo, Capabilities, CodecId, Decoder, Effort, EncodeOptions, Encoder, Error, GroupSpec,
    Quality, Result, Tier, Unavailable, check_encode_input, check_sample_count,
};

use crate::bytes::{read_length, take, write_varint};
use crate::decode::PlaneDecoder;
use crate::encode::PlaneEncoder;
use crate::instructions::Instructions;
use crate::plane::PlaneSpec;
use crate::simd::Way;

static INFO: BackendInfo = BackendInfo::new(
    "native",
    CodecId::NATIVE,
    Tier::Preferred,
    Capabilities::new(&[8, 9, 10, 11, 12, 13, 14, 15, 16])
        .with_lossless()
        .with_lossy(0.1)
        .with_sizes(1..=1 << 26, 1..=1 << 26, 1)
        .with_max_frames(1 << 16),
);

/// The backend `native`.
#[derive(Debug, Default)]
pub struct Native {
    /// `None` is the best of this machine.
    instructions: Option<Instructions>,
}

impl Native {
    /// The backend with a decoder that uses these instructions instead of the best ones of this machine: for comparing
    /// them.
    ///
    /// # Errors
    /// [`Unavailable::Device`] where this machine lacks them.
    pub fn with_instructions(instructions: Instructions) -> Result<Self, Unavailable> {
        if instructions.are_here() {
            return Ok(Self { instructions: Some(instructions) });
        }
        let reason = format!("{instructions:?} was asked for, this machine has {:?}", Instructions::here());
        Err(Unavailable::Device { backend: INFO.name, reason })
    }
}

impl Backend for Native {
    fn info(&self) -> &BackendInfo {
        &INFO
    }

    fn probe(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        INFO.capabilities.check(INFO.name, &spec)?;
        Ok(Box::new(NativeEncoder {
            spec,
            effort: options.effort,
            plane: PlaneEncoder::default(),
            part: Vec::new(),
        }))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        INFO.capabilities.check(INFO.name, &spec)?;
        let instructions = self.instructions.unwrap_or(Instructions::here()[0]);
        Ok(Box::new(NativeDecoder { spec, plane: PlaneDecoder::new(Way::of(instructions)) }))
    }
}

fn plane_spec(spec: &GroupSpec) -> PlaneSpec {
    PlaneSpec { height: spec.height as usize, width: spec.width as usize, depth: spec.depth }
}

struct NativeEncoder {
    spec: GroupSpec,
    effort: Effort,
    plane: PlaneEncoder,
    part: Vec<u8>,
}

impl Encoder for NativeEncoder {
    fn encode(&mut self, samples: &[u16], quality: Quality, packet: &mut Vec<u8>) -> Result<()> {
        check_encode_input(&INFO, &self.spec, samples, quality)?;
        let spec = plane_spec(&self.spec);
        let start = packet.len();
        for plane in samples.chunks_exact(spec.height * spec.width) {
            self.part.clear();
            if let Err(error) = self.plane.encode(&spec, plane, quality, self.effort, &mut self.part) {
                packet.truncate(start);
                return Err(error);
            }
            if self.spec.frames > 1 {
                write_varint(self.part.len() as u64, packet);
            }
            packet.extend_from_slice(&self.part);
        }
        Ok(())
    }
}

struct NativeDecoder {
    spec: GroupSpec,
    plane: PlaneDecoder,
}

impl Decoder for NativeDecoder {
    fn decode(&mut self, mut packet: &[u8], samples: &mut [u16]) -> Result<()> {
        check_sample_count(&self.spec, samples.len())?;
        let spec = plane_spec(&self.spec);
        for plane in samples.chunks_exact_mut(spec.height * spec.width) {
            let len = if self.spec.frames > 1 { read_length(&mut packet)? } else { packet.len() };
            self.plane.decode(&spec, take(&mut packet, len)?, plane)?;
        }
        if packet.is_empty() {
            Ok(())
        } else {
            Err(Error::corrupt("a tns1 packet goes on after its last plane"))
        }
    }
}
