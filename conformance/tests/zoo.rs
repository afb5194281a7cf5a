//! The zoo, held to every promise with the always-on backends: also to those that no backend can break, because the
//! pipeline alone keeps them.
//!
//! `cargo run --profile test -p telecine-conformance --example zoo` does the same for every dtype and prints every
//! violation.

#![allow(clippy::unwrap_used, reason = "a test that fails by panicking says where")]

use rayon::prelude::*;
use telecine_backends::default_registry;
use telecine_conformance::zoo::{PROMISES, Trial, makers};
use telecine_core::{CodecId, DType, Effort, Encoding, Target};

/// Every promise on every maker's tensors of some dtypes, with one in `stride` of the targets.
fn all_promises_hold(codec: Option<CodecId>, effort: Effort, stride: usize, dtypes: fn(usize) -> Vec<DType>) {
    let registry = default_registry();
    let mut encoding = Encoding::new(Target::Lossless);
    (encoding.codec, encoding.effort) = (codec, effort);
    let pairs: Vec<_> = makers()
        .enumerate()
        .flat_map(|(at, maker)| dtypes(at).into_iter().map(move |dtype| (at, maker, dtype)))
        .collect();
    let violations: Vec<_> = pairs
        .par_iter()
        .filter_map(|(at, maker, dtype)| Some((at, maker.make(*dtype, 2)?)))
        .flat_map_iter(|(at, specimen)| {
            let mut trial = Trial::new(&specimen, &registry, &encoding).every(stride, *at);
            PROMISES.iter().flat_map(|promise| trial.check(promise).1).collect::<Vec<_>>()
        })
        .map(|violation| format!("{}: {violation}", violation.promise))
        .collect();
    let shown = violations.iter().take(20).fold(String::new(), |text, line| text + "\n" + line);
    assert!(violations.is_empty(), "{} violations:{shown}", violations.len());
}

/// One dtype for every third maker, all of them in turn: the whole takes the tool an hour of processor time.
fn in_turn(at: usize) -> Vec<DType> {
    if at.is_multiple_of(3) { vec![DType::ALL[at / 3 % DType::ALL.len()]] } else { Vec::new() }
}

#[test]
fn the_library_keeps_every_promise_by_its_own_choice_of_codec() {
    all_promises_hold(None, Effort::Fast, 7, |at| vec![[DType::F32, DType::Bf16, DType::F64][at % 3]]);
}

#[test]
fn native_keeps_every_promise() {
    all_promises_hold(Some(CodecId::NATIVE), Effort::Fast, 7, in_turn);
}

#[test]
fn native_keeps_every_promise_at_the_default_effort() {
    all_promises_hold(Some(CodecId::NATIVE), Effort::default(), 17, in_turn);
}

#[test]
fn zstd_keeps_every_promise() {
    all_promises_hold(Some(CodecId::ZSTD), Effort::Fast, 11, in_turn);
}

#[test]
fn raw_keeps_every_promise() {
    all_promises_hold(Some(CodecId::RAW), Effort::Fast, 11, in_turn);
}
