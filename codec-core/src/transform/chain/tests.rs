//! Chains come back, read back, and refuse what is written wrong.

use super::*;
use proptest::prelude::*;

fn basis(cols: usize) -> Arc<Basis> {
    // A Householder reflection: I − 2 v vᵀ / |v|².
    let v: Vec<f32> = (0..cols).map(|i| 1.0 + (i % 5) as f32).collect();
    let norm: f32 = v.iter().map(|x| x * x).sum();
    let entry = |i: usize, j: usize| if i == j { 1.0 } else { 0.0 } - 2.0 * v[i] * v[j] / norm;
    let values = (0..cols * cols).map(|at| entry(at / cols, at % cols)).collect();
    Arc::new(Basis::new(cols, values).unwrap())
}

fn importance(cols: usize) -> Arc<Importance> {
    let weights: Vec<f32> = (0..cols).map(|i| [3.0, 0.0, 0.25][i % 3]).collect();
    Arc::new(Importance::new(&weights).unwrap())
}

fn steps(cols: usize) -> impl Strategy<Value = Vec<Transform>> {
    let step = prop_oneof![
        Just(Transform::centre()),
        Just(Transform::row_scale()),
        Just(Transform::column_scale(importance(cols))),
        (1u32..10, any::<u64>()).prop_map(|(log, seed)| Transform::hadamard(1 << log, seed).unwrap()),
        (3u32..7).prop_map(|log| Transform::dct(1 << log).unwrap()),
        Just(Transform::klt(basis(cols))),
    ];
    prop::collection::vec(step, 0..4)
}

proptest! {
    #[test]
    fn every_chain_comes_back_and_reads_back(
        (cols, steps) in (1usize..70).prop_flat_map(|cols| (Just(cols), steps(cols))), rows in 1usize..80, seed in any::<u32>()
    ) {
        let chain = Chain::new(steps).unwrap();
        let held = basis(cols);
        let read = Chain::parse(&chain.to_string(), &|id| (id == held.id()).then(|| held.clone())).unwrap();
        prop_assert_eq!(read.to_string(), chain.to_string());
        let scalings = chain.steps.iter().filter(|step| matches!(step.0, Step::ColumnScale(_))).count();
        prop_assert!(read == chain || scalings > 0, "scales are not in the text");
        let original: Vec<f32> =
            (0..rows * cols).map(|i| ((i as u32 ^ seed).wrapping_mul(2_654_435_761) >> 8) as f32 / 1e6 - 8.0).collect();
        let mut values = original.clone();
        let mut side = Vec::new();
        chain.forward(&mut values, rows, cols, 0.0, &mut side).unwrap();
        if chain.steps.iter().all(|s| s.is_orthonormal() && *s != Transform::centre()) {
            let energy = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
            prop_assert!((energy(&values) / energy(&original) - 1.0).abs() < 1e-4);
        }
        let mut rest = side.as_slice();
        read.inverse(&mut values, rows, cols, &mut rest).unwrap();
        prop_assert!(rest.is_empty());
        // Rounding behind a scaling grows with the largest scale.
        let most = [2e-3, 0.1, 5.0, 300.0][scalings];
        for (a, b) in original.iter().zip(&values) {
            prop_assert!((a - b).abs() < most, "{} {}", a, b);
        }
        for len in 0..side.len() {
            let result = read.inverse(&mut values, rows, cols, &mut &side[..len]);
            prop_assert!(matches!(result, Err(Error::Corrupt(_))));
        }
        // Hostile parameters make values of some kind.
        let junk = vec![seed.to_le_bytes()[0]; side.len()];
        read.inverse(&mut values, rows, cols, &mut junk.as_slice()).unwrap();
    }
}

#[test]
fn importance_comes_first_and_leaves_room_for_it() {
    let weights = importance(6);
    let chain = |steps: usize| Chain::new(vec![Transform::centre(); steps]).unwrap();
    assert_eq!(chain(1).behind_importance(&weights).unwrap().to_string(), "column-scale@1+centre@1");
    assert!(matches!(chain(8).behind_importance(&weights), Err(Error::Invalid(_))));
    let uniform = Arc::new(Importance::new(&[2.0; 6]).unwrap());
    assert_eq!(chain(8).behind_importance(&uniform).unwrap(), chain(8));
    // From text alone nobody knows the scales.
    let read = Chain::parse("column-scale", &|_| None).unwrap();
    assert!(matches!(read.forward(&mut [0.0; 6], 1, 6, 1.0, &mut Vec::new()), Err(Error::Invalid(_))));
    let scaled = chain(0).behind_importance(&weights).unwrap();
    assert!(matches!(scaled.forward(&mut [0.0; 6], 2, 3, 1.0, &mut Vec::new()), Err(Error::Invalid(_))));
}

#[test]
fn what_is_written_wrong_is_told_from_what_is_newer() {
    let parse = |text: &str| Chain::parse(text, &|_| None);
    assert_eq!(parse("hadamard").unwrap().to_string(), "hadamard@1(128,0)");
    assert_eq!(parse("centre + dct(8)").unwrap().to_string(), "centre@1+dct@1(8)");
    for newer in ["dct@2(32)", "wavelet@1", "auto"] {
        assert!(matches!(parse(newer), Err(Error::Unsupported(_))), "{newer}");
    }
    for wrong in [
        "dct(7)",
        "dct(8",
        "hadamard(3,1)",
        "hadamard(2,x)",
        "centre(1)",
        "klt",
        "klt(00)",
        "hadamard(131072,0)",
    ] {
        assert!(matches!(parse(wrong), Err(Error::Invalid(_))), "{wrong}");
    }
}

#[test]
fn what_no_reader_takes_cannot_be_made() {
    for block in [0, 1, 3, 96, 131_072, u32::MAX] {
        assert!(matches!(Transform::hadamard(block, 0), Err(Error::Invalid(_))), "{block}");
    }
    for block in [0, 1, 7, 128, u32::MAX] {
        assert!(matches!(Transform::dct(block), Err(Error::Invalid(_))), "{block}");
    }
    assert!(matches!(Chain::new(vec![Transform::centre(); 9]), Err(Error::Invalid(_))));
    let longest = Chain::new(vec![Transform::hadamard(65_536, u64::MAX).unwrap(); 8]).unwrap();
    assert_eq!(Chain::parse(&longest.to_string(), &|_| None).unwrap(), longest);
}

#[test]
fn the_bases_that_a_text_names_are_found_without_them() {
    let basis = basis(3);
    let steps = vec![Transform::klt(basis.clone()), Transform::centre(), Transform::klt(basis.clone())];
    let text = Chain::new(steps).unwrap().to_string();
    assert_eq!(Chain::basis_ids(&text), [basis.id()]);
    assert_eq!(Chain::basis_ids("centre + klt( 0a ) + klt@1(ff,)"), [10, 255]);
    for text in ["none", "klt", "klt@1(", "klt@1(x)", "centre@1(12)", ""] {
        assert!(Chain::basis_ids(text).is_empty(), "{text}");
    }
    // All that are read are found.
    for text in ["klt(0a)", " klt@1( a )", "klt@1(A,)", "klt@1(,a)"] {
        let found = std::cell::Cell::new(0);
        let _ = Chain::parse(text, &|id| {
            found.set(id);
            None
        });
        assert_eq!(Chain::basis_ids(text), [found.get()], "{text}");
    }
}
