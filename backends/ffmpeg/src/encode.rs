//! Groups to packets.

use ffmpeg_next::{Packet, encoder};
use telecine_core::{Decoder, EncodeOptions, Encoder, Error, GroupSpec, Quality, Result, check_encode_input};
use telecine_video::{store, stored_len};

use crate::context::open_encoder;
use crate::decode::VideoDecoder;
use crate::encoders::{EncoderKind, Request, Setting};
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
        let format = (self.kind.format)(self.spec.depth, self.options.monochrome)
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
}

impl Encoder for VideoEncoder {
    fn encode(&mut self, samples: &[u16], quality: Quality, packet: &mut Vec<u8>) -> Result<()> {
        check_encode_input(&self.kind.info, &self.spec, samples, quality)?;
        let start = packet.len();
        let setting = match quality {
            Quality::Lossless => Setting::Lossless,
            Quality::Step(step) => Setting::Quantiser((self.kind.ladder)(self.spec.depth).nearest(step)),
        };
        let is_good = self.code(samples, setting, packet).and_then(|()| {
            let is_smaller = packet.len() - start < stored_len(&self.spec);
            // A library's word that it is lossless is not taken for it.
            Ok(is_smaller && (setting != Setting::Lossless || self.is_exact(samples, &packet[start..])?))
        });
        if !matches!(is_good, Ok(true)) {
            packet.truncate(start);
        }
        if !is_good? {
            store(&self.spec, samples, packet);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoders::{LIBAOM, X264, X265};
    use telecine_core::{Effort, Limits};

    /// What an encoder puts out for one picture, its messages included, with its parameters changed.
    fn raw(
        kind: &EncoderKind,
        effort: Effort,
        setting: Setting,
        change: impl Fn(&mut String),
    ) -> Result<Vec<u8>, String> {
        let spec = GroupSpec::new(1, 64, 64, 8, &Limits::default()).unwrap();
        let options = EncodeOptions::with_effort(effort);
        let mut options = (kind.options)(&Request { spec: &spec, options: &options, setting });
        options.iter_mut().for_each(|(_, value)| change(value));
        let codec = ffmpeg_next::encoder::find_by_name(kind.library).unwrap();
        let format = (kind.format)(8, false).unwrap();
        let mut encoder = open_encoder(codec, &spec, format, &options)?;
        let samples: Vec<u16> = (0..4096u32).map(|at| u16::try_from(at * 37 % 251).unwrap()).collect();
        let mut picture = frame::picture(format, &spec, &samples)?;
        picture.set_pts(Some(0));
        encoder.send_frame(&picture).unwrap();
        encoder.send_eof().unwrap();
        let (mut stream, mut packet) = (Vec::new(), Packet::empty());
        while encoder.receive_packet(&mut packet).is_ok() {
            stream.extend_from_slice(packet.data().unwrap());
        }
        Ok(stream)
    }

    /// The settings that an encoder names in a message of its own stream.
    fn stated(stream: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(stream).into_owned();
        let from = text.find("options: ").expect("a message with the encoder's settings");
        let words = text[from..].split(|c: char| !c.is_ascii_graphic()).map(str::to_owned);
        words.take_while(|word| !word.is_empty()).collect()
    }

    #[test]
    fn x265_does_what_it_is_told() {
        let told = |effort, setting| {
            stated(
                &raw(&X265, effort, setting, |value| *value = value.replace(":info=0", ":info=1")).unwrap(),
            )
        };
        let common = [
            "keyint=1",
            "bframes=0",
            "scenecut=0",
            "sao",
            "no-deblock",
            "psy-rd=0.00",
            "aq-mode=0",
            "no-cutree",
            "ctu=64",
            "no-strong-intra-smoothing",
            "no-wpp",
            "frame-threads=1",
            "range=1",
            "no-vui-timing-info",
            "ipratio=1.00",
        ];
        let balanced = told(Effort::Balanced, Setting::Quantiser(17));
        let fast = told(Effort::Fast, Setting::Quantiser(17));
        let lossless = told(Effort::Balanced, Setting::Lossless);
        for (name, words, own) in [
            (
                "balanced",
                &balanced,
                &["qp=17", "rdoq-level=2", "signhide", "no-lossless", "psy-rdoq=0.00"][..],
            ),
            ("fast", &fast, &["qp=17", "rdoq-level=0", "no-signhide"]),
            ("lossless", &lossless, &["lossless"]),
        ] {
            for wanted in common.iter().chain(own) {
                assert!(words.iter().any(|word| word == wanted), "{name}: {wanted} is not among {words:?}");
            }
        }
    }

    #[test]
    fn x264_does_what_it_is_told() {
        let words = stated(&raw(&X264, Effort::Balanced, Setting::Quantiser(23), |_| {}).unwrap());
        for wanted in [
            "qp=23",
            "cabac=1",
            "deblock=0:0:0",
            "psy=0",
            "8x8dct=1",
            "trellis=2",
            "subme=6",
            "threads=1",
            "sliced_threads=0",
            "keyint=1",
            "bframes=0",
            "weightp=0",
            "scenecut=0",
            "rc=cqp",
            "ip_ratio=1.00",
            "aq=0",
        ] {
            let is_it = |word: &String| word.trim_end_matches(',') == wanted;
            assert!(words.iter().any(is_it), "{wanted} is not among {words:?}");
        }
    }

    #[test]
    fn an_option_without_effect_is_an_error() {
        let spec = GroupSpec::new(1, 64, 64, 8, &Limits::default()).unwrap();
        for kind in [&X265, &X264, &LIBAOM] {
            let codec = ffmpeg_next::encoder::find_by_name(kind.library).unwrap();
            let options = [("quantisation-of-our-own", "1".to_owned())];
            let error = open_encoder(codec, &spec, (kind.format)(8, false).unwrap(), &options).err().unwrap();
            assert!(error.contains("quantisation-of-our-own"), "{error}");
        }
    }

    #[test]
    fn streams_say_that_their_range_is_full() {
        for kind in [&X265, &X264, &LIBAOM] {
            let stream = raw(kind, Effort::Balanced, Setting::Quantiser(20), |_| {}).unwrap();
            let codec = ffmpeg_next::decoder::find_by_name(kind.decoders[0]).unwrap();
            let mut decoder = crate::context::open_decoder(codec, 1 << 20, &[]).unwrap();
            let mut picture = ffmpeg_next::frame::Video::empty();
            decoder.send_packet(&Packet::copy(&stream)).unwrap();
            decoder.send_eof().unwrap();
            decoder.receive_frame(&mut picture).unwrap();
            assert_eq!(picture.color_range(), ffmpeg_next::color::Range::JPEG, "{}", kind.info.name);
        }
    }
}
