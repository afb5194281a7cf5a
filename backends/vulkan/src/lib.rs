//! H.264 through Vulkan Video: the backends `vulkan-h264`, which encodes, and `vulkan-h264-decode`.
//!
//! Over the crate `gpu-video`, which has no way to set a quantiser. The encoder therefore searches the bitrate of each
//! plane for the error that a step stands for, and measures it on what the device's decoder returns: a device that
//! encodes and does not decode is of no use here. Pictures are luma of 4:2:0 at 8 bits with constant chroma.

#![cfg(feature = "vulkan")]

mod decode;
mod device;
mod encode;

use std::sync::OnceLock;

use telecine_core::{
    Backend, BackendInfo, Capabilities, CodecId, Decoder, EncodeOptions, Encoder, Error, GroupSpec, Result,
    Tier, Tools, Unavailable,
};
use telecine_video::{Bitstream, FLAT_420_SIDE, probe_decoder, probe_encoder};

use crate::device::Device;

/// The sizes of H.264's level 5.2 and less, until a device was asked for its own.
const fn info(name: &'static str, encodes: bool) -> BackendInfo {
    BackendInfo {
        name,
        codec: CodecId::AVC,
        tier: Tier::Fallback,
        encodes,
        decodes: !encodes,
        capabilities: Capabilities {
            lossless: !encodes,
            lossy: true,
            excess: if encodes { 0.9 } else { 0.0 },
            depths: &[8],
            width: 128..=4096,
            height: 128..=4096,
            align: 2,
            max_frames: 1 << 12,
        },
    }
}

static ENCODER: BackendInfo = info("vulkan-h264", true);
static DECODER: BackendInfo = info("vulkan-h264-decode", false);

/// The backend `vulkan-h264`: encodes.
#[derive(Debug, Default)]
pub struct VulkanEncoder {
    opened: OnceLock<(BackendInfo, Device)>,
}

/// The backend `vulkan-h264-decode`.
#[derive(Debug, Default)]
pub struct VulkanDecoder {
    opened: OnceLock<(BackendInfo, Device)>,
}

/// The device that was opened, or one that is opened now.
fn open<'o>(
    opened: &'o OnceLock<(BackendInfo, Device)>,
    info: &BackendInfo,
) -> Result<&'o (BackendInfo, Device), Unavailable> {
    if let Some(opened) = opened.get() {
        return Ok(opened);
    }
    let device = Device::open(info)?;
    let narrowed = device.narrow(info)?;
    Ok(opened.get_or_init(|| (narrowed, device)))
}

fn init(backend: &'static str, reason: String) -> Unavailable {
    Unavailable::Init { backend, reason }
}

impl Backend for VulkanEncoder {
    fn info(&self) -> &BackendInfo {
        self.opened.get().map_or(&ENCODER, |opened| &opened.0)
    }

    fn probe(&self) -> Result<(), Unavailable> {
        open(&self.opened, &ENCODER)?;
        probe_encoder(self).map_err(|reason| init(ENCODER.name, reason))
    }

    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        let (info, device) = open(&self.opened, &ENCODER)?;
        info.capabilities.check(info.name, &spec)?;
        options.tools.check(info.name, Tools { prediction: false, partitioning: false })?;
        if options.monochrome {
            return Err(Error::unsupported(format!("{} codes no pictures of luma alone", info.name)));
        }
        Ok(Box::new(encode::VulkanEncoder::new(device.clone(), spec)))
    }

    fn decoder(&self, _spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        Err(Error::unsupported(format!("{} only encodes", ENCODER.name)))
    }
}

impl Backend for VulkanDecoder {
    fn info(&self) -> &BackendInfo {
        self.opened.get().map_or(&DECODER, |opened| &opened.0)
    }

    fn probe(&self) -> Result<(), Unavailable> {
        open(&self.opened, &DECODER)?;
        let packet = Bitstream::Avc.flat_420().map_err(|error| init(DECODER.name, error.to_string()))?;
        probe_decoder(self, &packet, FLAT_420_SIDE).map_err(|reason| init(DECODER.name, reason))
    }

    fn encoder(&self, _spec: GroupSpec, _options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        Err(Error::unsupported(format!("{} only decodes", DECODER.name)))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        let (info, device) = open(&self.opened, &DECODER)?;
        info.capabilities.check(info.name, &spec)?;
        Ok(Box::new(decode::VulkanDecoder::new(device, spec)?))
    }
}
