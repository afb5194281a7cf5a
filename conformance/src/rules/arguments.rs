//! Wrong arguments are told apart from damage.

use telecine_core::{EncodeOptions, Error, GroupSpec, Limits, Quality, Role};

use crate::signal::{at_depth, gaussian};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "arguments/wrong-lengths-are-invalid",
        family: Family::Arguments,
        guarantee: "Buffers of the wrong length are the caller's fault, said as such, by encoder and decoder.",
        applies: |subject| subject.is_complete(),
        run: wrong_lengths,
    },
    Rule {
        id: "arguments/outside-capabilities-is-unsupported",
        family: Family::Arguments,
        guarantee: "Groups, qualities and directions outside the stated capabilities are refused as unsupported.",
        applies: |_| Ok(()),
        run: outside_capabilities,
    },
    Rule {
        id: "arguments/probe-agrees",
        family: Family::Arguments,
        guarantee: "A backend whose probe succeeds codes a small group.",
        applies: |subject| subject.is_complete(),
        run: probe_agrees,
    },
];

fn wrong_lengths(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 32, 32, 16)?;
    let samples = gaussian(&spec, at_depth(&spec, 100.0), 95);
    let quality = if subject.is_lossless().is_ok() { Quality::Lossless } else { Quality::Step(20.0) };
    let packet = subject.encode(spec, &samples, quality)?;
    let longer = [&samples[..], &[0]].concat();
    for wrong in [&samples[1..], &[], &longer[..]] {
        let result = subject.encode(spec, wrong, quality);
        cases.check(matches!(result, Err(Error::Invalid(_))), || {
            format!("encode {} samples: {result:?}", wrong.len())
        })?;
        let mut out = vec![0; wrong.len()];
        let result = subject.decoding()?.decoder(spec)?.decode(&packet, &mut out);
        cases.check(matches!(result, Err(Error::Invalid(_))), || {
            format!("decode into {}: {result:?}", wrong.len())
        })?;
    }
    Ok(())
}

fn outside_capabilities(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let backend = subject.backend();
    let info = backend.info();
    let capabilities = &info.capabilities;
    let mut outside = Vec::new();
    for depth in 8..=16 {
        let spec = GroupSpec::new(
            1,
            *capabilities.height.start(),
            *capabilities.width.start(),
            depth,
            &Limits::default(),
        )?;
        outside.push(spec);
    }
    for (height, width) in [(1, 1), (3, 3), (1, 70_000)] {
        outside.push(GroupSpec::new(1, height, width, capabilities.depths[0], &Limits::default())?);
    }
    for spec in outside {
        if capabilities.check(info.name, &spec).is_ok() {
            continue;
        }
        for role in [Role::Encode, Role::Decode] {
            let error = match role {
                Role::Encode => backend.encoder(spec, &EncodeOptions::default()).err(),
                Role::Decode => backend.decoder(spec).err(),
            };
            let refused = matches!(error, Some(Error::Unsupported(_)));
            cases.check(refused, || format!("{} {spec:?}: {error:?}", role.verb()))?;
        }
    }
    let spec = GroupSpec::new(
        1,
        *capabilities.height.start(),
        *capabilities.width.start(),
        capabilities.depths[0],
        &Limits::default(),
    )?;
    for (role, error) in [
        (Role::Encode, backend.encoder(spec, &EncodeOptions::default()).err()),
        (Role::Decode, backend.decoder(spec).err()),
    ] {
        let right =
            if info.serves(role) { error.is_none() } else { matches!(error, Some(Error::Unsupported(_))) };
        cases.check(right, || format!("{} the smallest group: {error:?}", role.verb()))?;
    }
    if info.encodes {
        let samples = vec![0; spec.samples()];
        let mut encoder = backend.encoder(spec, &EncodeOptions::default())?;
        for (quality, capable) in
            [(Quality::Lossless, capabilities.lossless), (Quality::Step(9.0), capabilities.lossy)]
        {
            let result = encoder.encode(&samples, quality, &mut Vec::new());
            let right = if capable { result.is_ok() } else { matches!(result, Err(Error::Unsupported(_))) };
            cases.check(right, || format!("{quality:?}: {result:?}"))?;
        }
    }
    Ok(())
}

fn probe_agrees(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let probed = subject.backend().probe();
    cases.check(probed.is_ok(), || format!("the probe says {probed:?}"))?;
    let spec = subject.spec(1, 16, 16, 8)?;
    let quality = if subject.is_lossless().is_ok() { Quality::Lossless } else { Quality::Step(4.0) };
    let back = subject.pass(spec, &vec![spec.mid_sample(); spec.samples()], quality)?;
    cases.check(back.len() == spec.samples(), || "the group did not come back".into())
}
