//! Decoding with AVX-512: 16 lanes a vector.

use std::arch::x86_64::*;

use telecine_core::Result;

use super::{raw_counts, replace_rare};
use crate::symbols::{Cursor, DIRECT_BIAS, Job, RARE, Tables};

/// Decodes whole steps of all lanes, of which there are 16, 32 or 64.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn run(
    job: &Job<'_>,
    tables: &Tables,
    cursor: &mut Cursor<'_>,
    samples: &mut [u16],
) -> Result<()> {
    let raw = job.distributions.iter().any(|d| d.alphabet.raw > 0);
    match (cursor.states.len(), raw) {
        (16, false) => steps::<1, false>(job, tables, cursor, samples),
        (16, true) => steps::<1, true>(job, tables, cursor, samples),
        (32, false) => steps::<2, false>(job, tables, cursor, samples),
        (32, true) => steps::<2, true>(job, tables, cursor, samples),
        (64, false) => steps::<4, false>(job, tables, cursor, samples),
        (64, true) => steps::<4, true>(job, tables, cursor, samples),
        _ => Ok(()),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "positions held to i32 below"
)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn steps<const VECTORS: usize, const RAW: bool>(
    job: &Job<'_>,
    tables: &Tables,
    cursor: &mut Cursor<'_>,
    samples: &mut [u16],
) -> Result<()> {
    let lanes = 16 * VECTORS;
    let has_trellis = i64::from(job.has_trellis());
    let parity_mask = _mm512_set1_epi32(has_trellis as i32);
    let table_shift = _mm_set_epi64x(0, has_trellis);
    let twelve = _mm512_set1_epi32(0xfff);
    let one = _mm512_set1_epi32(1);
    let h0 = _mm512_set1_epi32(job.trellis.taps().0);
    let h1 = _mm512_set1_epi32(job.trellis.taps().1);
    let spacing = _mm512_set1_ps(job.spacing);
    let (far_below, far_above) = (_mm512_set1_ps(-1e6), _mm512_set1_ps(1e6));
    let centre = _mm512_set1_epi32(job.centre);
    let (zero, max) = (_mm512_setzero_si512(), _mm512_set1_epi32(job.max));
    let counts = raw_counts(job);
    // SAFETY: `counts` holds 32 integers.
    let (counts_low, counts_high) = unsafe {
        (_mm512_loadu_si512(counts.as_ptr().cast()), _mm512_loadu_si512(counts.as_ptr().add(16).cast()))
    };
    let mut states = [zero; VECTORS];
    let mut paths = [zero; VECTORS];
    for vector in 0..VECTORS {
        // SAFETY: both hold `lanes` integers, 16 for each vector.
        unsafe {
            states[vector] = _mm512_loadu_si512(cursor.states.as_ptr().add(16 * vector).cast());
            paths[vector] = _mm512_loadu_si512(cursor.paths.as_ptr().add(16 * vector).cast());
        }
    }
    for (samples, contexts) in samples.chunks_exact_mut(lanes).zip(job.contexts.chunks_exact(lanes)) {
        for vector in 0..VECTORS {
            // SAFETY: `contexts` holds 16 bytes for each vector.
            let context =
                unsafe { _mm512_cvtepu8_epi32(_mm_loadu_si128(contexts.as_ptr().add(16 * vector).cast())) };
            let parity = _mm512_and_si512(paths[vector], parity_mask);
            let table = _mm512_add_epi32(_mm512_sll_epi32(context, table_shift), parity);
            let position = _mm512_and_si512(states[vector], twelve);
            let place = _mm512_or_si512(_mm512_slli_epi32::<12>(table), position);
            // SAFETY: contexts are below the number of distributions, parities below those of each; there are 4096
            // entries for each pair, and a position is below 4096.
            let entry = unsafe { _mm512_i32gather_epi32::<4>(place, tables.entries.as_ptr().cast()) };
            let frequency = _mm512_add_epi32(_mm512_and_si512(entry, twelve), one);
            let offset = _mm512_and_si512(_mm512_srli_epi32::<12>(entry), twelve);
            let product = _mm512_mullo_epi32(frequency, _mm512_srli_epi32::<12>(states[vector]));
            let state = _mm512_add_epi32(product, offset);
            let low = _mm512_cmplt_epu32_mask(state, _mm512_set1_epi32(0x1_0000));
            // SAFETY: `cursor.word` was within the words when the step began, which takes at most 128 bytes;
            // 192 bytes of padding follow the words.
            let words = unsafe {
                _mm512_cvtepu16_epi32(_mm256_loadu_si256(job.words.as_ptr().add(cursor.word).cast()))
            };
            let words = _mm512_maskz_expand_epi32(low, words);
            states[vector] = _mm512_mask_or_epi32(state, low, _mm512_slli_epi32::<16>(state), words);
            cursor.word += 2 * low.count_ones() as usize;
            let index = _mm512_srli_epi32::<24>(entry);
            let mut symbol = if tables.direct {
                _mm512_sub_epi32(index, _mm512_set1_epi32(DIRECT_BIAS))
            } else {
                let place = _mm512_or_si512(_mm512_slli_epi32::<8>(table), index);
                // SAFETY: there are 256 symbols for each table, and an index is below 256.
                unsafe { _mm512_i32gather_epi32::<4>(place, tables.symbols.as_ptr().cast()) }
            };
            if _mm512_cmpge_epu32_mask(index, _mm512_set1_epi32(RARE as i32)) != 0 {
                let (mut indices, mut symbols) = ([0u32; 16], [0i32; 16]);
                // SAFETY: both hold 16 integers.
                unsafe {
                    _mm512_storeu_si512(indices.as_mut_ptr().cast(), index);
                    _mm512_storeu_si512(symbols.as_mut_ptr().cast(), symbol);
                }
                replace_rare(job, cursor, &contexts[16 * vector..], &indices, &mut symbols)?;
                // SAFETY: as above.
                symbol = unsafe { _mm512_loadu_si512(symbols.as_ptr().cast()) };
            }
            let mut n = symbol;
            if RAW {
                let count = _mm512_permutex2var_epi32(counts_low, context, counts_high);
                let (before, total) = running_sum(count);
                let bit = _mm512_add_epi32(before, _mm512_set1_epi32((cursor.raw & 7) as i32));
                // SAFETY: `cursor.raw` was within the raw bits when the step began, which takes at most 64 times
                // 16 bits; 192 bytes of padding follow the bits.
                let held = unsafe {
                    let base = job.raw.as_ptr().add(cursor.raw >> 3);
                    _mm512_i32gather_epi32::<1>(_mm512_srli_epi32::<3>(bit), base.cast())
                };
                let held = _mm512_srlv_epi32(held, _mm512_and_si512(bit, _mm512_set1_epi32(7)));
                let kept = _mm512_sub_epi32(_mm512_sllv_epi32(one, count), one);
                n = _mm512_or_si512(_mm512_sllv_epi32(symbol, count), _mm512_and_si512(held, kept));
                cursor.raw += total;
            }
            let level = _mm512_add_epi32(_mm512_sll_epi32(n, table_shift), parity);
            let odd_state = _mm512_test_epi32_mask(paths[vector], one);
            let odd_n = _mm512_test_epi32_mask(n, one);
            let path = _mm512_srli_epi32::<1>(paths[vector]);
            let path = _mm512_mask_xor_epi32(path, odd_state, path, h0);
            paths[vector] = _mm512_mask_xor_epi32(path, odd_n, path, h1);
            let distance = _mm512_mul_ps(_mm512_cvtepi32_ps(level), spacing);
            let distance = _mm512_min_ps(_mm512_max_ps(distance, far_below), far_above);
            let value = _mm512_add_epi32(centre, _mm512_cvtps_epi32(distance));
            let value = _mm512_cvtepi32_epi16(_mm512_min_epi32(_mm512_max_epi32(value, zero), max));
            // SAFETY: `samples` holds 16 for each vector.
            unsafe { _mm256_storeu_si256(samples.as_mut_ptr().add(16 * vector).cast(), value) };
        }
        cursor.at += lanes;
        cursor.check(job)?;
    }
    for vector in 0..VECTORS {
        // SAFETY: both hold `lanes` integers, 16 for each vector.
        unsafe {
            _mm512_storeu_si512(cursor.states.as_mut_ptr().add(16 * vector).cast(), states[vector]);
            _mm512_storeu_si512(cursor.paths.as_mut_ptr().add(16 * vector).cast(), paths[vector]);
        }
    }
    Ok(())
}

/// The sums of the elements before each, and the sum of all.
#[target_feature(enable = "avx512f")]
fn running_sum(counts: __m512i) -> (__m512i, usize) {
    let zero = _mm512_setzero_si512();
    let sum = _mm512_add_epi32(counts, _mm512_alignr_epi32::<15>(counts, zero));
    let sum = _mm512_add_epi32(sum, _mm512_alignr_epi32::<14>(sum, zero));
    let sum = _mm512_add_epi32(sum, _mm512_alignr_epi32::<12>(sum, zero));
    let sum = _mm512_add_epi32(sum, _mm512_alignr_epi32::<8>(sum, zero));
    let last = _mm_extract_epi32::<3>(_mm512_extracti32x4_epi32::<3>(sum));
    (_mm512_sub_epi32(sum, counts), last.unsigned_abs() as usize)
}
