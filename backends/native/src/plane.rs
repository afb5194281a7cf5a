//! What both directions know of a plane's part of a packet.

use telecine_core::{Error, Result};

use crate::model::Alphabet;
use crate::range::{Bit, Coder, Number};

/// The size of a plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlaneSpec {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) depth: u8,
}

impl PlaneSpec {
    pub(crate) fn samples(&self) -> usize {
        self.height * self.width
    }

    /// The largest sample.
    pub(crate) fn max(&self) -> u16 {
        u16::MAX >> (16 - self.depth)
    }

    pub(crate) fn mid(&self) -> i32 {
        1 << (self.depth - 1)
    }

    /// Bytes of the samples' bits.
    pub(crate) fn stored_bytes(&self) -> usize {
        (self.samples() * usize::from(self.depth)).div_ceil(8)
    }
}

/// Lanes of a large plane, as a power of two.
pub(crate) const MAX_LOG2_LANES: u8 = 6;
/// A lane is worth its state's 4 bytes from this many samples on.
const LANE_SAMPLES: usize = 4096;
/// From this many samples on, the most lanes are worth it, for machines with wide vectors.
const MANY_SAMPLES: usize = 1 << 20;
/// The least value of a coder state between symbols.
pub(crate) const LOWEST: u32 = 1 << 15;
/// Spacings that a packet may state: no level of a table then leaves 31 bits.
pub(crate) const SPACINGS: std::ops::RangeInclusive<f32> = 0.0625..=65536.0;
/// First byte of a part whose samples are all equal; the sample follows.
pub(crate) const CONSTANT: u8 = 0xff;
/// First byte of a part that holds the bits of its samples; they follow.
pub(crate) const STORED: u8 = 0xfe;
/// First byte of a part of differences; their distance and a part follow.
pub(crate) const DIFFERENCES: u8 = 0xfd;
/// First byte of a part of samples that are mostly one; that one, a mask and a part of the others follow.
pub(crate) const MASKED: u8 = 0xfc;
/// First byte of a part of few samples; a list of them and a part of their ranks follow.
pub(crate) const PALETTE: u8 = 0xfb;

/// Lanes for a plane of this many samples, as a power of two.
pub(crate) fn log2_lanes(samples: usize) -> u8 {
    let most = if samples < MANY_SAMPLES { MAX_LOG2_LANES - 1 } else { MAX_LOG2_LANES };
    let lanes = (samples / LANE_SAMPLES).max(1).ilog2();
    u8::try_from(lanes).unwrap_or(most).min(most)
}

/// Codes an escaped symbol of known parity.
pub(crate) fn code_escape(
    coder: &mut impl Coder,
    model: &mut (Number, Bit),
    alphabet: &Alphabet,
    q: i32,
) -> Result<i32> {
    let negative = coder.bit(q < 0, &mut model.1)?;
    let beyond = if q < 0 { -alphabet.reach - 2 - q } else { q - alphabet.reach - 1 };
    let beyond = model.0.unsigned(coder, u32::try_from(beyond).unwrap_or(0))?;
    let beyond = i32::try_from(beyond).ok().filter(|&b| b < 1 << 20);
    let beyond = beyond.ok_or_else(|| Error::corrupt("an escaped level of a tns1 packet is over 20 bits"))?;
    Ok(if negative { -alphabet.reach - 2 - beyond } else { alphabet.reach + 1 + beyond })
}
