//! What decoding the samples of a plane needs once the packet is taken apart, and where it stands.

use telecine_core::{Error, Result};

use crate::model::{Alphabet, Distribution, ESCAPES};
use crate::plane::code_escape;
use crate::range::{Bit, Number, Reader};
use crate::table::{SCALE, SCALE_BITS};
use crate::trellis::Trellis;

/// Zeros behind words and raw bits, so that vectors of them can be read near their end: one step of 64 lanes reads
/// at most 128 bytes of either, and 32 more.
pub(crate) const PADDING: usize = 192;

/// A plane's packet, taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) trellis: Trellis,
    pub(crate) spacing: f32,
    /// The sample of level 0.
    pub(crate) centre: i32,
    /// The largest sample.
    pub(crate) max: i32,
    /// Words of 2 bytes, then [`PADDING`].
    pub(crate) words: &'a [u8],
    /// Raw bits, then [`PADDING`].
    pub(crate) raw: &'a [u8],
}

impl Job<'_> {
    pub(crate) fn word_bytes(&self) -> usize {
        self.words.len() - PADDING
    }

    pub(crate) fn raw_bits(&self) -> usize {
        8 * (self.raw.len() - PADDING)
    }

    /// Whether levels have parities.
    pub(crate) fn has_trellis(&self) -> bool {
        self.trellis.log2_states > 0
    }
}

/// How far decoding has come.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    /// The coder's state of each lane.
    pub(crate) states: Vec<u32>,
    /// The trellis state of each lane.
    pub(crate) paths: Vec<u32>,
    /// Bytes of words taken.
    pub(crate) word: usize,
    /// Raw bits taken.
    pub(crate) raw: usize,
    pub(crate) side: Reader<'a>,
    pub(crate) escapes: (Number, Bit),
}

impl Cursor<'_> {
    /// Takes an escaped symbol of this parity.
    pub(crate) fn escaped(&mut self, alphabet: &Alphabet, parity: i32) -> Result<i32> {
        let q = code_escape(&mut self.side, &mut self.escapes, alphabet, 0)?;
        if q & 1 == parity {
            Ok(q)
        } else {
            Err(Error::corrupt("an escaped level of a tns1 packet has the wrong parity"))
        }
    }

    /// Fails where more was taken than there is.
    pub(crate) fn check(&self, job: &Job<'_>) -> Result<()> {
        if self.word > job.word_bytes() {
            Err(Error::corrupt("a tns1 packet runs out of words"))
        } else if self.raw > job.raw_bits() {
            Err(Error::corrupt("raw bits of a tns1 packet end early"))
        } else {
            Ok(())
        }
    }
}

/// A number that rounds those below 2²² in magnitude to the nearest integer, the even one of two, when it is added and
/// subtracted: `round_ties_even` is a call of a library on CPUs that need not have SSE4.1.
pub(crate) const ROUND: f32 = 12_582_912.0;

/// The sample distance from the centre that a level stands for.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "clamped to 21 bits")]
pub(crate) fn reconstruct(level: i32, spacing: f32) -> i32 {
    ((level as f32 * spacing).clamp(-1e6, 1e6) + ROUND - ROUND) as i32
}

/// An entry of a decoding table that stands for no symbol, told by its cell: an even escape, an odd escape, an empty
/// table. Cells of symbols are farther from the edge.
pub(crate) const RARE: i32 = 3;

/// The number of a symbol `q` at parity `z0`: `2q + z0` with a trellis, `q` without.
pub(crate) fn cell(q: i32, parity: usize, trellis: bool) -> i32 {
    if trellis { q << 1 | i32::from(parity == 1) } else { q }
}

/// The decoding tables of a context, for even and odd parity, with one 32-bit entry per position of the scale.
///
/// An entry is `offset | frequency << 11 | …`. With a trellis, bit 22 is the low bit of the symbol and bits 23 to 31
/// are the cell, signed; without, bits 22 to 31 are.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) alphabet: Alphabet,
    pub(crate) entries: Box<[u32; 2 * SCALE as usize]>,
}

impl Default for Tables {
    fn default() -> Self {
        Self { alphabet: Alphabet { raw: 0, reach: 0 }, entries: Box::new([0; 2 * SCALE as usize]) }
    }
}

impl Tables {
    /// Fills the tables.
    pub(crate) fn fill(&mut self, distribution: &Distribution, trellis: bool) {
        self.alphabet = distribution.alphabet;
        let (even, odd) = self.entries.split_at_mut(SCALE as usize);
        fill_table(distribution, 0, trellis, even);
        if trellis {
            fill_table(distribution, 1, trellis, odd);
        }
    }
}

/// The upper bits of an entry, for a cell and the low bit of its symbol.
fn entry_of(cell: i32, odd: bool, trellis: bool) -> u32 {
    if trellis { cell.cast_unsigned() << 23 | u32::from(odd) << 22 } else { cell.cast_unsigned() << 22 }
}

/// The lowest cell that an entry can hold; rare ones are the next to it.
pub(crate) fn lowest_cell(trellis: bool) -> i32 {
    if trellis { -1 << 8 } else { -1 << 9 }
}

fn fill_table(distribution: &Distribution, parity: usize, trellis: bool, table: &mut [u32]) {
    let (alphabet, lowest) = (&distribution.alphabet, lowest_cell(trellis));
    let frequencies = &distribution.frequencies[parity];
    let mut start = 0;
    for (slot, &frequency) in frequencies.iter().enumerate().filter(|(_, frequency)| **frequency > 0) {
        let upper = match alphabet.symbol(slot) {
            Ok(q) => entry_of(cell(q, parity, trellis), q & 1 == 1, trellis),
            Err(odd) => entry_of(lowest + odd, false, trellis),
        };
        let first = upper | u32::from(frequency) << SCALE_BITS;
        let end = start + usize::from(frequency);
        for (offset, entry) in (0u32..).zip(&mut table[start..end]) {
            *entry = first | offset;
        }
        start = end;
    }
    // Frequencies sum to the scale, or to 0.
    table[start..].fill(entry_of(lowest + 2, false, trellis));
    debug_assert!(alphabet.slots() >= ESCAPES);
}
