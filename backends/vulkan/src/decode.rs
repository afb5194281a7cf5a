//! Packets to groups.

use gpu_video::parameters::DecoderParameters;
use gpu_video::{BytesDecoder, EncodedInputChunk, OutputFrame, RawFrameData};
use telecine_core::{Decoder, Error, GroupSpec, Result, check_sample_count};
use telecine_video::{Bitstream, read_stored};

use crate::DECODER;
use crate::device::Device;

/// A decoder for groups of one size.
pub(crate) struct VulkanDecoder {
    device: Device,
    spec: GroupSpec,
}

impl VulkanDecoder {
    pub(crate) fn new(device: &Device, spec: GroupSpec) -> Result<Self> {
        // One is opened for each packet, as a session keeps what came before; here it is seen that it can be.
        open(device)?;
        Ok(Self { device: device.clone(), spec })
    }
}

fn open(device: &Device) -> Result<BytesDecoder> {
    let decoder = device.vulkan.create_bytes_decoder_h264(DecoderParameters::default());
    decoder.map_err(|error| Error::Backend { backend: DECODER.name, source: Box::new(error) })
}

/// Decodes the pictures of a packet, samples of 8 bits.
///
/// # Errors
/// [`Error::Corrupt`] for another number or size of pictures than the group's, and for what the decoder refuses.
pub(crate) fn decode(device: &Device, spec: &GroupSpec, packet: &[u8], samples: &mut [u16]) -> Result<()> {
    let mut decoder = open(device)?;
    let plane = spec.height as usize * spec.width as usize;
    let mut planes = samples.chunks_exact_mut(plane);
    let mut take = |frames: Vec<OutputFrame<RawFrameData>>| -> Result<()> {
        for frame in frames {
            let RawFrameData { frame, width, height } = frame.data;
            if (width, height) != (spec.width, spec.height) || frame.len() < plane {
                return Err(Error::corrupt(format!(
                    "the stream decodes to {width} × {height} where {} × {} belong",
                    spec.width, spec.height
                )));
            }
            let plane = planes
                .next()
                .ok_or_else(|| Error::corrupt(format!("more pictures than the group's {}", spec.frames)))?;
            // Luma comes first, row after row.
            plane.iter_mut().zip(&frame).for_each(|(sample, byte)| *sample = u16::from(*byte));
        }
        Ok(())
    };
    let damaged = |error: gpu_video::DecoderError| Error::corrupt(format!("gpu-video: {error}"));
    for (picture, pts) in Bitstream::Avc.pictures(packet, spec.frames)?.into_iter().zip(0u64..) {
        take(decoder.decode(EncodedInputChunk { data: picture, pts: Some(pts) }).map_err(damaged)?)?;
    }
    take(decoder.flush().map_err(damaged)?)?;
    match planes.len() {
        0 => Ok(()),
        missing => Err(Error::corrupt(format!(
            "the stream decodes to {missing} pictures fewer than the group's {}",
            spec.frames
        ))),
    }
}

impl Decoder for VulkanDecoder {
    fn decode(&mut self, packet: &[u8], samples: &mut [u16]) -> Result<()> {
        check_sample_count(&self.spec, samples.len())?;
        if read_stored(&self.spec, packet, samples)? {
            return Ok(());
        }
        decode(&self.device, &self.spec, packet, samples)
    }
}
