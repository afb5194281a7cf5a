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
    /// Bits that are no byte yet.
    held: u128,
    /// Their number, at most 7.
    count: u32,
}

/// Values that are packed at once: as many bytes as each has bits.
const EIGHT: usize = 8;

impl<'a> RawWriter<'a> {
    /// A writer of bits behind these bytes.
    pub(crate) fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes, held: 0, count: 0 }
    }

    /// Appends the low `count` bits, at most 15, of what `of` makes of each value.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the low bits")]
    pub(crate) fn push_all<T: Copy>(&mut self, values: &[T], of: impl Fn(T) -> u16, count: u8) {
        let start = self.bytes.len();
        let width = usize::from(count);
        let (eights, rest) = values.as_chunks::<EIGHT>();
        if width == EIGHT && self.count == 0 {
            self.bytes.resize(start + EIGHT * eights.len(), 0);
            for (byte, &value) in self.bytes[start..].iter_mut().zip(eights.as_flattened()) {
                *byte = of(value) as u8;
            }
        } else if width < EIGHT && self.count == 0 {
            // The same as below, in half the size.
            self.bytes.resize(start + width * eights.len() + size_of::<u64>(), 0);
            for (at, eight) in (start..).step_by(width).zip(eights) {
                self.bytes[at..at + size_of::<u64>()]
                    .copy_from_slice(&(pack(eight.map(&of), count) as u64).to_le_bytes());
            }
            self.bytes.truncate(start + width * eights.len());
        } else {
            self.bytes.resize(start + width * eights.len() + size_of::<u128>(), 0);
            for (at, eight) in (start..).step_by(width).zip(eights) {
                // Up to 120 bits behind up to 7.
                let packed = pack(eight.map(&of), count) << self.count | self.held;
                self.bytes[at..at + size_of::<u128>()].copy_from_slice(&packed.to_le_bytes());
                self.held = packed >> (EIGHT * width);
            }
            self.bytes.truncate(start + width * eights.len());
        }
        for &value in rest {
            self.held |= u128::from(of(value) & ((1 << count) - 1)) << self.count;
            self.count += u32::from(count);
            while self.count >= 8 {
                self.bytes.push(self.held as u8);
                self.held >>= 8;
                self.count -= 8;
            }
        }
    }

    /// Fills up the last byte.
    #[expect(clippy::cast_possible_truncation, reason = "fewer than 8 bits")]
    pub(crate) fn finish(self) {
        if self.count > 0 {
            self.bytes.push(self.held as u8);
        }
    }
}

/// The low `count` bits of eight values, one after the other.
#[inline(always)]
fn pack(values: [u16; EIGHT], count: u8) -> u128 {
    let four = |[a, b, c, d]: [u16; 4]| {
        let all = u64::from(a) | u64::from(b) << 16 | u64::from(c) << 32 | u64::from(d) << 48;
        let kept = all & (0x0001_0001_0001_0001 * ((1 << count) - 1));
        // Pairs of values, then pairs of pairs, are moved together.
        let twos = kept & 0x0000_ffff_0000_ffff | (kept >> 16 & 0x0000_ffff_0000_ffff) << count;
        twos & 0xffff_ffff | twos >> 32 << (2 * count)
    };
    let [a, b, c, d, e, f, g, h] = values;
    u128::from(four([a, b, c, d])) | u128::from(four([e, f, g, h])) << (4 * count)
}

/// Takes up to 16 bits at a bit position of what [`RawWriter`] wrote; `bytes` go on for 4 more.
pub(crate) fn raw_bits(bytes: &[u8], at: usize, count: u8) -> u32 {
    let held = bytes.get(at / 8..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b));
    held >> (at % 8) & ((1 << count) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn raw_bits_read_back(runs in prop::collection::vec((1u8..16, prop::collection::vec(any::<u16>(), 0..40)), 0..6)) {
            let mut bytes = vec![7];
            let mut writer = RawWriter::new(&mut bytes);
            runs.iter().for_each(|(count, values)| writer.push_all(values, |value| value, *count));
            writer.finish();
            let bits: usize = runs.iter().map(|(count, values)| usize::from(*count) * values.len()).sum();
            prop_assert_eq!(bytes.len(), 1 + bits.div_ceil(8));
            bytes.extend([0; 4]);
            let mut at = 8;
            for (count, values) in &runs {
                for &value in values {
                    prop_assert_eq!(raw_bits(&bytes, at, *count), u32::from(value) & ((1 << count) - 1));
                    at += usize::from(*count);
                }
            }
        }
    }
}
