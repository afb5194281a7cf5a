//! Contexts work on after an error.

use telecine_core::{EncodeOptions, Quality};

use super::determinism::qualities;
use crate::signal::gaussian;
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "recovery/decoder-after-damage",
        family: Family::Recovery,
        guarantee: "A decoder that met damaged packets decodes the next good one like a fresh decoder.",
        applies: |subject| subject.is_complete(),
        run: decoder_after_damage,
    },
    Rule {
        id: "recovery/encoder-after-error",
        family: Family::Recovery,
        guarantee: "An encoder that refused wrong arguments codes the next group like a fresh encoder.",
        applies: |subject| subject.is_complete(),
        run: encoder_after_error,
    },
];

fn decoder_after_damage(subject: &Subject<'_>, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 64, 64, 16)?;
    let samples = gaussian(&spec, 500.0, 71);
    for quality in qualities(subject, 100.0) {
        let packet = subject.encode(spec, &samples, quality)?;
        let fresh = subject.decode(spec, &packet)?;
        let mut decoder = subject.decoding()?.decoder(spec)?;
        for cut in [0, 1, packet.len() / 3, packet.len() / 2, packet.len() - 1] {
            let mut samples = vec![0; spec.samples()];
            // Whether this fails is another rule's business.
            let _ = decoder.decode(&packet[..cut], &mut samples);
            decoder.decode(&packet, &mut samples)?;
            cases.check(samples == fresh, || format!("{quality:?}: other samples after a cut at {cut}"))?;
        }
    }
    Ok(())
}

fn encoder_after_error(subject: &Subject<'_>, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 64, 64, 16)?;
    let samples = gaussian(&spec, 500.0, 72);
    for quality in qualities(subject, 100.0) {
        let fresh = subject.encode(spec, &samples, quality)?;
        let mut encoder = subject.encoding()?.encoder(spec, &EncodeOptions::default())?;
        let mut packet = Vec::new();
        let _ = encoder.encode(&samples[..10], quality, &mut packet);
        let _ = encoder.encode(&samples, Quality::Step(f32::NAN), &mut packet);
        packet.clear();
        encoder.encode(&samples, quality, &mut packet)?;
        cases.check(packet == fresh, || format!("{quality:?}: another packet after errors"))?;
    }
    Ok(())
}
