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
        Ok(Self { spec, bitstream, context })
    }

    fn fill(&mut self, packet: &[u8], samples: &mut [u16]) -> Result<()> {
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
