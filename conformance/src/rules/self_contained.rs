//! Packets stand alone.

use telecine_core::EncodeOptions;

use crate::signal::{at_depth, gaussian};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "self-containment/any-order",
    family: Family::SelfContainment,
    guarantee: "Packets of one encoder decode in any order, each by a decoder of its own or all by one.",
    applies: |subject| subject.is_complete(),
    run: any_order,
}];

fn any_order(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let spec = subject.spec(1, 64, 96, 16)?;
    for quality in subject.qualities(at_depth(&spec, 60.0)) {
        let mut encoder = subject.encoding()?.encoder(spec, &EncodeOptions::default())?;
        let mut packets = Vec::new();
        for seed in 0..4 {
            let mut packet = Vec::new();
            // Each like the one before: the temptation to predict one group from another.
            let samples: Vec<u16> = gaussian(&spec, at_depth(&spec, 400.0), 51)
                .iter()
                .map(|s| (s + seed).min(spec.max_sample()))
                .collect();
            encoder.encode(&samples, quality, &mut packet)?;
            packets.push(packet);
        }
        let alone =
            packets.iter().map(|packet| subject.decode(spec, packet)).collect::<Result<Vec<_>, _>>()?;
        let mut decoder = subject.decoding()?.decoder(spec)?;
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 1, 1, 1]] {
            for index in order {
                let mut samples = vec![0; spec.samples()];
                decoder.decode(&packets[index], &mut samples)?;
                cases.check(samples == alone[index], || {
                    format!("{quality:?}: packet {index} in order {order:?}")
                })?;
            }
        }
    }
    Ok(())
}
