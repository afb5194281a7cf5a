//! Decoding with tables, lane by lane.

use telecine_core::Result;

use super::{raw_counts, replace_rare};
use crate::bytes::raw_bits;
use crate::plane::LOWEST;
use crate::symbols::{Cursor, DIRECT_BIAS, Job, RARE, Tables, reconstruct};
use crate::table::{SCALE, SCALE_BITS};

pub(super) fn run(
    job: &Job<'_>,
    tables: &Tables,
    cursor: &mut Cursor<'_>,
    samples: &mut [u16],
) -> Result<()> {
    let lanes = cursor.states.len();
    let counts = raw_counts(job);
    let has_trellis = u32::from(job.has_trellis());
    for (step, samples) in samples.chunks_exact_mut(lanes).enumerate() {
        let contexts = &job.contexts[step * lanes..][..lanes];
        for (lane, sample) in samples.iter_mut().enumerate() {
            let context = contexts[lane];
            let parity = cursor.paths[lane] & has_trellis;
            let table = (u32::from(context) << has_trellis) + parity;
            let state = cursor.states[lane];
            let entry = tables.entries[(table << SCALE_BITS | state & (SCALE - 1)) as usize];
            let mut state = ((entry & 0xfff) + 1) * (state >> SCALE_BITS) + (entry >> SCALE_BITS & 0xfff);
            if state < LOWEST {
                let word = job.words.get(cursor.word..).and_then(|rest| rest.first_chunk());
                state = state << 16 | word.map_or(0, |word| u32::from(u16::from_le_bytes(*word)));
                cursor.word += 2;
            }
            cursor.states[lane] = state;
            let index = entry >> 24;
            let mut symbol = if tables.direct {
                index.cast_signed() - DIRECT_BIAS
            } else {
                tables.symbols[(table << 8 | index) as usize]
            };
            if index >= RARE {
                replace_rare(job, cursor, &[context], &[index], std::slice::from_mut(&mut symbol))?;
            }
            let count = counts[usize::from(context)];
            #[expect(clippy::cast_possible_truncation, reason = "at most 16")]
            let raw = raw_bits(job.raw, cursor.raw, count as u8);
            cursor.raw += count as usize;
            let n = symbol << count | raw.cast_signed();
            cursor.paths[lane] = job.trellis.next(cursor.paths[lane], n);
            let level = (n << has_trellis).wrapping_add(parity.cast_signed());
            let value = (job.centre + reconstruct(level, job.spacing)).clamp(0, job.max);
            *sample = u16::try_from(value).unwrap_or(u16::MAX);
        }
        cursor.at += lanes;
        cursor.check(job)?;
    }
    Ok(())
}
