//! The backends.

use std::sync::OnceLock;

use telecine_core::{
    Backend, BackendInfo, Decoder, EncodeOptions, Encoder, Error, GroupSpec, Result, Unavailable,
};
use telecine_video::{FLAT_420_SIDE, FLAT_SIDE, probe_decoder, probe_encoder};

use crate::absence;
use crate::context::version;
use crate::decode::VideoDecoder;
use crate::decoders::{self, DecoderKind};
use crate::encode::VideoEncoder;
use crate::encoders::{self, EncoderKind};
use crate::nvidia;

/// A backend that encodes through libavcodec.
#[derive(Debug)]
pub struct FfmpegEncoder {
    kind: &'static EncoderKind,
    /// What the device's driver says, once it was asked.
    queried: OnceLock<BackendInfo>,
}

/// A backend that decodes through libavcodec.
#[derive(Debug)]
pub struct FfmpegDecoder {
    kind: &'static DecoderKind,
    /// What the device's driver says, once it was asked.
    queried: OnceLock<BackendInfo>,
}

impl FfmpegEncoder {
    fn new(kind: &'static EncoderKind) -> Self {
        Self { kind, queried: OnceLock::new() }
    }

    /// `x265`, `x264` and `libaom`.
    pub fn software() -> Vec<Self> {
        [&encoders::X265, &encoders::X264, &encoders::LIBAOM].map(Self::new).into()
    }

    /// `nvenc-hevc`, `nvenc-h264` and `nvenc-av1`.
    pub fn nvenc() -> Vec<Self> {
        nvidia::ENCODERS.iter().map(Self::new).collect()
    }
}

impl FfmpegDecoder {
    fn new(kind: &'static DecoderKind) -> Self {
        Self { kind, queried: OnceLock::new() }
    }

    /// `hevc`, `h264` and `av1`.
    pub fn software() -> Vec<Self> {
        [&decoders::HEVC, &decoders::H264, &decoders::AV1].map(Self::new).into()
    }

    /// `nvdec-hevc`, `nvdec-h264` and `nvdec-av1`.
    pub fn nvdec() -> Vec<Self> {
        nvidia::DECODERS.iter().map(Self::new).collect()
    }
}

fn missing(backend: &'static str, what: &str, remedy: &str) -> Unavailable {
    let reason = format!("{} was built without it. {remedy}", version());
    Unavailable::Library { backend, library: format!("libavcodec with {what}"), reason }
}

/// Why coding failed though the libraries are there.
fn failed(backend: &'static str, driver: &[&str], reason: &str) -> Unavailable {
    absence::ffmpeg(driver, &version(), reason).of(backend)
}

impl Backend for FfmpegEncoder {
    fn info(&self) -> &BackendInfo {
        self.queried.get().unwrap_or(&self.kind.info)
    }

    fn probe(&self) -> Result<(), Unavailable> {
        let info = &self.kind.info;
        if ffmpeg_next::encoder::find_by_name(self.kind.library).is_none() {
            return Err(missing(info.name, self.kind.library, self.kind.remedy));
        }
        nvidia::find_driver(info.name, self.kind.driver)?;
        if let Some(queried) = nvidia::query(info, self.kind.driver)? {
            self.queried.get_or_init(|| queried);
        }
        probe_encoder(self).map_err(|reason| failed(info.name, self.kind.driver, &reason))
    }

    fn step_at_most(&self, depth: u8, step: f32) -> f32 {
        (self.kind.ladder)(depth).at_most(step)
    }

    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        let name = self.kind.info.name;
        let capabilities = if options.monochrome {
            let luma = self.kind.monochrome.as_ref();
            luma.ok_or_else(|| Error::unsupported(format!("{name} codes no pictures of luma alone")))?
        } else {
            &self.info().capabilities
        };
        capabilities.check(name, &spec)?;
        options.tools.check(name, self.kind.switches)?;
        Ok(Box::new(VideoEncoder::new(self.kind, spec, *options)))
    }

    fn decoder(&self, _spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        Err(Error::unsupported(format!("{} only encodes", self.kind.info.name)))
    }
}

impl Backend for FfmpegDecoder {
    fn info(&self) -> &BackendInfo {
        self.queried.get().unwrap_or(&self.kind.info)
    }

    fn probe(&self) -> Result<(), Unavailable> {
        let info = &self.kind.info;
        if self.kind.libraries.iter().all(|library| ffmpeg_next::decoder::find_by_name(library).is_none()) {
            return Err(missing(info.name, &self.kind.libraries.join(" or "), self.kind.remedy));
        }
        nvidia::find_driver(info.name, self.kind.driver)?;
        if let Some(queried) = nvidia::query(info, self.kind.driver)? {
            self.queried.get_or_init(|| queried);
        }
        let bitstream = self.kind.bitstream;
        let probed = if self.kind.driver.is_empty() {
            probe_decoder(self, bitstream.flat(), FLAT_SIDE)
        } else {
            let packet = bitstream.flat_420().map_err(|error| failed(info.name, &[], &error.to_string()))?;
            probe_decoder(self, &packet, FLAT_420_SIDE)
        };
        probed.map_err(|reason| failed(info.name, self.kind.driver, &reason))
    }

    fn encoder(&self, _spec: GroupSpec, _options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        Err(Error::unsupported(format!("{} only decodes", self.kind.info.name)))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        self.info().capabilities.check(self.kind.info.name, &spec)?;
        let DecoderKind { info, libraries, bitstream, driver, .. } = self.kind;
        let decoder = VideoDecoder::new(info.name, libraries, *bitstream, spec)?;
        Ok(Box::new(if driver.is_empty() { decoder } else { decoder.for_hardware(info.name) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_ffmpeg_was_built_without_is_said() {
        let x265 = &encoders::X265;
        let (info, monochrome) = (x265.info.clone(), x265.monochrome.clone());
        let encoder = EncoderKind { info, monochrome, library: "libx266", ..*x265 };
        let decoder =
            DecoderKind { info: decoders::AV1.info.clone(), libraries: &["a", "b"], ..decoders::AV1 };
        let encoder = FfmpegEncoder::new(Box::leak(Box::new(encoder)));
        let decoder = FfmpegDecoder::new(Box::leak(Box::new(decoder)));
        for (probed, wanted) in
            [(encoder.probe(), "libavcodec with libx266"), (decoder.probe(), "libavcodec with a or b")]
        {
            match probed {
                Err(Unavailable::Library { library, reason, .. }) => {
                    assert_eq!(library, wanted);
                    assert!(reason.contains(&version()) && reason.contains("apt-get install"), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
