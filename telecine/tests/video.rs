//! Targets are met with the video backends of this build.
#![cfg(any(feature = "av1", feature = "av1-rust", feature = "ffmpeg"))]
#![allow(clippy::unwrap_used, reason = "a test that fails by panicking says where")]

use rand::{SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution as _, StandardNormal};
use telecine::{
    Chain, Codec, CodecId, DType, Distortion, Effort, Encoding, Target, TensorBuf, TransformChoice,
    default_registry,
};

/// The names of the encoders of video codecs: those in software, which must work wherever they were built in, and those of
/// hardware where there is some; `telecine-conformance` shows the others as ignored, with the reason.
fn encoders() -> Vec<&'static str> {
    let registry = default_registry();
    let listings = registry.list().into_iter().filter(|listing| {
        let is_video = [CodecId::AV1, CodecId::HEVC, CodecId::AVC].contains(&listing.codec);
        is_video && listing.info.is_some_and(|info| info.encodes)
    });
    let works = listings.filter(|listing| match &listing.status {
        Ok(()) => true,
        Err(reason) => {
            let takes_hardware = listing.name.starts_with("nvenc") || listing.name.starts_with("vulkan");
            assert!(takes_hardware, "{reason}");
            false
        }
    });
    let names: Vec<_> = works.map(|listing| listing.name).collect();
    assert!(!names.is_empty(), "no video encoder works here");
    names
}

fn gaussian(shape: &[u64]) -> TensorBuf {
    let mut rng = SmallRng::seed_from_u64(7);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| StandardNormal.sample(&mut rng)).collect();
    TensorBuf::from_f32(shape, &values).unwrap()
}

fn encoding(target: Target, backend: &str) -> Encoding {
    let mut encoding = Encoding::new(target);
    encoding.backend = Some(backend.to_owned());
    encoding.effort = Effort::Fast;
    encoding.transform = TransformChoice::Chain(Chain::default());
    encoding
}

#[test]
fn bits_land_within_one_percent_on_a_million_values() {
    let tensor = gaussian(&[1000, 1000]);
    let codec = Codec::new();
    for name in encoders() {
        for bits in [0.7, 2.88, 6.0] {
            let encoded = codec.encode(&tensor.view().unwrap(), &encoding(Target::Bits(bits), name)).unwrap();
            let found = encoded.report.bits();
            assert!((0.99..=1.01).contains(&(found / bits)), "{name} at {bits}: {found}");
            assert!(encoded.report.codec != "tns1", "{name} at {bits}: {}", encoded.report.codec);
            let back = codec.decode(&encoded).unwrap();
            let measured = Distortion::measure(tensor.dtype, &tensor.bytes, &back.bytes);
            assert!((measured.nmse() - encoded.report.nmse).abs() <= 1e-9 * measured.nmse(), "{name}");
        }
    }
}

#[test]
fn error_targets_hold() {
    let tensor = gaussian(&[320, 400]);
    let codec = Codec::new();
    for name in encoders() {
        for target in [Target::Nmse(0.03), Target::Nmse(1e-3), Target::MaxAbs(0.2), Target::Step(0.5)] {
            let report = codec.encode(&tensor.view().unwrap(), &encoding(target, name)).unwrap().report;
            let holds = match target {
                Target::Nmse(nmse) => report.nmse <= nmse && report.nmse > 0.9 * nmse,
                Target::MaxAbs(bound) => report.max_abs_error <= bound,
                _ => (0.6..1.6).contains(&(report.nmse / (0.25 / 12.0))),
            };
            assert!(holds, "{name}, {target}: {report:?}");
        }
    }
}

#[test]
fn values_are_lossless_where_the_backend_claims_it() {
    let codec = Codec::new();
    let bytes: Vec<u8> = (0..120_000u32).map(|at| (at * 37 % 256).to_le_bytes()[0] & 0x3f).collect();
    let narrow = TensorBuf { dtype: DType::U8, shape: vec![300, 400], bytes };
    let wide = gaussian(&[300, 400]);
    for name in encoders() {
        let registry = default_registry();
        let listing = registry.list().into_iter().find(|listing| listing.name == name).unwrap();
        for tensor in [&narrow, &wide] {
            let result = codec.encode(&tensor.view().unwrap(), &encoding(Target::Lossless, name));
            if listing.info.unwrap().capabilities.lossless {
                assert_eq!(codec.decode(&result.unwrap()).unwrap().bytes, tensor.bytes, "{name}");
            } else {
                let error = result.unwrap_err();
                assert!(error.to_string().contains("choose another codec"), "{name}: {error}");
            }
        }
    }
}
