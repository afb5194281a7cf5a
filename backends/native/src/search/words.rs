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
    unsafe fn or(self, other: Self) -> Self;
    /// Shifts zeros in.
    unsafe fn halve(self) -> Self;
    /// Products of numbers below 2¹⁵, in units of 2¹⁵, rounded.
    unsafe fn mul_round(self, other: Self) -> Self;
    /// Magnitudes of lanes taken as `i16`.
    unsafe fn abs(self) -> Self;
    /// `value` in the lanes that equal the other's, 0 elsewhere.
    unsafe fn where_equal(self, other: Self, value: Self) -> Self;
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
    unsafe fn or(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane] | other[lane])
    }

    #[inline(always)]
    unsafe fn halve(self) -> Self {
        self.map(|value| value >> 1)
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "products of 15 bits each")]
    unsafe fn mul_round(self, other: Self) -> Self {
        std::array::from_fn(|lane| {
            ((u32::from(self[lane]) * u32::from(other[lane]) + (1 << 14)) >> 15) as u16
        })
    }

    #[inline(always)]
    unsafe fn abs(self) -> Self {
        self.map(|value| value.cast_signed().unsigned_abs())
    }

    #[inline(always)]
    unsafe fn where_equal(self, other: Self, value: Self) -> Self {
        std::array::from_fn(|lane| if self[lane] == other[lane] { value[lane] } else { 0 })
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
        unsafe fn or(self, other: Self) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm256_or_si256(self.0, other.0) })
        }

        #[inline(always)]
        unsafe fn halve(self) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm256_srli_epi16::<1>(self.0) })
        }

        #[inline(always)]
        unsafe fn mul_round(self, other: Self) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm256_mulhrs_epi16(self.0, other.0) })
        }

        #[inline(always)]
        unsafe fn abs(self) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm256_abs_epi16(self.0) })
        }

        #[inline(always)]
        unsafe fn where_equal(self, other: Self, value: Self) -> Self {
            // SAFETY: the trait's contract.
            Self(unsafe { _mm256_and_si256(_mm256_cmpeq_epi16(self.0, other.0), value.0) })
        }
    }
}
