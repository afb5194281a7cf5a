//! Each implementation of a codec reads what the others wrote.

use telecine_core::{Backend, EncodeOptions, Quality};

use super::determinism::qualities;
use crate::signal::gaussian;
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "cross-decoding/same-samples",
    family: Family::CrossDecoding,
    guarantee: "Every decoder of the codec returns the same samples for this backend's packets.",
    applies: has_peers,
    run: same_samples,
}];

fn has_peers(subject: &Subject<'_>) -> Result<(), &'static str> {
    subject.is_complete()?;
    if !subject.backend().info().encodes {
        return Err("it only decodes");
    }
    let own = usize::from(subject.backend().info().decodes);
    let peers = subject.others().iter().filter(|other| other.info().decodes).count();
    if own + peers >= 2 { Ok(()) } else { Err("one decoder of this codec is here, there is none to compare") }
}

fn same_samples(subject: &Subject<'_>, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 128, 160, 12)?;
    let samples = gaussian(&spec, f64::from(spec.mid_sample()) / 6.0, 91);
    let all: Vec<&dyn Backend> =
        std::iter::once(subject.backend()).chain(subject.others().iter().copied()).collect();
    for quality in qualities(subject, f32::from(spec.mid_sample()) / 12.0) {
        let mut packet = Vec::new();
        subject.backend().encoder(spec, &EncodeOptions::default())?.encode(&samples, quality, &mut packet)?;
        let mut decoded: Vec<(&str, Vec<u16>)> = Vec::new();
        for decoder in all.iter().filter(|backend| backend.info().decodes) {
            let mut back = vec![0; spec.samples()];
            decoder.decoder(spec)?.decode(&packet, &mut back)?;
            decoded.push((decoder.info().name, back));
        }
        for pair in decoded.windows(2) {
            cases.check(pair[0].1 == pair[1].1, || {
                format!("{quality:?}: {} and {} disagree", pair[0].0, pair[1].0)
            })?;
        }
        if quality == Quality::Lossless {
            cases.check(decoded[0].1 == samples, || "lossless is not exact".into())?;
        }
    }
    Ok(())
}
