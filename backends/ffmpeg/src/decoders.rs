//! The decoders.

use telecine_core::{BackendInfo, Capabilities, CodecId, Role, Tier};
use telecine_video::Bitstream;

use crate::encoders::DEBIAN;

/// One codec that libavcodec decodes.
#[derive(Debug)]
pub(crate) struct DecoderKind {
    pub(crate) info: BackendInfo,
    /// Names in libavcodec, the better first.
    pub(crate) libraries: &'static [&'static str],
    pub(crate) remedy: &'static str,
    /// Shared libraries of the driver that it loads when opened.
    pub(crate) driver: &'static [&'static str],
    pub(crate) bitstream: Bitstream,
}

const fn info(
    name: &'static str,
    codec: CodecId,
    tier: Tier,
    depths: &'static [u8],
    least: u32,
) -> BackendInfo {
    let capabilities = Capabilities::new(depths).with_lossless().with_lossy(0.0);
    let capabilities = capabilities.with_sizes(least..=16_384, least..=16_384, 1).with_max_frames(1 << 12);
    BackendInfo::new(name, codec, tier, capabilities).only(Role::Decode)
}

pub(crate) static HEVC: DecoderKind = DecoderKind {
    info: info("hevc", CodecId::HEVC, Tier::Preferred, &[8, 10, 12], 16),
    libraries: &["hevc"],
    remedy: DEBIAN,
    driver: &[],
    bitstream: Bitstream::Hevc,
};

pub(crate) static H264: DecoderKind = DecoderKind {
    info: info("h264", CodecId::AVC, Tier::Preferred, &[8, 10], 16),
    libraries: &["h264"],
    remedy: DEBIAN,
    driver: &[],
    bitstream: Bitstream::Avc,
};

pub(crate) static AV1: DecoderKind = DecoderKind {
    info: info("av1", CodecId::AV1, Tier::Standard, &[8, 10, 12], 1),
    libraries: &["libdav1d", "libaom-av1"],
    remedy: DEBIAN,
    driver: &[],
    bitstream: Bitstream::Av1,
};
