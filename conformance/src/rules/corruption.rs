//! Damaged packets are errors or values, never a panic.

use telecine_core::{Error, GroupSpec, Limits};

use crate::signal::{gaussian, noise};
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
fn tolerate(
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

fn truncation(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(2, 16, 24, 16)?;
    let samples = gaussian(&spec, 700.0, 81);
    for quality in subject.qualities(150.0) {
        let packet = subject.encode(spec, &samples, quality)?;
        for len in 0..packet.len() {
            let decoded =
                tolerate(subject, spec, &packet[..len], cases, || format!("{quality:?}, {len} bytes"))?;
            cases.check(!decoded, || format!("{quality:?}: {len} of {} bytes decode", packet.len()))?;
        }
    }
    Ok(())
}

fn bit_flips(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 16, 24, 16)?;
    let samples = gaussian(&spec, 700.0, 82);
    for quality in subject.qualities(150.0) {
        let packet = subject.encode(spec, &samples, quality)?;
        for bit in 0..packet.len() * 8 {
            let mut damaged = packet.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            tolerate(subject, spec, &damaged, cases, || format!("{quality:?}, bit {bit}"))?;
        }
    }
    Ok(())
}

fn spliced(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 32, 32, 16)?;
    for quality in subject.qualities(150.0) {
        let a = subject.encode(spec, &gaussian(&spec, 700.0, 83), quality)?;
        let b = subject.encode(spec, &gaussian(&spec, 70.0, 84), quality)?;
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
    let samples = gaussian(&spec, 700.0, 85);
    for quality in subject.qualities(150.0) {
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
