//! The pipeline over the backends `raw` and `zstd`: every dtype, shape, stride and target comes back as promised.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

use std::sync::Arc;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, StandardNormal};
use telecine_core::{
    Basis, Chain, ChunkDecoder, CodecId, CodedChunk, DType, Distortion, Encoding, Error, Limits, MatrixShape,
    Registry, Target, Tensor, TensorBuf, TensorMeta, TensorReport, TransformChoice, decode_rows, encode,
};

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.register(Arc::new(telecine_raw::Raw)).unwrap();
    registry.register(Arc::new(telecine_zstd::Zstd)).unwrap();
    registry
}

fn zstd(target: Target) -> Encoding {
    let mut encoding = Encoding::new(target);
    encoding.codec = Some(CodecId::ZSTD);
    encoding.keep_small = false;
    encoding
}

fn normal(shape: &[u64], dtype: DType, seed: u64, scale: f32) -> TensorBuf {
    let mut rng = SmallRng::seed_from_u64(seed);
    let count: u64 = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|_| {
            let v: f32 = StandardNormal.sample(&mut rng);
            v * scale
        })
        .collect();
    let mut bytes = vec![0; values.len() * dtype.size()];
    dtype.write_f32(&values, &mut bytes);
    TensorBuf { dtype, shape: shape.to_vec(), bytes }
}

fn encode_all(tensor: &Tensor<'_>, encoding: &Encoding) -> (Vec<CodedChunk<'static>>, TensorReport) {
    let mut chunks = Vec::new();
    let report = encode(&registry(), tensor, encoding, |chunk| {
        chunks.push(chunk);
        Ok::<(), Error>(())
    });
    (chunks, report.unwrap())
}

fn decode_all(tensor: &Tensor<'_>, chunks: &[CodedChunk<'_>]) -> TensorBuf {
    let meta = TensorMeta::new("t", tensor.dtype(), tensor.shape());
    let rows = MatrixShape::of(tensor.shape()).rows;
    decode_rows(&registry(), &meta, chunks, 0..rows, &[], &Limits::default()).unwrap()
}

/// Encodes, decodes, and checks that the report says what is measured here.
fn round_trip(tensor: &Tensor<'_>, encoding: &Encoding) -> (TensorBuf, TensorReport) {
    let (chunks, report) = encode_all(tensor, encoding);
    let back = decode_all(tensor, &chunks);
    let original = tensor.to_owned();
    assert_eq!((back.dtype, &back.shape), (original.dtype, &original.shape));
    let measured = Distortion::measure(tensor.dtype(), &original.bytes, &back.bytes);
    assert!(
        (measured.nmse() - report.nmse).abs() <= 1e-9 * report.nmse,
        "{} {}",
        measured.nmse(),
        report.nmse
    );
    assert_eq!(measured.max_abs_error, report.max_abs_error);
    assert_eq!(report.bytes, chunks.iter().map(CodedChunk::bytes).sum::<u64>());
    assert_eq!(report.values, tensor.len());
    (back, report)
}

#[test]
fn lossless_is_bit_exact_for_every_dtype_and_shape() {
    let mut rng = SmallRng::seed_from_u64(1);
    for &dtype in DType::ALL {
        for shape in [&[][..], &[1], &[0], &[3, 0], &[1000], &[7, 13], &[3, 5, 7], &[700, 600], &[2, 3, 3, 3]]
        {
            let count = shape.iter().product::<u64>() as usize * dtype.size();
            let bytes: Vec<u8> = (0..count).map(|_| rng.random()).collect();
            let tensor = Tensor::new(dtype, shape, &bytes).unwrap();
            for codec in [CodecId::RAW, CodecId::ZSTD] {
                let mut encoding = Encoding::new(Target::Lossless);
                encoding.codec = Some(codec);
                encoding.chunk_values = 5000;
                let (back, report) = round_trip(&tensor, &encoding);
                assert_eq!(back.bytes, bytes, "{dtype} {shape:?}");
                assert!(
                    report.bytes <= count as u64 + 64 * (1 + tensor.len() / 1000),
                    "{dtype} {shape:?} {report:?}"
                );
            }
        }
    }
}

#[test]
fn a_bits_target_is_met_within_one_percent_with_all_bytes_counted() {
    for (shape, seed) in [(&[400, 250][..], 1), (&[3, 700, 64], 2), (&[1 << 20], 3), (&[1000, 1000], 4)] {
        let tensor = normal(shape, DType::F32, seed, 0.02);
        for bits in [1.0, 2.0, 2.88, 4.0] {
            let (_, report) = round_trip(&tensor.view().unwrap(), &zstd(Target::Bits(bits)));
            assert!((report.bits() / bits - 1.0).abs() <= 0.01, "{shape:?} {bits}: {}", report.bits());
        }
    }
}

#[test]
fn an_nmse_target_is_never_exceeded_and_nearly_used() {
    for dtype in [DType::F32, DType::Bf16, DType::F64, DType::F16] {
        let tensor = normal(&[500, 300], dtype, 5, 3.0);
        for nmse in [0.3, 0.02, 1e-3] {
            let (_, report) = round_trip(&tensor.view().unwrap(), &zstd(Target::Nmse(nmse)));
            assert!(report.nmse <= nmse && report.nmse > 0.9 * nmse, "{dtype} {nmse}: {}", report.nmse);
        }
        let (_, report) = round_trip(&tensor.view().unwrap(), &zstd(Target::Nmse(1e-14)));
        assert!(report.nmse <= 1e-14, "{dtype}: {}", report.nmse);
    }
}

#[test]
fn a_maximum_error_is_kept_on_every_value_of_every_dtype() {
    for &dtype in DType::ALL {
        let tensor = normal(&[150, 400], dtype, 6, 30.0);
        for bound in [0.01, 0.5, 1.0, 3.7] {
            let (_, report) = round_trip(&tensor.view().unwrap(), &zstd(Target::MaxAbs(bound)));
            assert!(report.max_abs_error <= bound, "{dtype} {bound}: {}", report.max_abs_error);
        }
    }
}

#[test]
fn wide_integers_keep_a_maximum_error_exactly() {
    let values: Vec<i64> = (0..5000).map(|i| i64::MAX - i * 7).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let tensor = Tensor::new(DType::I64, &[5000], &bytes).unwrap();
    let (_, report) = round_trip(&tensor, &zstd(Target::MaxAbs(2.0)));
    assert!(report.max_abs_error <= 2.0, "{}", report.max_abs_error);
}

#[test]
fn nan_infinities_and_outliers_survive_lossy_targets_exactly() {
    let mut tensor = normal(&[300, 400], DType::F32, 7, 1.0);
    let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::from_bits(0x7fc0_dead), 3.0e38, -1.0e12];
    for (i, value) in special.iter().enumerate() {
        let at = (i * 20_011 + 5) * 4;
        tensor.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    for target in [Target::Bits(3.0), Target::Step(0.1), Target::MaxAbs(0.05)] {
        for transform in [TransformChoice::Auto, TransformChoice::Chain(Chain::default())] {
            let mut encoding = zstd(target);
            encoding.transform = transform;
            let (back, report) = round_trip(&tensor.view().unwrap(), &encoding);
            for (i, value) in special.iter().enumerate() {
                let at = (i * 20_011 + 5) * 4;
                assert_eq!(back.bytes[at..at + 4], tensor.bytes[at..at + 4], "{target} {value}");
            }
            assert!(
                report.bits() < 12.0,
                "{target}: one huge value must not cost the rest: {}",
                report.bits()
            );
            let rest: f32 = back
                .to_f32()
                .iter()
                .zip(tensor.to_f32())
                .filter(|(_, x)| x.is_finite() && x.abs() < 10.0)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(rest < 1.5, "{target}: {rest}");
        }
    }
}

#[test]
fn constant_and_zero_tensors_cost_next_to_nothing_at_any_target() {
    for value in [0.0f32, 1.25, -3.0e-12] {
        let tensor = TensorBuf::from_f32(&[300, 400], &vec![value; 120_000]).unwrap();
        for target in [Target::Bits(3.0), Target::Nmse(0.01), Target::MaxAbs(1e-3), Target::Lossless] {
            let (back, report) = round_trip(&tensor.view().unwrap(), &zstd(target));
            assert!(report.bits() < 0.1, "{value} {target}: {}", report.bits());
            if target == Target::Lossless {
                assert_eq!(back, tensor);
            }
        }
    }
}

#[test]
fn output_does_not_depend_on_the_number_of_threads() {
    let tensor = normal(&[900, 700], DType::F32, 8, 1.0);
    let coded = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| encode_all(&tensor.view().unwrap(), &zstd(Target::Bits(3.0))))
    };
    let one = coded(1);
    for threads in [2, 5] {
        assert_eq!(coded(threads), one);
    }
}

#[test]
fn small_tensors_are_kept_unless_told_otherwise() {
    let tensor = normal(&[99_999], DType::F32, 9, 1.0);
    let (back, _) = round_trip(&tensor.view().unwrap(), &Encoding::new(Target::Bits(3.0)));
    assert_eq!(back, tensor);
    let (back, report) = round_trip(&tensor.view().unwrap(), &zstd(Target::Bits(3.0)));
    assert!(back != tensor && report.bits() < 3.1);
}

#[test]
fn rows_read_alone_equal_the_rows_of_the_whole() {
    let tensor = normal(&[5, 200, 40], DType::F32, 10, 1.0);
    let mut encoding = zstd(Target::Bits(4.0));
    encoding.chunk_values = 3000;
    let (chunks, _) = encode_all(&tensor.view().unwrap(), &encoding);
    let whole = decode_all(&tensor.view().unwrap(), &chunks);
    let meta = TensorMeta::new("t", DType::F32, tensor.shape.clone());
    for rows in [0..1, 999..1000, 0..1000, 73..612, 400..400] {
        let part = decode_rows(&registry(), &meta, &chunks, rows.clone(), &[], &Limits::default()).unwrap();
        let (start, end) = (rows.start as usize * 160, rows.end as usize * 160);
        assert_eq!(part.bytes, whole.bytes[start..end], "{rows:?}");
    }
    for wrong in [0..1001, 1001..1002] {
        let result = decode_rows(&registry(), &meta, &chunks, wrong, &[], &Limits::default());
        assert!(matches!(result, Err(Error::Invalid(_))));
    }
    let result = decode_rows(&registry(), &meta, &chunks[1..], 0..1000, &[], &Limits::default());
    assert!(matches!(result, Err(Error::Corrupt(_))));
}

#[test]
fn what_cannot_be_met_is_said() {
    let tensor = normal(&[300, 400], DType::F32, 11, 1.0);
    let wrong = |encoding: &Encoding| {
        encode(&registry(), &tensor.view().unwrap(), encoding, |_| Ok::<(), Error>(())).unwrap_err()
    };
    assert!(matches!(wrong(&zstd(Target::Bits(0.0))), Error::Invalid(_)));
    assert!(matches!(wrong(&zstd(Target::Nmse(f64::NAN))), Error::Invalid(_)));
    let mut native = Encoding::new(Target::Bits(3.0));
    native.codec = Some(CodecId::NATIVE);
    assert!(matches!(wrong(&native), Error::Unavailable(_)), "no native here");
    let mut raw = zstd(Target::Bits(3.0));
    raw.codec = Some(CodecId::RAW);
    let Error::OutOfReach { wanted, nearest } = wrong(&raw) else { panic!("raw cannot go below 8 bits") };
    assert_eq!(wanted, Target::Bits(3.0));
    let Target::Bits(least) = nearest else { panic!("{nearest}") };
    assert!((8.0..8.1).contains(&least), "{least}");
    raw.target = nearest;
    encode(&registry(), &tensor.view().unwrap(), &raw, |_| Ok::<(), Error>(())).unwrap();
    let mut unknown = zstd(Target::Bits(3.0));
    unknown.backend = Some("nobody".into());
    assert!(matches!(wrong(&unknown), Error::Invalid(_)));
}

#[test]
fn an_error_of_the_sink_ends_the_work_and_comes_back() {
    let tensor = normal(&[900, 700], DType::F32, 12, 1.0);
    let mut seen = 0;
    let result = encode(&registry(), &tensor.view().unwrap(), &zstd(Target::Lossless), |_| {
        seen += 1;
        Err(Error::invalid("enough"))
    });
    assert!(matches!(result, Err(Error::Invalid(message)) if message == "enough"));
    assert_eq!(seen, 1);
}

#[test]
fn damaged_side_information_and_packets_are_errors_or_values_and_never_panics() {
    let tensor = normal(&[40, 30], DType::F32, 13, 1.0);
    for target in [Target::Bits(4.0), Target::Lossless, Target::MaxAbs(0.1)] {
        let (chunks, _) = encode_all(&tensor.view().unwrap(), &zstd(target));
        let registry = registry();
        let mut decoder = ChunkDecoder::new(&registry, &[], Limits::default());
        let mut out = vec![0; 4800];
        let mut check = |chunk: &CodedChunk<'_>| match decoder.decode(DType::F32, chunk, &mut out) {
            Ok(()) | Err(Error::Corrupt(_) | Error::Limit { .. }) => (),
            Err(error) => panic!("{error:?}"),
        };
        for at in 0..chunks[0].side.len() {
            for bit in 0..8 {
                let mut chunk = chunks[0].clone();
                chunk.side.to_mut()[at] ^= 1 << bit;
                check(&chunk);
            }
            let mut chunk = chunks[0].clone();
            chunk.side.to_mut().truncate(at);
            check(&chunk);
        }
        for at in 0..chunks[0].packet.len().min(200) {
            let mut chunk = chunks[0].clone();
            chunk.packet.to_mut()[at] ^= 0x55;
            check(&chunk);
        }
        let mut chunk = chunks[0].clone();
        chunk.spec.frames = 1 << 31;
        check(&chunk);
    }
}

/// Found by fuzzing: these were said to be the caller's mistake.
#[test]
fn a_transform_that_does_not_fit_its_chunk_is_damage_and_an_unknown_one_unavailable() {
    let tensor = normal(&[40, 30], DType::F32, 14, 1.0);
    let (chunks, _) = encode_all(&tensor.view().unwrap(), &zstd(Target::Step(0.1)));
    let registry = registry();
    let bases = [Arc::new(Basis::new(2, vec![0.6, -0.8, 0.8, 0.6]).unwrap())];
    let mut decoder = ChunkDecoder::new(&registry, &bases, Limits::default());
    let mut decode = |transform: String| {
        let mut chunk = chunks[0].clone();
        chunk.transform = transform.into();
        decoder.decode(DType::F32, &chunk, &mut vec![0; 4800]).unwrap_err()
    };
    let other_size = format!("klt@1({:016x})", bases[0].id());
    for damaged in [
        &other_size,
        "klt@1(0123456789abcdef)",
        "dct@1(7)",
        "hadamard@1(3,0)",
        "dct@1(8",
        &["dct@1(8)"; 9].join("+"),
    ] {
        let error = decode(damaged.to_owned());
        assert!(matches!(error, Error::Corrupt(_)), "{damaged}: {error:?}");
    }
    for unknown in ["wavelet@1", "dct@2(8)", ""] {
        let error = decode(unknown.to_owned());
        assert!(matches!(error, Error::Unavailable(_)), "{unknown}: {error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_tensor_with_any_strides_meets_any_target(
        dims in prop::collection::vec(1u64..12, 0..4),
        steps in prop::collection::vec(-3i64..=3, 4),
        dtype in prop::sample::select(DType::ALL),
        noise in prop::collection::vec(any::<u8>(), 16),
        target in prop_oneof![
            Just(Target::Lossless), (0.001f64..100.0).prop_map(Target::MaxAbs), (1e-6f64..0.5).prop_map(Target::Nmse),
            (0.01f64..10.0).prop_map(Target::Step)
        ],
        chunk_values in 1u64..300,
    ) {
        let strides: Vec<i64> = dims.iter().zip(&steps).map(|(_, s)| *s).collect();
        let low: i64 = dims.iter().zip(&strides).map(|(&n, &s)| (n as i64 - 1) * s.min(0)).sum();
        let high: i64 = dims.iter().zip(&strides).map(|(&n, &s)| (n as i64 - 1) * s.max(0)).sum();
        let held = (high - low + 1) as usize;
        let bytes: Vec<u8> = (0..held * dtype.size()).map(|i| noise[(i * i + i / 7) % 16].wrapping_mul(i as u8 | 1)).collect();
        let tensor = Tensor::strided(dtype, &dims, &strides, (-low) as u64, &bytes).unwrap();
        let mut encoding = zstd(target);
        encoding.chunk_values = chunk_values;
        let (back, report) = round_trip(&tensor, &encoding);
        match target {
            Target::Lossless => prop_assert_eq!(back, tensor.to_owned()),
            Target::MaxAbs(bound) => prop_assert!(report.max_abs_error <= bound, "{} {}", bound, report.max_abs_error),
            Target::Nmse(nmse) => prop_assert!(report.nmse <= nmse, "{} {}", nmse, report.nmse),
            _ => (),
        }
    }
}
