//! Palettes: the samples that a plane has, where they are few; it is then coded as their ranks.

use telecine_core::{Error, Result};

use crate::plane::PlaneSpec;
use crate::range::{Coder, Number};

/// Codes the samples of a palette in ascending order; a reader passes any of the right number.
pub(crate) fn code(coder: &mut impl Coder, spec: &PlaneSpec, palette: &[u16]) -> Result<Vec<u16>> {
    let mut model = Number::default();
    let mut out = Vec::with_capacity(palette.len());
    let mut next = 0u32;
    for &sample in palette {
        // A reader's samples are not ascending; its differences are ignored.
        let sample = next + model.unsigned(coder, u32::from(sample).saturating_sub(next))?;
        match u16::try_from(sample) {
            Ok(sample) if sample <= spec.max() => out.push(sample),
            _ => return Err(Error::corrupt(format!("sample {sample} in a palette of depth {}", spec.depth))),
        }
        next = sample + 1;
    }
    Ok(out)
}

/// The plane of ranks: as deep as ranks below `count` need.
pub(crate) fn ranks(spec: &PlaneSpec, count: usize) -> PlaneSpec {
    let depth = count.next_power_of_two().ilog2().clamp(1, 16);
    PlaneSpec { depth: u8::try_from(depth).unwrap_or(16), ..*spec }
}

/// Replaces ranks by their samples.
pub(crate) fn look_up(palette: &[u16], samples: &mut [u16]) -> Result<()> {
    for sample in samples {
        *sample = *palette.get(usize::from(*sample)).ok_or_else(|| {
            Error::corrupt(format!("rank {sample} in a palette of {} samples", palette.len()))
        })?;
    }
    Ok(())
}
