//! Decoding with AVX2: 8 lanes a vector.

use std::arch::x86_64::*;

use telecine_core::Result;

use super::{raw_counts, replace_rare};
use crate::symbols::{Cursor, DIRECT_BIAS, Job, RARE, Tables};

/// For each mask of 8 lanes, how many lanes below each are in it: the word that each takes.
static RANKS: [[u8; 8]; 256] = ranks();

#[expect(clippy::cast_possible_truncation, reason = "at most 8")]
const fn ranks() -> [[u8; 8]; 256] {
    let mut out = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let mut lane = 0;
        while lane < 8 {
            out[mask][lane] = (mask as u32 & ((1 << lane) - 1)).count_ones() as u8;
            lane += 1;
        }
        mask += 1;
    }
    out
}

/// Decodes whole steps of all lanes, of which there are 16, 32 or 64.
#[target_feature(enable = "avx2")]
pub(super) fn run(
    job: &Job<'_>,
    tables: &Tables,
    cursor: &mut Cursor<'_>,
    samples: &mut [u16],
) -> Result<()> {
    let raw = job.distributions.iter().any(|d| d.alphabet.raw > 0);
    match (cursor.states.len(), raw) {
        (16, false) => steps::<2, false>(job, tables, cursor, samples),
        (16, true) => steps::<2, true>(job, tables, cursor, samples),
        (32, false) => steps::<4, false>(job, tables, cursor, samples),
        (32, true) => steps::<4, true>(job, tables, cursor, samples),
        (64, false) => steps::<8, false>(job, tables, cursor, samples),
        (64, true) => steps::<8, true>(job, tables, cursor, samples),
        _ => Ok(()),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "small integers")]
#[target_feature(enable = "avx2")]
fn steps<const VECTORS: usize, const RAW: bool>(
    job: &Job<'_>,
    tables: &Tables,
    cursor: &mut Cursor<'_>,
    samples: &mut [u16],
) -> Result<()> {
    let lanes = 8 * VECTORS;
    let has_trellis = i64::from(job.has_trellis());
    let parity_mask = _mm256_set1_epi32(has_trellis as i32);
    let table_shift = _mm_set_epi64x(0, has_trellis);
    let twelve = _mm256_set1_epi32(0xfff);
    let one = _mm256_set1_epi32(1);
    let h0 = _mm256_set1_epi32(job.trellis.taps().0);
    let h1 = _mm256_set1_epi32(job.trellis.taps().1);
    let spacing = _mm256_set1_ps(job.spacing);
    let (far_below, far_above) = (_mm256_set1_ps(-1e6), _mm256_set1_ps(1e6));
    let centre = _mm256_set1_epi32(job.centre);
    let (zero, max) = (_mm256_setzero_si256(), _mm256_set1_epi32(job.max));
    let counts = raw_counts(job);
    let mut states = [zero; VECTORS];
    let mut paths = [zero; VECTORS];
    for vector in 0..VECTORS {
        // SAFETY: both hold `lanes` integers, 8 for each vector.
        unsafe {
            states[vector] = _mm256_loadu_si256(cursor.states.as_ptr().add(8 * vector).cast());
            paths[vector] = _mm256_loadu_si256(cursor.paths.as_ptr().add(8 * vector).cast());
        }
    }
    for (samples, contexts) in samples.chunks_exact_mut(lanes).zip(job.contexts.chunks_exact(lanes)) {
        for vector in 0..VECTORS {
            // SAFETY: `contexts` holds 8 bytes for each vector.
            let context =
                unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(contexts.as_ptr().add(8 * vector).cast())) };
            let parity = _mm256_and_si256(paths[vector], parity_mask);
            let table = _mm256_add_epi32(_mm256_sll_epi32(context, table_shift), parity);
            let position = _mm256_and_si256(states[vector], twelve);
            let place = _mm256_or_si256(_mm256_slli_epi32::<12>(table), position);
            // SAFETY: contexts are below the number of distributions, parities below those of each; there are 4096
            // entries for each pair, and a position is below 4096.
            let entry = unsafe { _mm256_i32gather_epi32::<4>(tables.entries.as_ptr().cast(), place) };
            let frequency = _mm256_add_epi32(_mm256_and_si256(entry, twelve), one);
            let offset = _mm256_and_si256(_mm256_srli_epi32::<12>(entry), twelve);
            let product = _mm256_mullo_epi32(frequency, _mm256_srli_epi32::<12>(states[vector]));
            let state = _mm256_add_epi32(product, offset);
            let low = _mm256_cmpeq_epi32(_mm256_srli_epi32::<16>(state), zero);
            let mask = _mm256_movemask_ps(_mm256_castsi256_ps(low)).unsigned_abs();
            // SAFETY: `cursor.word` was within the words when the step began, which takes at most 128 bytes;
            // 192 bytes of padding follow the words. A mask of 8 bits is below 256.
            let (words, ranks) = unsafe {
                (
                    _mm256_cvtepu16_epi32(_mm_loadu_si128(job.words.as_ptr().add(cursor.word).cast())),
                    _mm256_cvtepu8_epi32(_mm_loadl_epi64(RANKS.as_ptr().add(mask as usize).cast())),
                )
            };
            let words = _mm256_permutevar8x32_epi32(words, ranks);
            let refilled = _mm256_or_si256(_mm256_slli_epi32::<16>(state), words);
            states[vector] = _mm256_blendv_epi8(state, refilled, low);
            cursor.word += 2 * mask.count_ones() as usize;
            let index = _mm256_srli_epi32::<24>(entry);
            let mut symbol = if tables.direct {
                _mm256_sub_epi32(index, _mm256_set1_epi32(DIRECT_BIAS))
            } else {
                let place = _mm256_or_si256(_mm256_slli_epi32::<8>(table), index);
                // SAFETY: there are 256 symbols for each table, and an index is below 256.
                unsafe { _mm256_i32gather_epi32::<4>(tables.symbols.as_ptr().cast(), place) }
            };
            let rare = _mm256_cmpgt_epi32(index, _mm256_set1_epi32(RARE as i32 - 1));
            if _mm256_testz_si256(rare, rare) == 0 {
                let (mut indices, mut symbols) = ([0u32; 8], [0i32; 8]);
                // SAFETY: both hold 8 integers.
                unsafe {
                    _mm256_storeu_si256(indices.as_mut_ptr().cast(), index);
                    _mm256_storeu_si256(symbols.as_mut_ptr().cast(), symbol);
                }
                replace_rare(job, cursor, &contexts[8 * vector..], &indices, &mut symbols)?;
                // SAFETY: as above.
                symbol = unsafe { _mm256_loadu_si256(symbols.as_ptr().cast()) };
            }
            let mut n = symbol;
            if RAW {
                // SAFETY: contexts are below 24, and `counts` holds 32 integers.
                let count = unsafe { _mm256_i32gather_epi32::<4>(counts.as_ptr().cast(), context) };
                let (before, total) = running_sum(count);
                let bit = _mm256_add_epi32(before, _mm256_set1_epi32((cursor.raw & 7) as i32));
                // SAFETY: `cursor.raw` was within the raw bits when the step began, which takes at most 64 times
                // 16 bits; 192 bytes of padding follow the bits.
                let held = unsafe {
                    let base = job.raw.as_ptr().add(cursor.raw >> 3);
                    _mm256_i32gather_epi32::<1>(base.cast(), _mm256_srli_epi32::<3>(bit))
                };
                let held = _mm256_srlv_epi32(held, _mm256_and_si256(bit, _mm256_set1_epi32(7)));
                let kept = _mm256_sub_epi32(_mm256_sllv_epi32(one, count), one);
                n = _mm256_or_si256(_mm256_sllv_epi32(symbol, count), _mm256_and_si256(held, kept));
                cursor.raw += total;
            }
            let level = _mm256_add_epi32(_mm256_sll_epi32(n, table_shift), parity);
            let from_state =
                _mm256_and_si256(_mm256_sub_epi32(zero, _mm256_and_si256(paths[vector], one)), h0);
            let from_n = _mm256_and_si256(_mm256_sub_epi32(zero, _mm256_and_si256(n, one)), h1);
            let path = _mm256_srli_epi32::<1>(paths[vector]);
            paths[vector] = _mm256_xor_si256(path, _mm256_xor_si256(from_state, from_n));
            let distance = _mm256_mul_ps(_mm256_cvtepi32_ps(level), spacing);
            let distance = _mm256_min_ps(_mm256_max_ps(distance, far_below), far_above);
            let value = _mm256_add_epi32(centre, _mm256_cvtps_epi32(distance));
            let value = _mm256_min_epi32(_mm256_max_epi32(value, zero), max);
            let halves =
                _mm_packus_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256::<1>(value));
            // SAFETY: `samples` holds 8 for each vector.
            unsafe { _mm_storeu_si128(samples.as_mut_ptr().add(8 * vector).cast(), halves) };
        }
        cursor.at += lanes;
        cursor.check(job)?;
    }
    for vector in 0..VECTORS {
        // SAFETY: both hold `lanes` integers, 8 for each vector.
        unsafe {
            _mm256_storeu_si256(cursor.states.as_mut_ptr().add(8 * vector).cast(), states[vector]);
            _mm256_storeu_si256(cursor.paths.as_mut_ptr().add(8 * vector).cast(), paths[vector]);
        }
    }
    Ok(())
}

/// The sums of the elements before each, and the sum of all.
#[target_feature(enable = "avx2")]
fn running_sum(counts: __m256i) -> (__m256i, usize) {
    let sum = _mm256_add_epi32(counts, _mm256_slli_si256::<4>(counts));
    let sum = _mm256_add_epi32(sum, _mm256_slli_si256::<8>(sum));
    // The upper half goes on from the last element of the lower.
    let lower = _mm256_permutevar8x32_epi32(sum, _mm256_set1_epi32(3));
    let sum = _mm256_add_epi32(sum, _mm256_blend_epi32::<0xf0>(_mm256_setzero_si256(), lower));
    let last = _mm256_extract_epi32::<7>(sum);
    (_mm256_sub_epi32(sum, counts), last.unsigned_abs() as usize)
}
