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
    /// The context of each sample, below the number of distributions.
    pub(crate) contexts: &'a [u8],
    pub(crate) distributions: &'a [Distribution],
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

    /// Distributions per context.
    pub(crate) fn parities(&self) -> usize {
        if self.has_trellis() { 2 } else { 1 }
    }
}

/// How far decoding has come.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    /// The next sample.
    pub(crate) at: usize,
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

/// The sample distance from the centre that a level stands for.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "clamped to 21 bits")]
pub(crate) fn reconstruct(level: i32, spacing: f32) -> i32 {
    (level as f32 * spacing).clamp(-1e6, 1e6).round_ties_even() as i32
}

/// From this index on, an entry stands for no symbol: an even escape, an odd escape, an empty table.
pub(crate) const RARE: u32 = 253;
/// Index of an entry of a table that nothing was counted for.
pub(crate) const EMPTY: u32 = 255;
/// Index of symbol 0 where indices are symbols.
pub(crate) const DIRECT_BIAS: i32 = 126;

/// Decoding tables with one 32-bit entry per position of the scale.
///
/// An entry is `frequency − 1 | offset << 12 | index << 24`; table `context · parities + parity` starts at 4096 times
/// its number.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) entries: Vec<u32>,
    /// The symbol of each index, 256 per table, where it isn't the index less [`DIRECT_BIAS`].
    pub(crate) symbols: Vec<i32>,
    pub(crate) direct: bool,
}

impl Tables {
    /// Fills the tables; `false` where symbols are too many for indices of 8 bits.
    pub(crate) fn fill(&mut self, distributions: &[Distribution], parities: usize) -> bool {
        let count = distributions.len() * parities;
        self.direct = distributions.iter().all(|d| d.alphabet.reach < DIRECT_BIAS);
        self.entries.resize(count << SCALE_BITS, 0);
        self.symbols.clear();
        if !self.direct {
            self.symbols.resize(count << 8, 0);
        }
        let mut tables = self.entries.chunks_exact_mut(SCALE as usize);
        for (at, distribution) in distributions.iter().enumerate() {
            for (parity, frequencies) in distribution.frequencies.iter().enumerate().take(parities) {
                let Some(table) = tables.next() else { return false };
                let symbols = self.symbols.chunks_exact_mut(256).nth(at * parities + parity);
                if !fill_table(&distribution.alphabet, frequencies, table, symbols) {
                    return false;
                }
            }
        }
        true
    }
}

/// Fills one table, and the symbols of its indices where they aren't direct.
fn fill_table(
    alphabet: &Alphabet,
    frequencies: &[u16],
    table: &mut [u32],
    mut symbols: Option<&mut [i32]>,
) -> bool {
    let (mut start, mut present) = (0, 0);
    for (slot, &frequency) in frequencies.iter().enumerate().filter(|(_, frequency)| **frequency > 0) {
        let index = match (alphabet.symbol(slot), &mut symbols) {
            (Err(parity), _) => RARE + parity.unsigned_abs(),
            (Ok(q), None) => (q + DIRECT_BIAS).unsigned_abs(),
            (Ok(q), Some(symbols)) => {
                if present >= RARE {
                    return false;
                }
                symbols[present as usize] = q;
                present += 1;
                present - 1
            }
        };
        let first = u32::from(frequency - 1) | index << 24;
        let end = start + usize::from(frequency);
        for (offset, entry) in (0u32..).zip(&mut table[start..end]) {
            *entry = first | offset << SCALE_BITS;
        }
        start = end;
    }
    // Frequencies sum to the scale, or to 0.
    table[start..].fill(EMPTY << 24);
    debug_assert!(alphabet.slots() >= ESCAPES);
    true
}
