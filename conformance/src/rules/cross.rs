//! Each implementation of a codec reads what the others wrote.

use telecine_core::{Backend, EncodeOptions, GroupSpec, Quality};

use crate::signal::gaussian;
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "cross-decoding/same-samples",
    family: Family::CrossDecoding,
    guarantee: "Every decoder of the codec returns the same samples for this backend's packets.",
    applies: has_peers,
    run: same_samples,
}];

fn has_peers(subject: &Subject) -> Result<(), &'static str> {
    subject.is_complete()?;
    if !subject.backend().info().encodes {
        return Err("it only decodes");
    }
    let own = usize::from(subject.backend().info().decodes);
    let peers = subject.others().filter(|other| other.info().decodes).count();
    if own + peers >= 2 { Ok(()) } else { Err("one decoder of this codec is here, there is none to compare") }
}

fn same_samples(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let capabilities = &subject.backend().info().capabilities;
    for &depth in capabilities.depths {
        for (frames, height, width) in [(1, 128, 160), (2, 33, 71)] {
            check_group(subject, subject.spec(frames, height, width, depth)?, cases)?;
        }
    }
    Ok(())
}

fn check_group(subject: &Subject, spec: GroupSpec, cases: &mut Cases) -> Result<(), Failure> {
    let samples = gaussian(&spec, f64::from(spec.mid_sample()) / 6.0, 91);
    let takes = |backend: &&dyn Backend| {
        let info = backend.info();
        info.decodes && info.capabilities.check(info.name, &spec).is_ok()
    };
    let decoders: Vec<&dyn Backend> =
        std::iter::once(subject.backend()).chain(subject.others()).filter(takes).collect();
    for quality in subject.qualities(f32::from(spec.mid_sample()) / 12.0) {
        let mut packet = Vec::new();
        subject.backend().encoder(spec, &EncodeOptions::default())?.encode(&samples, quality, &mut packet)?;
        let mut decoded: Vec<(&str, Vec<u16>)> = Vec::new();
        for decoder in &decoders {
            let mut back = vec![0; spec.samples()];
            decoder.decoder(spec)?.decode(&packet, &mut back)?;
            decoded.push((decoder.info().name, back));
        }
        for pair in decoded.windows(2) {
            cases.check(pair[0].1 == pair[1].1, || {
                format!("{spec:?}, {quality:?}: {} and {} disagree", pair[0].0, pair[1].0)
            })?;
        }
        if quality == Quality::Lossless
            && let Some((name, back)) = decoded.first()
        {
            cases.check(*back == samples, || format!("{spec:?}: lossless is not exact by {name}"))?;
        }
    }
    Ok(())
}
