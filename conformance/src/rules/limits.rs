//! Memory is bounded by the group, not by what a packet says.

use super::determinism::qualities;
use crate::alloc::{is_counting, peak};
use crate::signal::{gaussian, noise};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "limits/decoder-memory",
    family: Family::Limits,
    guarantee: "Decoding holds at most 64 bytes per sample and 16 MiB, whatever the packet says.",
    applies: |subject| {
        subject.is_complete()?;
        if is_counting() { Ok(()) } else { Err("this binary does not count its allocations") }
    },
    run: decoder_memory,
}];

fn decoder_memory(subject: &Subject<'_>, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 64, 64, 16)?;
    let bound = 64 * spec.samples() as u64 + (16 << 20);
    let mut packets = Vec::new();
    for quality in qualities(subject, 200.0) {
        let packet = subject.encode(spec, &gaussian(&spec, 900.0, 101), quality)?;
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
