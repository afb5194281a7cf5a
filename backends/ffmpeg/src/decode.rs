//! Packets to groups.

use ffmpeg_next::{Packet, decoder, frame};
use telecine_core::{Decoder, Error, GroupSpec, Result, check_sample_count};
use telecine_video::{Bitstream, read_stored};

use crate::context::{open_decoder, reset};

/// A decoder for groups of one size.
pub(crate) struct VideoDecoder {
    spec: GroupSpec,
    bitstream: Bitstream,
    context: decoder::Video,
    /// The name of the backend, if its engine decodes less than all that the codec has.
    hardware: Option<&'static str>,
}

impl VideoDecoder {
    /// The first of the libraries that this FFmpeg has, opened for groups of this size.
    ///
    /// # Errors
    /// [`Error::Backend`] when none is there or it does not open.
    pub(crate) fn new(
        backend: &'static str,
        libraries: &[&str],
        bitstream: Bitstream,
        spec: GroupSpec,
    ) -> Result<Self> {
        let failed = |message: String| Error::Backend { backend, source: message.into() };
        let codec = libraries.iter().find_map(|library| ffmpeg_next::decoder::find_by_name(library));
        let codec = codec.ok_or_else(|| failed(format!("no decoder {}", libraries.join(" or "))))?;
        // Coded pictures are whole blocks, and buffers have room beside them.
        let room = |n: u32| u64::from(n.next_multiple_of(64)) + 64;
        let context = open_decoder(codec, room(spec.width) * room(spec.height), &[]).map_err(failed)?;
        Ok(Self { spec, bitstream, context, hardware: None })
    }

    /// The same for NVDEC, which would return other samples, and no error, for some packets that it does not know.
    pub(crate) fn for_hardware(self, backend: &'static str) -> Self {
        Self { hardware: Some(backend), ..self }
    }

    fn fill(&mut self, packet: &[u8], samples: &mut [u16]) -> Result<()> {
        if let Some(backend) = self.hardware {
            self.bitstream.check_hardware(backend, packet)?;
        }
        let plane = self.spec.height as usize * self.spec.width as usize;
        let mut planes = samples.chunks_exact_mut(plane);
        for picture in self.bitstream.pictures(packet, self.spec.frames)? {
            self.context.send_packet(&Packet::copy(picture)).map_err(damaged)?;
            self.drain(&mut planes)?;
        }
        self.context.send_eof().map_err(damaged)?;
        self.drain(&mut planes)?;
        match planes.len() {
            0 => Ok(()),
            missing => Err(Error::corrupt(format!(
                "the stream decodes to {missing} pictures fewer than the group's {}",
                self.spec.frames
            ))),
        }
    }

    /// Takes what the decoder has ready.
    fn drain(&mut self, planes: &mut std::slice::ChunksExactMut<'_, u16>) -> Result<()> {
        let mut picture = frame::Video::empty();
        loop {
            match self.context.receive_frame(&mut picture) {
                Ok(()) => {}
                Err(
                    ffmpeg_next::Error::Other { errno: ffmpeg_next::error::EAGAIN } | ffmpeg_next::Error::Eof,
                ) => {
                    return Ok(());
                }
                Err(error) => return Err(damaged(error)),
            }
            if picture.is_corrupt() {
                return Err(Error::corrupt("the decoder covered up damage"));
            }
            let plane = planes.next().ok_or_else(|| {
                Error::corrupt(format!(
                    "the stream decodes to more pictures than the group's {}",
                    self.spec.frames
                ))
            })?;
            crate::frame::read(&picture, &self.spec, plane)?;
        }
    }
}

fn damaged(error: ffmpeg_next::Error) -> Error {
    Error::corrupt(format!("libavcodec: {error}"))
}

impl Decoder for VideoDecoder {
    fn decode(&mut self, packet: &[u8], samples: &mut [u16]) -> Result<()> {
        check_sample_count(&self.spec, samples.len())?;
        if read_stored(&self.spec, packet, samples)? {
            return Ok(());
        }
        let result = self.fill(packet, samples);
        reset(&mut self.context);
        result
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails says where")]
    use super::*;
    use crate::FfmpegEncoder;
    use telecine_core::{Backend, EncodeOptions, Limits, Quality};

    #[test]
    fn what_nvdec_does_not_decode_never_reaches_it() {
        let spec = GroupSpec::new(2, 144, 160, 8, &Limits::default()).unwrap();
        let samples: Vec<u16> =
            (0..spec.samples()).map(|at| u16::try_from(at / 320 + at % 7).unwrap()).collect();
        for encoder in FfmpegEncoder::software() {
            let (bitstream, library) = match encoder.info().name {
                "x265" => (Bitstream::Hevc, "hevc"),
                "x264" => (Bitstream::Avc, "h264"),
                _ => (Bitstream::Av1, "libdav1d"),
            };
            let mut decoder =
                VideoDecoder::new("nvdec", &[library], bitstream, spec).unwrap().for_hardware("nvdec");
            let mut refused = |is_monochrome: bool, quality: Quality| {
                let mut packet = Vec::new();
                let options = EncodeOptions::default().with_monochrome(is_monochrome);
                encoder.encoder(spec, &options).unwrap().encode(&samples, quality, &mut packet).unwrap();
                let result = decoder.decode(&packet, &mut vec![0; spec.samples()]);
                assert!(matches!(result, Ok(()) | Err(Error::Unsupported(_))), "{result:?}");
                result.err().map(|error| error.to_string())
            };
            assert_eq!(refused(false, Quality::Step(20.0)), None);
            assert!(refused(true, Quality::Step(20.0)).unwrap().contains("luma alone"));
            // Of lossless streams AVC's alone are of a profile that NVDEC lacks.
            let lossless = refused(false, Quality::Lossless);
            assert_eq!(lossless.is_some(), bitstream == Bitstream::Avc, "{lossless:?}");
        }
    }
}
