//! Writing a part of a packet: the way that makes it smallest, of those that a survey recommends.

use telecine_core::{Effort, Quality, Result};

use crate::bytes::write_varint;
use crate::encode::PlaneEncoder;
use crate::part::Within;
use crate::plane::{CONSTANT, DIFFERENCES, MASKED, PALETTE, PlaneSpec};
use crate::range::Writer;
use crate::survey::{Survey, differences};
use crate::{differences as difference, mask, palette, stored};

/// Steps below this, in samples, leave samples as they are.
const FINEST: f32 = 1.0;
/// From this share of the most frequent sample on, a mask is tried.
const MASK_SHARE: f64 = 0.2;
/// Most samples of a palette.
const PALETTE_MOST: usize = 4096;

/// Encodes parts.
#[derive(Debug)]
pub(crate) struct PartEncoder {
    plane: PlaneEncoder,
}

impl PartEncoder {
    /// An encoder that leaves alone instructions that not every machine has, or one that uses them.
    pub(crate) fn new(is_portable: bool) -> Self {
        Self { plane: PlaneEncoder::new(is_portable) }
    }

    /// Appends a part for the plane.
    ///
    /// # Errors
    /// None that is known: coding what a writer is given does not fail.
    pub(crate) fn encode(
        &mut self,
        spec: &PlaneSpec,
        samples: &[u16],
        quality: Quality,
        effort: Effort,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match quality {
            Quality::Step(step) if step >= FINEST => {
                self.lossy(Within::Nothing, spec, samples, (step, effort), out)
            }
            _ => self.exact(Within::Nothing, spec, samples, out),
        }
    }

    fn lossy(
        &mut self,
        within: Within,
        spec: &PlaneSpec,
        samples: &[u16],
        (step, effort): (f32, Effort),
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        self.plane.encode(spec, samples, Quality::Step(step), effort, out)?;
        if out[start] == CONSTANT {
            return Ok(());
        }
        let survey = Survey::of(spec, samples);
        let mut other = Vec::new();
        if within < Within::Mask && survey.share >= MASK_SHARE {
            let (plane, rest) = write_mask(spec, samples, survey.mode, &mut other)?;
            self.lossy(Within::Mask, &plane, &rest, (step, effort), &mut other)?;
            keep_smaller(out, start, &mut other);
        }
        // Where exact samples may be no larger, they are what a step may leave too.
        let bits = match within {
            Within::Nothing => differences(spec, samples, survey.bits).map_or(survey.bits, |(bits, _)| bits),
            _ => survey.bits,
        };
        // An estimate may be a little too high.
        if bytes_of(samples, bits) <= 1.15 * as_f64(out.len() - start) + 64.0 {
            self.exact(within, spec, samples, &mut other)?;
            keep_smaller(out, start, &mut other);
        }
        Ok(())
    }

    fn exact(&mut self, within: Within, spec: &PlaneSpec, samples: &[u16], out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        self.plane.encode(spec, samples, Quality::Lossless, Effort::default(), out)?;
        if out[start] == CONSTANT {
            return Ok(());
        }
        if out.len() - start > 1 + spec.stored_bytes() {
            out.truncate(start);
            stored::write(spec, samples, out);
        }
        let survey = Survey::of(spec, samples);
        let mut other = Vec::new();
        if within < Within::Mask && survey.share >= MASK_SHARE {
            let (plane, rest) = write_mask(spec, samples, survey.mode, &mut other)?;
            self.exact(Within::Mask, &plane, &rest, &mut other)?;
            keep_smaller(out, start, &mut other);
        }
        if within < Within::Palette
            && survey.distinct <= 0.5
            && let Some(palette) = few(samples)
        {
            let (plane, ranks) = write_palette(spec, samples, &palette, &mut other)?;
            self.exact(Within::Palette, &plane, &ranks, &mut other)?;
            keep_smaller(out, start, &mut other);
        }
        if within == Within::Nothing
            && let Some((bits, distances)) = differences(spec, samples, survey.bits)
            && bytes_of(samples, bits) < as_f64(out.len() - start)
        {
            let mut taken = samples.to_vec();
            for distance in distances {
                other.push(DIFFERENCES);
                write_varint(distance as u64, &mut other);
                taken = difference::take(spec, &taken, distance);
            }
            self.exact(Within::DifferencesTwice, spec, &taken, &mut other)?;
            keep_smaller(out, start, &mut other);
        }
        Ok(())
    }
}

/// Bytes of samples that take this many bits each.
fn bytes_of(samples: &[u16], bits: f64) -> f64 {
    bits * as_f64(samples.len()) / 8.0
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

/// Puts `other` in the place of what stands in `out` from `start` on, if it is no larger; empties it.
fn keep_smaller(out: &mut Vec<u8>, start: usize, other: &mut Vec<u8>) {
    if other.len() <= out.len() - start {
        out.truncate(start);
        out.extend_from_slice(other);
    }
    other.clear();
}

/// Writes a part's mask; gives the samples that are left and their plane.
fn write_mask(
    spec: &PlaneSpec,
    samples: &[u16],
    fill: u16,
    out: &mut Vec<u8>,
) -> Result<(PlaneSpec, Vec<u16>)> {
    let mut flags: Vec<bool> = samples.iter().map(|&sample| sample != fill).collect();
    let mut side = Writer::new();
    mask::code(&mut side, &mut flags, spec.width)?;
    out.push(MASKED);
    out.extend_from_slice(&fill.to_le_bytes());
    write_side(side, out);
    let rest = samples.iter().copied().filter(|&sample| sample != fill).collect();
    Ok((mask::rest(spec, &flags), rest))
}

/// Writes a part's palette; gives the ranks and their plane.
fn write_palette(
    spec: &PlaneSpec,
    samples: &[u16],
    palette: &[u16],
    out: &mut Vec<u8>,
) -> Result<(PlaneSpec, Vec<u16>)> {
    let mut side = Writer::new();
    palette::code(&mut side, spec, palette)?;
    out.push(PALETTE);
    write_varint(palette.len() as u64, out);
    write_side(side, out);
    let mut ranks = vec![0u16; 1 << 16];
    for (rank, &sample) in (0..).zip(palette) {
        ranks[usize::from(sample)] = rank;
    }
    let ranks = samples.iter().map(|&sample| ranks[usize::from(sample)]).collect();
    Ok((palette::ranks(spec, palette.len()), ranks))
}

fn write_side(side: Writer, out: &mut Vec<u8>) {
    let side = side.finish();
    write_varint(side.len() as u64, out);
    out.extend_from_slice(&side);
}

/// The different samples of a plane, in ascending order, where they are at most half of those in between.
fn few(samples: &[u16]) -> Option<Vec<u16>> {
    let mut occurs = vec![false; 1 << 16];
    samples.iter().for_each(|&sample| occurs[usize::from(sample)] = true);
    let palette: Vec<u16> = (0..=u16::MAX).filter(|&sample| occurs[usize::from(sample)]).collect();
    let between = palette.last()? - palette.first()?;
    (palette.len() > 1 && palette.len() <= PALETTE_MOST && palette.len() <= usize::from(between) / 2)
        .then_some(palette)
}
