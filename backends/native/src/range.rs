//! An adaptive binary range coder for side information: classes, tables, escapes.
//!
//! Carry-less binary arithmetic coding with 12-bit adaptive probabilities, in the manner of LZMA's coder.

use telecine_core::{Error, Result};

/// Bits of a probability.
const PRECISION: u32 = 12;
/// A probability moves by 1/2^RATE of the way to the bit just seen.
const RATE: u32 = 4;
/// Ranges below this are renormalised.
const TOP: u32 = 1 << 24;

/// The probability, of 4096, that a bit is 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bit(u16);

impl Default for Bit {
    fn default() -> Self {
        Self(1 << (PRECISION - 1))
    }
}

impl Bit {
    fn bound(self, range: u32) -> u32 {
        (range >> PRECISION) * u32::from(self.0)
    }

    fn update(&mut self, bit: bool) {
        if bit {
            self.0 -= (self.0 - 31) >> RATE;
        } else {
            self.0 += (4096 - 31 - self.0) >> RATE;
        }
    }
}

/// Bits of the probability of a [`Flag`].
const FLAG_PRECISION: u32 = 16;
/// Moves of a [`Flag`]'s probabilities end at these shifts.
const FLAG_RATES: [u32; 2] = [4, 7];
/// Flags seen, from which on the slower rate is at its end: 2⁷ − 2.
const FLAG_SEEN: u8 = 126;

/// The probability, of 65,536, that a flag of a mask is 0: the mean of a fast and a slow estimate, both of which start
/// as running means. Almost certain flags cost 0.002 bit, where a [`Bit`] costs 0.01.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    estimates: [u32; 2],
    seen: u8,
}

impl Default for Flag {
    fn default() -> Self {
        Self { estimates: [1 << (FLAG_PRECISION - 1); 2], seen: 0 }
    }
}

impl Flag {
    fn bound(self, range: u32) -> u32 {
        (range >> FLAG_PRECISION) * ((self.estimates[0] + self.estimates[1]) >> 1)
    }

    fn update(&mut self, bit: bool) {
        let running = (u32::from(self.seen) + 2).ilog2();
        for (estimate, rate) in self.estimates.iter_mut().zip(FLAG_RATES) {
            let rate = running.min(rate);
            if bit {
                *estimate -= *estimate >> rate;
            } else {
                *estimate += ((1 << FLAG_PRECISION) - *estimate) >> rate;
            }
        }
        self.seen = (self.seen + 1).min(FLAG_SEEN);
    }
}

/// What both directions of side information share: the same calls in the same order write it and read it.
pub(crate) trait Coder {
    /// Codes one bit, whose 0 has the share `bound(range)` of the range; a reader ignores `bit` and returns what was
    /// written.
    fn split(&mut self, bit: bool, bound: impl FnOnce(u32) -> u32) -> Result<bool>;

    /// Codes one bit with an adaptive probability.
    #[inline]
    fn bit(&mut self, bit: bool, model: &mut Bit) -> Result<bool> {
        let bit = self.split(bit, |range| model.bound(range))?;
        model.update(bit);
        Ok(bit)
    }

    /// Codes one flag of a mask.
    #[inline]
    fn flag(&mut self, bit: bool, model: &mut Flag) -> Result<bool> {
        let bit = self.split(bit, |range| model.bound(range))?;
        model.update(bit);
        Ok(bit)
    }
}

/// Writes side information.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    low: u64,
    range: u32,
    cache: u8,
    pending: u64,
    started: bool,
    out: Vec<u8>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self { range: u32::MAX, ..Self::default() }
    }

    #[expect(clippy::cast_possible_truncation, reason = "bytes of a 33-bit number")]
    fn shift(&mut self) {
        if self.low < 0xff00_0000 || self.low > 0xffff_ffff {
            let carry = (self.low >> 32) as u8;
            if self.started {
                self.out.push(self.cache.wrapping_add(carry));
            }
            self.started = true;
            for _ in 0..self.pending {
                self.out.push(0xffu8.wrapping_add(carry));
            }
            self.pending = 0;
            self.cache = (self.low >> 24) as u8;
        } else {
            self.pending += 1;
        }
        self.low = (self.low & 0x00ff_ffff) << 8;
    }

    /// Ends the stream; a reader takes missing bytes as 0, so trailing zeros are left out.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        for _ in 0..5 {
            self.shift();
        }
        while self.out.last() == Some(&0) {
            self.out.pop();
        }
        self.out
    }
}

impl Coder for Writer {
    #[inline]
    fn split(&mut self, bit: bool, bound: impl FnOnce(u32) -> u32) -> Result<bool> {
        let bound = bound(self.range);
        if bit {
            self.low += u64::from(bound);
            self.range -= bound;
        } else {
            self.range = bound;
        }
        while self.range < TOP {
            self.range <<= 8;
            self.shift();
        }
        Ok(bit)
    }
}

/// Reads side information.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    /// Bytes taken beyond the end.
    missing: u32,
    range: u32,
    code: u32,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let mut reader = Self { bytes, missing: 0, range: u32::MAX, code: 0 };
        for _ in 0..4 {
            reader.code = reader.code << 8 | reader.byte();
        }
        reader
    }

    fn byte(&mut self) -> u32 {
        match self.bytes.split_first() {
            Some((&byte, rest)) => {
                self.bytes = rest;
                u32::from(byte)
            }
            None => {
                self.missing = self.missing.saturating_add(1);
                0
            }
        }
    }
}

impl Coder for Reader<'_> {
    #[inline]
    fn split(&mut self, _: bool, bound: impl FnOnce(u32) -> u32) -> Result<bool> {
        let bound = bound(self.range);
        let bit = self.code >= bound;
        if bit {
            self.code -= bound;
            self.range -= bound;
        } else {
            self.range = bound;
        }
        while self.range < TOP {
            self.range <<= 8;
            self.code = self.code << 8 | self.byte();
            // An honest stream ends at most a few bytes before its reader does; a hostile one must not go on for ever.
            if self.missing > 64 {
                return Err(Error::corrupt("side information of a tns1 packet ends early"));
            }
        }
        Ok(bit)
    }
}

/// Bits below the leading one of a number plus 1, at most: no number reaches 2²¹, so that sums of a few fit 32 bits.
const MOST_BITS: usize = 20;

/// Adaptive Exp-Golomb code of integers: the unary length and the leading bits below it adapt.
#[derive(Debug, Clone, Default)]
pub(crate) struct Number {
    length: [Bit; MOST_BITS + 1],
    leading: [[Bit; 2]; MOST_BITS + 1],
    sign: Bit,
}

impl Number {
    /// Codes an integer below 2²¹ − 1.
    pub(crate) fn unsigned(&mut self, coder: &mut impl Coder, value: u32) -> Result<u32> {
        let wanted = (value + 1).ilog2();
        let mut length = 0;
        while coder.bit(length < wanted, &mut self.length[length as usize])? {
            length += 1;
            if length as usize > MOST_BITS {
                return Err(Error::corrupt("a number of a tns1 packet is over 20 bits"));
            }
        }
        let mut result = 1u32;
        for (place, shift) in (0..length).rev().enumerate() {
            let bit = (value + 1) >> shift & 1 == 1;
            let mut even = Bit::default();
            let model = self.leading[length as usize].get_mut(place).unwrap_or(&mut even);
            result = result << 1 | u32::from(coder.bit(bit, model)?);
        }
        Ok(result - 1)
    }

    /// Codes a signed integer of that magnitude.
    pub(crate) fn signed(&mut self, coder: &mut impl Coder, value: i32) -> Result<i32> {
        let magnitude = self.unsigned(coder, value.unsigned_abs())?.cast_signed();
        if magnitude == 0 {
            return Ok(0);
        }
        Ok(if coder.bit(value < 0, &mut self.sign)? { -magnitude } else { magnitude })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_and_bits_read_back(values in prop::collection::vec(-1_000_000i32..1_000_000, 0..300)) {
            let mut writer = Writer::new();
            let (mut model, mut bit) = (Number::default(), Bit::default());
            for &value in &values {
                model.signed(&mut writer, value).unwrap();
                writer.bit(value > 0, &mut bit).unwrap();
            }
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            let (mut model, mut bit) = (Number::default(), Bit::default());
            for &value in &values {
                prop_assert_eq!(model.signed(&mut reader, 0).unwrap(), value);
                prop_assert_eq!(reader.bit(false, &mut bit).unwrap(), value > 0);
            }
        }
    }

    #[test]
    fn a_skewed_source_costs_about_its_entropy() {
        let mut writer = Writer::new();
        let mut bit = Bit::default();
        for i in 0..10_000 {
            writer.bit(i % 20 == 0, &mut bit).unwrap();
        }
        assert!(writer.finish().len() < 420, "entropy is 358 bytes");
    }

    #[test]
    fn an_endless_reader_stops() {
        let mut reader = Reader::new(&[0xff; 8]);
        let mut model = Number::default();
        assert!((0..100_000).any(|_| model.unsigned(&mut reader, 0).is_err()));
    }
}
