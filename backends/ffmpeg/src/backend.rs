//! The backends.

use telecine_core::{
    Backend, BackendInfo, Decoder, EncodeOptions, Encoder, Error, GroupSpec, Limits, Quality, Result,
    Unavailable,
};

use crate::context::version;
use crate::decode::VideoDecoder;
use crate::decoders::{self, DecoderKind};
use crate::encode::VideoEncoder;
use crate::encoders::{self, EncoderKind};

/// A backend that encodes through libavcodec.
#[derive(Debug)]
pub struct FfmpegEncoder(&'static EncoderKind);

/// A backend that decodes through libavcodec.
#[derive(Debug)]
pub struct FfmpegDecoder(&'static DecoderKind);

impl FfmpegEncoder {
    /// `x265`, `x264` and `libaom`.
    pub fn all() -> Vec<Self> {
        [&encoders::X265, &encoders::X264, &encoders::LIBAOM].map(Self).into()
    }
}

impl FfmpegDecoder {
    /// `hevc`, `h264` and `av1`.
    pub fn all() -> Vec<Self> {
        [&decoders::HEVC, &decoders::H264, &decoders::AV1].map(Self).into()
    }
}

fn missing(backend: &'static str, what: &str, remedy: &str) -> Unavailable {
    let reason = format!("{} was built without it. {remedy}", version());
    Unavailable::Library { backend, library: format!("libavcodec with {what}"), reason }
}

impl Backend for FfmpegEncoder {
    fn info(&self) -> &BackendInfo {
        &self.0.info
    }

    fn probe(&self) -> Result<(), Unavailable> {
        let info = &self.0.info;
        if ffmpeg_next::encoder::find_by_name(self.0.library).is_none() {
            return Err(missing(info.name, self.0.library, self.0.remedy));
        }
        for &depth in info.capabilities.depths {
            let failed = |reason: Error| Unavailable::Init {
                backend: info.name,
                reason: format!("{} coding {depth} bits: {reason}", version()),
            };
            let spec = GroupSpec::new(1, 64, 64, depth, &Limits::default()).map_err(failed)?;
            let samples = vec![spec.mid_sample(); spec.samples()];
            let mut encoder = self.encoder(spec, &EncodeOptions::default()).map_err(failed)?;
            encoder.encode(&samples, Quality::Step(4.0), &mut Vec::new()).map_err(failed)?;
        }
        Ok(())
    }

    fn step_at_most(&self, depth: u8, step: f32) -> f32 {
        (self.0.ladder)(depth).at_most(step)
    }

    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        self.0.info.capabilities.check(self.0.info.name, &spec)?;
        Ok(Box::new(VideoEncoder::new(self.0, spec, *options)))
    }

    fn decoder(&self, _spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        Err(Error::unsupported(format!("{} only encodes", self.0.info.name)))
    }
}

impl Backend for FfmpegDecoder {
    fn info(&self) -> &BackendInfo {
        &self.0.info
    }

    fn probe(&self) -> Result<(), Unavailable> {
        let info = &self.0.info;
        if self.0.libraries.iter().all(|library| ffmpeg_next::decoder::find_by_name(library).is_none()) {
            return Err(missing(info.name, &self.0.libraries.join(" or "), self.0.remedy));
        }
        let failed = |reason: String| Unavailable::Init {
            backend: info.name,
            reason: format!("{} decoding a flat picture: {reason}", version()),
        };
        let spec =
            GroupSpec::new(1, 64, 64, 8, &Limits::default()).map_err(|error| failed(error.to_string()))?;
        let mut samples = vec![0; spec.samples()];
        let (packet, value) = self.0.probe;
        let mut decoder = self.decoder(spec).map_err(|error| failed(error.to_string()))?;
        decoder.decode(packet, &mut samples).map_err(|error| failed(error.to_string()))?;
        if samples.iter().all(|&sample| sample == value) {
            return Ok(());
        }
        Err(failed(format!("it returned {} where {value} was coded", samples[0])))
    }

    fn encoder(&self, _spec: GroupSpec, _options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        Err(Error::unsupported(format!("{} only decodes", self.0.info.name)))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        self.0.info.capabilities.check(self.0.info.name, &spec)?;
        Ok(Box::new(VideoDecoder::new(self.0.info.name, self.0.libraries, self.0.bitstream, spec)?))
    }
}
