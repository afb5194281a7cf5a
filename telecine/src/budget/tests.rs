//! Budgets over tensors of which nothing but their rates is there.

#![allow(clippy::cast_possible_truncation, reason = "a test that fails by panicking says where")]

use std::cell::RefCell;

use telecine_core::Error as CoreError;

use super::*;
use crate::{Error, Share};

fn shared(values: u64) -> BudgetItem {
    let framing_bytes = 200 * values.div_ceil(1 << 18);
    BudgetItem { values, framing_bytes, takes: Takes::Share { lossless: None }, share: Share::EVEN }
}

fn kept(values: u64, bytes: u64, vector: bool) -> BudgetItem {
    BudgetItem { takes: Takes::Kept { bytes, vector }, ..shared(values) }
}

/// Packs to the end: `encode` gives the bits per value that a tensor takes, or the least that it could.
fn pack(
    target: Target,
    mut items: Vec<BudgetItem>,
    encode: impl Fn(usize, f64) -> Result<f64, f64>,
) -> (crate::Result<u64>, u32) {
    release(target, &mut items).unwrap();
    let mut budget = Budget::new(target, &items).unwrap();
    let framing = Framing::measure().unwrap();
    for pass in 1.. {
        let mut written = framing.file;
        for (index, item) in items.iter().enumerate() {
            let mut target = budget.target_for_next(written);
            let bytes = loop {
                match (target, item.takes) {
                    (Target::Lossless, Takes::Fixed(bytes) | Takes::Kept { bytes, .. }) => break bytes,
                    (Target::Lossless, Takes::Share { lossless }) => {
                        break lossless.unwrap_or(4 * item.values);
                    }
                    (Target::Bits(bits), _) => match encode(index, bits) {
                        Ok(bits) => break (bits * item.values as f64 / 8.0) as u64,
                        Err(least) => target = budget.out_of_reach(Target::Bits(least)),
                    },
                    (target, _) => panic!("{target}"),
                }
            };
            budget.done(bytes);
            if written == framing.file {
                written += framing.batch();
            }
            written += bytes + item.framing_bytes;
        }
        match budget.next_pass(written) {
            Ok(true) => (),
            Ok(false) => return (Ok(written), pass),
            Err(error) => return (Err(error), pass),
        }
    }
    unreachable!()
}

fn bits(file: u64, items: &[BudgetItem]) -> f64 {
    file as f64 * 8.0 / items.iter().map(|item| item.values as f64).sum::<f64>()
}

#[test]
fn what_is_kept_and_the_container_come_out_of_the_share_of_the_others() {
    let items = vec![shared(10_000_000), kept(50_000, 200_000, true), shared(10_000_000)];
    let given = RefCell::new(Vec::new());
    let (file, passes) = pack(Target::Bits(3.0), items.clone(), |_, bits| {
        given.borrow_mut().push(bits);
        Ok(bits)
    });
    let found = bits(file.unwrap(), &items);
    assert!((0.997..=1.0).contains(&(found / 3.0)) && passes == 1, "{found} in {passes}");
    assert!(given.borrow().iter().all(|bits| (2.9..3.0).contains(bits)), "{given:?}");
}

#[test]
fn a_tensor_that_can_take_no_less_is_paid_for_by_the_others_also_by_earlier_ones() {
    let items = vec![shared(1_000_000), shared(1_000_000), shared(1_000_000)];
    let encode = |index: usize, bits: f64| if index == 2 && bits < 2.0 { Err(2.0) } else { Ok(bits) };
    let (file, passes) = pack(Target::Bits(1.0), items.clone(), encode);
    let found = bits(file.unwrap(), &items);
    assert!((0.99..=1.0).contains(&found) && passes == 2, "{found} in {passes}");
}

#[test]
fn what_late_tensors_cannot_use_goes_to_earlier_ones_in_a_second_pass() {
    let items = vec![shared(1_000_000), shared(1_000_000)];
    let encode = |index: usize, bits: f64| Ok(if index == 1 { bits.min(0.5) } else { bits });
    let (file, passes) = pack(Target::Bits(3.0), items.clone(), encode);
    let found = bits(file.unwrap(), &items);
    assert!((2.97..=3.0).contains(&found) && passes == 2, "{found} in {passes}");
}

#[test]
fn a_miss_does_not_starve_a_small_tensor_behind_a_large_one() {
    let items = vec![shared(50_000_000), shared(20_000)];
    let given = RefCell::new(Vec::new());
    let (file, _) = pack(Target::Bits(2.0), items.clone(), |index, bits| {
        given.borrow_mut().push((index, bits));
        Ok(if index == 0 { 1.0019 * bits } else { bits })
    });
    let found = bits(file.unwrap(), &items);
    assert!(found <= 2.0, "{found}");
    assert!(given.borrow().iter().all(|(_, bits)| *bits > 1.4), "{given:?}");
}

#[test]
fn an_overrun_is_written_again_until_it_is_within_its_target() {
    for target in [Target::Bits(2.0), Target::Bytes(500_000)] {
        let items = vec![shared(1_000_000), shared(1_000_000)];
        let (file, passes) = pack(target, items.clone(), |_, bits| Ok(1.01 * bits));
        let file = file.unwrap();
        assert!(file <= 500_000 && file > 490_000 && passes <= 3, "{target}: {file} in {passes}");
    }
}

#[test]
fn a_budget_below_the_least_is_refused_with_the_least_which_then_is_met() {
    let items =
        || (0..300).map(|index| BudgetItem { framing_bytes: 180, ..shared(100 + index) }).collect::<Vec<_>>();
    let encode = |index: usize, bits: f64| {
        if bits < 1.0 + index as f64 / 300.0 { Err(1.0 + index as f64 / 300.0) } else { Ok(bits) }
    };
    for target in [Target::Bits(2.0), Target::Bytes(20_000)] {
        let refused = pack(target, items(), encode).0.unwrap_err();
        let Error::Core(CoreError::OutOfReach { wanted, nearest }) = refused else { panic!("{refused}") };
        assert_eq!(wanted, target);
        let file = pack(nearest, items(), encode).0.unwrap();
        match nearest {
            Target::Bits(wanted) => assert!(bits(file, &items()) <= wanted, "{wanted}"),
            Target::Bytes(most) => assert!(file <= most, "{file} of {most}"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn tensors_outside_do_not_count() {
    let items = [shared(1_000_000), shared(1_000_000)];
    let mut budget = Budget::new(Target::Bits(4.0), &items).unwrap();
    let Target::Bits(first) = budget.target_for_next(3298) else { panic!() };
    budget.done(510_000);
    budget.written_outside(300_000);
    let Target::Bits(second) = budget.target_for_next(3298 + 1700 + 300_000 + 510_000 + 4 * 200) else {
        panic!()
    };
    assert!(second < first && second > 3.8, "{first} {second}");
}

#[test]
fn small_matrices_share_before_vectors_and_large_vectors_before_small_ones() {
    let kinds = |bits: f64, items: &[BudgetItem]| -> Vec<bool> {
        let mut items = items.to_vec();
        release(Target::Bits(bits), &mut items).unwrap();
        items.iter().map(BudgetItem::shares).collect()
    };
    // A model with norms: all are kept.
    let norms = [shared(10_000_000), kept(4000, 8000, true), kept(3000, 6000, false)];
    assert_eq!(kinds(3.0, &norms), [true, false, false]);
    // Many small matrices, at fewer bits than lossless takes and at as many.
    let mut pairs = vec![kept(1280, 2400, false); 64];
    pairs.push(kept(320, 600, true));
    assert_eq!(kinds(4.0, &pairs), [vec![true; 64], vec![false]].concat());
    assert_eq!(kinds(18.0, &pairs), vec![false; 65]);
    // Vectors of half of the model.
    let vectors = [shared(100_000), kept(90_000, 180_000, true), kept(1000, 2000, true)];
    assert_eq!(kinds(4.0, &vectors), [true, true, false]);
    // What takes a few bytes has no lossy form.
    assert_eq!(kinds(1.0, &vec![kept(1, 5, true); 100]), vec![false; 100]);
}

#[test]
fn many_tensors_take_no_time() {
    let items: Vec<_> = (0..20_000).map(|index| shared(1000 + index)).collect();
    let (file, _) = pack(Target::Bits(4.0), items.clone(), |_, bits| Ok(bits));
    assert!((3.96..=4.0).contains(&bits(file.unwrap(), &items)));
}
