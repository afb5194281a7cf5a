//! Memory and threads that are kept, at any step and over many creations.

use telecine_core::{EncodeOptions, GroupSpec, Limits, Quality};

use super::EFFORTS;
use crate::alloc::{is_counting, kept, peak};
use crate::process::{open_files, private_memory, threads, threads_settled};
use crate::shapes::any_content;
use crate::signal::at_depth;
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "limits/encoder-memory-at-any-step",
        family: Family::Limits,
        guarantee: "Encoding holds at most 64 bytes per sample and 32 MiB at every step and effort.",
        applies: |subject| {
            subject.is_lossy()?;
            if is_counting() { Ok(()) } else { Err("this binary does not count its allocations") }
        },
        run: memory_at_any_step,
    },
    Rule {
        id: "limits/creations-keep-nothing",
        family: Family::Limits,
        guarantee: "300 encoders and decoders made, used and dropped, and 300 failures, keep no memory, over all threads.",
        applies: |subject| {
            subject.is_complete()?;
            subject.has_children()?;
            let seen = is_counting() || private_memory().is_some();
            if seen { Ok(()) } else { Err("neither this binary nor the system counts its memory") }
        },
        run: creations_keep_nothing,
    },
    Rule {
        id: "limits/no-threads-left",
        family: Family::Limits,
        guarantee: "300 encoders and decoders made, used and dropped, and 300 failures, leave no thread and no open file.",
        applies: |subject| {
            subject.is_complete()?;
            subject.has_children()?;
            if threads().is_some() { Ok(()) } else { Err("the system does not count threads") }
        },
        run: no_threads_left,
    },
];

fn memory_at_any_step(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    const STEPS: [f32; 14] =
        [1e-45, 1e-20, 1e-6, 0.01, 0.5, 1.0, 7.7, 300.0, 2000.0, 2e4, 65_535.0, 1e9, 1e20, f32::MAX];
    for (frames, height, width, depth) in [(1, 64, 64, 16), (1, 1, 1, 8), (3, 40, 40, 12)] {
        let spec = subject.spec(frames, height, width, depth)?;
        let bound = 64 * spec.samples() as u64 + (32 << 20);
        for kind in 0..if subject.is_quick() { 2 } else { 6 } {
            let (name, samples) = any_content(&spec, kind);
            for step in STEPS {
                for effort in EFFORTS {
                    let quality = Quality::Step(step);
                    let (packet, most) = peak(|| subject.encode_with(spec, &samples, quality, effort));
                    packet?;
                    cases.check(most <= bound, || {
                        format!("{name}, {spec:?}, step {step:e}, {effort:?}: {most} bytes held, the bound is {bound}")
                    })?;
                }
            }
        }
    }
    Ok(())
}

/// Contexts made, used and dropped.
fn create(subject: &Subject, spec: GroupSpec, seed: u64) -> Result<(), Failure> {
    let (_, samples) = any_content(&spec, seed);
    let qualities = subject.qualities(at_depth(&spec, 900.0));
    let at = usize::try_from(seed).unwrap_or(0);
    let options = EncodeOptions::with_effort(EFFORTS[at % 3]).with_inter(at.is_multiple_of(2));
    // Made and not used, too.
    drop(subject.encoding()?.encoder(spec, &options)?);
    drop(subject.decoding()?.decoder(spec)?);
    let packet = subject.encode_as(spec, &samples, qualities[at % qualities.len()], &options)?;
    subject.decode(spec, &packet)?;
    if !subject.has_large_groups() {
        // Others open libraries and devices to find out.
        let _ = (subject.encoding()?.probe(), subject.own_step(spec.depth, 3.3));
    }
    Ok(())
}

/// Everything that can fail, failing.
fn fail(subject: &Subject, spec: GroupSpec, packet: &[u8], seed: u64) -> Result<(), Failure> {
    let (_, samples) = any_content(&spec, seed);
    let mut packet = packet.to_vec();
    let at = usize::try_from(seed * 7).unwrap_or(0) % packet.len();
    let mut encoder = subject.encoding()?.encoder(spec, &EncodeOptions::default())?;
    let mut out = Vec::new();
    for quality in subject.qualities(9.0) {
        let _ = encoder.encode(&samples[1..], quality, &mut out);
    }
    for step in [0.0, f32::NAN, f32::INFINITY, -1.0] {
        let _ = encoder.encode(&samples, Quality::Step(step), &mut out);
    }
    let _ = subject.decode(spec, &packet[..at]);
    packet[at] ^= 0x11;
    let _ = subject.decode(spec, &packet);
    let _ = subject.decoding()?.decoder(spec)?.decode(&packet, &mut [0; 3]);
    for (height, width, depth) in [(1, 1, 9), (3, 70_001, 8), (70_001, 5, 16), (1, 1, 15)] {
        let other = GroupSpec::new(1, height, width, depth, &Limits::default())?;
        for backend in [subject.encoding()?, subject.decoding()?] {
            if backend.info().capabilities.check("", &other).is_err() {
                let _ = backend.encoder(other, &EncodeOptions::default());
                let _ = backend.decoder(other);
            }
        }
    }
    Ok(())
}

/// Both, each of so many times: `work` is given each by name.
fn creations_and_failures(
    subject: &Subject,
    mut work: impl FnMut(&str, u64, &mut dyn FnMut() -> Result<(), Failure>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let count = if subject.is_quick() && subject.has_large_groups() { 60 } else { 300 };
    let spec = subject.spec(2, 20, 22, 12)?;
    let quality = subject.qualities(at_depth(&spec, 900.0))[0];
    let packet = subject.encode(spec, &any_content(&spec, 3).1, quality)?;
    // The first rounds fill what is made once, such as tables and pools.
    (0..36)
        .try_for_each(|seed| create(subject, spec, seed).and_then(|()| fail(subject, spec, &packet, seed)))?;
    work("creations", count, &mut || (0..count).try_for_each(|seed| create(subject, spec, seed)))?;
    work("failures", count, &mut || (0..count).try_for_each(|seed| fail(subject, spec, &packet, seed)))
}

fn creations_keep_nothing(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    creations_and_failures(subject, |name, count, work| {
        let (mut least, mut least_private) = (u64::MAX, u64::MAX);
        // What is kept again and again is kept in each batch; what a library tidies up later is not.
        for _ in 0..3 {
            let before = private_memory();
            let (outcome, kept) = kept(&mut *work);
            outcome?;
            let grown =
                private_memory().zip(before).map_or(0, |(after, before)| after.saturating_sub(before));
            (least, least_private) = (least.min(kept), least_private.min(grown));
            if least < 8 * count && least_private < 1 << 20 {
                break;
            }
        }
        cases.check(least < 8 * count || !is_counting(), || {
            format!("{least} bytes more are held after {count} {name}")
        })?;
        // Memory that the allocator does not see, such as that of libraries: by pages.
        cases.check(least_private < 1 << 20, || {
            format!("the process has {least_private} bytes more after {count} {name}")
        })
    })
}

fn no_threads_left(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    creations_and_failures(subject, |name, count, work| {
        let (before, files) = (threads().unwrap_or(0), open_files());
        work()?;
        let after = threads_settled(before).unwrap_or(0);
        cases.check(after <= before, || format!("{after} threads after {count} {name}, {before} before"))?;
        let after = open_files();
        cases.check(after <= files, || format!("{after:?} open files after {count} {name}, {files:?} before"))
    })
}
