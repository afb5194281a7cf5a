//! Contexts work on after an error.

use telecine_core::{EncodeOptions, Quality};

use crate::signal::{at_depth, gaussian};
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

fn decoder_after_damage(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 64, 64, 16)?;
    let samples = gaussian(&spec, at_depth(&spec, 500.0), 71);
    for quality in subject.qualities(at_depth(&spec, 100.0)) {
        let packet = subject.encode(spec, &samples, quality)?;
        let fresh = subject.decode(spec, &packet)?;
        let mut decoder = subject.decoding()?.decoder(spec)?;
        let cuts = [0, 1, packet.len() / 3, packet.len() / 2, packet.len() - 1];
        let cut = cuts.map(|cut| (format!("a cut at {cut}"), packet[..cut].to_vec()));
        let flips = (0..packet.len()).step_by(packet.len().div_ceil(20)).map(|at| {
            let mut damaged = packet.clone();
            damaged[at] ^= 0x10;
            (format!("a flip in byte {at}"), damaged)
        });
        for (name, damaged) in cut.into_iter().chain(flips) {
            let mut samples = vec![0; spec.samples()];
            // Whether these fail is another rule's business.
            let _ = decoder.decode(&damaged, &mut samples);
            let _ = decoder.decode(&packet, &mut [0; 3]);
            decoder.decode(&packet, &mut samples)?;
            cases.check(samples == fresh, || format!("{quality:?}: other samples after {name}"))?;
        }
    }
    Ok(())
}

fn encoder_after_error(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 64, 64, 16)?;
    let samples = gaussian(&spec, at_depth(&spec, 500.0), 72);
    for quality in subject.qualities(at_depth(&spec, 100.0)) {
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
