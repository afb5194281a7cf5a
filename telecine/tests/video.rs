//! Targets are met with the video backends of this build.
#![cfg(any(feature = "av1", feature = "av1-rust", feature = "ffmpeg"))]
#![allow(clippy::unwrap_used, reason = "a test that fails by panicking says where")]

use rand::{SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution as _, StandardNormal};
use telecine::{
    Chain, Codec, CodecId, DType, Distortion, Effort, Encoding, GroupSpec, Limits, Target, TensorBuf, Tier,
    TransformChoice, default_registry,
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

/// Rows of scales from 1e-3 to 1e3: no grid of 8 to 12 bits holds the largest and shows the smallest.
fn rows_of_many_scales() -> TensorBuf {
    let gaussian = gaussian(&[64, 256]);
    let mut values = Vec::new();
    DType::F32.read_f32(&gaussian.bytes, &mut values);
    for (row, values) in (0i16..).zip(values.chunks_exact_mut(256)) {
        let scale = 10f32.powf(f32::from(row % 7) - 3.0);
        values.iter_mut().for_each(|value| *value *= scale);
    }
    TensorBuf::from_f32(&[64, 256], &values).unwrap()
}

#[test]
fn a_step_that_is_finer_than_samples_is_that_step() {
    let (tensor, codec) = (rows_of_many_scales(), Codec::new());
    let mut values = Vec::new();
    tensor.dtype.read_f32(&tensor.bytes, &mut values);
    let mean_square = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / 16_384.0;
    for name in encoders() {
        for transform in [TransformChoice::Auto, TransformChoice::Chain(Chain::default())] {
            for step in [10.0, 0.3, 1e-2] {
                let mut encoding = encoding(Target::Step(step), name);
                encoding.transform = transform.clone();
                let report = codec.encode(&tensor.view().unwrap(), &encoding).unwrap().report;
                let ratio = report.nmse * mean_square / (step * step / 12.0);
                assert!(ratio <= 1.7, "{name}, step {step}: {ratio} times step²/12, {report:?}");
            }
        }
    }
}

#[test]
fn more_bits_never_make_a_larger_error() {
    let (tensor, codec) = (rows_of_many_scales(), Codec::new());
    for name in encoders() {
        let mut before = f64::INFINITY;
        for bits in [0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 11.0] {
            let mut encoding = encoding(Target::Bits(bits), name);
            encoding.transform = TransformChoice::Auto;
            let report = codec.encode(&tensor.view().unwrap(), &encoding).unwrap().report;
            assert!(report.nmse <= 1.02 * before, "{name}, {bits} bits: {:e} after {before:e}", report.nmse);
            before = report.nmse;
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

/// Packets of luma alone, of 72 × 56 samples, as encoders made them before they made 4:2:0: with the checksum of what
/// they decode to.
const LUMA_ALONE: [(&str, u8, &[u8], u64); 6] = [
    ("hvc1", 8, include_bytes!("luma/x265-8.hvc1"), 0xc97b_aa21_fae5_e908),
    ("hvc1", 12, include_bytes!("luma/x265-12.hvc1"), 0xdfa5_5c53_b4e9_dd05),
    ("avc1", 8, include_bytes!("luma/x264-8.avc1"), 0xef3d_1938_99bb_6084),
    ("avc1", 10, include_bytes!("luma/x264-10.avc1"), 0x4eb1_aaf0_8c6f_b852),
    ("av01", 10, include_bytes!("luma/libaom-10.av01"), 0x3994_10ee_7b9c_0951),
    ("av01", 12, include_bytes!("luma/rav1e-12.av01"), 0x46c7_a578_14cd_b995),
];

#[test]
fn packets_of_luma_alone_stay_readable() {
    let registry = default_registry();
    let mut decoded = 0;
    for (codec, depth, packet, checksum) in LUMA_ALONE {
        let codec = CodecId::parse(codec).unwrap();
        let spec = GroupSpec::new(1, 56, 72, depth, &Limits::default()).unwrap();
        // Those of hardware do not take it.
        let decoders = registry.backends().filter(|backend| {
            let info = backend.info();
            info.codec == codec && info.decodes && info.tier != Tier::Fallback
        });
        for backend in decoders {
            let mut samples = vec![0; spec.samples()];
            backend.decoder(spec).unwrap().decode(packet, &mut samples).unwrap();
            // FNV-1a over their little-endian bytes.
            let bytes = samples.iter().flat_map(|sample| sample.to_le_bytes());
            let found = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
            assert_eq!(found, checksum, "{} on {codec} of {depth} bits", backend.info().name);
            decoded += 1;
        }
    }
    assert!(decoded > 0);
}
