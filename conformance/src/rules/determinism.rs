//! The same input makes the same bytes.

use telecine_core::{EncodeOptions, Quality};

use crate::signal::{gaussian, noise};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "determinism/same-bytes-twice",
        family: Family::Determinism,
        guarantee: "Two fresh encoders make the same packet of the same samples.",
        applies: |subject| subject.is_complete(),
        run: same_bytes_twice,
    },
    Rule {
        id: "determinism/reused-encoder",
        family: Family::Determinism,
        guarantee: "What an encoder coded before does not show in its packets.",
        applies: |subject| subject.is_complete(),
        run: reused_encoder,
    },
    Rule {
        id: "determinism/any-thread",
        family: Family::Determinism,
        guarantee: "Encoders on several threads at once make the packets that one makes alone.",
        applies: |subject| subject.is_complete(),
        run: any_thread,
    },
    Rule {
        id: "determinism/same-samples-twice",
        family: Family::Determinism,
        guarantee: "A packet decodes to the same samples every time, whatever the decoder decoded before.",
        applies: |subject| subject.is_complete(),
        run: same_samples_twice,
    },
];

/// The qualities that the encoder takes.
pub(super) fn qualities(subject: &Subject<'_>, step: f32) -> Vec<Quality> {
    let lossless = subject.is_lossless().is_ok().then_some(Quality::Lossless);
    let lossy = subject.is_lossy().is_ok().then_some(Quality::Step(step));
    lossless.into_iter().chain(lossy).collect()
}

fn same_bytes_twice(subject: &Subject<'_>, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 96, 128, 16)?;
    for seed in 0..4 {
        let samples = gaussian(&spec, 300.0, seed);
        for quality in qualities(subject, 90.0) {
            let (a, b) = (subject.encode(spec, &samples, quality)?, subject.encode(spec, &samples, quality)?);
            cases
                .check(a == b, || format!("{quality:?}: {} and {} bytes, not the same", a.len(), b.len()))?;
        }
    }
    Ok(())
}

fn reused_encoder(subject: &Subject<'_>, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 96, 128, 16)?;
    for quality in qualities(subject, 90.0) {
        let mut encoder = subject.encoding()?.encoder(spec, &EncodeOptions::default())?;
        for seed in 0..5 {
            let samples = if seed % 2 == 0 { gaussian(&spec, 300.0, seed) } else { noise(&spec, seed) };
            let mut packet = Vec::new();
            encoder.encode(&samples, quality, &mut packet)?;
            let fresh = subject.encode(spec, &samples, quality)?;
            cases.check(packet == fresh, || {
                format!("{quality:?}: group {seed} differs from a fresh encoder's")
            })?;
        }
    }
    Ok(())
}

fn any_thread(subject: &Subject<'_>, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 96, 128, 16)?;
    let samples = gaussian(&spec, 300.0, 41);
    for quality in qualities(subject, 90.0) {
        let alone = subject.encode(spec, &samples, quality)?;
        let together = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| subject.encode(spec, &samples, quality))).collect();
            threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
        });
        for packet in together {
            let packet = packet.map_err(|_| Failure("an encoder panicked on a thread".into()))??;
            cases.check(packet == alone, || format!("{quality:?}: a thread made another packet"))?;
        }
    }
    Ok(())
}

fn same_samples_twice(subject: &Subject<'_>, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 96, 128, 16)?;
    for quality in qualities(subject, 90.0) {
        let (first, second) = (gaussian(&spec, 300.0, 42), gaussian(&spec, 3000.0, 43));
        let packets = [subject.encode(spec, &first, quality)?, subject.encode(spec, &second, quality)?];
        let fresh = subject.decode(spec, &packets[0])?;
        let mut decoder = subject.decoding()?.decoder(spec)?;
        let mut samples = vec![0; spec.samples()];
        for packet in [&packets[1], &packets[0]] {
            decoder.decode(packet, &mut samples)?;
        }
        cases.check(samples == fresh, || format!("{quality:?}: a used decoder returns other samples"))?;
    }
    Ok(())
}
