//! An adaptive binary range coder with 32-bit probabilities, precise enough for masks in which one value of 10,000 stands out.

use crate::{Error, Result};

/// The number of observations after which a probability no longer slows down.
const LIMIT: usize = 1023;
/// The distance that probabilities keep from 0 and 1, of 2^32.
const MARGIN: u32 = 1 << 16;
/// Bytes beyond the end that a reader of an undamaged stream asks for at most: zeros that the writer's last value leaves out.
const MISSING: usize = 8;

/// `2^16 / (n + 2)`: the step of the Krichevsky–Trofimov estimator after `n` observations.
static STEPS: [u16; LIMIT + 1] = steps();

#[expect(clippy::cast_possible_truncation, reason = "65536 / 2 at most")]
const fn steps() -> [u16; LIMIT + 1] {
    let mut steps = [0; LIMIT + 1];
    let mut n = 0;
    while n <= LIMIT {
        steps[n] = ((1 << 16) / (n + 2)) as u16;
        n += 1;
    }
    steps
}

/// The adaptive probability that a bit is 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bit {
    /// The probability, of 2^32.
    pub(super) zero: u32,
    /// The number of observations, up to [`LIMIT`].
    seen: u32,
}

impl Default for Bit {
    fn default() -> Self {
        Self { zero: 1 << 31, seen: 0 }
    }
}

impl Bit {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a step of less than the distance to either end")]
    pub(super) fn update(&mut self, bit: bool) {
        let step = u64::from(STEPS[self.seen as usize & LIMIT]);
        let target = if bit { MARGIN } else { u32::MAX - MARGIN };
        // `zero` stays within the margins, because both targets do.
        let delta = ((u64::from(target.abs_diff(self.zero)) * step) >> 16) as u32;
        self.zero = if bit { self.zero - delta } else { self.zero + delta };
        self.seen += u32::from(self.seen < LIMIT as u32);
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "below the range")]
    fn bound(self, range: u64) -> u64 {
        ((u128::from(range) * u128::from(self.zero)) >> 32) as u64
    }
}

/// One direction of coding: the same calls in the same order write a stream, read it and measure it.
pub(super) trait Coder {
    /// True if calls return what a stream says; false if they return their argument.
    const READS: bool;

    /// Codes one bit with an adaptive probability.
    fn bit(&mut self, bit: bool, model: &mut Bit) -> bool;

    /// Codes up to 16 bits that are as often 0 as 1.
    fn raw(&mut self, value: u32, bits: u32) -> u32;
}

/// Codes a symbol of `bits` bits, the highest first, each with a model of the bits before it.
#[inline(always)]
pub(super) fn symbol<C: Coder>(coder: &mut C, tree: &mut [Bit], bits: u32, value: usize) -> usize {
    let mut node = 1;
    for shift in (0..bits).rev() {
        node = node << 1 | usize::from(coder.bit(value >> shift & 1 == 1, &mut tree[node]));
    }
    node - (1 << bits)
}

/// Writes a stream.
#[derive(Debug)]
pub(super) struct Writer {
    low: u64,
    range: u64,
    out: Vec<u8>,
}

impl Writer {
    /// Starts a stream behind the bytes of `out`.
    pub(super) fn new(out: Vec<u8>) -> Self {
        Self { low: 0, range: u64::MAX, out }
    }

    /// Adds to the low end of the interval; a carry goes into the bytes already written.
    fn advance(&mut self, by: u64) {
        let (low, carry) = self.low.overflowing_add(by);
        self.low = low;
        if carry {
            self.carry();
        }
    }

    #[cold]
    fn carry(&mut self) {
        for byte in self.out.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
    }

    fn narrow(&mut self, range: u64) {
        self.range = range;
        if range < 1 << 32 {
            self.out.extend_from_slice(&self.low.to_be_bytes()[..4]);
            self.low <<= 32;
            self.range <<= 32;
        }
    }

    /// Ends the stream with the shortest value within the interval; bytes beyond the end read as 0.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let (value, carry, length) = shortest(self.low, self.range);
        if carry {
            self.carry();
        }
        self.out.extend_from_slice(&value.to_be_bytes()[..length]);
        self.out
    }
}

/// The value with the most zero bytes at its end within `range` values from `low`, whether it is beyond 2^64, and its other bytes.
#[expect(clippy::cast_possible_truncation, reason = "the carry is told apart")]
fn shortest(low: u64, range: u64) -> (u64, bool, usize) {
    let (low, end) = (u128::from(low), u128::from(low) + u128::from(range));
    let value = |length: usize| {
        let below = u128::MAX >> (64 + 8 * length);
        (low + below) & !below
    };
    let length = (0..8).find(|&length| value(length) < end).unwrap_or(8);
    (value(length) as u64, value(length) >> 64 != 0, length)
}

impl Coder for Writer {
    const READS: bool = false;

    #[inline(always)]
    fn bit(&mut self, bit: bool, model: &mut Bit) -> bool {
        let bound = model.bound(self.range);
        model.update(bit);
        if bit {
            self.advance(bound);
            self.narrow(self.range - bound);
        } else {
            self.narrow(bound);
        }
        bit
    }

    fn raw(&mut self, value: u32, bits: u32) -> u32 {
        let part = self.range >> bits;
        self.advance(part * u64::from(value));
        self.narrow(part);
        value
    }
}

/// Reads a stream.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// Bytes taken, with those beyond the end.
    taken: usize,
    range: u64,
    /// The stream's value less the low end of the interval.
    code: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut reader = Self { bytes, taken: 0, range: u64::MAX, code: 0 };
        reader.code = reader.word() << 32;
        reader.code |= reader.word();
        reader
    }

    fn word(&mut self) -> u64 {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        self.taken += 4;
        match rest.first_chunk() {
            Some(&word) => u64::from(u32::from_be_bytes(word)),
            None => (0..4).fold(0, |word, i| word << 8 | u64::from(rest.get(i).copied().unwrap_or(0))),
        }
    }

    #[inline(always)]
    fn narrow(&mut self, range: u64) {
        self.range = range;
        if range < 1 << 32 {
            self.range <<= 32;
            self.code = self.code << 32 | self.word();
        }
    }

    /// Checks that the stream has not ended more bytes ago than a writer leaves out.
    pub(super) fn check(&self) -> Result<()> {
        if self.taken > self.bytes.len() + MISSING {
            return Err(Error::corrupt("a map of classes ends early"));
        }
        Ok(())
    }

    /// Checks that the stream ends here, as its writer ends it.
    pub(super) fn finish(mut self) -> Result<()> {
        self.check()?;
        let end = self.taken;
        self.taken -= 8;
        let last = self.word() << 32 | self.word();
        let (value, _, length) = shortest(last.wrapping_sub(self.code), self.range);
        if self.bytes.len() > end {
            return Err(Error::corrupt("a map of classes has bytes left over"));
        }
        if self.bytes.len() != end - 8 + length || value != last {
            return Err(Error::corrupt("a map of classes does not end as its writer ends it"));
        }
        Ok(())
    }
}

impl Coder for Reader<'_> {
    const READS: bool = true;

    #[inline(always)]
    fn bit(&mut self, _: bool, model: &mut Bit) -> bool {
        let bound = model.bound(self.range);
        let bit = self.code >= bound;
        model.update(bit);
        if bit {
            self.code -= bound;
            self.narrow(self.range - bound);
        } else {
            self.narrow(bound);
        }
        bit
    }

    #[expect(clippy::cast_possible_truncation, reason = "16 bits at most")]
    fn raw(&mut self, _: u32, bits: u32) -> u32 {
        let part = self.range >> bits;
        // A damaged stream may point beyond the interval.
        let value = (self.code / part).min((1 << bits) - 1);
        self.code -= value * part;
        self.narrow(part);
        value as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carry_goes_through_bytes_of_255() {
        let mut writer = Writer::new(vec![0, 0xff, 0xff]);
        writer.low = u64::MAX;
        writer.advance(1);
        assert_eq!(writer.out, [1, 0, 0]);
    }
}
