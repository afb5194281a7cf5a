//! The alphabet of a packet: how a level splits into a coded symbol and raw bits, and its cost.

use telecine_core::{Error, Result};

use crate::range::{Coder, Number};
use crate::table::{Logs, TableModel, frequencies, logs_of};

/// Largest magnitude of a coded symbol, with a trellis and without: entries of decoding tables have room for no more.
/// What lies beyond escapes.
pub(crate) const REACH_OF_TRELLIS: i32 = 125;
pub(crate) const REACH_OF_SAMPLES: i32 = 505;

/// Raw bits of a level, at most.
pub(crate) const MAX_RAW: u8 = 15;

/// The largest reach of alphabets.
pub(crate) fn max_reach(trellis: bool) -> i32 {
    if trellis { REACH_OF_TRELLIS } else { REACH_OF_SAMPLES }
}

/// Symbols of a table that stand for even and odd symbols beyond its reach.
pub(crate) const ESCAPES: usize = 2;

/// The symbols of one distribution: a level at parity `z0` is `m = 2n + z0` (`m = n` without a trellis), and
/// `n = (q << raw) | r` with `raw` uncoded bits `r`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alphabet {
    /// Number of uncoded low bits.
    pub(crate) raw: u8,
    /// Coded symbols are −reach−1 to reach.
    pub(crate) reach: i32,
}

impl Alphabet {
    /// Number of slots of a distribution, escapes included.
    pub(crate) fn slots(&self) -> usize {
        (2 * self.reach + 2).unsigned_abs() as usize + ESCAPES
    }

    /// The slot of a symbol.
    pub(crate) fn slot(&self, q: i32) -> usize {
        if (-self.reach - 1..=self.reach).contains(&q) {
            (q + self.reach + 1).unsigned_abs() as usize
        } else {
            self.slots() - ESCAPES + (q & 1).unsigned_abs() as usize
        }
    }

    /// The symbol of a slot, or an escape with its parity.
    pub(crate) fn symbol(&self, slot: usize) -> std::result::Result<i32, i32> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "slots are few")]
        let q = slot as i32 - self.reach - 1;
        if slot < self.slots() - ESCAPES { Ok(q) } else { Err(q - self.reach - 1) }
    }

    /// Codes the alphabet.
    pub(crate) fn code(&self, coder: &mut impl Coder, model: &mut Number, trellis: bool) -> Result<Self> {
        let raw = model.unsigned(coder, u32::from(self.raw))?;
        let reach = model.unsigned(coder, self.reach.unsigned_abs())?;
        match (u8::try_from(raw), i32::try_from(reach)) {
            (Ok(raw @ 0..=MAX_RAW), Ok(reach)) if reach <= max_reach(trellis) => Ok(Self { raw, reach }),
            _ => Err(Error::corrupt(format!(
                "an alphabet of {raw} raw bits and reach {reach} in a tns1 packet"
            ))),
        }
    }
}

/// The distributions of one context: one for each parity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Distribution {
    pub(crate) alphabet: Alphabet,
    /// Frequencies of each slot, for even and odd levels.
    pub(crate) frequencies: [Vec<u16>; 2],
}

/// Symmetric tables are sent by half: the mirror of symbol `q`.
fn mirror(alphabet: &Alphabet, parity: usize, trellis: bool, q: i32) -> i32 {
    // Level −m of m = 2n + z0: n is −n where z0 is 0, and −1−n where it is 1. With raw bits, the cell of q is
    // mirrored by −1−q up to one level in 2^raw.
    if alphabet.raw == 0 && (parity == 0 || !trellis) { -q } else { -1 - q }
}

/// Codes a context's alphabet and tables; a writer passes the counts of each slot by parity.
pub(crate) fn code_distribution(
    coder: &mut impl Coder,
    models: &mut (Number, TableModel),
    alphabet: Alphabet,
    counts: Option<&[Vec<u32>; 2]>,
    trellis: bool,
    symmetric: bool,
) -> Result<Distribution> {
    let alphabet = alphabet.code(coder, &mut models.0, trellis)?;
    let mut tables = [Vec::new(), Vec::new()];
    for (parity, frequencies_out) in tables.iter_mut().enumerate().take(if trellis { 2 } else { 1 }) {
        // For each slot, where its count goes in the list that is sent: in ascending order without gaps, halves first,
        // escapes last.
        let sent = |slot: usize| match alphabet.symbol(slot) {
            Ok(q) if symmetric => {
                let mirrored = mirror(&alphabet, parity, trellis, q);
                q.max(mirrored).unsigned_abs() as usize
            }
            Ok(_) => slot,
            Err(parity) => alphabet.slots() - ESCAPES + parity.unsigned_abs() as usize,
        };
        let mut places: Vec<usize> = (0..alphabet.slots()).map(sent).collect();
        let mut shared = vec![0u32; alphabet.slots()];
        places.iter().for_each(|&sent| shared[sent] += 1);
        let ranks: Vec<usize> = shared
            .iter()
            .scan(0, |rank, &shared| {
                *rank += usize::from(shared > 0);
                Some(rank.saturating_sub(1))
            })
            .collect();
        places.iter_mut().for_each(|sent| *sent = ranks[*sent]);
        shared.retain(|&shared| shared > 0);
        let mut weights = vec![0f64; shared.len()];
        if let Some(counts) = counts {
            for (&place, &count) in places.iter().zip(&counts[parity]) {
                weights[place] += f64::from(count) / f64::from(shared[place]);
            }
        }
        let logs = models.1.code(coder, &logs_of(&weights))?;
        let spread: Logs = places.iter().map(|&place| logs[place]).collect();
        *frequencies_out = frequencies(&spread)?;
    }
    Ok(Distribution { alphabet, frequencies: tables })
}
