//! What levels cost in bits, for the encoder's search.

use crate::model::{Alphabet, Distribution, ESCAPES};
use crate::table::SCALE;

/// Levels up to this magnitude have costs of their own; beyond, costs are those of the last.
const FAR: i32 = 1500;
/// Costs of a context: levels −FAR to FAR.
const SPAN: usize = 2 * FAR as usize + 1;
/// Bits of a level that escapes, besides the escape itself.
const ESCAPE_BITS: f32 = 9.0;

/// Costs of neighbouring levels by context.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    bits: Vec<f32>,
}

impl Rates {
    /// The cost of a level, up to a constant for its context.
    #[inline(always)]
    pub(crate) fn bits(&self, context: usize, level: i32) -> f32 {
        let at = context * SPAN + (level.clamp(-FAR, FAR) + FAR).unsigned_abs() as usize;
        self.bits.get(at).copied().unwrap_or(0.0)
    }

    /// Costs that follow from distributions.
    pub(crate) fn of_distributions(distributions: &[Distribution]) -> Self {
        let mut rates = Self::default();
        for distribution in distributions {
            let alphabet = distribution.alphabet;
            let cost = |frequency: u16| (SCALE as f32 / f32::from(frequency.max(1))).log2();
            rates.add(&alphabet, |parity, q| {
                let slot = alphabet.slot(q);
                let escape = if slot >= alphabet.slots() - ESCAPES { ESCAPE_BITS } else { 0.0 };
                cost(distribution.frequencies[parity][slot]) + escape
            });
        }
        rates
    }

    /// Adds a context in which symbol `q` at a parity costs `bits(parity, q)` before raw bits.
    fn add(&mut self, alphabet: &Alphabet, bits: impl Fn(usize, i32) -> f32) {
        self.bits.extend((-FAR..=FAR).map(|level| {
            let (parity, n) = ((level & 1).unsigned_abs() as usize, level >> 1);
            bits(parity, n >> alphabet.raw)
        }));
    }
}
