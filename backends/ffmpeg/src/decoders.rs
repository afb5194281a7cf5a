//! The decoders.

use telecine_core::{BackendInfo, Capabilities, CodecId, Tier};
use telecine_video::Bitstream;

/// One codec that libavcodec decodes.
#[derive(Debug)]
pub(crate) struct DecoderKind {
    pub(crate) info: BackendInfo,
    /// Names in libavcodec, the better first.
    pub(crate) libraries: &'static [&'static str],
    pub(crate) remedy: &'static str,
    pub(crate) bitstream: Bitstream,
    /// A flat picture of 64 × 64 samples of 8 bits, and the value of its samples: for the probe.
    pub(crate) probe: (&'static [u8], u16),
}

const fn info(name: &'static str, codec: CodecId, tier: Tier, depths: &'static [u8]) -> BackendInfo {
    BackendInfo {
        name,
        codec,
        tier,
        encodes: false,
        decodes: true,
        capabilities: Capabilities {
            lossless: true,
            lossy: true,
            depths,
            width: 16..=8192,
            height: 16..=8192,
            align: 1,
            max_frames: 1 << 12,
        },
    }
}

const DEBIAN: &str = "Debian's libavcodec59 or newer has it: apt-get install libavcodec-dev";

pub(crate) static HEVC: DecoderKind = DecoderKind {
    info: info("hevc", CodecId::HEVC, Tier::Preferred, &[8, 10, 12]),
    libraries: &["hevc"],
    remedy: DEBIAN,
    bitstream: Bitstream::Hevc,
    probe: (include_bytes!("probe/flat.hevc"), 77),
};

pub(crate) static H264: DecoderKind = DecoderKind {
    info: info("h264", CodecId::AVC, Tier::Preferred, &[8, 10]),
    libraries: &["h264"],
    remedy: DEBIAN,
    bitstream: Bitstream::Avc,
    probe: (include_bytes!("probe/flat.h264"), 77),
};

pub(crate) static AV1: DecoderKind = DecoderKind {
    info: info("av1", CodecId::AV1, Tier::Standard, &[8, 10, 12]),
    libraries: &["libdav1d", "libaom-av1"],
    remedy: DEBIAN,
    bitstream: Bitstream::Av1,
    probe: (include_bytes!("probe/flat.obu"), 77),
};
