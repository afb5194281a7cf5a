//! Decoding samples the plain way: one by one, no tables. Every fast way must agree with it; it also ends their work.

use telecine_core::{Error, Result};

use crate::bytes::raw_bits;
use crate::plane::LOWEST;
use crate::symbols::{Cursor, Job, reconstruct};
use crate::table::{SCALE, SCALE_BITS};

/// Decodes from where the cursor stands to the last sample.
pub(crate) fn run(job: &Job<'_>, cursor: &mut Cursor<'_>, samples: &mut [u16]) -> Result<()> {
    let starts: Vec<[Vec<u16>; 2]> =
        job.distributions.iter().map(|d| [ends(&d.frequencies[0]), ends(&d.frequencies[1])]).collect();
    let lanes = cursor.states.len();
    for (at, sample) in samples.iter_mut().enumerate().skip(cursor.at) {
        let lane = at % lanes;
        let context = job.context(at);
        let distribution = &job.distributions[context];
        let parity = if job.has_trellis() { cursor.paths[lane] & 1 } else { 0 };
        let frequencies = &distribution.frequencies[parity as usize];
        let ends = &starts[context][parity as usize];
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
        let alphabet = &distribution.alphabet;
        let q = match alphabet.symbol(slot) {
            Ok(q) => q,
            Err(parity) => cursor.escaped(alphabet, parity)?,
        };
        let raw = raw_bits(job.raw, cursor.raw, alphabet.raw);
        cursor.raw += usize::from(alphabet.raw);
        cursor.check(job)?;
        let n = q << alphabet.raw | raw.cast_signed();
        let level = if job.has_trellis() { n.wrapping_mul(2).wrapping_add(parity.cast_signed()) } else { n };
        cursor.paths[lane] = job.trellis.next(cursor.paths[lane], n);
        let value = (job.centre + reconstruct(level, job.spacing)).clamp(0, job.max);
        *sample = u16::try_from(value).unwrap_or(u16::MAX);
    }
    cursor.at = samples.len();
    Ok(())
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
