//! H.264 through Vulkan Video: the backends `vulkan-h264`, which encodes, and `vulkan-h264-decode`.
//!
//! Over the crate `gpu-video`, which has no way to set a quantiser. The encoder therefore searches the bitrate of each
//! plane for the error that a step stands for, and measures it on what the device's decoder returns: a device that
//! encodes and does not decode is of no use here. Pictures are luma of 4:2:0 at 8 bits with constant chroma.

#![cfg(feature = "vulkan")]

mod decode;
mod device;
mod encode;
mod survey;

use std::sync::OnceLock;

use telecine_core::{
    Backend, BackendInfo, Capabilities, CodecId, Decoder, EncodeOptions, Encoder, Error, GroupSpec, Result,
    Role, Tier, Tools, Unavailable,
};
use telecine_video::{Bitstream, FLAT_420_SIDE, probe_decoder, probe_encoder};

use crate::device::Device;
use crate::survey::Absence;

/// The sizes of H.264's level 5.2 and less, until a device was asked for its own.
const fn info(name: &'static str, role: Role, capabilities: Capabilities) -> BackendInfo {
    let capabilities = capabilities.with_sizes(128..=4096, 128..=4096, 2).with_max_frames(1 << 12);
    BackendInfo::new(name, CodecId::AVC, Tier::Fallback, capabilities).only(role)
}

static ENCODER: BackendInfo =
    info("vulkan-h264", Role::Encode, Capabilities::new(&[8]).with_lossy(0.9).with_loose_steps());
static DECODER: BackendInfo =
    info("vulkan-h264-decode", Role::Decode, Capabilities::new(&[8]).with_lossless().with_lossy(0.0));

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

impl Backend for VulkanEncoder {
    fn info(&self) -> &BackendInfo {
        self.opened.get().map_or(&ENCODER, |opened| &opened.0)
    }

    fn probe(&self) -> Result<(), Unavailable> {
        open(&self.opened, &ENCODER)?;
        probe_encoder(self).map_err(|reason| Absence(&ENCODER).start(reason))
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
        let packet = Bitstream::Avc.flat_420().map_err(|error| Absence(&DECODER).start(error))?;
        probe_decoder(self, &packet, FLAT_420_SIDE).map_err(|reason| Absence(&DECODER).start(reason))
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
