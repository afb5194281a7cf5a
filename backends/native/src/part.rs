//! Reading a part of a packet: the samples of a plane by one of several ways, some of which hold a part themselves.

use telecine_core::{Error, Result};

use crate::bytes::{read_length, take, take_array};
use crate::decode::PlaneDecoder;
use crate::plane::{CONSTANT, DIFFERENCES, MASKED, PALETTE, PlaneSpec, STORED};
use crate::range::Reader;
use crate::simd::Way;
use crate::{differences, mask, palette, stored};

/// The depth of a part within others: differences come first, at most twice, then a mask, then a palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Within {
    Nothing,
    Differences,
    DifferencesTwice,
    Mask,
    Palette,
}

/// Buffers for decoding parts.
#[derive(Debug)]
pub(crate) struct PartDecoder {
    plane: PlaneDecoder,
}

impl PartDecoder {
    /// A decoder that goes this way; without one, the plain way.
    pub(crate) fn new(way: Option<Way>) -> Self {
        Self { plane: PlaneDecoder::new(way) }
    }

    /// Fills `samples` from the part, which must end where the plane does.
    pub(crate) fn decode(&mut self, spec: &PlaneSpec, bytes: &[u8], samples: &mut [u16]) -> Result<()> {
        self.decode_within(Within::Nothing, spec, bytes, samples)
    }

    fn decode_within(
        &mut self,
        within: Within,
        spec: &PlaneSpec,
        mut bytes: &[u8],
        samples: &mut [u16],
    ) -> Result<()> {
        let Some((&kind, rest)) = bytes.split_first() else {
            return Err(Error::corrupt("a tns1 packet has a part of no bytes"));
        };
        let inner = match (kind, within) {
            (DIFFERENCES, Within::Nothing) => Within::Differences,
            (DIFFERENCES, Within::Differences) => Within::DifferencesTwice,
            (MASKED, within) if within < Within::Mask => Within::Mask,
            (PALETTE, within) if within < Within::Palette => Within::Palette,
            (DIFFERENCES | MASKED | PALETTE, _) => {
                return Err(Error::corrupt(format!("a tns1 part of kind {kind:#x} within {within:?}")));
            }
            (STORED, _) => return stored::read(spec, rest, samples),
            (CONSTANT, _) => return constant(spec, rest, samples),
            _ => return self.plane.decode(spec, bytes, samples),
        };
        bytes = rest;
        match kind {
            DIFFERENCES => {
                let distance = read_length(&mut bytes)?;
                if !(1..samples.len()).contains(&distance) {
                    return Err(Error::corrupt(format!(
                        "differences over {distance} samples in a tns1 plane of {}",
                        samples.len()
                    )));
                }
                self.decode_within(inner, spec, bytes, samples)?;
                differences::undo(spec, samples, distance);
                Ok(())
            }
            MASKED => self.decode_masked(spec, bytes, samples),
            _ => {
                let count = read_length(&mut bytes)?;
                if !(1..=usize::from(spec.max()) + 1).contains(&count) {
                    return Err(Error::corrupt(format!("a tns1 palette of {count} samples")));
                }
                let side_len = read_length(&mut bytes)?;
                let mut side = Reader::new(take(&mut bytes, side_len)?);
                let palette = palette::code(&mut side, spec, &vec![0; count])?;
                self.decode_within(inner, &palette::ranks(spec, count), bytes, samples)?;
                palette::look_up(&palette, samples)
            }
        }
    }

    fn decode_masked(&mut self, spec: &PlaneSpec, mut bytes: &[u8], samples: &mut [u16]) -> Result<()> {
        let fill = checked(spec, u16::from_le_bytes(take_array(&mut bytes)?))?;
        let side_len = read_length(&mut bytes)?;
        let mut side = Reader::new(take(&mut bytes, side_len)?);
        let mut flags = vec![false; samples.len()];
        mask::code(&mut side, &mut flags, spec.width)?;
        let rest = mask::rest(spec, &flags);
        let count = rest.samples();
        if count == 0 {
            return Err(Error::corrupt("a mask of a tns1 packet leaves no samples"));
        }
        // The others are decoded to the front, and moved to their places from the last one on.
        self.decode_within(Within::Mask, &rest, bytes, &mut samples[..count])?;
        let mut next = count;
        for (at, &flag) in flags.iter().enumerate().rev() {
            if flag {
                next -= 1;
                samples[at] = samples[next];
            } else {
                samples[at] = fill;
            }
        }
        Ok(())
    }
}

fn constant(spec: &PlaneSpec, bytes: &[u8], samples: &mut [u16]) -> Result<()> {
    let [low, high] = *bytes else {
        return Err(Error::corrupt("a constant tns1 plane has other than 3 bytes"));
    };
    samples.fill(checked(spec, u16::from_le_bytes([low, high]))?);
    Ok(())
}

/// A sample, if it fits the depth.
fn checked(spec: &PlaneSpec, sample: u16) -> Result<u16> {
    if sample <= spec.max() {
        Ok(sample)
    } else {
        Err(Error::corrupt(format!("sample {sample} in a tns1 plane of depth {}", spec.depth)))
    }
}
