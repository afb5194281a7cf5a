//! Importance: what weights on the columns buy, what they leave alone, and what is refused.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

use std::sync::Arc;

use rand::{SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution as _, StandardNormal};
use telecine::{
    Chain, Codec, CoreError, DType, Distortion, Effort, Encoded, Encoding, Error, Importance, Limits, Reader,
    Target, TensorBuf, TransformChoice, Writer, default_registry,
};

const ROWS: usize = 700;
const COLS: usize = 300;

fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = SmallRng::seed_from_u64(seed);
    (0..count).map(|_| StandardNormal.sample(&mut rng)).collect()
}

fn gaussian(dtype: DType) -> TensorBuf {
    let mut bytes = vec![0; ROWS * COLS * dtype.size()];
    dtype.write_f32(&noise(ROWS * COLS, 1), &mut bytes);
    TensorBuf { dtype, shape: vec![ROWS as u64, COLS as u64], bytes }
}

fn lognormal() -> Arc<Importance> {
    let weights: Vec<f32> = noise(COLS, 2).into_iter().map(f32::exp).collect();
    Arc::new(Importance::new(&weights).unwrap())
}

fn fast(target: Target, importance: Option<Arc<Importance>>) -> Encoding {
    let mut encoding = Encoding::new(target);
    encoding.effort = Effort::Fast;
    encoding.importance = importance;
    encoding
}

/// Encodes, decodes, and checks that the report has both errors as they are measured here.
fn round_trip(tensor: &TensorBuf, encoding: &Encoding) -> (Encoded, TensorBuf) {
    let codec = Codec::new();
    let encoded = codec.encode(&tensor.view().unwrap(), encoding).unwrap();
    let back = codec.decode(&encoded).unwrap();
    let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-9 * a, "{a} {b}");
    close(Distortion::measure(tensor.dtype, &tensor.bytes, &back.bytes).nmse(), encoded.report.nmse);
    match &encoding.importance {
        Some(importance) => {
            let sums = Distortion::measure_weighted(tensor.dtype, &tensor.bytes, &back.bytes, importance);
            close(sums.nmse(), encoded.report.weighted_nmse.unwrap());
        }
        None => assert_eq!(encoded.report.weighted_nmse, None),
    }
    (encoded, back)
}

#[test]
fn the_weighted_error_is_clearly_lower_at_equal_bits() {
    let importance = lognormal();
    for dtype in [DType::F32, DType::Bf16] {
        let tensor = gaussian(dtype);
        for bits in [2.0, 3.0, 4.5] {
            let (without, back) = round_trip(&tensor, &fast(Target::Bits(bits), None));
            let (with, _) = round_trip(&tensor, &fast(Target::Bits(bits), Some(importance.clone())));
            assert!(with.report.bits() <= 1.003 * without.report.bits(), "{dtype} {bits}");
            let before = Distortion::measure_weighted(dtype, &tensor.bytes, &back.bytes, &importance).nmse();
            let gain = before / with.report.weighted_nmse.unwrap();
            assert!(gain > 1.3, "{dtype} at {bits} bits: {gain}");
            assert!(with.report.nmse > without.report.nmse, "somebody pays for it");
        }
    }
}

#[test]
fn an_nmse_target_is_on_the_weighted_nmse() {
    let tensor = gaussian(DType::F32);
    for nmse in [0.1, 1e-3] {
        let (encoded, _) = round_trip(&tensor, &fast(Target::Nmse(nmse), Some(lognormal())));
        let weighted = encoded.report.weighted_nmse.unwrap();
        assert!(weighted <= nmse && weighted > 0.8 * nmse, "{weighted} for {nmse}");
        assert!(encoded.report.nmse > nmse);
    }
}

#[test]
fn without_weights_and_with_equal_ones_the_same_bytes_come_out() {
    let tensor = gaussian(DType::F32);
    let uniform = Arc::new(Importance::new(&[0.3; COLS]).unwrap());
    assert_eq!(Encoding::new(Target::Bits(3.0)).importance, None);
    for target in [Target::Bits(3.0), Target::Nmse(0.01), Target::Step(0.3)] {
        let (without, _) = round_trip(&tensor, &fast(target, None));
        let (with, _) = round_trip(&tensor, &fast(target, Some(uniform.clone())));
        assert!(without.chunks == with.chunks, "{target}");
    }
}

#[test]
fn maximum_error_and_lossless_targets_code_as_without() {
    let tensor = gaussian(DType::F32);
    for target in [Target::MaxAbs(0.05), Target::Lossless] {
        let (without, _) = round_trip(&tensor, &fast(target, None));
        let (with, _) = round_trip(&tensor, &fast(target, Some(lognormal())));
        assert!(without.chunks == with.chunks, "{target}");
    }
}

#[test]
fn weights_that_gain_less_than_they_cost_are_passed_over() {
    // One chunk of 60 rows: a scale per column is 0.13 bit per value.
    let tensor = TensorBuf::from_f32(&[60, 4000], &noise(240_000, 3)).unwrap();
    let weights: Vec<f32> = noise(4000, 4).iter().map(|value| (0.2 * value).exp()).collect();
    let importance = Arc::new(Importance::new(&weights).unwrap());
    let (encoded, _) = round_trip(&tensor, &fast(Target::Bits(3.0), Some(importance)));
    assert_eq!(encoded.report.transform, "none");
}

#[test]
fn columns_without_weight_come_back_no_worse_than_as_zeros() {
    let mut tensor = gaussian(DType::F32);
    let at = 4 * (5 * COLS + 7);
    tensor.bytes[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let weights: Vec<f32> = (0..COLS).map(|at| if at % 10 == 7 { 0.0 } else { 1.0 }).collect();
    let importance = Arc::new(Importance::new(&weights).unwrap());
    for bits in [1.0, 2.0, 4.0] {
        let (encoded, back) = round_trip(&tensor, &fast(Target::Bits(bits), Some(importance.clone())));
        assert_eq!(back.bytes[at..at + 4], tensor.bytes[at..at + 4], "kept exactly, weight or not");
        assert!(encoded.report.transform.starts_with("column-scale@1"), "{}", encoded.report.transform);
        let (mut error, mut energy) = (0f64, 0f64);
        for (at, (a, b)) in tensor.to_f32().iter().zip(back.to_f32()).enumerate() {
            if weights[at % COLS] == 0.0 && a.is_finite() {
                error += f64::from(a - b).powi(2);
                energy += f64::from(*a).powi(2);
            }
        }
        assert!(error <= 1.001 * energy, "{bits} bits: {error} of {energy}");
    }
    // Nor does a tensor suffer that has values only where there is no weight.
    let mut values = vec![0.0; ROWS * COLS];
    values.iter_mut().skip(7).step_by(10).zip(noise(ROWS * COLS, 5)).for_each(|(value, v)| *value = v);
    let tensor = TensorBuf::from_f32(&[ROWS as u64, COLS as u64], &values).unwrap();
    let (encoded, _) = round_trip(&tensor, &fast(Target::Nmse(0.01), Some(importance)));
    assert!(encoded.report.nmse <= 1.0);
}

#[test]
fn a_chain_asked_for_runs_behind_the_scaling_and_rows_come_back_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weighted.arrow");
    let registry = default_registry();
    let tensor = gaussian(DType::F32);
    let mut encoding = fast(Target::Bits(3.0), Some(lognormal()));
    encoding.transform = TransformChoice::Chain(Chain::parse("centre+hadamard(64)", &|_| None).unwrap());
    encoding.chunk_values = 40_000;
    let mut writer = Writer::create(&path, false, &registry).unwrap();
    let report = writer.add("w", &tensor.view().unwrap(), &encoding).unwrap();
    writer.finish().unwrap();
    assert_eq!(report.transform, "column-scale@1+centre@1+hadamard@1(64,0)");
    assert!((report.bits() / 3.0 - 1.0).abs() < 0.01);
    let reader = Reader::open(&path, &registry, &Limits::default()).unwrap();
    let whole = reader.read("w").unwrap();
    let rows = reader.read_rows("w", 300..303).unwrap();
    assert_eq!(rows.bytes, whole.bytes[300 * COLS * 4..303 * COLS * 4]);
}

#[test]
fn weights_that_do_not_fit_the_tensor_are_refused() {
    let tensor = gaussian(DType::F32);
    let invalid = |encoding: &Encoding| match Codec::new().encode(&tensor.view().unwrap(), encoding) {
        Err(Error::Core(CoreError::Invalid(message))) => message,
        other => panic!("{other:?}"),
    };
    let short = Arc::new(Importance::new(&[1.0, 2.0]).unwrap());
    let message = invalid(&fast(Target::Bits(3.0), Some(short)));
    assert!(message.contains("importance of 2 columns") && message.contains("300"), "{message}");
    // The scales follow from weights, and from nothing else.
    let mut encoding = fast(Target::Bits(3.0), None);
    encoding.transform = TransformChoice::Chain(Chain::parse("column-scale", &|_| None).unwrap());
    assert!(invalid(&encoding).contains("importance"));
}
