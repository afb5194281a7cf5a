//! Buffers are appended to, filled, and left alone beyond.

use telecine_core::{EncodeOptions, Quality};

use crate::signal::{at_depth, gaussian};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "buffers/encode-appends",
        family: Family::Buffers,
        guarantee: "Encoding appends to the packet and leaves what stood there.",
        applies: |subject| subject.is_complete(),
        run: encode_appends,
    },
    Rule {
        id: "buffers/decode-fills",
        family: Family::Buffers,
        guarantee: "Decoding sets every sample of the output, whatever stood there.",
        applies: |subject| subject.is_complete(),
        run: decode_fills,
    },
    Rule {
        id: "buffers/decode-stays-within",
        family: Family::Buffers,
        guarantee: "Decoding writes nothing before or behind the output.",
        applies: |subject| subject.is_complete(),
        run: decode_stays_within,
    },
    Rule {
        id: "buffers/inputs-end-where-they-end",
        family: Family::Buffers,
        guarantee: "What stands before or behind samples and packets in memory changes nothing, at any address.",
        applies: |subject| subject.is_complete(),
        run: inputs_end_where_they_end,
    },
    Rule {
        id: "buffers/failed-encode-leaves-packet",
        family: Family::Buffers,
        guarantee: "An encode that fails leaves the packet as it was.",
        applies: |subject| subject.is_complete(),
        run: failed_encode_leaves_packet,
    },
];

fn encode_appends(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 64, 64, 16)?;
    let samples = gaussian(&spec, at_depth(&spec, 200.0), 61);
    for quality in subject.qualities(at_depth(&spec, 50.0)) {
        let fresh = subject.encode(spec, &samples, quality)?;
        for prefix in [&b""[..], b"x", &[0xff; 1000]] {
            let mut packet = prefix.to_vec();
            subject.encoding()?.encoder(spec, &EncodeOptions::default())?.encode(
                &samples,
                quality,
                &mut packet,
            )?;
            let kept = packet.starts_with(prefix) && packet[prefix.len()..] == fresh;
            cases
                .check(kept, || format!("{quality:?}: {} bytes stood in the packet before", prefix.len()))?;
        }
    }
    Ok(())
}

fn decode_fills(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for (frames, height, width) in [(1, 64, 64), (1, 33, 7), (3, 20, 31), (2, 1, 100)] {
        let spec = subject.spec(frames, height, width, 16)?;
        let samples = gaussian(&spec, at_depth(&spec, 200.0), 62);
        for quality in subject.qualities(at_depth(&spec, 50.0)) {
            let packet = subject.encode(spec, &samples, quality)?;
            let mut decoded = Vec::new();
            for junk in [0x0000, 0xffff, 0x1234] {
                let mut samples = vec![junk; spec.samples()];
                subject.decoding()?.decoder(spec)?.decode(&packet, &mut samples)?;
                decoded.push(samples);
            }
            let same = decoded.windows(2).all(|pair| pair[0] == pair[1]);
            cases.check(same, || format!("{spec:?}, {quality:?}: the output depends on what stood there"))?;
        }
    }
    Ok(())
}

fn failed_encode_leaves_packet(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 64, 64, 12)?;
    let samples = gaussian(&spec, at_depth(&spec, 200.0), 63);
    let mut over = samples.clone();
    let mut wrong = vec![("a sample too few", samples[1..].to_vec(), Quality::Step(1.0))];
    if spec.depth < 16 {
        over[5] = spec.max_sample() + 1;
        wrong.push(("a sample over the depth", over, Quality::Lossless));
    }
    wrong.push(("a step of 0", samples.clone(), Quality::Step(0.0)));
    wrong.push(("a step of NaN", samples, Quality::Step(f32::NAN)));
    let mut encoder = subject.encoding()?.encoder(spec, &EncodeOptions::default())?;
    for (name, samples, quality) in wrong {
        let mut packet = b"before".to_vec();
        let failed = encoder.encode(&samples, quality, &mut packet).is_err();
        cases.check(failed && packet == b"before", || {
            format!("{name}: failed {failed}, {} bytes", packet.len())
        })?;
    }
    Ok(())
}

/// Groups of even and odd sizes: what works in blocks of samples is tempted to go on to the next whole one.
const SHAPES: [(u32, u32, u32); 6] =
    [(1, 64, 64), (1, 33, 7), (3, 20, 31), (2, 1, 100), (1, 1, 1), (1, 5, 129)];
/// Samples, or bytes, that stand around what a backend is given.
const AROUND: usize = 300;

fn decode_stays_within(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for (frames, height, width) in SHAPES {
        let spec = subject.spec(frames, height, width, 16)?;
        for quality in subject.qualities(at_depth(&spec, 50.0)) {
            let packet = subject.encode(spec, &gaussian(&spec, at_depth(&spec, 200.0), 64), quality)?;
            for junk in [0x0000, 0xffff, 0x5aa5] {
                let mut memory = vec![junk; spec.samples() + 2 * AROUND];
                let output = &mut memory[AROUND..AROUND + spec.samples()];
                subject.decoding()?.decoder(spec)?.decode(&packet, output)?;
                let (before, rest) = memory.split_at(AROUND);
                let touched = before.iter().chain(&rest[spec.samples()..]).filter(|s| **s != junk).count();
                cases.check(touched == 0, || {
                    format!("{spec:?}, {quality:?}: {touched} samples beside the output were written")
                })?;
            }
        }
    }
    Ok(())
}

fn inputs_end_where_they_end(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for (frames, height, width) in SHAPES {
        let spec = subject.spec(frames, height, width, 16)?;
        let samples = gaussian(&spec, at_depth(&spec, 200.0), 65);
        for quality in subject.qualities(at_depth(&spec, 50.0)) {
            // Never without something around: a backend that reads on would read what is nobody's.
            let mut first: Option<(Vec<u8>, Vec<u16>)> = None;
            for (at, junk) in [(0, 0x00), (1, 0xff), (2, 0x5a), (3, 0x81)] {
                let wide = u16::from_le_bytes([junk, junk]);
                let memory = [&vec![wide; at][..], &samples, &[wide; AROUND]].concat();
                let packet = subject.encode(spec, &memory[at..at + samples.len()], quality)?;
                let given = first.as_ref().map_or(&packet, |(packet, _)| packet);
                let memory = [&vec![junk; at][..], given, &[junk; AROUND]].concat();
                let decoded = subject.decode(spec, &memory[at..at + given.len()])?;
                let Some((first_packet, first_decoded)) = &first else {
                    first = Some((packet, decoded));
                    continue;
                };
                cases.check(packet == *first_packet, || {
                    format!("{spec:?}, {quality:?}: {junk:#x} around the samples makes another packet")
                })?;
                cases.check(decoded == *first_decoded, || {
                    format!("{spec:?}, {quality:?}: {junk:#x} around the packet makes other samples")
                })?;
            }
        }
    }
    Ok(())
}
