//! What levels cost in bits, for the encoder's search.

use crate::cells::Cells;
use crate::model::{Alphabet, ESCAPES};
use crate::search::{LAMBDA, units};
use crate::table::SCALE;

/// Levels up to this magnitude have costs of their own; beyond, costs are those of the last.
const FAR: i32 = 1500;
/// Costs of a context: levels −FAR to FAR.
const SPAN: u32 = 2 * FAR.unsigned_abs() + 1;
/// Bits of a level that escapes, besides the escape itself.
const ESCAPE_BITS: f32 = 9.0;

/// Costs of neighbouring levels by context.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    /// In the search's units.
    costs: Vec<u16>,
}

impl Rates {
    /// Where the costs of a context start.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "contexts are few")]
    pub(crate) fn start(context: usize) -> u32 {
        context as u32 * SPAN
    }

    /// The place of a level's cost.
    #[inline(always)]
    pub(crate) fn place(start: u32, level: i32) -> u32 {
        start + (level.clamp(-FAR, FAR) + FAR).cast_unsigned()
    }

    /// The cost at a place, up to a constant for its context.
    #[inline(always)]
    pub(crate) fn cost(&self, place: u32) -> u16 {
        self.costs.get(place as usize).copied().unwrap_or(0)
    }

    /// Costs that follow from counts by context, parity and slot: a search may use what the last one did not, so
    /// that nothing is dearer than four times the precision of frequencies.
    pub(crate) fn of_counts(alphabets: &[Alphabet], counts: &[[Vec<u32>; 2]]) -> Self {
        let mut rates = Self::default();
        let cells = Cells { trellis: true };
        for (alphabet, counts) in alphabets.iter().zip(counts) {
            let costs = counts.each_ref().map(|counts| {
                let total = counts.iter().sum::<u32>().max(1) as f32;
                let floor = total / SCALE as f32 / 4.0;
                let escapes = counts.len() - ESCAPES;
                let cost = |(slot, &count): (usize, &u32)| {
                    let escape = if slot >= escapes { ESCAPE_BITS } else { 0.0 };
                    (total / (count as f32).max(floor)).log2() + escape
                };
                counts.iter().enumerate().map(cost).collect::<Vec<f32>>()
            });
            rates.costs.extend((-FAR..=FAR).map(|level| {
                let cell = cells.of(level, alphabet.raw);
                units(LAMBDA * costs[(cell & 1).unsigned_abs() as usize][alphabet.slot(cell >> 1)])
            }));
        }
        rates
    }
}
