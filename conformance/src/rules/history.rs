//! What was before, in this process or another, does not show.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use telecine_core::{EncodeOptions, GroupSpec, Quality};

use super::EFFORTS;
use crate::process::{Ended, in_child};
use crate::shapes::{any_content, groups};
use crate::signal::{at_depth, mean_squared_error};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "recovery/a-thousand-groups",
        family: Family::Recovery,
        guarantee: "An encoder and a decoder code a thousand mixed groups, with damage and errors between, like fresh ones.",
        applies: |subject| subject.is_complete(),
        run: a_thousand_groups,
    },
    Rule {
        id: "determinism/any-process",
        family: Family::Determinism,
        guarantee: "Other processes, at other times and after other groups, make the same packets and samples.",
        applies: |subject| {
            subject.is_complete()?;
            subject.has_children()
        },
        run: any_process,
    },
];

/// The qualities that the encoder takes, the step drawn anew.
fn quality(subject: &Subject, spec: &GroupSpec, rng: &mut SmallRng) -> Quality {
    let range = f32::from(spec.max_sample());
    let step = range / rng.random_range(10.0..range / 2.0);
    let qualities = subject.qualities(step.max(subject.promised_step(spec.depth, step)));
    qualities[rng.random_range(0..qualities.len())]
}

fn a_thousand_groups(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let mut rng = SmallRng::seed_from_u64(271);
    let count = match (subject.is_quick(), subject.has_large_groups()) {
        (false, _) => 1000,
        (true, false) => 400,
        (true, true) => 60,
    };
    for (spec, options) in [
        (subject.spec(1, 24, 20, 16)?, EncodeOptions::default()),
        (subject.spec(2, 11, 13, 10)?, EncodeOptions::default().with_inter(true)),
    ] {
        let mut encoder = subject.encoding()?.encoder(spec, &options)?;
        let mut decoder = subject.decoding()?.decoder(spec)?;
        for group in 0..count {
            let (name, samples) = any_content(&spec, group);
            let quality = quality(subject, &spec, &mut rng);
            let mut packet = Vec::new();
            encoder.encode(&samples, quality, &mut packet)?;
            let fresh = subject.encode_as(spec, &samples, quality, &options)?;
            let what = || format!("group {group}, {name}, {spec:?}, {quality:?}");
            cases.check(packet == fresh, || format!("{}: another packet than a fresh encoder's", what()))?;
            let mut decoded = vec![0x1234; spec.samples()];
            decoder.decode(&packet, &mut decoded)?;
            let same = decoded == subject.decode(spec, &packet)?;
            cases.check(same, || format!("{}: other samples than a fresh decoder's", what()))?;
            let error = mean_squared_error(&samples, &decoded);
            let bound = match quality {
                Quality::Lossless => 0.0,
                // Of one value for all, the error is anything up to half a step, and rounded.
                Quality::Step(step) => (f64::from(step) / 2.0 + 1.0).powi(2),
            };
            cases.check(error <= bound, || format!("{}: mean squared error {error:.3}", what()))?;
            // What comes of these is other rules' business. Now and then there are many in a row.
            for _ in 0..if group % 128 == 50 { 150 } else { rng.random_range(0..3) } {
                let mut damaged = packet.clone();
                let at = rng.random_range(0..packet.len());
                match rng.random_range(0..4) {
                    0 => damaged[at] ^= 1 << rng.random_range(0..8),
                    1 => damaged.truncate(at),
                    2 => damaged.fill_with(|| rng.random()),
                    _ => damaged.extend_from_slice(&packet),
                }
                let _ = decoder.decode(&damaged, &mut decoded);
            }
            match rng.random_range(0..6) {
                0 => drop(encoder.encode(&samples[1..], quality, &mut packet)),
                1 => drop(encoder.encode(&samples, Quality::Step(f32::NAN), &mut packet)),
                2 => drop(decoder.decode(&packet, &mut decoded[1..])),
                _ => (),
            }
        }
    }
    Ok(())
}

/// A hash of the packets of mixed groups, and of what they decode to.
fn digest(subject: &Subject) -> Result<Vec<u64>, Failure> {
    let mut rng = SmallRng::seed_from_u64(272);
    let few = if subject.is_quick() { 24 } else { 72 };
    let mut digests = Vec::new();
    let specs = groups(subject, 1, 273)?;
    for (seed, spec) in (0u64..).zip(specs.into_iter().filter(|spec| spec.samples() < 40_000).take(few)) {
        let (_, samples) = any_content(&spec, seed);
        let effort = EFFORTS[usize::try_from(seed).unwrap_or(0) % 3];
        let packet = subject.encode_with(spec, &samples, quality(subject, &spec, &mut rng), effort)?;
        let mut hasher = DefaultHasher::new();
        packet.hash(&mut hasher);
        subject.decode(spec, &packet)?.hash(&mut hasher);
        digests.push(hasher.finish());
    }
    Ok(digests)
}

/// Groups that have nothing to do with those of the digest.
fn other_groups(subject: &Subject) -> Result<(), Failure> {
    let spec = subject.spec(1, 30, 34, 16)?;
    let count = match (subject.is_quick(), subject.has_large_groups()) {
        (_, true) => 10,
        (true, false) => 150,
        (false, false) => 600,
    };
    for seed in 0..count {
        let (_, samples) = any_content(&spec, seed + 5000);
        for quality in subject.qualities(at_depth(&spec, 700.0)) {
            let packet = subject.encode(spec, &samples, quality)?;
            subject.decode(spec, &packet)?;
            let _ = subject.decode(spec, &packet[..packet.len() / 2]);
        }
    }
    Ok(())
}

/// The digest by a process of its own, after it waited and coded other groups.
fn digest_of_a_child(subject: &Subject, wait: Duration, others: bool) -> Result<Vec<u64>, Failure> {
    let work = |_| {
        std::thread::sleep(wait);
        // Folder and history are other ones, too.
        let before =
            if others { std::env::set_current_dir("/").ok().map(|()| other_groups(subject)) } else { None };
        let digests = before.unwrap_or(Ok(())).and_then(|()| digest(subject)).map_err(|failure| failure.0);
        serde_json::to_vec(&digests).unwrap_or_default()
    };
    match in_child(subject.time_limit(), work).0 {
        Ended::Done(bytes) => serde_json::from_slice::<Result<Vec<u64>, String>>(&bytes)
            .map_err(|error| Failure(format!("the child's digest is damaged: {error}")))?
            .map_err(Failure),
        Ended::Died(how) => Err(Failure(format!("a child process ended: {how}"))),
        Ended::TookTooLong => Err(Failure("a child process took too long".into())),
        Ended::NoChild(why) => Err(Failure(why)),
    }
}

fn any_process(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    // Not by this process: its children would inherit what a backend keeps for a process.
    let here = digest_of_a_child(subject, Duration::ZERO, false)?;
    let last = if subject.is_quick() { 350 } else { 3100 };
    for (millis, others) in [(0, false), (0, true), (1050, true), (last, false)] {
        let wait = Duration::from_millis(millis);
        let there = digest_of_a_child(subject, wait, others)?;
        for (group, (here, there)) in here.iter().zip(&there).enumerate() {
            cases.check(here == there, || {
                let history = if others { "after other groups" } else { "without other groups before" };
                format!("another process, {millis} ms later and {history}, codes group {group} otherwise")
            })?;
        }
        cases.check(here.len() == there.len(), || "another process codes other groups".into())?;
    }
    Ok(())
}
