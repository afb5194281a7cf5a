//! Vectors of AVX2: 8 lanes.

use std::arch::x86_64::*;

use telecine_core::Result;

use super::kernel;
use super::vector::{RawPlan, Vector};
use crate::symbols::{Cursor, Job, Tables};

/// The kernel, compiled for AVX2.
#[target_feature(enable = "avx2,popcnt")]
pub(super) fn run(
    job: &Job<'_>,
    tables: &Tables,
    cursor: &mut Cursor<'_>,
    samples: &mut [u16],
) -> Result<()> {
    // SAFETY: the features are those of this function.
    unsafe { kernel::run::<Lanes>(job, tables, cursor, samples) }
}

/// For each mask of 8 lanes, the bytes of 16-bit words that its lanes take in order; 0x80 gives 0.
static TAKES: [[u8; 16]; 256] = takes();

#[expect(clippy::cast_possible_truncation, reason = "at most 16")]
const fn takes() -> [[u8; 16]; 256] {
    let mut out = [[0x80; 16]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut lane, mut word) = (0, 0);
        while lane < 8 {
            if mask >> lane & 1 == 1 {
                out[mask][2 * lane] = 2 * word as u8;
                out[mask][2 * lane + 1] = 2 * word as u8 + 1;
                word += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    out
}

/// 8 lanes.
#[derive(Clone, Copy)]
struct Lanes(__m256i);

// Every `unsafe` block below calls instructions of AVX2, which are there by the trait's contract.
impl Vector for Lanes {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: u32) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm256_set1_epi32(value.cast_signed()) })
    }

    #[inline(always)]
    unsafe fn load(from: *const u32) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm256_loadu_si256(from.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u32) {
        // SAFETY: the trait's contract.
        unsafe { _mm256_storeu_si256(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm256_and_si256(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm256_or_si256(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm256_xor_si256(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm256_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm256_mullo_epi32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn shl<const BITS: i32>(self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm256_slli_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    unsafe fn shr<const BITS: i32>(self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm256_srli_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    unsafe fn sar<const BITS: i32>(self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm256_srai_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    unsafe fn shl_all(self, bits: u32) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm256_sll_epi32(self.0, _mm_cvtsi32_si128(bits.cast_signed())) })
    }

    #[inline(always)]
    unsafe fn gather(base: *const u32, at: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm256_i32gather_epi32::<4>(base.cast(), at.0) })
    }

    #[inline(always)]
    unsafe fn any_below(self, bound: Self) -> bool {
        // SAFETY: the trait's contract.
        unsafe { _mm256_movemask_epi8(_mm256_cmpgt_epi32(bound.0, self.0)) != 0 }
    }

    #[inline(always)]
    unsafe fn where_negative(self, value: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm256_and_si256(_mm256_srai_epi32::<31>(self.0), value.0) })
    }

    #[inline(always)]
    unsafe fn refill(self, words: *const u8) -> (Self, usize) {
        // SAFETY: the trait's contract; a mask of 8 bits is below 256.
        unsafe {
            let low = _mm256_cmpgt_epi32(_mm256_set1_epi32(1 << 15), self.0);
            let mask = _mm256_movemask_ps(_mm256_castsi256_ps(low)).unsigned_abs();
            let takes = _mm_loadu_si128(TAKES.as_ptr().add(mask as usize).cast());
            let words = _mm_shuffle_epi8(_mm_loadu_si128(words.cast()), takes);
            let refilled = _mm256_or_si256(_mm256_slli_epi32::<16>(self.0), _mm256_cvtepu16_epi32(words));
            (Self(_mm256_blendv_epi8(self.0, refilled, low)), mask.count_ones() as usize)
        }
    }

    #[inline(always)]
    unsafe fn raw_bits(plan: &RawPlan, bytes: *const u8, _: u32) -> Self {
        // SAFETY: the trait's contract; the bits of 8 lanes lie within 16 bytes.
        unsafe {
            let bytes = _mm256_broadcastsi128_si256(_mm_loadu_si128(bytes.cast()));
            let shuffle = _mm256_loadu_si256(plan.shuffle.as_ptr().cast());
            let shifts = _mm256_loadu_si256(plan.shifts.as_ptr().cast());
            let held = _mm256_srlv_epi32(_mm256_shuffle_epi8(bytes, shuffle), shifts);
            Self(_mm256_and_si256(held, _mm256_set1_epi32((1 << plan.count) - 1)))
        }
    }

    #[inline(always)]
    unsafe fn scale(self, factor: f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe {
            let product = _mm256_mul_ps(_mm256_cvtepi32_ps(self.0), _mm256_set1_ps(factor));
            Self(_mm256_cvtps_epi32(product))
        }
    }

    #[inline(always)]
    unsafe fn scale_within(self, factor: f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe {
            let product = _mm256_mul_ps(_mm256_cvtepi32_ps(self.0), _mm256_set1_ps(factor));
            let product = _mm256_min_ps(_mm256_max_ps(product, _mm256_set1_ps(-1e6)), _mm256_set1_ps(1e6));
            Self(_mm256_cvtps_epi32(product))
        }
    }

    #[inline(always)]
    unsafe fn store_samples(first: Self, second: Self, max: u16, to: *mut u16) {
        // SAFETY: the trait's contract; there are 16 places.
        unsafe {
            // Packing goes by halves: the middle quarters change places.
            let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(first.0, second.0));
            let held = _mm256_min_epu16(packed, _mm256_set1_epi16(max.cast_signed()));
            _mm256_storeu_si256(to.cast(), held);
        }
    }
}
