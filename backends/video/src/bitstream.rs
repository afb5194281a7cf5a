//! Packets made of what encoders put out, and taken apart for decoders.

use telecine_core::Result;

use crate::nal::{self, Family};
use crate::obu;

/// The syntax of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bitstream {
    /// HEVC, ITU-T H.265 Annex B; ends with an end-of-bitstream unit.
    Hevc,
    /// AVC, ITU-T H.264 Annex B; ends with an end-of-stream unit.
    Avc,
    /// AV1, section 5.2: units that state their sizes.
    Av1,
}

impl Bitstream {
    /// Appends what a decoder needs of one coded picture: its parameter sets, where `packet[start..]` does not hold
    /// them yet, and its slices. Messages, delimiters and padding are left out.
    ///
    /// # Errors
    /// [`Error::Corrupt`](telecine_core::Error::Corrupt) for what is no such stream.
    pub fn append(self, picture: &[u8], start: usize, packet: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Hevc => nal::append(Family::Hevc, picture, start, packet),
            Self::Avc => nal::append(Family::Avc, picture, start, packet),
            Self::Av1 => obu::append(picture, packet),
        }
    }

    /// Marks the end of a packet.
    pub fn finish(self, packet: &mut Vec<u8>) {
        match self {
            Self::Hevc => packet.extend_from_slice(Family::Hevc.end()),
            Self::Avc => packet.extend_from_slice(Family::Avc.end()),
            // Units that state their sizes need no mark.
            Self::Av1 => {}
        }
    }

    /// The pictures of a packet, each with the parameter sets in front of it.
    ///
    /// # Errors
    /// [`Error::Corrupt`](telecine_core::Error::Corrupt) for a packet that is cut short, has another number of
    /// pictures, or is no such stream.
    pub fn pictures(self, packet: &[u8], count: u32) -> Result<Vec<&[u8]>> {
        let pictures = match self {
            Self::Hevc => nal::pictures(Family::Hevc, packet)?,
            Self::Avc => nal::pictures(Family::Avc, packet)?,
            Self::Av1 => obu::pictures(packet)?,
        };
        if pictures.len() == count as usize {
            return Ok(pictures);
        }
        Err(telecine_core::Error::corrupt(format!(
            "the stream holds {} pictures where {count} belong",
            pictures.len()
        )))
    }

    /// Bytes of a packet that are parameter sets and framing: all but the coded pictures.
    ///
    /// # Errors
    /// As [`Bitstream::pictures`].
    pub fn header_bytes(self, packet: &[u8]) -> Result<usize> {
        let coded = match self {
            Self::Hevc => nal::coded_bytes(Family::Hevc, packet)?,
            Self::Avc => nal::coded_bytes(Family::Avc, packet)?,
            Self::Av1 => obu::coded_bytes(packet)?,
        };
        Ok(packet.len() - coded)
    }
}
