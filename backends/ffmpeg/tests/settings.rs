//! What encoders are told took effect: read from what they write into their streams.
#![cfg(feature = "ffmpeg")]

use telecine_core::{Backend, CodecId, Effort, EncodeOptions, GroupSpec, Limits, Quality};
use telecine_ffmpeg::{FfmpegDecoder, FfmpegEncoder};
use telecine_video::Bitstream;

#[test]
fn planes_predicted_from_each_other_come_back_and_take_fewer_bytes() {
    let spec = GroupSpec::new(4, 64, 96, 8, &Limits::default()).unwrap();
    // Planes that differ little, of a content that no plane predicts from itself.
    let samples: Vec<u16> = (0..spec.samples())
        .map(|at| {
            let within = at % (64 * 96);
            let noise = (within * 7919 + within * within * 31) % 199;
            u16::try_from(20 + noise + at / (64 * 96)).unwrap()
        })
        .collect();
    for name in ["x265", "x264"] {
        let backend =
            FfmpegEncoder::software().into_iter().find(|backend| backend.info().name == name).unwrap();
        let codec = backend.info().codec;
        let decoder =
            FfmpegDecoder::software().into_iter().find(|decoder| decoder.info().codec == codec).unwrap();
        for quality in [Quality::Lossless, Quality::Step(6.0)] {
            let mut lengths = Vec::new();
            for inter in [false, true] {
                let options = EncodeOptions::with_effort(Effort::Balanced).with_inter(inter);
                let mut packet = Vec::new();
                backend.encoder(spec, &options).unwrap().encode(&samples, quality, &mut packet).unwrap();
                let mut back = vec![0; samples.len()];
                decoder.decoder(spec).unwrap().decode(&packet, &mut back).unwrap();
                let worst = samples.iter().zip(&back).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                assert!(
                    worst <= if quality == Quality::Lossless { 0 } else { 24 },
                    "{name} {inter}: {worst}"
                );
                lengths.push(packet.len());
            }
            assert!(lengths[1] * 10 < lengths[0] * 7, "{name} {quality:?}: {lengths:?}");
        }
    }
}

#[test]
fn headers_take_less_than_100_bytes() {
    for backend in FfmpegEncoder::software() {
        let info = backend.info();
        let bitstream = match info.codec {
            CodecId::HEVC => Bitstream::Hevc,
            CodecId::AVC => Bitstream::Avc,
            _ => Bitstream::Av1,
        };
        for (frames, side) in [(1, 64), (1, 512), (4, 64)] {
            let spec = GroupSpec::new(frames, side, side, 10, &Limits::default()).unwrap();
            let samples: Vec<u16> = (0..spec.samples())
                .map(|at| u16::try_from((at * 7919 + at * at * 31) % 199).unwrap())
                .collect();
            let mut packet = Vec::new();
            let mut encoder = backend.encoder(spec, &EncodeOptions::default()).unwrap();
            encoder.encode(&samples, Quality::Step(32.0), &mut packet).unwrap();
            let header = bitstream.header_bytes(&packet).unwrap();
            println!("{}: {header} of {} bytes for {frames} × {side} × {side}", info.name, packet.len());
            assert!(header < 100, "{}: {header}", info.name);
        }
    }
}
