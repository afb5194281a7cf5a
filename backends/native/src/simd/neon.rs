//! Vectors of NEON: 4 lanes.

use std::arch::aarch64::*;

use telecine_core::Result;

use super::kernel;
use super::vector::{RawPlan, Vector};
use crate::symbols::{Cursor, Job, Tables};

/// The kernel, compiled for NEON.
#[target_feature(enable = "neon")]
pub(super) fn run(
    job: &Job<'_>,
    tables: &Tables,
    cursor: &mut Cursor<'_>,
    samples: &mut [u16],
) -> Result<()> {
    // SAFETY: the features are those of this function.
    unsafe { kernel::run::<Lanes>(job, tables, cursor, samples) }
}

/// For each mask of 4 lanes, the bytes of 16-bit words that its lanes take in order; 0x80 gives 0.
static TAKES: [[u8; 16]; 16] = takes();

#[expect(clippy::cast_possible_truncation, reason = "at most 8")]
const fn takes() -> [[u8; 16]; 16] {
    let mut out = [[0x80; 16]; 16];
    let mut mask = 0;
    while mask < 16 {
        let (mut lane, mut word) = (0, 0);
        while lane < 4 {
            if mask >> lane & 1 == 1 {
                out[mask][4 * lane] = 2 * word as u8;
                out[mask][4 * lane + 1] = 2 * word as u8 + 1;
                word += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    out
}

/// 4 lanes.
#[derive(Clone, Copy)]
struct Lanes(uint32x4_t);

// Every `unsafe` block below calls instructions of NEON, which are there by the trait's contract.
impl Vector for Lanes {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: u32) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vdupq_n_u32(value) })
    }

    #[inline(always)]
    unsafe fn load(from: *const u32) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vld1q_u32(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u32) {
        // SAFETY: the trait's contract.
        unsafe { vst1q_u32(to, self.0) }
    }

    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vandq_u32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vorrq_u32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { veorq_u32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vaddq_u32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vmulq_u32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn shl<const BITS: i32>(self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vshlq_n_u32::<BITS>(self.0) })
    }

    #[inline(always)]
    unsafe fn shr<const BITS: i32>(self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vshrq_n_u32::<BITS>(self.0) })
    }

    #[inline(always)]
    unsafe fn sar<const BITS: i32>(self) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vreinterpretq_u32_s32(vshrq_n_s32::<BITS>(vreinterpretq_s32_u32(self.0))) })
    }

    #[inline(always)]
    unsafe fn shl_all(self, bits: u32) -> Self {
        // SAFETY: the trait's contract.
        Self(unsafe { vshlq_u32(self.0, vdupq_n_s32(bits.cast_signed())) })
    }

    #[inline(always)]
    unsafe fn gather(base: *const u32, at: Self) -> Self {
        // SAFETY: the trait's contract.
        unsafe {
            let entries = [
                *base.add(vgetq_lane_u32::<0>(at.0) as usize),
                *base.add(vgetq_lane_u32::<1>(at.0) as usize),
                *base.add(vgetq_lane_u32::<2>(at.0) as usize),
                *base.add(vgetq_lane_u32::<3>(at.0) as usize),
            ];
            Self(vld1q_u32(entries.as_ptr()))
        }
    }

    #[inline(always)]
    unsafe fn any_below(self, bound: Self) -> bool {
        // SAFETY: the trait's contract.
        unsafe {
            let below = vcltq_s32(vreinterpretq_s32_u32(self.0), vreinterpretq_s32_u32(bound.0));
            vmaxvq_u32(below) != 0
        }
    }

    #[inline(always)]
    unsafe fn where_negative(self, value: Self) -> Self {
        // SAFETY: the trait's contract.
        unsafe { self.sar::<31>().and(value) }
    }

    #[inline(always)]
    unsafe fn refill(self, words: *const u8) -> (Self, usize) {
        // SAFETY: the trait's contract; a mask of 4 bits is below 16.
        unsafe {
            let low = vcltq_u32(self.0, vdupq_n_u32(1 << 15));
            let weights = [1u32, 2, 4, 8];
            let mask = vaddvq_u32(vandq_u32(low, vld1q_u32(weights.as_ptr())));
            let takes = vld1q_u8(TAKES.as_ptr().add(mask as usize).cast());
            let words = vqtbl1q_u8(vcombine_u8(vld1_u8(words), vdup_n_u8(0)), takes);
            let refilled = vorrq_u32(vshlq_n_u32::<16>(self.0), vreinterpretq_u32_u8(words));
            (Self(vbslq_u32(low, refilled, self.0)), mask.count_ones() as usize)
        }
    }

    #[inline(always)]
    unsafe fn raw_bits(plan: &RawPlan, bytes: *const u8, skip: u32) -> Self {
        // SAFETY: the trait's contract; arrays are vectors of any machine.
        unsafe { Self::load(<[u32; 4]>::raw_bits(plan, bytes, skip).as_ptr()) }
    }

    #[inline(always)]
    unsafe fn scale(self, factor: f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe {
            let product = vmulq_n_f32(vcvtq_f32_s32(vreinterpretq_s32_u32(self.0)), factor);
            Self(vreinterpretq_u32_s32(vcvtnq_s32_f32(product)))
        }
    }

    #[inline(always)]
    unsafe fn scale_within(self, factor: f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe {
            let product = vmulq_n_f32(vcvtq_f32_s32(vreinterpretq_s32_u32(self.0)), factor);
            let product = vminq_f32(vmaxq_f32(product, vdupq_n_f32(-1e6)), vdupq_n_f32(1e6));
            Self(vreinterpretq_u32_s32(vcvtnq_s32_f32(product)))
        }
    }

    #[inline(always)]
    unsafe fn store_samples(first: Self, second: Self, max: u16, to: *mut u16) {
        // SAFETY: the trait's contract; there are 8 places.
        unsafe {
            let narrow = |lanes: uint32x4_t| vqmovun_s32(vreinterpretq_s32_u32(lanes));
            let samples = vcombine_u16(narrow(first.0), narrow(second.0));
            vst1q_u16(to, vminq_u16(samples, vdupq_n_u16(max)));
        }
    }
}
