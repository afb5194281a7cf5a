//! Decoding samples the plain way: one by one, no tables. Every fast way must agree with it; it also ends their work.

use telecine_core::{Error, Result};

use crate::bytes::raw_bits;
use crate::model::Distribution;
use crate::plane::LOWEST;
use crate::symbols::{Cursor, Job, reconstruct};
use crate::table::{SCALE, SCALE_BITS};

/// The plain way for the samples of a context.
#[derive(Debug)]
pub(crate) struct Plain<'a> {
    distribution: &'a Distribution,
    /// Where each slot ends on the scale, by parity.
    ends: [Vec<u16>; 2],
}

impl<'a> Plain<'a> {
    pub(crate) fn of(distribution: &'a Distribution) -> Self {
        Self { distribution, ends: distribution.frequencies.each_ref().map(|frequencies| ends(frequencies)) }
    }

    /// Decodes samples, of which the first belongs to `lane`.
    pub(crate) fn run(
        &self,
        job: &Job<'_>,
        cursor: &mut Cursor<'_>,
        mut lane: usize,
        samples: &mut [u16],
    ) -> Result<()> {
        let alphabet = &self.distribution.alphabet;
        for sample in samples {
            let parity = if job.has_trellis() { cursor.paths[lane] & 1 } else { 0 };
            let frequencies = &self.distribution.frequencies[parity as usize];
            let ends = &self.ends[parity as usize];
            let state = cursor.states[lane];
            let position = state & (SCALE - 1);
            let slot = ends.partition_point(|&end| u32::from(end) <= position);
            let (Some(&end), Some(&frequency)) = (ends.get(slot), frequencies.get(slot)) else {
                return Err(Error::corrupt("a tns1 packet uses an empty table"));
            };
            let offset = position + u32::from(frequency) - u32::from(end);
            let mut state = u32::from(frequency) * (state >> SCALE_BITS) + offset;
            if state < LOWEST {
                let word = job.words.get(cursor.word..).and_then(|rest| rest.first_chunk());
                state = state << 16 | word.map_or(0, |word| u32::from(u16::from_le_bytes(*word)));
                cursor.word += 2;
            }
            cursor.states[lane] = state;
            let q = match alphabet.symbol(slot) {
                Ok(q) => q,
                Err(parity) => cursor.escaped(alphabet, parity)?,
            };
            let raw = raw_bits(job.raw, cursor.raw, alphabet.raw);
            cursor.raw += usize::from(alphabet.raw);
            cursor.check(job)?;
            let n = q << alphabet.raw | raw.cast_signed();
            let level =
                if job.has_trellis() { n.wrapping_mul(2).wrapping_add(parity.cast_signed()) } else { n };
            cursor.paths[lane] = job.trellis.next(cursor.paths[lane], n);
            let value = (job.centre + reconstruct(level, job.spacing)).clamp(0, job.max);
            *sample = u16::try_from(value).unwrap_or(u16::MAX);
            lane = if lane + 1 == cursor.states.len() { 0 } else { lane + 1 };
        }
        Ok(())
    }
}

/// Where each slot ends on the scale.
fn ends(frequencies: &[u16]) -> Vec<u16> {
    let mut end = 0;
    frequencies
        .iter()
        .map(|frequency| {
            end += frequency;
            end
        })
        .collect()
}
