//! The suite is itself tested: each deliberately broken backend is caught by the rules meant for it, each rule catches
//! one, and no sound backend is failed.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

mod broken;
mod fault;
mod kinds;
mod mutant;
mod sound;
mod uniform;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use telecine_conformance::{CountingAllocator, Rule, Subject, Suite, Variant, Verdict, all};
use telecine_core::{Backend, Capabilities, Registry};
use telecine_native::Native;
use telecine_zstd::Zstd;

use crate::broken::Broken;
use crate::fault::{FAULTS, Fault};
use crate::mutant::Mutant;
use crate::sound::Shaped;
use crate::uniform::Uniform;

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
    let kinds = kinds::all();
    let caught: HashSet<_> = FAULTS.iter().flat_map(|(_, rules)| rules.iter().copied()).collect();
    let caught: HashSet<_> = caught.into_iter().chain(kinds.iter().map(|broken| broken.rule)).collect();
    for rule in all() {
        assert!(caught.contains(rule.id), "no mutant for {}", rule.id);
    }
    let mut by_kind: BTreeMap<_, HashSet<_>> = BTreeMap::new();
    for broken in &kinds {
        assert!(
            by_kind.entry(broken.kind).or_default().insert(broken.name),
            "{} is there twice",
            broken.name
        );
    }
    assert!(by_kind.len() >= 13 && by_kind.values().all(|names| names.len() >= 3), "{by_kind:#?}");
}

#[test]
fn every_kind_of_fault_is_caught_by_the_rule_meant_for_it() {
    std::panic::set_hook(Box::new(|_| ()));
    let mut missed = Vec::new();
    for broken in kinds::all() {
        let subject = Subject::new(Arc::new(broken.clone()), Vec::new()).quick(true);
        match rule(broken.rule).run(&subject) {
            Verdict::Broken { failure, .. } => println!("{}, {}: {failure}", broken.name, broken.rule),
            verdict => missed.push(format!("{}, {}: {verdict}", broken.name, broken.rule)),
        }
    }
    let _ = std::panic::take_hook();
    assert!(missed.is_empty(), "not caught: {missed:#?}");
}

#[test]
fn a_backend_that_shares_nothing_with_ours_is_failed_by_no_rule() {
    let sound: [Arc<dyn Backend>; 2] = [Uniform::backend(), Arc::new(Broken::new("none", "no fault", ""))];
    for backend in sound {
        let name = backend.info().name;
        let subject = Subject::new(backend, Vec::new()).quick(true);
        // What zstd makes of levels is far from their entropy: other rules are asked.
        let is_asked = |id: &str| {
            !id.contains("near-shannon") && !["zoo/bits-well-spent", "zoo/max-abs-curve"].contains(&id)
        };
        let rules = all().into_iter().filter(|rule| is_asked(rule.id));
        let verdicts: Vec<_> = rules.map(|rule| (rule.id, rule.run(&subject))).collect();
        let broken: Vec<_> = verdicts.iter().filter(|(_, verdict)| verdict.is_broken()).collect();
        assert!(broken.is_empty(), "{name}: {broken:#?}");
        let silent = verdicts.iter().filter(|(_, v)| matches!(v, Verdict::NotApplicable { .. }));
        let silent: Vec<_> = silent.map(|(id, _)| *id).collect();
        let expected =
            ["determinism/any-instructions", "cross-decoding/same-samples", "outside-decoder/same-samples"];
        assert_eq!(silent, expected, "{name}: every other rule applies to it");
    }
}

/// Endless recursion that the compiler keeps.
fn recurse(depth: u64) -> u64 {
    let held = std::hint::black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { recurse(depth + 1) + held[7] }
}

#[cfg(unix)]
#[test]
fn a_report_comes_and_names_the_rule_whatever_a_backend_does() {
    let deadly = [
        Broken::new("none", "aborts", "SIGABRT").before(|_, _, _, _| std::process::abort()),
        Broken::new("none", "exits", "status 0").before(|_, _, _, _| std::process::exit(0)),
        Broken::new("none", "recurses", "SIG").before(|_, _, samples, _| {
            samples[0] = recurse(0) as u16;
            Ok(())
        }),
        Broken::new("none", "asks for all memory", "SIGABRT").before(|_, _, _, _| {
            std::hint::black_box(vec![1u8; 1 << 40]);
            Ok(())
        }),
        Broken::new("none", "keeps threads", "").made(|_| {
            drop(std::thread::spawn(|| {
                loop {
                    std::thread::park()
                }
            }))
        }),
    ];
    for backend in deadly {
        let (name, wanted) = (backend.name, backend.rule);
        let mut registry = Registry::new();
        registry.register(Arc::new(backend)).unwrap();
        let suite = Suite::of(&registry).quick(true);
        let report =
            suite.keep(|name| name.contains("lossless-exact") || name.contains("threads")).run(&|_| ());
        let text = report.to_string();
        assert!(
            !report.passed() && text.contains(wanted) && text.contains("broken/limits/no-threads-left"),
            "{name}: {text}"
        );
    }
    let mut registry = Registry::new();
    let deadly = Broken::new("none", "aborts", "").probe(|| std::process::abort());
    registry.register(Arc::new(deadly)).unwrap();
    registry.register(Uniform::backend()).unwrap();
    let report = Suite::of(&registry).keep(|name| name.ends_with("probe-agrees")).run(&|_| ());
    let text = report.to_string();
    assert!(!report.passed() && text.contains("broken: REQUIRED, its probe ends the process"), "{text}");
    assert!(text.contains("uniform: 1 guarantees hold"), "{text}");
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
