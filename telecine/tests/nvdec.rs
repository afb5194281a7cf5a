//! What the video encoders in software make by default is what NVIDIA's decoders take.
#![cfg(all(feature = "ffmpeg", feature = "nvdec"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

use std::sync::Arc;

use rand::{SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution as _, StandardNormal};
use telecine::{
    Backend, BackendInfo, Codec, CodecId, CodedChunk, Effort, Encoding, Pick, Role, Target, TensorBuf, Tier,
    default_registry,
};
use telecine_video::Bitstream;

/// The encoders of video codecs in software.
fn encoders() -> Vec<BackendInfo> {
    let registry = default_registry();
    let all = registry.backends().map(|backend| backend.info()).filter(|info| info.encodes);
    let is_software = |info: &&BackendInfo| bitstream(info.codec).is_some() && info.tier != Tier::Fallback;
    let found: Vec<BackendInfo> = all.filter(is_software).cloned().collect();
    assert!(found.len() >= 3, "{found:?}");
    found
}

fn bitstream(codec: CodecId) -> Option<Bitstream> {
    match codec {
        CodecId::HEVC => Some(Bitstream::Hevc),
        CodecId::AVC => Some(Bitstream::Avc),
        CodecId::AV1 => Some(Bitstream::Av1),
        _ => None,
    }
}

/// NVDEC for a codec, as it is documented: it is not probed.
fn nvdec(codec: CodecId) -> Arc<dyn Backend> {
    let registry = default_registry();
    let found = registry
        .backends()
        .find(|backend| backend.info().codec == codec && backend.info().name.starts_with("nvdec"));
    found.unwrap().clone()
}

/// Chunks that an encoder makes of tensors of many shapes; `is_fast` leaves out the larger ones.
fn chunks(encoder: &BackendInfo, is_fast: bool) -> Vec<CodedChunk<'static>> {
    let codec = Codec::new();
    let mut rng = SmallRng::seed_from_u64(11);
    let mut all = Vec::new();
    let shapes =
        [(64, 64), (80, 33), (70, 5000), (300, 520), (40_000, 3), (145, 147), (1000, 1000), (70, 9000)];
    for (rows, cols) in shapes.into_iter().take(if is_fast { 6 } else { 8 }) {
        let values: Vec<f32> = (0..rows * cols).map(|_| StandardNormal.sample(&mut rng)).collect();
        let tensor = TensorBuf::from_f32(&[rows, cols], &values).unwrap();
        for target in [Target::Bits(3.0), Target::Step(0.01), Target::MaxAbs(0.5)] {
            let mut encoding = Encoding::new(target);
            encoding.backend = Some(encoder.name.to_owned());
            encoding.effort = Effort::Fast;
            let encoded = codec.encode(&tensor.view().unwrap(), &encoding).unwrap();
            let video = encoded.chunks.into_iter().filter(|chunk| chunk.codec == encoder.codec);
            all.extend(video);
        }
    }
    assert!(all.len() >= 12, "{}: {} chunks", encoder.name, all.len());
    all
}

#[test]
fn all_that_encoders_in_software_take_by_default_nvdec_takes() {
    for encoder in encoders() {
        let (ours, theirs) = (&encoder.capabilities, nvdec(encoder.codec).info().capabilities.clone());
        let name = encoder.name;
        assert!(ours.depths.iter().all(|depth| theirs.depths.contains(depth)), "{name}: {ours:?}");
        for (ours, theirs) in [(&ours.width, &theirs.width), (&ours.height, &theirs.height)] {
            assert!(theirs.contains(ours.start()) && theirs.contains(ours.end()), "{name}: {ours:?}");
        }
        assert!(ours.align.is_multiple_of(theirs.align) && ours.max_frames <= theirs.max_frames, "{name}");
        // Lossless AVC is of a profile that NVDEC lacks: the one exception, refused before it gets there.
        assert!(theirs.lossless || !ours.lossless || name == "x264", "{name}");
    }
}

#[test]
fn packets_are_of_420_at_the_depth_of_their_chunk_and_within_what_nvdec_takes() {
    for encoder in encoders() {
        let (name, bitstream) = (encoder.name, bitstream(encoder.codec).unwrap());
        let hardware = nvdec(encoder.codec).info().capabilities.clone();
        let mut streams = 0;
        for chunk in chunks(&encoder, true) {
            hardware.check("nvdec", &chunk.spec).unwrap();
            // Samples that are stored as they are need no decoder.
            if chunk.packet.first() == Some(&0xff) {
                continue;
            }
            let header = bitstream.header(&chunk.packet).unwrap();
            assert_eq!((header.chroma, header.depth), (1, chunk.spec.depth), "{name} {:?}", chunk.spec);
            let refused = bitstream.check_hardware("nvdec", &chunk.packet).err();
            // A bound on each value has samples coded losslessly, which makes High 4:4:4 Predictive of AVC.
            assert!(refused.is_none() || (name == "x264" && header.profile == 244), "{name}: {refused:?}");
            streams += usize::from(refused.is_none());
        }
        assert!(streams >= 6, "{name}: {streams}");
    }
}

#[test]
#[ignore = "needs an NVIDIA device with its driver"]
fn nvdec_returns_the_samples_that_software_does() {
    let registry = default_registry();
    for encoder in encoders() {
        let hardware = nvdec(encoder.codec);
        let probed = hardware.probe();
        if let (Err(reason), CodecId::AV1) = (&probed, encoder.codec) {
            println!("SKIPPED {}: {reason}", encoder.name);
            continue;
        }
        probed.unwrap();
        let software = registry.find(encoder.codec, Role::Decode, Pick::Auto).unwrap().backend;
        assert_eq!(software.info().tier, Tier::Preferred);
        let bitstream = bitstream(encoder.codec).unwrap();
        let mut count = 0;
        for chunk in chunks(&encoder, false) {
            if chunk.packet.first() != Some(&0xff) && bitstream.check_hardware("", &chunk.packet).is_err() {
                continue;
            }
            let decode = |backend: &dyn Backend| {
                let mut samples = vec![0x5aa5; chunk.spec.samples()];
                backend.decoder(chunk.spec).unwrap().decode(&chunk.packet, &mut samples).unwrap();
                samples
            };
            let (slow, fast) = (decode(&*software), decode(&*hardware));
            assert!(slow == fast, "{}: {:?} differs", encoder.name, chunk.spec);
            count += 1;
        }
        println!(
            "{}: {count} packets decode to the same samples with {}",
            encoder.name,
            hardware.info().name
        );
    }
}
