//! Decoders from elsewhere read the packets.

use crate::signal::all;
use crate::{Cases, Failure, Family, Rule, Subject, outside};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "outside-decoder/same-samples",
    family: Family::OutsideDecoder,
    guarantee: "A decoder that others wrote reads the packets, and returns the same samples.",
    applies: |subject| {
        subject.is_complete()?;
        let info = subject.backend().info();
        match outside::decoder(info.codec) {
            _ if !info.encodes => Err("it only decodes"),
            None => Err("no decoder from elsewhere is known for this codec"),
            Some(_) => Ok(()),
        }
    },
    run: same_samples,
}];

fn same_samples(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let info = subject.backend().info();
    let Some(outside) = outside::decoder(info.codec) else { return Ok(()) };
    for &depth in info.capabilities.depths {
        for (frames, height, width) in [(1, 48, 80), (3, 17, 31), (1, 1, 1)] {
            let spec = subject.spec(frames, height, width, depth)?;
            for (name, samples) in all(&spec) {
                for quality in subject.qualities(f32::from(spec.max_sample()) / 50.0) {
                    let packet = subject.encode(spec, &samples, quality)?;
                    let (ours, theirs) = (subject.decode(spec, &packet)?, (outside.decode)(&spec, &packet));
                    cases.check(theirs.as_ref() == Ok(&ours), || {
                        let what = theirs.err().unwrap_or_else(|| "other samples".into());
                        format!("{name}, {spec:?}, {quality:?}: {} returns {what}", outside.name)
                    })?;
                }
            }
        }
    }
    Ok(())
}
