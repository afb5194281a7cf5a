//! Samples as they are: their bits, low bits first, one after the other.

use telecine_core::{Error, Result};

use crate::plane::{PlaneSpec, STORED};

/// Appends a part of the bits of samples.
#[expect(clippy::cast_possible_truncation, reason = "whole bytes of what is held")]
pub(crate) fn write(spec: &PlaneSpec, samples: &[u16], out: &mut Vec<u8>) {
    out.push(STORED);
    if spec.depth == 16 {
        let start = out.len();
        out.resize(start + spec.stored_bytes(), 0);
        for (bytes, sample) in out[start..].as_chunks_mut::<2>().0.iter_mut().zip(samples) {
            *bytes = sample.to_le_bytes();
        }
        return;
    }
    out.reserve(spec.stored_bytes());
    let (mut held, mut count) = (0u32, 0);
    for &sample in samples {
        held |= u32::from(sample) << count;
        count += u32::from(spec.depth);
        while count >= 8 {
            out.push(held as u8);
            held >>= 8;
            count -= 8;
        }
    }
    if count > 0 {
        out.push(held as u8);
    }
}

/// Fills `samples` from what follows the first byte of a part.
#[expect(clippy::cast_possible_truncation, reason = "masked")]
pub(crate) fn read(spec: &PlaneSpec, bytes: &[u8], samples: &mut [u16]) -> Result<()> {
    if bytes.len() != spec.stored_bytes() {
        return Err(Error::corrupt(format!(
            "{} bytes in a tns1 part that stores {} samples of {} bits",
            bytes.len(),
            samples.len(),
            spec.depth
        )));
    }
    if spec.depth == 16 {
        for (sample, bytes) in samples.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *sample = u16::from_le_bytes(*bytes);
        }
        return Ok(());
    }
    let (mut held, mut count, mut bytes) = (0u32, 0, bytes.iter());
    for sample in samples {
        while count < u32::from(spec.depth) {
            held |= u32::from(bytes.next().copied().unwrap_or(0)) << count;
            count += 8;
        }
        *sample = (held & u32::from(spec.max())) as u16;
        held >>= spec.depth;
        count -= u32::from(spec.depth);
    }
    Ok(())
}
