//! Bytes, lengths and raw bits of a packet.

use telecine_core::{Error, Result};

/// Appends an unsigned LEB128 integer.
pub(crate) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// Takes a length of up to 35 bits off the front of `bytes`.
pub(crate) fn read_length(bytes: &mut &[u8]) -> Result<usize> {
    let mut value = 0u64;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, rest) =
            bytes.split_first().ok_or_else(|| Error::corrupt("a tns1 packet ends within a length"))?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return usize::try_from(value)
                .map_err(|_| Error::corrupt("a length of a tns1 packet is too large"));
        }
    }
    Err(Error::corrupt("a length of a tns1 packet is too large"))
}

/// Takes `count` bytes off the front.
pub(crate) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (head, rest) = bytes
        .split_at_checked(count)
        .ok_or_else(|| Error::corrupt(format!("a tns1 packet ends {} bytes early", count - bytes.len())))?;
    *bytes = rest;
    Ok(head)
}

/// Takes an array off the front.
pub(crate) fn take_array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    let (head, rest) =
        bytes.split_first_chunk().ok_or_else(|| Error::corrupt("a tns1 packet ends within its header"))?;
    *bytes = rest;
    Ok(*head)
}

/// Writes bits, low bits first.
pub(crate) struct RawWriter<'a> {
    bytes: &'a mut Vec<u8>,
    held: u64,
    count: u32,
}

impl<'a> RawWriter<'a> {
    /// A writer of bits behind these bytes.
    pub(crate) fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes, held: 0, count: 0 }
    }

    /// Appends the low `count` bits of each value.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the low bits")]
    pub(crate) fn push_all(&mut self, values: impl Iterator<Item = u16>, count: u8) {
        if count == 8 && self.count == 0 {
            self.bytes.extend(values.map(|value| value as u8));
            return;
        }
        let mask = (1 << count) - 1;
        for value in values {
            self.held |= (u64::from(value) & mask) << self.count;
            self.count += u32::from(count);
            if self.count >= 32 {
                self.bytes.extend_from_slice(&(self.held as u32).to_le_bytes());
                self.held >>= 32;
                self.count -= 32;
            }
        }
        if self.count.is_multiple_of(8) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let held = self.held.to_le_bytes();
        self.bytes.extend_from_slice(&held[..self.count.div_ceil(8) as usize]);
        (self.held, self.count) = (0, 0);
    }

    pub(crate) fn finish(mut self) {
        self.flush();
    }
}

/// Takes up to 16 bits at a bit position of what [`RawWriter`] wrote; `bytes` go on for 4 more.
pub(crate) fn raw_bits(bytes: &[u8], at: usize, count: u8) -> u32 {
    let held = bytes.get(at / 8..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b));
    held >> (at % 8) & ((1 << count) - 1)
}
