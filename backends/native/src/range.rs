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

/// What both directions of side information share: the same calls in the same order write it and read it.
pub(crate) trait Coder {
    /// Codes one bit with an adaptive probability; a reader ignores `bit` and returns what was written.
    fn bit(&mut self, bit: bool, model: &mut Bit) -> Result<bool>;
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
    fn bit(&mut self, bit: bool, model: &mut Bit) -> Result<bool> {
        let bound = model.bound(self.range);
        if bit {
            self.low += u64::from(bound);
            self.range -= bound;
        } else {
            self.range = bound;
        }
        model.update(bit);
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
    fn bit(&mut self, _: bool, model: &mut Bit) -> Result<bool> {
        let bound = model.bound(self.range);
        let bit = self.code >= bound;
        if bit {
            self.code -= bound;
            self.range -= bound;
        } else {
            self.range = bound;
        }
        model.update(bit);
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

/// Adaptive Exp-Golomb code of integers: the unary length and the leading bits below it adapt.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    length: [Bit; 33],
    leading: [[Bit; 2]; 33],
    sign: Bit,
}

impl Default for Number {
    fn default() -> Self {
        Self { length: [Bit::default(); 33], leading: [[Bit::default(); 2]; 33], sign: Bit::default() }
    }
}

impl Number {
    /// Codes an integer of up to 31 bits.
    pub(crate) fn unsigned(&mut self, coder: &mut impl Coder, value: u32) -> Result<u32> {
        let wanted = (value + 1).ilog2();
        let mut length = 0;
        while coder.bit(length < wanted, &mut self.length[length as usize])? {
            length += 1;
            if length > 31 {
                return Err(Error::corrupt("a number of a tns1 packet is over 31 bits"));
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

    /// Codes a signed integer of up to 30 bits.
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
