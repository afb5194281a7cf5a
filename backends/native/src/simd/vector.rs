//! What the decoder's kernel asks of a machine's vectors: a few lanes of 32-bit integers.

#[cfg(doc)]
use crate::model::MAX_RAW;

/// Where the raw bits of the lanes of one vector lie, from the byte on in which the vector's begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawPlan {
    /// Raw bits of each sample.
    pub(super) count: u32,
    /// The first byte of each lane's bits,
    pub(super) bytes: [u32; 16],
    /// and the bits to skip in it.
    pub(super) shifts: [u32; 16],
    /// For each lane, its first three bytes and 0x80, for a look-up of bytes in 16.
    pub(super) shuffle: [u8; 32],
}

impl RawPlan {
    /// The plan for `count` bits of each sample, at most [`MAX_RAW`], behind `skip` others, at most 7, in the first byte.
    #[expect(clippy::cast_possible_truncation, reason = "at most 29, or 0x80")]
    pub(super) fn new(count: u32, skip: u32) -> Self {
        let mut plan = Self { count, bytes: [0; 16], shifts: [0; 16], shuffle: [0x80; 32] };
        for lane in 0..16u32 {
            plan.bytes[lane as usize] = (skip + lane * count) / 8;
            plan.shifts[lane as usize] = (skip + lane * count) % 8;
        }
        for (lane, bytes) in plan.shuffle.chunks_exact_mut(4).enumerate() {
            for (at, byte) in (plan.bytes[lane]..).zip(&mut bytes[..3]) {
                // What lies beyond 16 bytes is no part of 8 samples: they end with bit 7 + 8 · 15 at the latest.
                *byte = if at < 16 { at as u8 } else { 0x80 };
            }
        }
        plan
    }
}

/// A vector of lanes of `u32`, at most 16; comparisons and arithmetic shifts take them as `i32`.
///
/// # Safety
/// Of every function: the machine has the features that the implementation is made for. Pointers are to as many
/// elements as there are lanes, unless stated otherwise; none need be aligned.
pub(super) trait Vector: Copy {
    /// Number of lanes.
    const LANES: usize;

    unsafe fn splat(value: u32) -> Self;
    unsafe fn load(from: *const u32) -> Self;
    unsafe fn store(self, to: *mut u32);
    unsafe fn and(self, other: Self) -> Self;
    unsafe fn or(self, other: Self) -> Self;
    unsafe fn xor(self, other: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    /// The low halves of products.
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn shl<const BITS: i32>(self) -> Self;
    /// Shifts zeros in.
    unsafe fn shr<const BITS: i32>(self) -> Self;
    /// Shifts the sign in.
    unsafe fn sar<const BITS: i32>(self) -> Self;
    /// Shifts all lanes by as many bits.
    unsafe fn shl_all(self, bits: u32) -> Self;
    /// The elements of `base` at each lane's index.
    unsafe fn gather(base: *const u32, at: Self) -> Self;
    /// Whether any lane is below `bound`.
    unsafe fn any_below(self, bound: Self) -> bool;
    /// `value` in the lanes that are negative, 0 elsewhere.
    unsafe fn where_negative(self, value: Self) -> Self;
    /// In order, gives a little-endian 16-bit word to each lane below 2¹⁵, as its new low half; and how many took one.
    /// `words` are followed by at least 2 · LANES readable bytes.
    unsafe fn refill(self, words: *const u8) -> (Self, usize);
    /// The raw bits of all lanes; at least 64 bytes are readable at `bytes`, and the vector's bits begin behind `skip`
    /// others, at most 7. From 8 lanes on, the plan is made for as many.
    unsafe fn raw_bits(plan: &RawPlan, bytes: *const u8, skip: u32) -> Self;
    /// The products with a single-precision factor, rounded to nearest, ties to even. Products stay below 2³¹.
    unsafe fn scale(self, factor: f32) -> Self;
    /// As [`Vector::scale`], products held within ±10⁶.
    unsafe fn scale_within(self, factor: f32) -> Self;
    /// Stores the lanes of two vectors as 16 bits each, held within 0 and `max`, to 2 · LANES places.
    unsafe fn store_samples(first: Self, second: Self, max: u16, to: *mut u16);
}
