//! A sound backend that shares nothing with `native`: a uniform quantiser before zstd.

use std::sync::Arc;

use telecine_core::{
    Backend, BackendInfo, CodecId, Decoder, EncodeOptions, Encoder, Error, GroupSpec, Limits, Quality,
    Result, Unavailable, check_encode_input, check_sample_count,
};
use telecine_zstd::Zstd;

/// The backend `uniform`: a packet is the step, and a packet of `zstd` with the signed level of each sample.
#[derive(Debug)]
pub(crate) struct Uniform {
    info: BackendInfo,
}

impl Uniform {
    pub(crate) fn backend() -> Arc<dyn Backend> {
        let codec = CodecId::parse("uni0").unwrap();
        let mut info = Zstd.info().clone();
        (info.name, info.codec) = ("uniform", codec);
        (info.capabilities.lossy, info.capabilities.excess) = (true, 0.7);
        Arc::new(Self { info })
    }
}

impl Backend for Uniform {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn probe(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        let levels = Zstd.encoder(levels(spec)?, options)?;
        Ok(Box::new(UniformEncoder { spec, info: self.info.clone(), levels }))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        Ok(Box::new(UniformDecoder { spec, levels: Zstd.decoder(levels(spec)?)? }))
    }
}

/// The group of the levels.
fn levels(spec: GroupSpec) -> Result<GroupSpec> {
    Zstd.info().capabilities.check("uniform", &spec)?;
    GroupSpec::new(spec.frames, spec.height, spec.width, 16, &Limits::default())
}

struct UniformEncoder {
    spec: GroupSpec,
    info: BackendInfo,
    levels: Box<dyn Encoder>,
}

impl Encoder for UniformEncoder {
    fn encode(&mut self, samples: &[u16], quality: Quality, packet: &mut Vec<u8>) -> Result<()> {
        check_encode_input(&self.info, &self.spec, samples, quality)?;
        let step = match quality {
            Quality::Step(step) => step.max(1.0),
            Quality::Lossless => 1.0,
        };
        let level = |sample: &u16| {
            let far = f64::from(*sample) - f64::from(self.spec.mid_sample());
            let level = (far / f64::from(step)).round() as i32;
            // Small in either direction is small.
            ((level << 1) ^ (level >> 31)) as u16
        };
        let levels: Vec<u16> = samples.iter().map(level).collect();
        packet.extend_from_slice(&step.to_le_bytes());
        self.levels.encode(&levels, Quality::Lossless, packet)
    }
}

struct UniformDecoder {
    spec: GroupSpec,
    levels: Box<dyn Decoder>,
}

impl Decoder for UniformDecoder {
    fn decode(&mut self, packet: &[u8], samples: &mut [u16]) -> Result<()> {
        check_sample_count(&self.spec, samples.len())?;
        let (step, rest) = packet.split_first_chunk().ok_or_else(|| Error::corrupt("no step"))?;
        let step = f32::from_le_bytes(*step);
        if !(step.is_finite() && step >= 1.0) {
            return Err(Error::corrupt(format!("a step of {step}")));
        }
        self.levels.decode(rest, samples)?;
        for sample in samples {
            let level = i32::from(*sample >> 1) ^ -i32::from(*sample & 1);
            let value = f64::from(self.spec.mid_sample()) + f64::from(level) * f64::from(step);
            *sample = value.round().clamp(0.0, f64::from(self.spec.max_sample())) as u16;
        }
        Ok(())
    }
}
