//! Open bitstream units of AV1 in the low-overhead format (section 5.2 of the specification).

use telecine_core::{Error, Result};

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const TILE_GROUP: u8 = 4;
const FRAME: u8 = 6;

/// A temporal delimiter: begins a picture.
const DELIMITER: [u8; 2] = [TEMPORAL_DELIMITER << 3 | 2, 0];

struct Unit<'p> {
    kind: u8,
    /// All of its bytes.
    bytes: &'p [u8],
    /// Bytes of its header, size included.
    header: usize,
}

/// The units of a stream.
fn units(stream: &[u8]) -> Result<Vec<Unit<'_>>> {
    let mut units = Vec::new();
    let mut rest = stream;
    while let Some(&first) = rest.first() {
        if first & 0x80 != 0 || first & 2 == 0 {
            return Err(Error::corrupt(format!(
                "AV1 unit header {first:#04x} is none of a low-overhead stream"
            )));
        }
        let mut header = if first & 4 == 0 { 1 } else { 2 };
        let mut size = 0usize;
        for shift in 0.. {
            let &byte = rest.get(header).ok_or_else(cut)?;
            header += 1;
            size |= usize::from(byte & 127) << (7 * shift);
            match (byte & 128, shift) {
                (0, _) => break,
                // Sizes of 2²⁸ and more cannot be: a packet is not that large.
                (_, 3) => return Err(Error::corrupt("AV1 unit of 256 MiB or more")),
                _ => {}
            }
        }
        let (bytes, after) = rest.split_at_checked(header + size).ok_or_else(cut)?;
        units.push(Unit { kind: first >> 3 & 15, bytes, header });
        rest = after;
    }
    Ok(units)
}

fn cut() -> Error {
    Error::corrupt("the AV1 stream is cut short")
}

pub(crate) fn append(picture: &[u8], packet: &mut Vec<u8>) -> Result<()> {
    packet.extend_from_slice(&DELIMITER);
    for unit in units(picture)? {
        if matches!(unit.kind, SEQUENCE_HEADER | FRAME_HEADER | TILE_GROUP | FRAME) {
            packet.extend_from_slice(unit.bytes);
        }
    }
    Ok(())
}

pub(crate) fn pictures(packet: &[u8]) -> Result<Vec<&[u8]>> {
    let mut starts = Vec::new();
    let (mut at, mut last) = (0, TEMPORAL_DELIMITER);
    for unit in units(packet)? {
        if unit.kind == TEMPORAL_DELIMITER {
            starts.push(at);
        }
        at += unit.bytes.len();
        last = unit.kind;
    }
    if starts.first() != Some(&0) || !matches!(last, TILE_GROUP | FRAME) {
        return Err(cut());
    }
    let ends = starts.iter().skip(1).copied().chain([packet.len()]);
    Ok(starts.iter().zip(ends).map(|(&start, end)| &packet[start..end]).collect())
}

/// The contents of the first sequence header of a packet.
pub(crate) fn sequence_header(packet: &[u8]) -> Result<&[u8]> {
    let found = units(packet)?.into_iter().find(|unit| unit.kind == SEQUENCE_HEADER);
    let unit = found.ok_or_else(|| Error::corrupt("the stream has no sequence header"))?;
    Ok(&unit.bytes[unit.header..])
}

pub(crate) fn coded_bytes(packet: &[u8]) -> Result<usize> {
    let coded = units(packet)?.into_iter().filter(|unit| matches!(unit.kind, TILE_GROUP | FRAME));
    Ok(coded.map(|unit| unit.bytes.len() - unit.header).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet() -> Vec<u8> {
        let mut packet = Vec::new();
        for body in [1u8, 2] {
            let mut picture = vec![0x12, 0, 0x0a, 2, 7, 8, 0x2a, 3, 1, 2, 3];
            picture.extend_from_slice(&[0x32, 0x82, 0x01]);
            picture.extend(std::iter::repeat_n(body, 130));
            append(&picture, &mut packet).unwrap();
        }
        packet
    }

    #[test]
    fn metadata_is_left_out_and_each_picture_begins_with_a_delimiter() {
        let packet = packet();
        let pictures = pictures(&packet).unwrap();
        assert_eq!(pictures.len(), 2);
        assert_eq!(pictures[0][..8], [0x12, 0, 0x0a, 2, 7, 8, 0x32, 0x82]);
        assert_eq!(coded_bytes(&packet).unwrap(), 260);
    }

    #[test]
    fn a_packet_cut_anywhere_is_corrupt_or_has_fewer_pictures() {
        let packet = packet();
        for len in 0..packet.len() {
            match pictures(&packet[..len]) {
                Err(Error::Corrupt(_)) => {}
                Ok(pictures) => assert_eq!((pictures.len(), len), (1, packet.len() / 2)),
                Err(error) => panic!("{error}"),
            }
        }
        assert!(pictures(&[0x32, 0xff, 0xff, 0xff, 0xff, 0x7f]).is_err());
    }
}
