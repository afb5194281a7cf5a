//! The same input makes the same bytes.

use telecine_core::{DType, EncodeOptions, Target};

use crate::pipeline::Pipeline;
use crate::signal::{all, at_depth, gaussian, noise};
use crate::tensors::{Held, Layout};
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
    Rule {
        id: "determinism/any-instructions",
        family: Family::Determinism,
        guarantee: "Packets and samples are the same whatever instructions of the processor are used.",
        applies: |subject| {
            subject.is_complete()?;
            if subject.variants().is_empty() { Err("it has no choice of instructions here") } else { Ok(()) }
        },
        run: any_instructions,
    },
    Rule {
        id: "determinism/any-thread-count",
        family: Family::Determinism,
        guarantee: "A tensor is coded to the same bytes with one thread and with many.",
        applies: |subject| subject.is_complete(),
        run: any_thread_count,
    },
];

fn same_bytes_twice(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 96, 128, 16)?;
    for seed in 0..4 {
        let samples = gaussian(&spec, at_depth(&spec, 300.0), seed);
        for quality in subject.qualities(at_depth(&spec, 90.0)) {
            let (a, b) = (subject.encode(spec, &samples, quality)?, subject.encode(spec, &samples, quality)?);
            cases
                .check(a == b, || format!("{quality:?}: {} and {} bytes, not the same", a.len(), b.len()))?;
        }
    }
    Ok(())
}

fn reused_encoder(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 96, 128, 16)?;
    for quality in subject.qualities(at_depth(&spec, 90.0)) {
        let mut encoder = subject.encoding()?.encoder(spec, &EncodeOptions::default())?;
        for seed in 0..5 {
            let samples = if seed % 2 == 0 {
                gaussian(&spec, at_depth(&spec, 300.0), seed)
            } else {
                noise(&spec, seed)
            };
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

fn any_thread(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 96, 128, 16)?;
    let samples = gaussian(&spec, at_depth(&spec, 300.0), 41);
    for quality in subject.qualities(at_depth(&spec, 90.0)) {
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

fn same_samples_twice(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 96, 128, 16)?;
    for quality in subject.qualities(at_depth(&spec, 90.0)) {
        let (first, second) =
            (gaussian(&spec, at_depth(&spec, 300.0), 42), gaussian(&spec, at_depth(&spec, 3000.0), 43));
        let packets = [subject.encode(spec, &first, quality)?, subject.encode(spec, &second, quality)?];
        let fresh = subject.decode(spec, &packets[0])?;
        let mut decoder = subject.decoding()?.decoder(spec)?;
        let mut samples = vec![0; spec.samples()];
        for round in 0..5 {
            for packet in [&packets[1], &packets[0]] {
                decoder.decode(packet, &mut samples)?;
            }
            let same = samples == fresh && subject.decode(spec, &packets[0])? == fresh;
            cases.check(same, || {
                format!("{quality:?}: a used decoder returns other samples, round {round}")
            })?;
        }
    }
    Ok(())
}

fn any_instructions(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let info = subject.backend().info();
    for &depth in info.capabilities.depths.iter().step_by(if subject.is_quick() { 4 } else { 1 }) {
        for (frames, height, width) in [(1, 96, 128), (2, 33, 71), (1, 1, 1)] {
            let spec = subject.spec(frames, height, width, depth)?;
            for (name, samples) in all(&spec) {
                for quality in subject.qualities(f32::from(spec.max_sample()) / 60.0) {
                    let packet = subject.encode(spec, &samples, quality)?;
                    let decoded = subject.decode(spec, &packet)?;
                    for variant in subject.variants() {
                        let mut other = subject.clone();
                        other.replace(variant);
                        let same = (!info.encodes || other.encode(spec, &samples, quality)? == packet)
                            && (!info.decodes || other.decode(spec, &packet)? == decoded);
                        cases.check(same, || {
                            format!("{name}, {spec:?}, {quality:?}: {} makes a difference", variant.name)
                        })?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn any_thread_count(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let pipeline = Pipeline::new(subject, 4096)?;
    let held = Held::gaussian(DType::F32, &[160, 256], Layout::RowMajor, 44);
    let lossless = subject.is_lossless().is_ok().then_some(Target::Lossless);
    let targets = lossless.into_iter().chain([Target::Nmse(0.01), Target::MaxAbs(0.1), Target::Step(0.4)]);
    for target in targets {
        let mut alone = None;
        for threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let pool = pool.map_err(|error| Failure(format!("{threads} threads cannot be had: {error}")))?;
            let coded = pool.install(|| pipeline.encode(&held.tensor()?, target))?;
            let alone = alone.get_or_insert_with(|| coded.clone());
            cases.check(coded == *alone, || format!("{target}: {threads} threads make other packets"))?;
        }
    }
    Ok(())
}
