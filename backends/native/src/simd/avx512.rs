//! Vectors of AVX-512: 16 lanes.

use std::arch::x86_64::*;

use telecine_core::Result;

use super::kernel;
use super::vector::{RawPlan, Vector};
use crate::symbols::{Cursor, Job, Tables};

/// The kernel, compiled for AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
pub(super) fn run(
    job: &Job<'_>,
    tables: &Tables,
    cursor: &mut Cursor<'_>,
    samples: &mut [u16],
) -> Result<()> {
    // SAFETY: the features are those of this function.
    unsafe { kernel::run::<Lanes>(job, tables, cursor, samples) }
}

/// 16 lanes.
#[derive(Clone, Copy)]
struct Lanes(__m512i);

// Every `unsafe` block below calls instructions of AVX-512, which are there by the trait's contract.
impl Vector for Lanes {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: u32) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm512_set1_epi32(value.cast_signed()) })
    }

    #[inline(always)]
    unsafe fn load(from: *const u32) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm512_loadu_si512(from.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u32) {
        // SAFETY: the trait's contract.
        unsafe { _mm512_storeu_si512(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm512_and_si512(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm512_or_si512(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm512_xor_si512(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm512_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm512_mullo_epi32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn shl<const BITS: i32>(self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm512_sllv_epi32(self.0, _mm512_set1_epi32(BITS)) })
    }

    #[inline(always)]
    unsafe fn shr<const BITS: i32>(self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm512_srlv_epi32(self.0, _mm512_set1_epi32(BITS)) })
    }

    #[inline(always)]
    unsafe fn sar<const BITS: i32>(self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm512_srav_epi32(self.0, _mm512_set1_epi32(BITS)) })
    }

    #[inline(always)]
    unsafe fn shl_all(self, bits: u32) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm512_sll_epi32(self.0, _mm_cvtsi32_si128(bits.cast_signed())) })
    }

    #[inline(always)]
    unsafe fn gather(base: *const u32, at: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm512_i32gather_epi32::<4>(at.0, base.cast()) })
    }

    #[inline(always)]
    unsafe fn any_below(self, bound: Self) -> bool {
        // SAFETY: the trait's contract.
        unsafe { _mm512_cmplt_epi32_mask(self.0, bound.0) != 0 }
    }

    #[inline(always)]
    unsafe fn where_negative(self, value: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { _mm512_maskz_mov_epi32(_mm512_movepi32_mask(self.0), value.0) })
    }

    #[inline(always)]
    unsafe fn refill(self, words: *const u8) -> (Self, usize) {
        // SAFETY: the trait's contract.
        unsafe {
            let low = _mm512_cmplt_epi32_mask(self.0, _mm512_set1_epi32(1 << 15));
            let words = _mm512_cvtepu16_epi32(_mm256_loadu_si256(words.cast()));
            let words = _mm512_maskz_expand_epi32(low, words);
            let refilled = _mm512_mask_or_epi32(self.0, low, _mm512_slli_epi32::<16>(self.0), words);
            (Self(refilled), low.count_ones() as usize)
        }
    }

    #[inline(always)]
    unsafe fn raw_bits(plan: &RawPlan, bytes: *const u8, _: u32) -> Self {
        // SAFETY: the trait's contract; each lane's four bytes from its first on lie within the 64 that can
        // be read.
        unsafe {
            let places = _mm512_loadu_si512(plan.bytes.as_ptr().cast());
            let shifts = _mm512_loadu_si512(plan.shifts.as_ptr().cast());
            let held = _mm512_i32gather_epi32::<1>(places, bytes.cast());
            let kept = _mm512_set1_epi32((1 << plan.count) - 1);
            Self(_mm512_and_si512(_mm512_srlv_epi32(held, shifts), kept))
        }
    }

    #[inline(always)]
    unsafe fn scale(self, factor: f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe {
            let product = _mm512_mul_ps(_mm512_cvtepi32_ps(self.0), _mm512_set1_ps(factor));
            Self(_mm512_cvtps_epi32(product))
        }
    }

    #[inline(always)]
    unsafe fn scale_within(self, factor: f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe {
            let product = _mm512_mul_ps(_mm512_cvtepi32_ps(self.0), _mm512_set1_ps(factor));
            let product = _mm512_min_ps(_mm512_max_ps(product, _mm512_set1_ps(-1e6)), _mm512_set1_ps(1e6));
            Self(_mm512_cvtps_epi32(product))
        }
    }

    #[inline(always)]
    unsafe fn store_samples(first: Self, second: Self, max: u16, to: *mut u16) {
        // SAFETY: the trait's contract; there are 32 places.
        unsafe {
            let (zero, max) = (_mm512_setzero_si512(), _mm512_set1_epi32(i32::from(max)));
            let held = |lanes: __m512i| _mm512_min_epi32(_mm512_max_epi32(lanes, zero), max);
            _mm256_storeu_si256(to.cast(), _mm512_cvtepi32_epi16(held(first.0)));
            _mm256_storeu_si256(to.add(16).cast(), _mm512_cvtepi32_epi16(held(second.0)));
        }
    }
}
