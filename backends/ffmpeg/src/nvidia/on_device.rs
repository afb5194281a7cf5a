//! NVDEC on what x265, x264 and libaom code, against software: needs an NVIDIA device with its driver.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that fails says where"
)]

use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, Normal};
use telecine_core::{Backend, CodecId, Decoder, EncodeOptions, Encoder, Error, GroupSpec, Limits, Quality};

use crate::encode::VideoEncoder;
use crate::encoders::{EncoderKind, LIBAOM, X264, X265};
use crate::{FfmpegDecoder, FfmpegEncoder};

/// Frames of a group.
const FRAMES: u32 = 4;
/// Samples of a group at most.
const MOST: u32 = 1 << 26;
/// Least seconds that a speed is measured for.
const SECONDS: f64 = 0.5;

/// A group of noise and its packet.
struct Coded {
    spec: GroupSpec,
    packet: Vec<u8>,
}

fn code(kind: &'static EncoderKind, side: u32, depth: u8, options: EncodeOptions) -> Coded {
    let frames = FRAMES.min(MOST / side / side);
    let spec = GroupSpec::new(frames, side, side, depth, &Limits::default()).unwrap();
    let (middle, most) = (f32::from(1u16 << (depth - 1)), f32::from(spec.max_sample()));
    let noise = Normal::new(middle, middle / 4.0).unwrap();
    let mut rng = SmallRng::seed_from_u64(u64::from(side));
    let samples: Vec<u16> =
        (0..spec.samples()).map(|_| noise.sample(&mut rng).clamp(0.0, most).round() as u16).collect();
    let mut packet = Vec::new();
    let mut encoder = VideoEncoder::new(kind, spec, options);
    encoder.encode(&samples, Quality::Step(middle / 8.0), &mut packet).unwrap();
    Coded { spec, packet }
}

/// Decodes again and again; samples of the last time, and samples per second.
fn speed(decoder: &mut dyn Decoder, coded: &Coded) -> (Vec<u16>, f64) {
    let mut samples = vec![0; coded.spec.samples()];
    // The first group pays for what is set up once.
    decoder.decode(&coded.packet, &mut samples).unwrap();
    let (start, mut groups) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < SECONDS {
        samples.fill(0);
        decoder.decode(&coded.packet, &mut samples).unwrap();
        groups += 1;
    }
    let speed = (groups * samples.len()) as f64 / start.elapsed().as_secs_f64();
    (samples, speed)
}

/// A packet that is cut short is refused, one with wrong bytes does no harm, and neither shows in the next group.
fn survives_damage(decoder: &mut dyn Decoder, coded: &Coded, expected: &[u16]) {
    let mut samples = vec![0; expected.len()];
    for part in 1..4 {
        let place = coded.packet.len() * part / 4;
        assert!(decoder.decode(&coded.packet[..place], &mut samples).is_err());
        let mut wrong = coded.packet.clone();
        wrong[place] ^= 0x55;
        let damaged = decoder.decode(&wrong, &mut samples);
        let shown = damaged.is_ok() && samples == expected;
        println!(
            "damage at byte {place}: {}",
            damaged.map_or_else(|e| e.to_string(), |()| format!("unseen, {shown}"))
        );
        decoder.decode(&coded.packet, &mut samples).unwrap();
        assert!(samples == expected, "after damage at byte {place}");
    }
}

/// All decoders at once, each on its own thread.
fn together(backend: &FfmpegDecoder, coded: &Coded, count: usize) -> f64 {
    std::thread::scope(|scope| {
        let run = || speed(&mut *backend.decoder(coded.spec).unwrap(), coded).1;
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

#[test]
#[ignore = "needs an NVIDIA device; five minutes: docs/video.md has what it printed"]
fn nvdec_decodes_what_software_does_and_how_fast() {
    for backend in FfmpegEncoder::nvenc() {
        println!("{}: {:?}", backend.info().name, backend.probe().map_err(|error| error.to_string()));
    }
    let hardware = FfmpegDecoder::nvdec();
    for backend in &hardware {
        let probed = backend.probe().map_err(|error| error.to_string());
        println!("{}: {probed:?}, {:?}", backend.info().name, backend.info().capabilities);
    }
    let software = FfmpegDecoder::software();
    let find =
        |all: &'static [FfmpegDecoder], codec: CodecId| all.iter().find(|b| b.info().codec == codec).unwrap();
    let (hardware, software): (&'static [FfmpegDecoder], &'static [FfmpegDecoder]) =
        (hardware.leak(), software.leak());
    println!(
        "| stream | side | bits per sample | software, Msample/s | NVDEC | 4 at once | 8 at once |\n|---|---|---|---|---|---|---|"
    );
    let plain = EncodeOptions::default();
    let kinds = [(&X265, 8), (&X265, 10), (&X265, 12), (&X264, 8), (&LIBAOM, 8), (&LIBAOM, 10)];
    for (kind, depth) in kinds {
        let nvdec = find(hardware, kind.info.codec);
        if kind.info.codec == CodecId::AV1 && nvdec.probe().is_err() {
            println!("SKIPPED AV1 of {depth} bits: this card has no decoder for it, as printed above");
            continue;
        }
        nvdec.probe().unwrap();
        let sides = &nvdec.info().capabilities.width;
        assert!(nvdec.info().capabilities.depths.contains(&depth), "{} at {depth} bits", kind.info.name);
        for side in [144, 256, 512, 1024, 2048, 4096, 8192].into_iter().filter(|side| sides.contains(side)) {
            let coded = code(kind, side, depth, plain);
            let slow = speed(&mut *find(software, kind.info.codec).decoder(coded.spec).unwrap(), &coded);
            let fast = speed(&mut *nvdec.decoder(coded.spec).unwrap(), &coded);
            assert_eq!(slow.0, fast.0, "{} of {side}", kind.info.name);
            if side <= 512 {
                survives_damage(&mut *nvdec.decoder(coded.spec).unwrap(), &coded, &slow.0);
            }
            println!(
                "| {}, {depth} bits | {side} | {:.2} | {:.1} | {:.1} | {:.1} | {:.1} |",
                kind.info.name,
                coded.packet.len() as f64 * 8.0 / coded.spec.samples() as f64,
                slow.1 / 1e6,
                fast.1 / 1e6,
                together(nvdec, &coded, 4) / 1e6,
                together(nvdec, &coded, 8) / 1e6,
            );
        }
    }
    // What NVDEC does not decode is refused before it gets there.
    let grey = code(&X265, 256, 8, plain.with_monochrome(true));
    let mut samples = vec![0; grey.spec.samples()];
    let refused =
        find(hardware, CodecId::HEVC).decoder(grey.spec).unwrap().decode(&grey.packet, &mut samples);
    assert!(matches!(refused, Err(Error::Unsupported(_))), "{refused:?}");
}
