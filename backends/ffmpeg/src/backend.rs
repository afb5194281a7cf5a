//! The backends.

use telecine_core::{
    Backend, BackendInfo, Decoder, EncodeOptions, Encoder, Error, GroupSpec, Result, Unavailable,
};
use telecine_video::{probe_decoder, probe_encoder};

use crate::context::version;
use crate::decode::VideoDecoder;
use crate::decoders::{self, DecoderKind};
use crate::encode::VideoEncoder;
use crate::encoders::{self, EncoderKind};
use crate::nvidia;

/// A backend that encodes through libavcodec.
#[derive(Debug)]
pub struct FfmpegEncoder(&'static EncoderKind);

/// A backend that decodes through libavcodec.
#[derive(Debug)]
pub struct FfmpegDecoder(&'static DecoderKind);

impl FfmpegEncoder {
    /// `x265`, `x264` and `libaom`.
    pub fn software() -> Vec<Self> {
        [&encoders::X265, &encoders::X264, &encoders::LIBAOM].map(Self).into()
    }

    /// `nvenc-hevc`, `nvenc-h264` and `nvenc-av1`.
    pub fn nvenc() -> Vec<Self> {
        nvidia::ENCODERS.iter().map(Self).collect()
    }
}

impl FfmpegDecoder {
    /// `hevc`, `h264` and `av1`.
    pub fn software() -> Vec<Self> {
        [&decoders::HEVC, &decoders::H264, &decoders::AV1].map(Self).into()
    }

    /// `nvdec-hevc`, `nvdec-h264` and `nvdec-av1`.
    pub fn nvdec() -> Vec<Self> {
        nvidia::DECODERS.iter().map(Self).collect()
    }
}

fn missing(backend: &'static str, what: &str, remedy: &str) -> Unavailable {
    let reason = format!("{} was built without it. {remedy}", version());
    Unavailable::Library { backend, library: format!("libavcodec with {what}"), reason }
}

/// Why coding failed though the libraries are there: of a hardware engine, that the device lacks it.
fn failed(backend: &'static str, driver: &[&str], reason: &str) -> Unavailable {
    let reason = format!("{} {reason}", version());
    if driver.is_empty() {
        return Unavailable::Init { backend, reason };
    }
    let reason = format!("{reason}. Not every device has the engine: A100, H100 and H200 have no NVENC");
    Unavailable::Device { backend, reason }
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
        nvidia::find_driver(info.name, self.0.driver)?;
        probe_encoder(self).map_err(|reason| failed(info.name, self.0.driver, &reason))
    }

    fn step_at_most(&self, depth: u8, step: f32) -> f32 {
        (self.0.ladder)(depth).at_most(step)
    }

    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        self.0.info.capabilities.check(self.0.info.name, &spec)?;
        options.tools.check(self.0.info.name, self.0.switches)?;
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
        nvidia::find_driver(info.name, self.0.driver)?;
        probe_decoder(self, self.0.bitstream).map_err(|reason| failed(info.name, self.0.driver, &reason))
    }

    fn encoder(&self, _spec: GroupSpec, _options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        Err(Error::unsupported(format!("{} only decodes", self.0.info.name)))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        self.0.info.capabilities.check(self.0.info.name, &spec)?;
        Ok(Box::new(VideoDecoder::new(self.0.info.name, self.0.libraries, self.0.bitstream, spec)?))
    }
}
