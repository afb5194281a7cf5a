//! Network abstraction layer units of HEVC and AVC in byte streams (Annex B).

use telecine_core::{Error, Result};

/// The two standards that use such units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Hevc,
    Avc,
}

/// What a unit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    ParameterSet,
    /// A slice; whether it is the first of its picture.
    Slice {
        is_first: bool,
    },
    /// Delimiters, messages, padding: a decoder gives the same picture without it.
    Idle,
}

impl Family {
    /// The unit that ends a stream (H.265 section 7.3.2.7, H.264 section 7.3.2.6), with its start code.
    pub(crate) fn end(self) -> &'static [u8] {
        match self {
            Self::Hevc => &[0, 0, 1, 37 << 1, 1],
            Self::Avc => &[0, 0, 1, 11],
        }
    }

    /// Table 7-1 of either standard.
    fn kind(self, unit: &[u8]) -> Kind {
        let byte = |at: usize| unit.get(at).copied().unwrap_or(0);
        match self {
            Self::Hevc => match byte(0) >> 1 & 63 {
                0..=31 => Kind::Slice { is_first: byte(2) & 0x80 != 0 },
                32..=34 => Kind::ParameterSet,
                _ => Kind::Idle,
            },
            Self::Avc => match byte(0) & 31 {
                // The first macroblock's number comes first, and 0 is coded as a single 1.
                1..=5 => Kind::Slice { is_first: byte(1) & 0x80 != 0 },
                7 | 8 | 13 | 15 => Kind::ParameterSet,
                _ => Kind::Idle,
            },
        }
    }
}

/// Where a unit begins and ends.
type Span = (usize, usize);

/// The units of a byte stream, start codes and zeros around them left out.
fn units(stream: &[u8]) -> Result<Vec<Span>> {
    // (start of the start code, start of the unit)
    let mut starts = Vec::new();
    let mut at = 0;
    while let Some(offset) = stream[at..].windows(3).position(|window| window == [0, 0, 1]) {
        starts.push((at + offset, at + offset + 3));
        at += offset + 3;
    }
    let before = starts.first().map_or(stream.len(), |&(code, _)| code);
    if stream[..before].iter().any(|&byte| byte != 0) || starts.is_empty() {
        return Err(Error::corrupt("the stream does not begin with a start code"));
    }
    let ends = starts.iter().skip(1).map(|&(code, _)| code).chain([stream.len()]);
    let trimmed = starts.iter().zip(ends).map(|(&(_, start), end)| {
        let zeros = stream[start..end].iter().rev().take_while(|&&byte| byte == 0).count();
        (start, end - zeros)
    });
    let units: Vec<_> = trimmed.collect();
    if units.iter().any(|(start, end)| start == end) {
        return Err(Error::corrupt("the stream has an empty unit"));
    }
    Ok(units)
}

pub(crate) fn append(family: Family, picture: &[u8], start: usize, packet: &mut Vec<u8>) -> Result<()> {
    let mut is_first = true;
    for (from, to) in units(picture)? {
        let unit = &picture[from..to];
        let kind = family.kind(unit);
        let is_parameter_set = kind == Kind::ParameterSet;
        if kind == Kind::Idle || (is_parameter_set && holds(&packet[start..], unit)) {
            continue;
        }
        // Annex B wants a byte more before parameter sets and where a picture begins.
        if is_first || is_parameter_set {
            packet.push(0);
        }
        packet.extend_from_slice(&[0, 0, 1]);
        packet.extend_from_slice(unit);
        is_first = false;
    }
    Ok(())
}

/// Whether a stream holds this very parameter set, as its last of that type.
fn holds(stream: &[u8], set: &[u8]) -> bool {
    let Ok(units) = units(stream) else { return false };
    let same_type = |&&(from, _): &&Span| stream[from] == set[0];
    units.iter().rev().find(same_type).is_some_and(|&(from, to)| stream[from..to] == *set)
}

/// A packet without its end mark, and its units.
fn open(family: Family, packet: &[u8]) -> Result<(&[u8], Vec<Span>)> {
    let stream = packet
        .strip_suffix(family.end())
        .ok_or_else(|| Error::corrupt("the stream is cut short: its end mark is missing"))?;
    Ok((stream, units(stream)?))
}

pub(crate) fn pictures(family: Family, packet: &[u8]) -> Result<Vec<&[u8]>> {
    let (stream, units) = open(family, packet)?;
    let mut starts = Vec::new();
    let (mut has_slice, mut start) = (false, 0);
    for (from, to) in units {
        let kind = family.kind(&stream[from..to]);
        if has_slice && kind != (Kind::Slice { is_first: false }) {
            (has_slice, start) = (false, from - 3);
        }
        if !has_slice && matches!(kind, Kind::Slice { .. }) {
            has_slice = true;
            starts.push(start);
        }
    }
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    Ok(starts.iter().zip(ends).map(|(&start, end)| &stream[start..end]).collect())
}

/// The first sequence parameter set of a packet (type 33 of H.265, 7 of H.264).
pub(crate) fn sequence_header(family: Family, packet: &[u8]) -> Result<&[u8]> {
    let is_it = |unit: &&[u8]| match family {
        Family::Hevc => unit[0] >> 1 & 63 == 33,
        Family::Avc => unit[0] & 31 == 7,
    };
    let mut all = units(packet)?.into_iter().map(|(from, to)| &packet[from..to]);
    all.find(is_it).ok_or_else(|| Error::corrupt("the stream has no sequence parameter set"))
}

pub(crate) fn coded_bytes(family: Family, packet: &[u8]) -> Result<usize> {
    let (stream, units) = open(family, packet)?;
    let slices =
        units.iter().filter(|&&(from, to)| matches!(family.kind(&stream[from..to]), Kind::Slice { .. }));
    Ok(slices.map(|(from, to)| to - from).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A picture as encoders put it out: delimiter, parameter sets, a message, two slices.
    fn picture(body: u8) -> Vec<u8> {
        let mut out = Vec::new();
        for unit in [
            &[35 << 1, 1, 0x50][..],
            &[32 << 1, 1, 7],
            &[33 << 1, 1, 8],
            &[34 << 1, 1, 9],
            &[39 << 1, 1, 5, 5, 5],
            &[19 << 1, 1, 0x80, body],
            &[19 << 1, 1, 0x10, body],
        ] {
            out.extend_from_slice(&[0, 0, 0, 1]);
            out.extend_from_slice(unit);
        }
        out
    }

    fn packet(bodies: &[u8]) -> Vec<u8> {
        let mut packet = b"in front".to_vec();
        for &body in bodies {
            append(Family::Hevc, &picture(body), 8, &mut packet).unwrap();
        }
        packet.extend_from_slice(Family::Hevc.end());
        packet.split_off(8)
    }

    #[test]
    fn parameter_sets_stand_once_and_idle_units_not_at_all() {
        let packet = packet(&[1, 2, 3]);
        let (stream, units) = open(Family::Hevc, &packet).unwrap();
        let types: Vec<u8> = units.iter().map(|&(from, _)| stream[from] >> 1).collect();
        assert_eq!(types, [32, 33, 34, 19, 19, 19, 19, 19, 19]);
        let pictures = pictures(Family::Hevc, &packet).unwrap();
        assert_eq!(pictures.len(), 3);
        assert_eq!(pictures[1], [0, 0, 1, 38, 1, 0x80, 2, 0, 0, 1, 38, 1, 0x10, 2, 0]);
        assert_eq!(coded_bytes(Family::Hevc, &packet).unwrap(), 24);
    }

    #[test]
    fn a_packet_cut_anywhere_is_corrupt() {
        let packet = packet(&[1, 2]);
        for len in 0..packet.len() {
            assert!(matches!(pictures(Family::Hevc, &packet[..len]), Err(Error::Corrupt(_))), "{len}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_pictures_or_corrupt(mut bytes in prop::collection::vec(prop::sample::select(vec![0u8, 1, 38, 64, 66, 0x80]), 0..60), avc in any::<bool>()) {
            let family = if avc { Family::Avc } else { Family::Hevc };
            bytes.extend_from_slice(family.end());
            match pictures(family, &bytes) {
                Ok(pictures) => prop_assert!(pictures.iter().map(|p| p.len()).sum::<usize>() <= bytes.len()),
                Err(error) => prop_assert!(matches!(error, Error::Corrupt(_))),
            }
        }
    }
}
