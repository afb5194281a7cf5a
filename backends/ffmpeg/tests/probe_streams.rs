//! The flat pictures that decoders are probed with.
#![cfg(feature = "ffmpeg")]

use std::path::Path;

use telecine_core::{Backend, EncodeOptions, GroupSpec, Limits, Quality};
use telecine_ffmpeg::FfmpegEncoder;
use telecine_video::{Bitstream, FLAT, FLAT_420_SIDE};

const NAMES: [(&str, &str); 3] = [("x265", "flat.hevc"), ("x264", "flat.h264"), ("libaom", "flat.obu")];

/// Writes the files anew: `cargo test -p telecine-ffmpeg --test probe_streams -- --ignored`.
#[test]
#[ignore = "writes into the source tree"]
fn write_probe_streams() {
    for backend in FfmpegEncoder::software() {
        let (_, file) = NAMES.into_iter().find(|(name, _)| *name == backend.info().name).unwrap();
        let spec = GroupSpec::new(1, 64, 64, 8, &Limits::default()).unwrap();
        let mut packet = Vec::new();
        let options = EncodeOptions::default().with_monochrome(true);
        let mut encoder = backend.encoder(spec, &options).unwrap();
        encoder.encode(&vec![FLAT; spec.samples()], Quality::Step(4.0), &mut packet).unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../video/src/probe").join(file);
        std::fs::write(path, packet).unwrap();
    }
}

/// What NVDEC is probed with is what software decodes, too.
#[test]
fn the_flat_pictures_of_420_are_flat() {
    for backend in telecine_ffmpeg::FfmpegDecoder::software() {
        let bitstream = match backend.info().name {
            "hevc" => Bitstream::Hevc,
            "h264" => Bitstream::Avc,
            _ => Bitstream::Av1,
        };
        let packet = bitstream.flat_420().unwrap();
        telecine_video::probe_decoder(&backend, &packet, FLAT_420_SIDE).unwrap();
        assert!(telecine_video::probe_decoder(&backend, &packet[..packet.len() - 9], FLAT_420_SIDE).is_err());
    }
}
