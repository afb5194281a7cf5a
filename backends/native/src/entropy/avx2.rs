//! Entropy coding with AVX2: 8 lanes a vector.

use std::arch::x86_64::*;

use super::{BIAS_AT, SHIFT_AT, SPARE, Steps};
use crate::table::{SCALE, SCALE_BITS};

/// Vectors of 64 lanes.
const MOST: usize = 8;

/// For each mask of 8 lanes, the bytes of its lanes' 16-bit words, in order, behind what does not matter.
static GIVES: [[u8; 16]; 256] = gives();

#[expect(clippy::cast_possible_truncation, reason = "at most 16")]
const fn gives() -> [[u8; 16]; 256] {
    let mut out = [[0x80; 16]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut lane, mut place) = (8, 8);
        while lane > 0 {
            lane -= 1;
            if mask >> lane & 1 == 1 {
                place -= 1;
                out[mask][2 * place] = 2 * lane as u8;
                out[mask][2 * place + 1] = 2 * lane as u8 + 1;
            }
        }
        mask += 1;
    }
    out
}

/// Codes whole steps of all lanes, of which there are 8 to 64, the last one first.
#[target_feature(enable = "avx2,popcnt")]
pub(super) fn code(steps: &Steps, symbols: &[u16], states: &mut [u32], words: &mut [u16], at: &mut usize) {
    let vectors = states.len() / 8;
    let largest = symbols.iter().fold(0, |most, &symbol| most.max(symbol));
    assert!(symbols.is_empty() || usize::from(largest) < steps.entries.len());
    assert!(vectors <= MOST && words.len() >= *at && *at >= symbols.len() + SPARE);
    const { assert!(SCALE_BITS == 11 && SHIFT_AT == 23 && BIAS_AT == 11) };
    let (scale, low_half) = (_mm256_set1_epi32(SCALE.cast_signed()), _mm256_set1_epi32(0xffff));
    let (below_scale, bias_bits) = (_mm256_set1_epi32(SCALE.cast_signed() - 1), _mm256_set1_epi32(0xfff));
    let even_symbols = _mm_set1_epi32(0xffff);
    let mut held = [_mm256_setzero_si256(); MOST];
    for (held, states) in held.iter_mut().zip(states.as_chunks::<8>().0) {
        // SAFETY: there are 8 states.
        *held = unsafe { _mm256_loadu_si256(states.as_ptr().cast()) };
    }
    for symbols in symbols.chunks_exact(8 * vectors).rev() {
        for (state, symbols) in held[..vectors].iter_mut().zip(symbols.as_chunks::<8>().0).rev() {
            // SAFETY: symbols number steps, as was asserted; there are 8 of them. Each of them lowers `at` by 1 at most,
            // and `at` began at more than their number by SPARE: 8 words lie before it. A mask of 8 bits is below 256.
            unsafe {
                let symbols = _mm_loadu_si128(symbols.as_ptr().cast());
                // Reciprocals in the lower halves, rests in the upper ones, for even lanes and for odd ones.
                let entries = steps.entries.as_ptr().cast();
                let even = _mm256_i32gather_epi64::<8>(entries, _mm_and_si128(symbols, even_symbols));
                let odd = _mm256_i32gather_epi64::<8>(entries, _mm_srli_epi32::<16>(symbols));
                let rest = _mm256_blend_epi32::<0b1010_1010>(_mm256_srli_epi64::<32>(even), odd);
                let frequency = _mm256_and_si256(rest, below_scale);
                let keeps = _mm256_cmpgt_epi32(_mm256_slli_epi32::<20>(frequency), *state);
                let mask = (_mm256_movemask_ps(_mm256_castsi256_ps(keeps)) ^ 0xff).cast_unsigned() as usize;
                let low = _mm256_and_si256(*state, low_half);
                let low = _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256::<1>(low));
                let gives = _mm_loadu_si128(GIVES.as_ptr().add(mask).cast());
                let to = words.as_mut_ptr().add(*at - 8);
                _mm_storeu_si128(to.cast(), _mm_shuffle_epi8(low, gives));
                *at -= mask.count_ones() as usize;
                let kept = _mm256_blendv_epi8(_mm256_srli_epi32::<16>(*state), *state, keeps);
                let even = _mm256_mul_epu32(kept, even);
                let odd = _mm256_mul_epu32(_mm256_srli_epi64::<32>(kept), odd);
                let upper = _mm256_blend_epi32::<0b1010_1010>(_mm256_srli_epi64::<32>(even), odd);
                let quotient = _mm256_srlv_epi32(upper, _mm256_srli_epi32::<23>(rest));
                let bias = _mm256_and_si256(_mm256_srli_epi32::<11>(rest), bias_bits);
                let moved = _mm256_mullo_epi32(quotient, _mm256_sub_epi32(scale, frequency));
                *state = _mm256_add_epi32(_mm256_add_epi32(kept, bias), moved);
            }
        }
    }
    for (held, states) in held.iter().zip(states.as_chunks_mut::<8>().0) {
        // SAFETY: there are 8 states.
        unsafe { _mm256_storeu_si256(states.as_mut_ptr().cast(), *held) };
    }
}
