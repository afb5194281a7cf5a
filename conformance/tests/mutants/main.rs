//! The suite is itself tested: each deliberately broken backend is caught by the rules meant for it, each rule catches
//! one, and no sound backend is failed.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

mod fault;
mod mutant;
mod sound;

use std::collections::HashSet;
use std::sync::Arc;

use telecine_conformance::{CountingAllocator, Rule, Subject, Variant, Verdict, all};
use telecine_core::{Backend, Capabilities};
use telecine_native::Native;
use telecine_zstd::Zstd;

use crate::fault::{FAULTS, Fault};
use crate::mutant::Mutant;
use crate::sound::Shaped;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The mutant beside sound backends of its codec, and a sound variant of itself.
fn subject(fault: Fault) -> Subject {
    let mutant =
        Arc::new(Mutant::new(if fault == Fault::OtherInstructionsDiffer { Fault::None } else { fault }));
    let peer: Arc<dyn Backend> =
        if fault == Fault::IsNotStandard { Arc::new(Zstd) } else { Arc::new(Native::default()) };
    let name = "other instructions".to_owned();
    let other = if fault == Fault::OtherInstructionsDiffer { fault } else { Fault::None };
    let variants = vec![Variant { name, backend: Arc::new(Mutant::new(other)) }];
    Subject::new(mutant, vec![peer]).with_variants(variants).quick(true)
}

fn rule(id: &str) -> Rule {
    all().into_iter().find(|rule| rule.id == id).unwrap_or_else(|| panic!("no rule {id}"))
}

#[test]
fn every_mutant_is_caught_by_the_rules_meant_for_it() {
    // Panics are findings here: their messages would only hide those of the test.
    std::panic::set_hook(Box::new(|_| ()));
    let mut missed = Vec::new();
    for &(fault, rules) in FAULTS {
        let subject = subject(fault);
        for id in rules {
            match rule(id).run(&subject) {
                Verdict::Broken { failure, .. } => println!("{fault:?}, {id}: {failure}"),
                verdict => missed.push(format!("{fault:?}, {id}: {verdict}")),
            }
        }
    }
    let _ = std::panic::take_hook();
    assert!(missed.is_empty(), "not caught: {missed:#?}");
}

#[test]
fn the_mutants_are_many_and_every_rule_catches_one() {
    assert!(FAULTS.len() >= 50);
    assert_eq!(FAULTS.iter().map(|(fault, _)| fault).collect::<HashSet<_>>().len(), FAULTS.len());
    let caught: HashSet<_> = FAULTS.iter().flat_map(|(_, rules)| *rules).collect();
    for rule in all() {
        assert!(caught.contains(&rule.id), "no mutant for {}", rule.id);
    }
}

#[test]
fn a_mutant_without_a_fault_is_failed_by_no_rule() {
    let subject = subject(Fault::None);
    let verdicts: Vec<_> = all().into_iter().map(|rule| (rule.id, rule.run(&subject))).collect();
    let broken: Vec<_> = verdicts.iter().filter(|(_, verdict)| verdict.is_broken()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let silent: Vec<_> = verdicts
        .iter()
        .filter(|(_, v)| matches!(v, Verdict::NotApplicable { .. }))
        .map(|(id, _)| *id)
        .collect();
    assert_eq!(silent, ["outside-decoder/same-samples"], "every other rule applies to it");
}

#[test]
fn rules_have_ids_of_their_family_and_sentences() {
    let rules = all();
    assert_eq!(rules.iter().map(|rule| rule.id).collect::<HashSet<_>>().len(), rules.len());
    for rule in rules {
        let name = rule.id.strip_prefix(rule.family.id()).and_then(|rest| rest.strip_prefix('/'));
        assert!(
            name.is_some_and(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')),
            "{}",
            rule.id
        );
        assert!(rule.guarantee.ends_with('.') && rule.guarantee.len() <= 130, "{}", rule.guarantee);
    }
}

#[test]
fn sound_backends_of_any_shape_are_failed_by_no_rule() {
    let video = |capabilities: &mut Capabilities| {
        (capabilities.lossless, capabilities.depths, capabilities.align) = (false, &[8, 10, 12], 8);
        (capabilities.width, capabilities.height, capabilities.max_frames) = (64..=1024, 64..=512, 300);
    };
    let shapes = [
        Shaped::backend("encodes only", true, false, |_| ()),
        Shaped::backend("decodes only", false, true, |_| ()),
        Shaped::backend("video", true, true, video),
        Shaped::backend("video encoder", true, false, video),
        Shaped::backend("video, one depth, one frame", true, true, |capabilities| {
            video(capabilities);
            (capabilities.depths, capabilities.max_frames) = (&[8], 1);
        }),
        Shaped::backend("lossless only, even sizes", true, true, |capabilities| {
            (capabilities.lossy, capabilities.align) = (false, 2);
            (capabilities.width, capabilities.height) = (2..=1 << 20, 2..=1 << 20);
        }),
    ];
    for backend in shapes {
        let name = backend.info().name;
        let subject = Subject::new(backend, vec![Arc::new(Native::default())]).quick(true);
        let verdicts = all().into_iter().map(|rule| (rule.id, rule.run(&subject)));
        let broken: Vec<_> = verdicts.filter(|(_, verdict)| verdict.is_broken()).collect();
        assert!(broken.is_empty(), "{name}: {broken:#?}");
    }
}
