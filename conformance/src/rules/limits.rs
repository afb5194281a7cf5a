//! Memory is bounded by the group, not by what a packet says.

use telecine_core::EncodeOptions;

use crate::alloc::{is_counting, kept, peak};
use crate::signal::{all, at_depth, gaussian, noise};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "limits/decoder-memory",
        family: Family::Limits,
        guarantee: "Decoding holds at most 64 bytes per sample and 16 MiB, whatever the packet says.",
        applies: counts,
        run: decoder_memory,
    },
    Rule {
        id: "limits/encoder-memory",
        family: Family::Limits,
        guarantee: "Encoding holds at most 64 bytes per sample and 32 MiB, whatever the samples are.",
        applies: counts,
        run: encoder_memory,
    },
    Rule {
        id: "limits/nothing-kept",
        family: Family::Limits,
        guarantee: "Encoders and decoders that code on and on hold no more memory than after a few groups.",
        applies: counts,
        run: nothing_kept,
    },
];

fn counts(subject: &Subject) -> Result<(), &'static str> {
    subject.is_complete()?;
    if is_counting() { Ok(()) } else { Err("this binary does not count its allocations") }
}

fn decoder_memory(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 64, 64, 16)?;
    let bound = 64 * spec.samples() as u64 + (16 << 20);
    let mut packets = Vec::new();
    for quality in subject.qualities(at_depth(&spec, 200.0)) {
        let packet = subject.encode(spec, &gaussian(&spec, at_depth(&spec, 900.0), 101), quality)?;
        // Lengths and counts stand near the front: give each byte there its largest values.
        for at in 0..packet.len().min(40) {
            for value in [0xff, 0x80, 0x7f] {
                let mut damaged = packet.clone();
                damaged[at] = value;
                packets.push(damaged);
            }
            for end in at + 1..packet.len().min(at + 9) {
                let mut damaged = packet.clone();
                damaged[at..end].fill(0xff);
                packets.push(damaged);
            }
        }
        packets.push(packet);
    }
    for seed in 0..100 {
        let junk: Vec<u8> = noise(&spec, seed).iter().map(|sample| sample.to_le_bytes()[1]).collect();
        packets.push(junk);
    }
    for packet in packets {
        // What comes of it is another rule's business.
        let (_, most) = peak(|| subject.decode(spec, &packet));
        cases.check(most <= bound, || {
            format!(
                "{most} bytes held for {} samples, front {:02x?}",
                spec.samples(),
                &packet[..packet.len().min(16)]
            )
        })?;
    }
    Ok(())
}

fn encoder_memory(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for (height, width) in [(1, 1), (64, 64), (512, 512), (1, 1 << 18), (1 << 18, 1)] {
        let spec = subject.spec(1, height, width, 16)?;
        let bound = 64 * spec.samples() as u64 + (32 << 20);
        for (name, samples) in all(&spec) {
            for quality in subject.qualities(at_depth(&spec, 200.0)) {
                let (packet, most) = peak(|| subject.encode(spec, &samples, quality));
                packet?;
                cases.check(most <= bound, || {
                    format!("{name}, {spec:?}, {quality:?}: {most} bytes held, the bound is {bound}")
                })?;
            }
        }
    }
    Ok(())
}

fn nothing_kept(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 64, 64, 16)?;
    let groups = if subject.is_quick() { 20 } else { 100 };
    for quality in subject.qualities(at_depth(&spec, 200.0)) {
        let mut encoder = subject.encoding()?.encoder(spec, &EncodeOptions::default())?;
        let mut decoder = subject.decoding()?.decoder(spec)?;
        let (mut packet, mut decoded) = (Vec::new(), vec![0; spec.samples()]);
        let mut code = |seed: u64| {
            let samples = gaussian(&spec, at_depth(&spec, 900.0), seed);
            packet.clear();
            encoder.encode(&samples, quality, &mut packet)?;
            decoder.decode(&packet, &mut decoded)
        };
        // Contexts and buffers grow to their size first.
        (0..8).try_for_each(&mut code)?;
        // What is kept for each group is kept in each batch; a buffer that grows once more is not.
        let mut least = u64::MAX;
        for _ in 0..3 {
            let (outcome, kept) = kept(|| (0..groups).try_for_each(&mut code));
            outcome?;
            least = least.min(kept);
        }
        cases.check(least < 8 * groups, || {
            format!("{quality:?}: {least} bytes more are held after {groups} groups more")
        })?;
    }
    Ok(())
}
