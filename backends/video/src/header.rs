//! What a stream says of its own pictures: chroma, depth and profile, from its first sequence header.

use telecine_core::{Capabilities, Error, Result};

use crate::nal::Family;
use crate::{Bitstream, nal, obu};

/// Properties of a stream's pictures, as its sequence header states them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// `chroma_format_idc` of H.265 and H.264: 0 luma alone, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma: u8,
    /// Bits of a luma sample.
    pub depth: u8,
    /// `general_profile_idc`, `profile_idc` or `seq_profile`.
    pub profile: u8,
}

/// Profiles of H.264 that NVDEC decodes up to Hopper: Baseline, Main and High.
const AVC_PROFILES: [u8; 3] = [66, 77, 100];

impl Bitstream {
    /// The groups that NVIDIA's decoders are documented to take: pictures of 4:2:0, with the sizes that
    /// `cuvidGetDecoderCaps` returns and the depths of the NVDECODE programming guide, for cards up to Hopper.
    ///
    /// Lossless AVC is of the profile High 4:4:4 Predictive, which they lack, and so is AVC of 10 bits (High 10).
    pub const fn hardware(self) -> Capabilities {
        let (depths, width, height, most): (&[u8], u32, u32, u32) = match self {
            Self::Hevc => (&[8, 10, 12], 144, 144, 8192),
            Self::Avc => (&[8], 48, 16, 4096),
            Self::Av1 => (&[8, 10], 128, 128, 8192),
        };
        let mut capabilities = Capabilities::new(depths)
            .with_lossy(0.0)
            .with_loose_steps()
            .with_sizes(width..=most, height..=most, 2)
            .with_max_frames(1 << 12);
        capabilities.lossless = !matches!(self, Self::Avc);
        capabilities
    }

    /// Reads the first sequence header of a packet.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a packet without a whole one.
    pub fn header(self, packet: &[u8]) -> Result<Header> {
        let read = match self {
            Self::Hevc => hevc(&unescaped(nal::sequence_header(Family::Hevc, packet)?)),
            Self::Avc => avc(&unescaped(nal::sequence_header(Family::Avc, packet)?)),
            Self::Av1 => av1(obu::sequence_header(packet)?),
        };
        read.ok_or_else(|| Error::corrupt("the stream's sequence header is cut short"))
    }

    /// Checks that a packet is of a kind that NVIDIA's decoders are documented to decode.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for other chroma than 4:2:0 and for other profiles, [`Error::Corrupt`] as
    /// [`Bitstream::header`].
    pub fn check_hardware(self, backend: &str, packet: &[u8]) -> Result<()> {
        let Header { chroma, depth, profile } = self.header(packet)?;
        let is_profile = match self {
            // Profiles of HEVC and AV1 follow from chroma and depth.
            Self::Hevc | Self::Av1 => true,
            Self::Avc => AVC_PROFILES.contains(&profile),
        };
        if chroma == 1 && is_profile && self.hardware().depths.contains(&depth) {
            return Ok(());
        }
        let pictures = match chroma {
            0 => "luma alone",
            1 => "4:2:0",
            2 => "4:2:2",
            _ => "4:4:4",
        };
        Err(Error::unsupported(format!(
            "{backend} does not decode this packet of {pictures}, {depth} bits, profile {profile}: take a decoder in software"
        )))
    }
}

/// The bits of a header, most significant first.
struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0u32, |value, _| Some(value << 1 | u32::from(self.bit()?)))
    }

    fn byte(&mut self, count: u32) -> Option<u8> {
        u8::try_from(self.take(count)?).ok()
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.at += count;
        (self.at <= self.bytes.len() * 8).then_some(())
    }

    /// `ue(v)` of H.264 section 9.1, and `uvlc()` of AV1 section 4.10.3.
    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros == 32 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }

    fn depth(&mut self) -> Option<u8> {
        u8::try_from(self.exp_golomb()?.checked_add(8)?).ok()
    }
}

/// A unit without its emulation prevention bytes (H.264 section 7.3.1).
fn unescaped(unit: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &byte in unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// The sequence parameter set of H.265 section 7.3.2.2.
fn hevc(unit: &[u8]) -> Option<Header> {
    let mut bits = Bits { bytes: unit.get(2..)?, at: 4 };
    let sub_layers = bits.take(3)?;
    bits.skip(1)?;
    bits.skip(3)?;
    let profile = bits.byte(5)?;
    // Compatibility and constraint flags, level.
    bits.skip(32 + 48 + 8)?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.bit()?, bits.bit()?));
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers as usize))?;
    }
    for (has_profile, has_level) in present {
        bits.skip(if has_profile { 88 } else { 0 } + if has_level { 8 } else { 0 })?;
    }
    bits.exp_golomb()?;
    let chroma = u8::try_from(bits.exp_golomb()?).ok()?;
    if chroma == 3 {
        bits.skip(1)?;
    }
    let (_width, _height) = (bits.exp_golomb()?, bits.exp_golomb()?);
    if bits.bit()? {
        for _ in 0..4 {
            bits.exp_golomb()?;
        }
    }
    Some(Header { chroma, depth: bits.depth()?, profile })
}

/// The sequence parameter set of H.264 section 7.3.2.1.1.
fn avc(unit: &[u8]) -> Option<Header> {
    let mut bits = Bits { bytes: unit.get(1..)?, at: 0 };
    let profile = bits.byte(8)?;
    bits.skip(16)?;
    bits.exp_golomb()?;
    if !matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        return Some(Header { chroma: 1, depth: 8, profile });
    }
    let chroma = u8::try_from(bits.exp_golomb()?).ok()?;
    if chroma == 3 {
        bits.skip(1)?;
    }
    Some(Header { chroma, depth: bits.depth()?, profile })
}

/// The sequence header of AV1 section 5.5.
fn av1(payload: &[u8]) -> Option<Header> {
    let mut bits = Bits { bytes: payload, at: 0 };
    let profile = bits.byte(3)?;
    bits.skip(1)?;
    let is_reduced = bits.bit()?;
    if is_reduced {
        bits.skip(5)?;
    } else {
        operating_points(&mut bits)?;
    }
    let (width, height) = (bits.take(4)?, bits.take(4)?);
    bits.skip((width + height + 2) as usize)?;
    if !is_reduced && bits.bit()? {
        bits.skip(7)?;
    }
    // Superblocks of 128, filter of intra prediction, filter of intra edges.
    bits.skip(3)?;
    if !is_reduced {
        tools_between_frames(&mut bits)?;
    }
    // Super-resolution, CDEF, loop restoration.
    bits.skip(3)?;
    colour(&mut bits, profile)
}

fn operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut delay_bits = None;
    if bits.bit()? {
        bits.skip(64)?;
        if bits.bit()? {
            bits.exp_golomb()?;
        }
        if bits.bit()? {
            delay_bits = Some(bits.take(5)? as usize + 1);
            bits.skip(32 + 10)?;
        }
    }
    let has_display_delay = bits.bit()?;
    for _ in 0..=bits.take(5)? {
        bits.skip(12)?;
        if bits.take(5)? > 7 {
            bits.skip(1)?;
        }
        if let Some(delay_bits) = delay_bits
            && bits.bit()?
        {
            bits.skip(2 * delay_bits + 1)?;
        }
        if has_display_delay && bits.bit()? {
            bits.skip(4)?;
        }
    }
    Some(())
}

fn tools_between_frames(bits: &mut Bits<'_>) -> Option<()> {
    // Inter-intra and masked compounds, warped motion, dual filter.
    bits.skip(4)?;
    let has_order_hint = bits.bit()?;
    if has_order_hint {
        bits.skip(2)?;
    }
    let forces_screen_content = if bits.bit()? { true } else { bits.bit()? };
    if forces_screen_content && !bits.bit()? {
        bits.skip(1)?;
    }
    if has_order_hint {
        bits.skip(3)?;
    }
    Some(())
}

/// `color_config()` of AV1 section 5.5.2.
fn colour(bits: &mut Bits<'_>, profile: u8) -> Option<Header> {
    let is_high = bits.bit()?;
    let depth = match (profile, is_high) {
        (2, true) => 10 + 2 * u8::from(bits.bit()?),
        (_, true) => 10,
        (_, false) => 8,
    };
    let is_monochrome = profile != 1 && bits.bit()?;
    // Primaries, transfer and matrix: sRGB is 4:4:4.
    let is_rgb = bits.bit()? && bits.take(24)? == 1 << 16 | 13 << 8;
    let chroma = if is_monochrome {
        0
    } else if is_rgb {
        3
    } else {
        bits.skip(1)?;
        match (profile, depth) {
            (0, _) => 1,
            (1, _) => 3,
            (_, 12) => match (bits.bit()?, bits.bit()?) {
                (false, _) => 3,
                (true, false) => 2,
                (true, true) => 1,
            },
            _ => 2,
        }
    };
    Some(Header { chroma, depth, profile })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_probes_say_of_themselves_what_they_are() {
        for bitstream in [Bitstream::Hevc, Bitstream::Avc, Bitstream::Av1] {
            let (grey, colour) = (bitstream.flat(), bitstream.flat_420().unwrap());
            assert_eq!(bitstream.header(grey).map(|header| (header.chroma, header.depth)).unwrap(), (0, 8));
            assert_eq!(
                bitstream.header(&colour).map(|header| (header.chroma, header.depth)).unwrap(),
                (1, 8)
            );
            bitstream.check_hardware("nvdec", &colour).unwrap();
            let error = bitstream.check_hardware("nvdec", grey).unwrap_err();
            assert!(matches!(&error, Error::Unsupported(reason) if reason.contains("luma alone")), "{error}");
        }
    }

    #[test]
    fn emulation_prevention_is_taken_out() {
        assert_eq!(unescaped(&[1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3]), [1, 0, 0, 1, 0, 0, 0, 0, 3]);
    }

    #[test]
    fn a_header_cut_anywhere_is_corrupt() {
        let packet = Bitstream::Av1.flat_420().unwrap();
        let payload = obu::sequence_header(&packet).unwrap();
        assert!(av1(payload).is_some() && (0..payload.len() - 1).all(|len| av1(&payload[..len]).is_none()));
        for (bitstream, read) in [(Bitstream::Hevc, hevc as fn(&[u8]) -> _), (Bitstream::Avc, avc)] {
            let family = if bitstream == Bitstream::Hevc { Family::Hevc } else { Family::Avc };
            let packet = bitstream.flat_420().unwrap();
            let unit = unescaped(nal::sequence_header(family, &packet).unwrap());
            assert!(read(&unit).is_some() && (0..5).all(|len| read(&unit[..len]).is_none()));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_header_or_none(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            for read in [hevc, avc, av1] {
                let _ = read(&bytes);
            }
            for bitstream in [Bitstream::Hevc, Bitstream::Avc, Bitstream::Av1] {
                let packet = [&[0, 0, 1, 66][..], &bytes].concat();
                prop_assert!(matches!(bitstream.header(&packet), Ok(_) | Err(Error::Corrupt(_))));
            }
        }
    }
}
