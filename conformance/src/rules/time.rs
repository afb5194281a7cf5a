//! Time is bounded by the size of a group, not by what is in it.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use telecine_core::GroupSpec;

use super::EFFORTS;
use crate::process::{cpu_time, time_kept_waiting};
use crate::shapes::{CONTENTS, content};
use crate::signal::{all, gaussian};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "limits/content-time",
        family: Family::Limits,
        guarantee: "No content takes over 30 times the time of Gaussian content of that size, to encode or to decode.",
        applies: timed,
        run: content_time,
    },
    Rule {
        id: "limits/damage-time",
        family: Family::Limits,
        guarantee: "No damaged packet takes over 30 times the time of the whole one, and none of it is spent waiting.",
        applies: timed,
        run: damage_time,
    },
    Rule {
        id: "limits/size-time",
        family: Family::Limits,
        guarantee: "Sixteen times the samples take at most 128 times the time.",
        applies: timed,
        run: size_time,
    },
];

fn timed(subject: &Subject) -> Result<(), &'static str> {
    subject.is_complete()?;
    subject.has_children()?;
    if cpu_time().is_some() { Ok(()) } else { Err("the system does not count processor time") }
}

/// What work took: processor time over all threads, and time on the clock less that in which other processes kept the
/// thread from its processor.
#[derive(Debug, Clone, Copy)]
struct Taken {
    processor: Duration,
    clock: Duration,
}

impl Taken {
    fn by(work: impl FnOnce()) -> Self {
        let kept = time_kept_waiting();
        let (begun, before) = (Instant::now(), cpu_time().unwrap_or_default());
        work();
        let (processor, clock) = (cpu_time().unwrap_or_default().saturating_sub(before), begun.elapsed());
        Self { processor, clock: clock.saturating_sub(time_kept_waiting().saturating_sub(kept)) }
    }

    fn least(self, other: Self) -> Self {
        Self { processor: self.processor.min(other.processor), clock: self.clock.min(other.clock) }
    }

    /// Whether this is within so many times the other; the clock, on which the rest of the machine shows, with more room.
    fn within(self, factor: u32, other: Self) -> bool {
        self.processor <= factor * other.processor + Duration::from_millis(20)
            && self.clock <= factor * other.clock + Duration::from_millis(100)
    }
}

/// The least that work takes in three runs.
fn usual(mut work: impl FnMut()) -> Taken {
    let mut run = || Taken::by(&mut work);
    run().least(run()).least(run())
}

/// Checks work against what is usual; what takes longer is given two chances more.
fn check_time(
    (factor, usual): (u32, Taken),
    cases: &mut Cases,
    what: impl Fn() -> String,
    mut work: impl FnMut(),
) -> Result<(), Failure> {
    let mut taken = Taken::by(&mut work);
    for _ in 0..2 {
        if !taken.within(factor, usual) {
            taken = taken.least(Taken::by(&mut work));
        }
    }
    cases.check(taken.within(factor, usual), || {
        let (a, b) = (taken, usual);
        format!(
            "{}: {:?} of the processor, {:?} on the clock, where {:?} and {:?} are usual",
            what(),
            a.processor,
            a.clock,
            b.processor,
            b.clock
        )
    })
}

fn step(spec: &GroupSpec) -> f32 {
    f32::from(spec.mid_sample()) / 36.0
}

fn content_time(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let depths = subject.encoding()?.info().capabilities.depths;
    let side = if subject.is_quick() { 180 } else { 256 };
    let rounds = if subject.is_quick() { 1 } else { 3 };
    for depth in [depths[depths.len() - 1], depths[0]] {
        let spec = subject.spec(1, side, side, depth)?;
        let drawn = (0..CONTENTS * rounds).map(|seed| content(&spec, seed, seed + 281));
        let contents: Vec<_> = all(&spec).into_iter().chain(drawn).collect();
        for quality in subject.qualities(step(&spec)) {
            for effort in EFFORTS.into_iter().take(if subject.is_quick() { 2 } else { 3 }) {
                let reference = gaussian(&spec, f64::from(spec.mid_sample()) / 6.0, 282);
                let packet = subject.encode_with(spec, &reference, quality, effort)?;
                let encoding = usual(|| drop(subject.encode_with(spec, &reference, quality, effort)));
                let decoding = usual(|| drop(subject.decode(spec, &packet)));
                for (name, samples) in &contents {
                    let packet = subject.encode_with(spec, samples, quality, effort)?;
                    let what = || format!("{name}, {spec:?}, {quality:?}, {effort:?}");
                    check_time(
                        (30, encoding),
                        cases,
                        || format!("encoding {}", what()),
                        || {
                            drop(subject.encode_with(spec, samples, quality, effort));
                        },
                    )?;
                    check_time(
                        (30, decoding),
                        cases,
                        || format!("decoding {}", what()),
                        || {
                            drop(subject.decode(spec, &packet));
                        },
                    )?;
                }
            }
        }
    }
    Ok(())
}

fn damage_time(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let mut rng = SmallRng::seed_from_u64(283);
    for (frames, height, width) in [(1, 200, 200), (9, 50, 60)] {
        let spec = subject.spec(frames, height, width, 16)?;
        let samples = gaussian(&spec, f64::from(spec.mid_sample()) / 6.0, 284);
        for quality in subject.qualities(step(&spec)) {
            let packet = subject.encode(spec, &samples, quality)?;
            let decoding = usual(|| drop(subject.decode(spec, &packet)));
            let mut decoder = subject.decoding()?.decoder(spec)?;
            let mut output = vec![0; spec.samples()];
            for round in 0..if subject.is_quick() { 40 } else { 300 } {
                let mut damaged = packet.clone();
                let at = rng.random_range(0..packet.len());
                let front = rng.random_range(0..packet.len().min(48));
                let what = match round % 6 {
                    0 => {
                        damaged.truncate(at);
                        "a cut"
                    }
                    1 => {
                        damaged[at] ^= 1 << rng.random_range(0..8);
                        "a flip"
                    }
                    2 => {
                        damaged[front] = 0xff;
                        "0xff near the front"
                    }
                    3 => {
                        damaged[front..].fill_with(|| rng.random());
                        "junk behind the front"
                    }
                    4 => {
                        damaged.extend_from_slice(&packet[at..]);
                        "a tail"
                    }
                    _ => {
                        damaged[at..].fill(rng.random());
                        "one byte over and over"
                    }
                };
                let text = || format!("{what} at {at} or {front}, {spec:?}, {quality:?}");
                check_time((30, decoding), cases, text, || drop(decoder.decode(&damaged, &mut output)))?;
            }
        }
    }
    Ok(())
}

fn size_time(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let pairs = [
        ((1, 128, 128), (1, 512, 512)),
        ((64, 10, 11), (1024, 10, 11)),
        ((1, 1, 6000), (1, 1, 96_000)),
        ((1, 6000, 1), (1, 96_000, 1)),
    ];
    for ((frames, height, width), (more, higher, wider)) in pairs {
        let (small, large) =
            (subject.spec(frames, height, width, 16)?, subject.spec(more, higher, wider, 16)?);
        // Groups of thousands of large planes are for those who have no smaller ones.
        if large.samples() > 1 << 20 || large.samples() > 16 * small.samples() {
            continue;
        }
        for quality in subject.qualities(step(&small)) {
            let coded = |spec: GroupSpec| -> Result<_, Failure> {
                let samples = gaussian(&spec, f64::from(spec.mid_sample()) / 6.0, 285);
                let packet = subject.encode(spec, &samples, quality)?;
                Ok((samples, packet))
            };
            let ((few, short), (many, long)) = (coded(small)?, coded(large)?);
            let encoding = usual(|| drop(subject.encode(small, &few, quality)));
            let decoding = usual(|| drop(subject.decode(small, &short)));
            let what = |verb: &str| format!("{verb} {large:?} instead of {small:?}, {quality:?}");
            let encode = || drop(subject.encode(large, &many, quality));
            check_time((128, encoding), cases, || what("encoding"), encode)?;
            check_time((128, decoding), cases, || what("decoding"), || drop(subject.decode(large, &long)))?;
        }
    }
    Ok(())
}
