//! The backend: groups are planes coded one after the other.

use telecine_core::{
    Backend, BackendInfo, Capabilities, CodecId, Decoder, Effort, EncodeOptions, Encoder, Error, GroupSpec,
    Quality, Result, Tier, Unavailable, check_encode_input, check_sample_count,
};

use crate::bytes::{read_length, take, write_varint};
use crate::choose::PartEncoder;
use crate::instructions::Instructions;
use crate::part::PartDecoder;
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
    /// them. With the plain or the portable ones its encoder uses none that not every machine has.
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
        let is_portable = matches!(self.instructions, Some(Instructions::Plain | Instructions::Portable));
        Ok(Box::new(NativeEncoder {
            spec,
            effort: options.effort,
            part: PartEncoder::new(is_portable),
            separate: Vec::new(),
            bytes: Vec::new(),
        }))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        INFO.capabilities.check(INFO.name, &spec)?;
        let instructions = self.instructions.unwrap_or(Instructions::here()[0]);
        Ok(Box::new(NativeDecoder { spec, part: PartDecoder::new(Way::of(instructions)) }))
    }
}

fn plane_spec(spec: &GroupSpec) -> PlaneSpec {
    PlaneSpec { height: spec.height as usize, width: spec.width as usize, depth: spec.depth }
}

/// First byte of a packet of several planes that are coded as one, the rows of each below those of the one before.
const JOINED: u8 = 0;
/// Planes of fewer samples are also tried as one: each alone has a head that is large beside it.
const SMALL: usize = 4096;

/// All planes of a group as one.
fn joined(spec: &GroupSpec) -> PlaneSpec {
    let plane = plane_spec(spec);
    PlaneSpec { height: plane.height * spec.frames as usize, ..plane }
}

struct NativeEncoder {
    spec: GroupSpec,
    effort: Effort,
    part: PartEncoder,
    /// Parts of planes that are coded each by itself.
    separate: Vec<u8>,
    bytes: Vec<u8>,
}

impl NativeEncoder {
    /// Appends all planes, each by itself, to `separate`.
    fn encode_each(&mut self, samples: &[u16], quality: Quality) -> Result<()> {
        let spec = plane_spec(&self.spec);
        self.separate.clear();
        for plane in samples.chunks_exact(spec.samples()) {
            self.bytes.clear();
            self.part.encode(&spec, plane, quality, self.effort, &mut self.bytes)?;
            write_varint(self.bytes.len() as u64, &mut self.separate);
            self.separate.extend_from_slice(&self.bytes);
        }
        Ok(())
    }
}

impl Encoder for NativeEncoder {
    fn encode(&mut self, samples: &[u16], quality: Quality, packet: &mut Vec<u8>) -> Result<()> {
        check_encode_input(&INFO, &self.spec, samples, quality)?;
        let spec = joined(&self.spec);
        self.bytes.clear();
        if self.spec.frames == 1 {
            self.part.encode(&spec, samples, quality, self.effort, &mut self.bytes)?;
            packet.extend_from_slice(&self.bytes);
            return Ok(());
        }
        self.encode_each(samples, quality)?;
        if plane_spec(&self.spec).samples() < SMALL {
            self.bytes.clear();
            self.bytes.push(JOINED);
            self.part.encode(&spec, samples, quality, self.effort, &mut self.bytes)?;
            if self.bytes.len() <= self.separate.len() {
                packet.extend_from_slice(&self.bytes);
                return Ok(());
            }
        }
        packet.extend_from_slice(&self.separate);
        Ok(())
    }
}

struct NativeDecoder {
    spec: GroupSpec,
    part: PartDecoder,
}

impl Decoder for NativeDecoder {
    fn decode(&mut self, mut packet: &[u8], samples: &mut [u16]) -> Result<()> {
        check_sample_count(&self.spec, samples.len())?;
        if self.spec.frames == 1 {
            return self.part.decode(&plane_spec(&self.spec), packet, samples);
        }
        if let [JOINED, part @ ..] = packet {
            return self.part.decode(&joined(&self.spec), part, samples);
        }
        let spec = plane_spec(&self.spec);
        for plane in samples.chunks_exact_mut(spec.samples()) {
            let len = read_length(&mut packet)?;
            self.part.decode(&spec, take(&mut packet, len)?, plane)?;
        }
        if packet.is_empty() {
            Ok(())
        } else {
            Err(Error::corrupt("a tns1 packet goes on after its last plane"))
        }
    }
}
