//! Damage to packets of a hundred kilobytes and more.

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use telecine_core::{Error, GroupSpec};

use super::corruption::tolerate;
use crate::signal::{gaussian, noise};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "corruption/large-cuts",
        family: Family::Corruption,
        guarantee: "Packets of a hundred kilobytes, cut anywhere, are refused as damaged.",
        applies: |subject| subject.is_complete(),
        run: cuts,
    },
    Rule {
        id: "corruption/tails",
        family: Family::Corruption,
        guarantee: "Packets of any size with bytes behind their end are refused as damaged.",
        applies: |subject| subject.is_complete(),
        run: tails,
    },
    Rule {
        id: "corruption/large-flips",
        family: Family::Corruption,
        guarantee: "Packets of a hundred kilobytes with flipped bits or overwritten parts are refused, or decode within the depth.",
        applies: |subject| subject.is_complete(),
        run: flips,
    },
];

type Packet = (GroupSpec, Vec<u8>, String);

/// Packets of over a hundred kilobytes, and of one plane and several.
fn packets(subject: &Subject, seed: u64) -> Result<Vec<Packet>, Failure> {
    let depths = subject.encoding()?.info().capabilities.depths;
    let mut packets = Vec::new();
    let wanted = [
        (depths[0], 1, 340, 400),
        (depths[depths.len() - 1], 1, 300, 340),
        (depths[depths.len() - 1], 3, 190, 180),
    ];
    for (depth, frames, height, width) in wanted {
        let spec = subject.spec(frames, height, width, depth)?;
        let signals = [
            ("noise", noise(&spec, seed)),
            ("Gaussian", gaussian(&spec, f64::from(spec.mid_sample()) / 3.0, seed)),
        ];
        for (name, samples) in signals {
            for quality in subject.qualities((f32::from(spec.mid_sample()) / 1000.0).max(1.0)) {
                let packet = subject.encode(spec, &samples, quality)?;
                packets.push((spec, packet, format!("{name}, {spec:?}, {quality:?}")));
            }
        }
    }
    Ok(packets)
}

fn cuts(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let mut rng = SmallRng::seed_from_u64(251);
    for (spec, packet, name) in packets(subject, 252)? {
        let whole = packet.len();
        let powers = (0..24).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1]);
        let pages = (0..if subject.is_quick() { 4 } else { 64 }).map(|page| page * whole / 64 / 4096 * 4096);
        let random: Vec<usize> =
            (0..if subject.is_quick() { 10 } else { 60 }).map(|_| rng.random_range(0..whole)).collect();
        let ends =
            [whole - 1, whole.saturating_sub(2), whole.saturating_sub(4), whole.saturating_sub(8), whole / 2];
        for cut in powers.chain(pages).chain(random).chain(ends).filter(|cut| *cut < whole) {
            let what = || format!("{name}: {cut} of {whole} bytes");
            let decoded = tolerate(subject, spec, &packet[..cut], cases, what)?;
            cases.check(!decoded, || format!("{} decode", what()))?;
        }
    }
    Ok(())
}

fn tails(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let mut rng = SmallRng::seed_from_u64(253);
    let mut packets = packets(subject, 254)?;
    for (at, (frames, height, width)) in (0u64..).zip([(1, 1, 1), (1, 16, 24), (4, 9, 7), (1, 80, 60)]) {
        let spec = subject.spec(frames, height, width, 16)?;
        for samples in [
            noise(&spec, at),
            vec![7; spec.samples()],
            gaussian(&spec, f64::from(spec.mid_sample()) / 9.0, at),
        ] {
            for quality in subject.qualities(f32::from(spec.mid_sample()) / 90.0) {
                let packet = subject.encode(spec, &samples, quality)?;
                packets.push((spec, packet, format!("{spec:?}, {quality:?}")));
            }
        }
    }
    for (spec, packet, name) in packets {
        let random = |rng: &mut SmallRng, count| (0..count).map(|_| rng.random()).collect::<Vec<u8>>();
        let tails = [
            vec![0],
            vec![0xff],
            vec![packet[packet.len() - 1]],
            vec![0; 9],
            vec![0; 4096],
            vec![0xff; 4],
            random(&mut rng, 1),
            random(&mut rng, 3),
            random(&mut rng, 70),
            random(&mut rng, 5000),
            packet[..packet.len().min(64)].to_vec(),
            packet.clone(),
        ];
        for tail in tails {
            let longer = [&packet[..], &tail].concat();
            let result = subject.decode(spec, &longer).map(|_| ());
            cases.check(matches!(result, Err(Error::Corrupt(_))), || {
                format!("{name}: {} bytes behind a packet of {}: {result:?}", tail.len(), packet.len())
            })?;
        }
    }
    Ok(())
}

fn flips(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let mut rng = SmallRng::seed_from_u64(255);
    for (spec, packet, name) in packets(subject, 256)? {
        for _ in 0..if subject.is_quick() { 15 } else { 100 } {
            let mut damaged = packet.clone();
            let (at, len) = (rng.random_range(0..packet.len()), rng.random_range(1..200));
            let what = match rng.random_range(0..4) {
                0 => {
                    damaged[at] ^= 1 << rng.random_range(0..8);
                    "a bit flipped"
                }
                1 => {
                    let front = at % 64 % packet.len();
                    damaged[front] = rng.random();
                    "a byte near the front replaced"
                }
                2 => {
                    damaged.drain(at..(at + len).min(packet.len()));
                    "bytes left out"
                }
                _ => {
                    let end = (at + len).min(packet.len());
                    damaged[at..end].fill(rng.random());
                    "bytes overwritten"
                }
            };
            tolerate(subject, spec, &damaged, cases, || format!("{name}: {what} at {at}"))?;
        }
    }
    Ok(())
}
