//! What levels cost in bits, for the encoder's search.

use crate::model::{Alphabet, Distribution, ESCAPES};
use crate::table::SCALE;

/// Levels up to this magnitude have costs of their own; beyond, costs are those of the last.
const FAR: i32 = 1500;
/// Costs of a context: levels −FAR−8 to FAR+8.
const SPAN: usize = 2 * (FAR as usize + 8) + 1;
/// Bits of a level that escapes, besides the escape itself.
const ESCAPE_BITS: f32 = 9.0;

/// Costs of neighbouring levels by context.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    bits: Vec<f32>,
}

impl Rates {
    /// No costs at all.
    #[cfg(test)]
    pub(crate) fn flat(contexts: usize) -> Self {
        Self { bits: vec![0.0; contexts * SPAN] }
    }

    /// The costs of the eight levels from `low` on.
    #[inline(always)]
    pub(crate) fn around(&self, context: usize, low: i32) -> &[f32; 8] {
        let at = context * SPAN + (low.clamp(-FAR - 8, FAR) + FAR + 8).unsigned_abs() as usize;
        // The clamp keeps eight costs within the context's span.
        self.bits[at..].first_chunk().unwrap_or(&[0.0; 8])
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

    /// Costs of Gaussian sources of these mean magnitudes, in units of the spacing: a first guess.
    #[expect(clippy::cast_precision_loss, reason = "levels are small")]
    pub(crate) fn of_scales(scales: &[(Alphabet, f32)]) -> Self {
        let mut rates = Self::default();
        for &(alphabet, mean) in scales {
            // A Gaussian's standard deviation is 1.2533 times its mean magnitude; the quantiser adds its own noise.
            let deviation = (1.2533 * mean).max(0.05);
            let spread = (deviation * deviation + 0.25).sqrt();
            let cell = (1i32 << (alphabet.raw + 1)) as f32;
            let weight = |parity: usize, q: i32| {
                let low = q as f32 * cell + parity as f32;
                let centre = if alphabet.raw > 0 { low + 0.5 * cell } else { low };
                -0.5 * (centre / spread).powi(2) * std::f32::consts::LOG2_E
            };
            let total = |parity| {
                let symbols = -alphabet.reach - 1..=alphabet.reach;
                symbols.map(|q| weight(parity, q).exp2()).sum::<f32>().max(1e-30).log2()
            };
            let totals = [total(0), total(1)];
            rates.add(&alphabet, |parity, q| (totals[parity] - weight(parity, q)).min(16.0));
        }
        rates
    }

    /// Adds a context in which symbol `q` at a parity costs `bits(parity, q)` before raw bits.
    fn add(&mut self, alphabet: &Alphabet, bits: impl Fn(usize, i32) -> f32) {
        let raw = f32::from(alphabet.raw);
        self.bits.extend((-FAR - 8..=FAR + 8).map(|level| {
            let (parity, n) = ((level & 1).unsigned_abs() as usize, level >> 1);
            bits(parity, n >> alphabet.raw) + raw
        }));
    }
}
