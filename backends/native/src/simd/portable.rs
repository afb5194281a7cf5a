//! Vectors for any machine: arrays. One lane is the fastest; sixteen stand in for wider machines in tests.

use super::vector::{RawPlan, Vector};
use crate::plane::LOWEST;
use crate::symbols::reconstruct;

impl<const N: usize> Vector for [u32; N] {
    const LANES: usize = N;

    #[inline(always)]
    unsafe fn splat(value: u32) -> Self {
        [value; N]
    }

    #[inline(always)]
    unsafe fn load(from: *const u32) -> Self {
        // SAFETY: the caller has N elements there.
        unsafe { from.cast::<Self>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u32) {
        // SAFETY: the caller has N elements there.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }

    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane] & other[lane])
    }

    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane] | other[lane])
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane] ^ other[lane])
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane].wrapping_add(other[lane]))
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane].wrapping_mul(other[lane]))
    }

    #[inline(always)]
    unsafe fn shl<const BITS: i32>(self) -> Self {
        self.map(|value| value << BITS)
    }

    #[inline(always)]
    unsafe fn shr<const BITS: i32>(self) -> Self {
        self.map(|value| value >> BITS)
    }

    #[inline(always)]
    unsafe fn sar<const BITS: i32>(self) -> Self {
        self.map(|value| (value.cast_signed() >> BITS).cast_unsigned())
    }

    #[inline(always)]
    unsafe fn shl_all(self, bits: u32) -> Self {
        self.map(|value| value << bits)
    }

    #[inline(always)]
    unsafe fn gather(base: *const u32, at: Self) -> Self {
        // SAFETY: the caller's indices lie within what `base` points to.
        at.map(|at| unsafe { *base.add(at as usize) })
    }

    #[inline(always)]
    unsafe fn any_below(self, bound: Self) -> bool {
        (0..N).any(|lane| self[lane].cast_signed() < bound[lane].cast_signed())
    }

    #[inline(always)]
    unsafe fn where_negative(self, value: Self) -> Self {
        std::array::from_fn(|lane| if self[lane].cast_signed() < 0 { value[lane] } else { 0 })
    }

    #[inline(always)]
    unsafe fn refill(mut self, words: *const u8) -> (Self, usize) {
        let mut taken = 0;
        for state in &mut self {
            if *state < LOWEST {
                // SAFETY: the caller has two bytes for each lane there.
                let word = unsafe { words.add(2 * taken).cast::<[u8; 2]>().read() };
                *state = *state << 16 | u32::from(u16::from_le_bytes(word));
                taken += 1;
            }
        }
        (self, taken)
    }

    #[inline(always)]
    unsafe fn raw_bits(plan: &RawPlan, bytes: *const u8, skip: u32) -> Self {
        let mut bit = skip;
        std::array::from_fn(|_| {
            // SAFETY: the caller has 64 bytes there, and 16 lanes take 31 of them at most.
            let held = unsafe { bytes.add(bit as usize / 8).cast::<[u8; 4]>().read_unaligned() };
            let bits = u32::from_le_bytes(held) >> (bit % 8) & ((1 << plan.count) - 1);
            bit += plan.count;
            bits
        })
    }

    #[inline(always)]
    unsafe fn scale(self, factor: f32) -> Self {
        self.map(|value| reconstruct(value.cast_signed(), factor).cast_unsigned())
    }

    #[inline(always)]
    unsafe fn scale_within(self, factor: f32) -> Self {
        // SAFETY: that of this function.
        unsafe { self.scale(factor) }
    }

    #[inline(always)]
    unsafe fn store_samples(first: Self, second: Self, max: u16, to: *mut u16) {
        let narrow = |value: u32| u16::try_from(value.cast_signed().clamp(0, i32::from(max))).unwrap_or(max);
        // SAFETY: the caller has twice N elements there.
        unsafe {
            to.cast::<[u16; N]>().write_unaligned(first.map(narrow));
            to.add(N).cast::<[u16; N]>().write_unaligned(second.map(narrow));
        }
    }
}
