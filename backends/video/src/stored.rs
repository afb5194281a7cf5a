//! Packets that hold samples as they are, for what a codec makes larger, or promises losslessly and does not return.
//!
//! One byte `0xFF`, which begins no stream of any of the codecs, then the samples in `depth` bits each, most
//! significant bit first, and zero bits up to a whole byte.

use telecine_core::{Error, GroupSpec, Result};

const MARK: u8 = 0xff;

/// Bytes of a stored packet for a group.
pub fn stored_len(spec: &GroupSpec) -> usize {
    1 + (spec.samples() * usize::from(spec.depth)).div_ceil(8)
}

/// Appends a stored packet.
pub fn store(spec: &GroupSpec, samples: &[u16], packet: &mut Vec<u8>) {
    packet.push(MARK);
    let (mut held, mut bits) = (0u32, 0u32);
    for &sample in samples {
        held = held << spec.depth | u32::from(sample);
        bits += u32::from(spec.depth);
        while bits >= 8 {
            bits -= 8;
            packet.push((held >> bits).to_le_bytes()[0]);
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        packet.push((held << (8 - bits)).to_le_bytes()[0]);
    }
}

/// Fills `samples` from a packet if it is a stored one, and says whether it was.
///
/// # Errors
/// [`Error::Corrupt`] for a stored packet of the wrong length.
pub fn read_stored(spec: &GroupSpec, packet: &[u8], samples: &mut [u16]) -> Result<bool> {
    if packet.first() != Some(&MARK) {
        return Ok(false);
    }
    if packet.len() != stored_len(spec) || samples.len() != spec.samples() {
        return Err(Error::corrupt(format!(
            "stored packet of {} bytes where {} belong",
            packet.len(),
            stored_len(spec)
        )));
    }
    let mut bytes = packet[1..].iter();
    let (mut held, mut bits) = (0u32, 0u32);
    for sample in samples {
        while bits < u32::from(spec.depth) {
            held = held << 8 | bytes.next().copied().map_or(0, u32::from);
            bits += 8;
        }
        bits -= u32::from(spec.depth);
        let [low, high, ..] = (held >> bits).to_le_bytes();
        *sample = u16::from_le_bytes([low, high]);
        held &= (1 << bits) - 1;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use telecine_core::Limits;

    proptest! {
        #[test]
        fn stored_samples_come_back(depth in 8u8..=16, seed in prop::collection::vec(any::<u16>(), 1..50)) {
            let width = u32::try_from(seed.len()).unwrap();
            let spec = GroupSpec::new(1, 1, width, depth, &Limits::default()).unwrap();
            let samples: Vec<u16> = seed.iter().map(|sample| sample & spec.max_sample()).collect();
            let mut packet = Vec::new();
            store(&spec, &samples, &mut packet);
            prop_assert_eq!(packet.len(), stored_len(&spec));
            let mut back = vec![7; samples.len()];
            prop_assert!(read_stored(&spec, &packet, &mut back).unwrap());
            prop_assert_eq!(&back, &samples);
            packet.pop();
            prop_assert!(matches!(read_stored(&spec, &packet, &mut back), Err(Error::Corrupt(_))));
        }
    }

    #[test]
    fn a_stream_is_no_stored_packet() {
        let spec = GroupSpec::new(1, 1, 1, 8, &Limits::default()).unwrap();
        for packet in [&[][..], &[0, 0, 1], &[0x12, 0]] {
            assert!(!read_stored(&spec, packet, &mut [0]).unwrap());
        }
    }
}
