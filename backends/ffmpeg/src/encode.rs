//! Groups to packets.

use ffmpeg_next::{Packet, encoder};
use telecine_core::{Decoder, EncodeOptions, Encoder, Error, GroupSpec, Quality, Result, check_encode_input};
use telecine_video::{store, stored_len};

use crate::context::open_encoder;
use crate::decode::VideoDecoder;
use crate::encoders::{EncoderKind, Request, Setting, format};
use crate::frame;

/// An encoder for groups of one size; a context of the library is made for each group, which is how a group's packet
/// is known not to depend on those before.
pub(crate) struct VideoEncoder {
    kind: &'static EncoderKind,
    spec: GroupSpec,
    options: EncodeOptions,
    /// Reads lossless packets back: made at the first of them.
    check: Option<VideoDecoder>,
    decoded: Vec<u16>,
}

impl VideoEncoder {
    pub(crate) fn new(kind: &'static EncoderKind, spec: GroupSpec, options: EncodeOptions) -> Self {
        Self { kind, spec, options, check: None, decoded: Vec::new() }
    }

    fn failed(&self, message: String) -> Error {
        Error::Backend { backend: self.kind.info.name, source: message.into() }
    }

    fn code(&self, samples: &[u16], setting: Setting, packet: &mut Vec<u8>) -> Result<()> {
        let format = format(self.spec.depth)
            .ok_or_else(|| Error::unsupported(format!("no format for {} bits", self.spec.depth)))?;
        let codec = ffmpeg_next::encoder::find_by_name(self.kind.library)
            .ok_or_else(|| self.failed(format!("{} is gone", self.kind.library)))?;
        let request = Request { spec: &self.spec, options: &self.options, setting };
        let options = (self.kind.options)(&request);
        let mut encoder =
            open_encoder(codec, &self.spec, format, &options).map_err(|message| self.failed(message))?;
        let start = packet.len();
        let plane = self.spec.height as usize * self.spec.width as usize;
        for (index, samples) in (0i64..).zip(samples.chunks_exact(plane)) {
            let mut picture =
                frame::picture(format, &self.spec, samples).map_err(|message| self.failed(message))?;
            picture.set_pts(Some(index));
            encoder.send_frame(&picture).map_err(|error| self.failed(error.to_string()))?;
            self.drain(&mut encoder, start, packet)?;
        }
        encoder.send_eof().map_err(|error| self.failed(error.to_string()))?;
        self.drain(&mut encoder, start, packet)?;
        self.kind.bitstream.finish(packet);
        let pictures = self.kind.bitstream.pictures(&packet[start..], self.spec.frames);
        pictures.map(|_| ()).map_err(|error| self.failed(format!("it made a wrong stream: {error}")))
    }

    /// Takes what the encoder has ready.
    fn drain(&self, encoder: &mut encoder::video::Encoder, start: usize, packet: &mut Vec<u8>) -> Result<()> {
        let mut coded = Packet::empty();
        while encoder.receive_packet(&mut coded).is_ok() {
            let data = coded.data().unwrap_or_default();
            let appended = self.kind.bitstream.append(data, start, packet);
            appended
                .map_err(|error| self.failed(format!("it made no {:?}: {error}", self.kind.bitstream)))?;
        }
        Ok(())
    }

    /// Whether a packet decodes to the very samples.
    fn is_exact(&mut self, samples: &[u16], packet: &[u8]) -> Result<bool> {
        let EncoderKind { info, decoders, bitstream, .. } = self.kind;
        if self.check.is_none() {
            self.check = Some(VideoDecoder::new(info.name, decoders, *bitstream, self.spec)?);
        }
        self.decoded.resize(samples.len(), 0);
        let Some(check) = &mut self.check else { return Ok(false) };
        Ok(check.decode(packet, &mut self.decoded).is_ok() && self.decoded == samples)
    }

    fn code_lossless(&mut self, samples: &[u16], packet: &mut Vec<u8>) -> Result<()> {
        let start = packet.len();
        self.code(samples, Setting::Lossless, packet)?;
        let is_smaller = packet.len() - start < stored_len(&self.spec);
        // A library's word that it is lossless is not taken for it.
        if !is_smaller || !self.is_exact(samples, &packet[start..])? {
            packet.truncate(start);
            store(&self.spec, samples, packet);
        }
        Ok(())
    }
}

impl Encoder for VideoEncoder {
    fn encode(&mut self, samples: &[u16], quality: Quality, packet: &mut Vec<u8>) -> Result<()> {
        check_encode_input(&self.kind.info, &self.spec, samples, quality)?;
        let start = packet.len();
        let result = match quality {
            Quality::Lossless => self.code_lossless(samples, packet),
            Quality::Step(step) => {
                let setting = Setting::Quantiser((self.kind.ladder)(self.spec.depth).nearest(step));
                self.code(samples, setting, packet)
            }
        };
        if result.is_err() {
            packet.truncate(start);
        }
        result
    }
}
