//! Sixteen 16-bit path costs side by side.

/// Lanes searched side by side.
pub(super) const WIDTH: usize = 16;

/// A vector of [`WIDTH`] `u16`.
///
/// # Safety
/// Of every function: the machine has the features that the implementation is made for.
pub(super) trait Words: Copy {
    unsafe fn of(values: [u16; WIDTH]) -> Self;
    unsafe fn array(self) -> [u16; WIDTH];
    unsafe fn splat(value: u16) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn min(self, other: Self) -> Self;
    /// The upper halves of products.
    unsafe fn mul_high(self, other: Self) -> Self;
    /// Magnitudes of lanes taken as `i16`.
    unsafe fn abs(self) -> Self;
    /// For each lane, whether it equals the other's: bit `2 · lane`; what the odd bits are is left open.
    unsafe fn equal(self, other: Self) -> u32;
}

impl Words for [u16; WIDTH] {
    #[inline(always)]
    unsafe fn of(values: [u16; WIDTH]) -> Self {
        values
    }

    #[inline(always)]
    unsafe fn array(self) -> [u16; WIDTH] {
        self
    }

    #[inline(always)]
    unsafe fn splat(value: u16) -> Self {
        [value; WIDTH]
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane].wrapping_add(other[lane]))
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane].wrapping_sub(other[lane]))
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane].min(other[lane]))
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the upper half")]
    unsafe fn mul_high(self, other: Self) -> Self {
        std::array::from_fn(|lane| ((u32::from(self[lane]) * u32::from(other[lane])) >> 16) as u16)
    }

    #[inline(always)]
    unsafe fn abs(self) -> Self {
        self.map(|value| value.cast_signed().unsigned_abs())
    }

    #[inline(always)]
    unsafe fn equal(self, other: Self) -> u32 {
        let bits = self.iter().zip(other).map(|(a, b)| u32::from(*a == b));
        bits.rev().fold(0, |mask, bit| mask << 2 | bit)
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use std::arch::x86_64::*;

    use super::{WIDTH, Words};

    /// Sixteen words of AVX2.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2(__m256i);

    impl Words for Avx2 {
        #[inline(always)]
        unsafe fn of(values: [u16; WIDTH]) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm256_loadu_si256(values.as_ptr().cast()) })
        }

        #[inline(always)]
        unsafe fn array(self) -> [u16; WIDTH] {
            let mut out = [0; WIDTH];
            // SAFETY: the trait's contract; a vector is as large as the array.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), self.0) };
            out
        }

        #[inline(always)]
        unsafe fn splat(value: u16) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm256_set1_epi16(value.cast_signed()) })
        }

        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm256_add_epi16(self.0, other.0) })
        }

        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm256_sub_epi16(self.0, other.0) })
        }

        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm256_min_epu16(self.0, other.0) })
        }

        #[inline(always)]
        unsafe fn mul_high(self, other: Self) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm256_mulhi_epu16(self.0, other.0) })
        }

        #[inline(always)]
        unsafe fn abs(self) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm256_abs_epi16(self.0) })
        }

        #[inline(always)]
        unsafe fn equal(self, other: Self) -> u32 {
            // SAFETY: the trait's contract.
            unsafe { _mm256_movemask_epi8(_mm256_cmpeq_epi16(self.0, other.0)).cast_unsigned() }
        }
    }
}
