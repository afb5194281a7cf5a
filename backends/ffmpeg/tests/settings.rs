//! What encoders are told took effect: read from what they write into their streams.
#![cfg(feature = "ffmpeg")]

use telecine_core::{Backend, CodecId, Effort, EncodeOptions, Error, GroupSpec, Limits, Quality, Tools};
use telecine_ffmpeg::{FfmpegDecoder, FfmpegEncoder};
use telecine_video::Bitstream;

#[test]
fn planes_predicted_from_each_other_come_back_and_take_fewer_bytes() {
    let spec = GroupSpec::new(4, 144, 160, 8, &Limits::default()).unwrap();
    // Planes that differ little, of a content that no plane predicts from itself.
    let samples: Vec<u16> = (0..spec.samples())
        .map(|at| {
            let within = at % (144 * 160);
            let noise = (within * 7919 + within * within * 31) % 199;
            u16::try_from(20 + noise + at / (144 * 160)).unwrap()
        })
        .collect();
    for name in ["x265", "x264", "libaom"] {
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

fn bitstream(backend: &FfmpegEncoder) -> Bitstream {
    match backend.info().codec {
        CodecId::HEVC => Bitstream::Hevc,
        CodecId::AVC => Bitstream::Avc,
        _ => Bitstream::Av1,
    }
}

#[test]
fn streams_say_that_their_pictures_are_of_420_or_of_luma_alone() {
    for backend in FfmpegEncoder::software() {
        let (info, bitstream) = (backend.info(), bitstream(&backend));
        for (chroma, depths) in [(1, info.capabilities.depths), (0, &[8, 10])] {
            let options = EncodeOptions::default().with_monochrome(chroma == 0);
            for &depth in depths {
                for quality in [Quality::Step(30.0), Quality::Lossless] {
                    let spec = GroupSpec::new(1, 144, 176, depth, &Limits::default()).unwrap();
                    let samples: Vec<u16> =
                        (0..spec.samples()).map(|at| u16::try_from(at / 176).unwrap()).collect();
                    let mut packet = Vec::new();
                    backend.encoder(spec, &options).unwrap().encode(&samples, quality, &mut packet).unwrap();
                    let header = bitstream.header(&packet).unwrap();
                    let name = info.name;
                    assert_eq!(
                        (header.chroma, header.depth),
                        (chroma, depth),
                        "{name} {quality:?}: {header:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn luma_alone_comes_in_sizes_that_hardware_does_not_take() {
    for backend in FfmpegEncoder::software() {
        let info = backend.info();
        let spec = GroupSpec::new(1, 33, 47, 10, &Limits::default()).unwrap();
        let plain = backend.encoder(spec, &EncodeOptions::default());
        assert!(matches!(plain.err(), Some(Error::Unsupported(_))), "{}", info.name);
        let samples: Vec<u16> = (0..spec.samples()).map(|at| u16::try_from(at % 47).unwrap()).collect();
        let (mut packet, mut back) = (Vec::new(), vec![0; samples.len()]);
        let options = EncodeOptions::default().with_monochrome(true);
        backend.encoder(spec, &options).unwrap().encode(&samples, Quality::Lossless, &mut packet).unwrap();
        let mut decoders = FfmpegDecoder::software().into_iter();
        let decoder = decoders.find(|decoder| decoder.info().codec == info.codec).unwrap();
        decoder.decoder(spec).unwrap().decode(&packet, &mut back).unwrap();
        assert_eq!(back, samples, "{}", info.name);
    }
    for backend in FfmpegEncoder::nvenc() {
        let spec = GroupSpec::new(1, 256, 256, 8, &Limits::default()).unwrap();
        let refused = backend.encoder(spec, &EncodeOptions::default().with_monochrome(true)).err();
        assert!(matches!(refused, Some(Error::Unsupported(_))), "{}", backend.info().name);
    }
}

#[test]
fn headers_take_less_than_100_bytes() {
    for backend in FfmpegEncoder::software() {
        let (info, bitstream) = (backend.info(), bitstream(&backend));
        for (frames, side) in [(1, 144), (1, 512), (4, 144)] {
            let spec = GroupSpec::new(frames, side, side, 8, &Limits::default()).unwrap();
            let samples: Vec<u16> = (0..spec.samples())
                .map(|at| u16::try_from((at * 7919 + at * at * 31) % 199).unwrap())
                .collect();
            let mut packet = Vec::new();
            let mut encoder = backend.encoder(spec, &EncodeOptions::default()).unwrap();
            encoder.encode(&samples, Quality::Step(8.0), &mut packet).unwrap();
            let header = bitstream.header_bytes(&packet).unwrap();
            println!("{}: {header} of {} bytes for {frames} × {side} × {side}", info.name, packet.len());
            assert!(header < 100, "{}: {header}", info.name);
        }
    }
}

#[test]
fn a_tool_that_is_kept_from_an_encoder_costs_bytes_or_is_refused() {
    let spec = GroupSpec::new(1, 128, 128, 8, &Limits::default()).unwrap();
    let plane = |value: &dyn Fn(usize, usize) -> usize| -> Vec<u16> {
        (0..spec.samples()).map(|at| u16::try_from(value(at / 128, at % 128)).unwrap()).collect()
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "68 to 188")]
    let wave = |phase: f64| (128.0 + 60.0 * phase.sin()).round() as usize;
    // Columns of unlike values, which go on over every block's edge; flat squares of 8 × 8 above a wave longer than a block.
    let columns = plane(&|_, column| 20 + (column * 7919 + column * column * 31) % 199);
    let squares = plane(&|row, column| match row {
        0..64 => 20 + (row / 8 * 5119 + column / 8 * 7919) % 199,
        _ => wave((row + 2 * column) as f64 / 16.0),
    });
    let all = Tools::ALL;
    let kept = [
        (Tools { prediction: false, ..all }, &columns, &["libaom"][..]),
        (Tools { partitioning: false, ..all }, &squares, &["x265", "x264", "libaom"]),
    ];
    for backend in FfmpegEncoder::software() {
        let name = backend.info().name;
        for (tools, samples, switches) in kept {
            let length = |tools: Tools| {
                // As `telecine ablate` has it: planes may be smaller than hardware takes.
                let options =
                    EncodeOptions::with_effort(Effort::Best).with_tools(tools).with_monochrome(true);
                let mut packet = Vec::new();
                backend.encoder(spec, &options)?.encode(samples, Quality::Step(8.0), &mut packet)?;
                telecine_core::Result::Ok(packet.len())
            };
            match length(tools) {
                Ok(without) => {
                    let with = length(all).unwrap();
                    println!("{name} {tools:?}: {without} bytes without, {with} with");
                    assert!(
                        switches.contains(&name) && without * 20 > with * 21,
                        "{name} {tools:?}: {without}, {with}"
                    );
                }
                Err(Error::Unsupported(_)) => assert!(!switches.contains(&name), "{name} {tools:?}"),
                Err(error) => panic!("{name} {tools:?}: {error}"),
            }
        }
    }
}
