//! Options other than the effort: planes predicted from each other, tools kept from the encoder.

use std::collections::HashSet;

use telecine_core::{EncodeOptions, Error, Quality, Tools};

use super::EFFORTS;
use super::error::mean_square;
use crate::shapes::any_content;
use crate::signal::{at_depth, gaussian};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "round-trip/inter",
        family: Family::RoundTrip,
        guarantee: "Groups whose planes may be predicted from each other come back exactly, or with the error of the step.",
        applies: |subject| subject.is_complete(),
        run: inter,
    },
    Rule {
        id: "self-containment/inter",
        family: Family::SelfContainment,
        guarantee: "With prediction between planes, too, one encoder's packets decode in any order and equal fresh ones.",
        applies: |subject| subject.is_complete(),
        run: inter_alone,
    },
    Rule {
        id: "arguments/tools",
        family: Family::Arguments,
        guarantee: "An encoder without a tool is refused as unsupported, or its packets come back as they should.",
        applies: |subject| subject.is_complete(),
        run: tools,
    },
];

/// Planes that resemble the one before: what prediction between them is for.
fn alike(
    subject: &Subject,
    frames: u32,
    depth: u8,
    seed: u64,
) -> Result<(telecine_core::GroupSpec, Vec<u16>), Failure> {
    let spec = subject.spec(frames, 45, 61, depth)?;
    let plane = spec.height as usize * spec.width as usize;
    let mut samples = gaussian(&spec, f64::from(spec.mid_sample()) / 6.0, seed);
    for at in plane..samples.len() {
        let (new, old) = (i32::from(samples[at]), i32::from(samples[at - plane]));
        let mixed = old + (new - i32::from(spec.mid_sample())) / 8;
        samples[at] = u16::try_from(mixed.clamp(0, i32::from(spec.max_sample()))).unwrap_or(0);
    }
    Ok((spec, samples))
}

/// Holds what came back against the quality.
fn check_back(
    subject: &Subject,
    (samples, back): (&[u16], &[u16]),
    quality: Quality,
    cases: &mut Cases,
    what: impl Fn() -> String,
) -> Result<(), Failure> {
    let factor = subject.loosely(2.0, 3.0);
    let error = mean_square(samples, back);
    let few_values = samples.iter().collect::<HashSet<_>>().len() < 300;
    let bound = match quality {
        Quality::Lossless => 0.0,
        // Of few values, the errors are anything up to half a step, and rounded.
        Quality::Step(step) if few_values => (f64::from(step) / 2.0 + 1.0).powi(2),
        Quality::Step(step) => factor * f64::from(step * step) / 12.0,
    };
    cases.check(error <= bound, || {
        format!("{}, {quality:?}: mean squared error {error:.3}, bound {bound:.3}", what())
    })
}

fn inter(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let depths = subject.encoding()?.info().capabilities.depths;
    for &depth in depths.iter().step_by(if subject.is_quick() { depths.len().div_ceil(3) } else { 1 }) {
        for frames in [1, 2, 3, 17] {
            let (spec, samples) = alike(subject, frames, depth, u64::from(frames))?;
            let (name, other) = any_content(&spec, u64::from(frames) * 31 + u64::from(depth));
            for (name, samples) in [("planes alike", &samples), (name, &other)] {
                for quality in
                    subject.qualities(subject.own_step(depth, (f32::from(spec.max_sample()) / 40.0).max(3.1)))
                {
                    for effort in EFFORTS {
                        let options = EncodeOptions::with_effort(effort).with_inter(true);
                        let packet = subject.encode_as(spec, samples, quality, &options)?;
                        let back = subject.decode(spec, &packet)?;
                        check_back(subject, (samples, &back), quality, cases, || {
                            format!("{name}, {spec:?}, {effort:?}")
                        })?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn inter_alone(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let options = EncodeOptions::default().with_inter(true);
    for frames in [1, 3] {
        let groups =
            (0..4).map(|seed| alike(subject, frames, 16, 230 + seed)).collect::<Result<Vec<_>, _>>()?;
        let spec = groups[0].0;
        for quality in subject.qualities(at_depth(&spec, 900.0)) {
            let mut encoder = subject.encoding()?.encoder(spec, &options)?;
            let mut packets = Vec::new();
            for (_, samples) in &groups {
                let mut packet = Vec::new();
                encoder.encode(samples, quality, &mut packet)?;
                let fresh = subject.encode_as(spec, samples, quality, &options)?;
                cases.check(packet == fresh, || {
                    format!("{spec:?}, {quality:?}: differs from a fresh encoder's")
                })?;
                packets.push(packet);
            }
            let mut decoder = subject.decoding()?.decoder(spec)?;
            for index in [3, 0, 2, 2, 1, 0, 3] {
                let mut samples = vec![0; spec.samples()];
                decoder.decode(&packets[index], &mut samples)?;
                cases.check(samples == subject.decode(spec, &packets[index])?, || {
                    format!("{spec:?}, {quality:?}: packet {index} depends on those before")
                })?;
            }
        }
    }
    Ok(())
}

fn tools(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for (prediction, partitioning) in [(false, true), (true, false), (false, false)] {
        let options = EncodeOptions::default().with_tools(Tools { prediction, partitioning });
        for frames in [1, 2] {
            let (spec, samples) = alike(subject, frames, 16, 240)?;
            for quality in subject.qualities(subject.own_step(spec.depth, at_depth(&spec, 900.0))) {
                match subject.encode_as(spec, &samples, quality, &options) {
                    Ok(packet) => {
                        let back = subject.decode(spec, &packet)?;
                        check_back(subject, (&samples, &back), quality, cases, || {
                            format!("{spec:?}, {options:?}")
                        })?;
                    }
                    Err(Error::Unsupported(_)) => cases.check(true, String::new)?,
                    Err(error) => cases.check(false, || format!("{spec:?}, {options:?}: {error:?}"))?,
                }
            }
        }
    }
    Ok(())
}
