//! Damaged packets are errors or values, never a panic.

use telecine_core::{Error, GroupSpec, Limits};

use crate::signal::{at_depth, gaussian, noise};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "corruption/truncation",
        family: Family::Corruption,
        guarantee: "Every packet cut short is refused as damaged.",
        applies: |subject| subject.is_complete(),
        run: truncation,
    },
    Rule {
        id: "corruption/bit-flips",
        family: Family::Corruption,
        guarantee: "A packet with any one bit flipped is refused as damaged, or decodes to samples within the depth.",
        applies: |subject| subject.is_complete(),
        run: bit_flips,
    },
    Rule {
        id: "corruption/spliced",
        family: Family::Corruption,
        guarantee: "Two halves of different packets, or a packet with a tail, are refused or decode within the depth.",
        applies: |subject| subject.is_complete(),
        run: spliced,
    },
    Rule {
        id: "corruption/foreign",
        family: Family::Corruption,
        guarantee: "Random bytes are refused as damaged, or decode to samples within the depth.",
        applies: |subject| subject.is_complete(),
        run: foreign,
    },
    Rule {
        id: "corruption/other-spec",
        family: Family::Corruption,
        guarantee: "A packet given to a decoder of another size is refused, or decodes within that size and depth.",
        applies: |subject| subject.is_complete(),
        run: other_spec,
    },
];

/// Decodes; anything but samples within the depth or a `Corrupt` error breaks the guarantee.
pub(super) fn tolerate(
    subject: &Subject,
    spec: GroupSpec,
    packet: &[u8],
    cases: &mut Cases,
    what: impl Fn() -> String,
) -> Result<bool, Failure> {
    match subject.decode(spec, packet) {
        Ok(samples) => {
            let largest = samples.iter().max().copied().unwrap_or(0);
            cases.check(largest <= spec.max_sample(), || format!("{}: sample {largest}", what()))?;
            Ok(true)
        }
        Err(Error::Corrupt(_)) => cases.check(true, String::new).map(|()| false),
        Err(error) => cases.check(false, || format!("{}: {error:?}", what())).map(|()| false),
    }
}

/// Small packets of every kind, each with its group and what it holds; of few depths when few are wanted.
fn packets(subject: &Subject, frames: u32, seed: u64) -> Result<Vec<(GroupSpec, Vec<u8>, String)>, Failure> {
    let mut packets = Vec::new();
    let depths = subject.encoding()?.info().capabilities.depths;
    for &depth in depths.iter().rev().step_by(if subject.is_quick() { depths.len() } else { 3 }) {
        let spec = subject.spec(frames, 16, 24, depth)?;
        let middle = f64::from(spec.mid_sample());
        let signals = [
            ("Gaussian", gaussian(&spec, middle / 45.0, seed)),
            ("constant", vec![spec.mid_sample() / 3; spec.samples()]),
            ("noise", noise(&spec, seed)),
        ];
        for (name, samples) in signals {
            for quality in subject.qualities(f32::from(spec.mid_sample()) / 200.0) {
                let packet = subject.encode(spec, &samples, quality)?;
                packets.push((spec, packet, format!("{name}, {depth} bits, {quality:?}")));
            }
        }
    }
    Ok(packets)
}

/// Every place of so many, or those at both ends and every so many between when there are very many.
fn sampled(subject: &Subject, places: usize) -> impl Iterator<Item = usize> {
    let most = if subject.is_quick() { 1 << 10 } else { 1 << 14 };
    let (stride, ends) = ((places / most).max(1), 256);
    (0..places).filter(move |at| at % stride == 0 || *at < ends || places - at <= ends)
}

fn truncation(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for (spec, packet, name) in packets(subject, 2, 81)? {
        for len in sampled(subject, packet.len()) {
            let what = || format!("{name}: {len} of {} bytes", packet.len());
            let decoded = tolerate(subject, spec, &packet[..len], cases, what)?;
            cases.check(!decoded, || format!("{} decode", what()))?;
        }
    }
    Ok(())
}

fn bit_flips(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for (spec, packet, name) in packets(subject, 1, 82)? {
        for bit in sampled(subject, packet.len() * 8) {
            let mut damaged = packet.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            tolerate(subject, spec, &damaged, cases, || format!("{name}: bit {bit} flipped"))?;
        }
    }
    Ok(())
}

fn spliced(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 32, 32, 16)?;
    for quality in subject.qualities(at_depth(&spec, 150.0)) {
        let a = subject.encode(spec, &gaussian(&spec, at_depth(&spec, 700.0), 83), quality)?;
        let b = subject.encode(spec, &gaussian(&spec, at_depth(&spec, 70.0), 84), quality)?;
        for eighth in 1..8 {
            let (x, y) = (a.len() * eighth / 8, b.len() * eighth / 8);
            let joined = [&a[..x], &b[y..]].concat();
            tolerate(subject, spec, &joined, cases, || format!("{quality:?}, spliced at {eighth}/8"))?;
        }
        tolerate(subject, spec, &[&a[..], &b].concat(), cases, || {
            format!("{quality:?}, two packets in one")
        })?;
        tolerate(subject, spec, &[&a[..], &[0; 9]].concat(), cases, || format!("{quality:?}, zeros behind"))?;
    }
    Ok(())
}

fn foreign(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 24, 24, 16)?;
    let bytes = GroupSpec::new(1, 1, 4096, 8, &Limits::default())?;
    for seed in 0..200 {
        let junk: Vec<u8> = noise(&bytes, seed).iter().map(|b| b.to_le_bytes()[0]).collect();
        let len = usize::try_from(seed * 7).unwrap_or(0);
        tolerate(subject, spec, &junk[..len], cases, || format!("{len} random bytes, seed {seed}"))?;
    }
    Ok(())
}

fn other_spec(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 48, 64, 16)?;
    let samples = gaussian(&spec, at_depth(&spec, 700.0), 85);
    for quality in subject.qualities(at_depth(&spec, 150.0)) {
        let packet = subject.encode(spec, &samples, quality)?;
        for (frames, height, width, depth) in
            [(1, 64, 48, 16), (1, 1, 1, 16), (2, 48, 64, 16), (1, 48, 64, 8), (1, 500, 500, 16)]
        {
            let other = subject.spec(frames, height, width, depth)?;
            tolerate(subject, other, &packet, cases, || format!("{quality:?}, decoded as {other:?}"))?;
        }
    }
    Ok(())
}
