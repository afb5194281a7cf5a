//! Lines of samples turned into columns, in blocks of vectors.

/// Side of the blocks that are transposed at once.
const SIDE: usize = 8;

/// Sample `j` of line `i` becomes sample `i` of line `j`; lines start where it is said, and have as many samples as there
/// are lines on the other side.
pub(crate) fn transpose(from: &[u16], from_starts: &[usize], to: &mut [u16], to_starts: &[usize]) {
    let (height, width) = (from_starts.len(), to_starts.len());
    assert!(from_starts.iter().all(|&start| start + width <= from.len()));
    assert!(to_starts.iter().all(|&start| start + height <= to.len()));
    let (from_blocks, to_blocks) = (from_starts.as_chunks::<SIDE>().0, to_starts.as_chunks::<SIDE>().0);
    for (j, to_starts) in (0..).step_by(SIDE).zip(to_blocks) {
        for (i, from_starts) in (0..).step_by(SIDE).zip(from_blocks) {
            // SAFETY: `i + SIDE` is at most `height`, `j + SIDE` at most `width`, and lines lie within their slices, as
            // was asserted.
            unsafe {
                let block = from_starts.map(|start| Eight::load(from.as_ptr().add(start + j)));
                for (row, &start) in turned(block).into_iter().zip(to_starts) {
                    row.store(to.as_mut_ptr().add(start + i));
                }
            }
        }
    }
    let blocks = (SIDE * from_blocks.len(), SIDE * to_blocks.len());
    for i in 0..height {
        for j in if i < blocks.0 { blocks.1 } else { 0 }..width {
            to[to_starts[j] + i] = from[from_starts[i] + j];
        }
    }
}

/// A block transposed: three times, its halves are interleaved.
#[inline(always)]
fn turned(mut block: [Eight; SIDE]) -> [Eight; SIDE] {
    for _ in 0..3 {
        let mut next = block;
        for pair in 0..SIDE / 2 {
            (next[2 * pair], next[2 * pair + 1]) = block[pair].interleave(block[pair + SIDE / 2]);
        }
        block = next;
    }
    block
}

/// Eight samples.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Eight(std::arch::x86_64::__m128i);

#[cfg(target_arch = "x86_64")]
impl Eight {
    /// # Safety
    /// There are eight samples.
    #[inline(always)]
    unsafe fn load(from: *const u16) -> Self {
        // SAFETY: the promise above; SSE2 is part of x86-64.
        Self(unsafe { std::arch::x86_64::_mm_loadu_si128(from.cast()) })
    }

    /// # Safety
    /// There is room for eight samples.
    #[inline(always)]
    unsafe fn store(self, to: *mut u16) {
        // SAFETY: as above.
        unsafe { std::arch::x86_64::_mm_storeu_si128(to.cast(), self.0) };
    }

    /// The lower halves interleaved, and the upper ones.
    #[inline(always)]
    fn interleave(self, other: Self) -> (Self, Self) {
        use std::arch::x86_64::{_mm_unpackhi_epi16, _mm_unpacklo_epi16};
        // SAFETY: SSE2 is part of x86-64.
        unsafe { (Self(_mm_unpacklo_epi16(self.0, other.0)), Self(_mm_unpackhi_epi16(self.0, other.0))) }
    }
}

/// Eight samples.
#[cfg(target_arch = "aarch64")]
#[derive(Clone, Copy)]
struct Eight(std::arch::aarch64::uint16x8_t);

#[cfg(target_arch = "aarch64")]
impl Eight {
    /// # Safety
    /// There are eight samples.
    #[inline(always)]
    unsafe fn load(from: *const u16) -> Self {
        // SAFETY: the promise above; NEON is part of AArch64.
        Self(unsafe { std::arch::aarch64::vld1q_u16(from) })
    }

    /// # Safety
    /// There is room for eight samples.
    #[inline(always)]
    unsafe fn store(self, to: *mut u16) {
        // SAFETY: as above.
        unsafe { std::arch::aarch64::vst1q_u16(to, self.0) };
    }

    /// The lower halves interleaved, and the upper ones.
    #[inline(always)]
    fn interleave(self, other: Self) -> (Self, Self) {
        use std::arch::aarch64::{vzip1q_u16, vzip2q_u16};
        // SAFETY: NEON is part of AArch64.
        unsafe { (Self(vzip1q_u16(self.0, other.0)), Self(vzip2q_u16(self.0, other.0))) }
    }
}

/// Eight samples.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[derive(Clone, Copy)]
struct Eight([u16; SIDE]);

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
impl Eight {
    /// # Safety
    /// There are eight samples.
    unsafe fn load(from: *const u16) -> Self {
        // SAFETY: the promise above.
        Self(unsafe { from.cast::<[u16; SIDE]>().read_unaligned() })
    }

    /// # Safety
    /// There is room for eight samples.
    unsafe fn store(self, to: *mut u16) {
        // SAFETY: the promise above.
        unsafe { to.cast::<[u16; SIDE]>().write_unaligned(self.0) };
    }

    /// The lower halves interleaved, and the upper ones.
    fn interleave(self, other: Self) -> (Self, Self) {
        let half = |start: usize| {
            Self(std::array::from_fn(|at| {
                if at % 2 == 0 { self.0[start + at / 2] } else { other.0[start + at / 2] }
            }))
        };
        (half(0), half(SIDE / 2))
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "few samples")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_sample_changes_its_indices(height in 1usize..40, width in 1usize..40, gap in 0usize..3) {
            let from: Vec<u16> = (0..(height * (width + gap)) as u16).collect();
            let from_starts: Vec<usize> = (0..height).rev().map(|line| line * (width + gap)).collect();
            let to_starts: Vec<usize> = (0..width).map(|line| line * height).collect();
            let mut to = vec![u16::MAX; height * width];
            transpose(&from, &from_starts, &mut to, &to_starts);
            for (i, from_start) in from_starts.iter().enumerate() {
                for (j, to_start) in to_starts.iter().enumerate() {
                    prop_assert_eq!(to[to_start + i], from[from_start + j]);
                }
            }
        }
    }
}
