//! Entropy coding of symbols: interleaved range asymmetric numeral systems, the encoder's side.
//!
//! Duda, "Asymmetric numeral systems", arXiv:1311.2540; interleaved lanes after Giesen, arXiv:1402.3392. States are
//! at least 2¹⁵ and below 2³¹, words 16 bits, frequencies 11 bits; symbol `i` belongs to lane `i` modulo their number.

use crate::cells::Cells;
use crate::model::Distribution;
use crate::plane::LOWEST;
use crate::table::SCALE_BITS;

/// What coding one symbol needs.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    /// 2⁶⁴ / frequency, rounded up: a product's upper half is the quotient.
    reciprocal: u64,
    frequency: u32,
    start: u32,
}

/// Codes cells, numbered through all contexts, into words; gives the states of the lanes.
///
/// The last symbol is coded first, so that a decoder starts with the first.
#[expect(clippy::cast_possible_truncation, reason = "low halves of states, quotients of 32-bit numbers")]
#[inline(always)]
pub(crate) fn encode(
    distributions: &[Distribution],
    cells: Cells,
    symbols: &[u16],
    lanes: usize,
    words: &mut Vec<u16>,
) -> Vec<u32> {
    let steps = steps(distributions, cells);
    let mut states = vec![LOWEST; lanes];
    // Words are written from the back; every symbol writes at most one.
    words.clear();
    words.resize(symbols.len() + 1, 0);
    let mut at = symbols.len();
    for symbols in symbols.chunks(lanes).rev() {
        for (&symbol, state) in symbols.iter().zip(&mut states).rev() {
            let step = steps[usize::from(symbol)];
            // Whether a word goes out is hard to predict: it is written anyway, and kept if the place moves on.
            let full = *state >= step.frequency << (31 - SCALE_BITS);
            words[at] = *state as u16;
            at -= usize::from(full);
            let held = if full { *state >> 16 } else { *state };
            // A frequency of 1 has no reciprocal below 2^64; the next number's product with 2^64 − 1 does as well.
            let numerator = u128::from(held) + u128::from(step.frequency == 1);
            let quotient = ((numerator * u128::from(step.reciprocal)) >> 64) as u32;
            *state = (quotient << SCALE_BITS) + (held - quotient * step.frequency) + step.start;
        }
    }
    words.drain(..=at);
    states
}

/// The steps of all numbers, context after context.
fn steps(distributions: &[Distribution], cells: Cells) -> Vec<Step> {
    let mut out = Vec::with_capacity(distributions.len() * cells.count());
    for distribution in distributions {
        let of_slots = [0, 1].map(|parity| {
            let mut start = 0;
            let step = |&frequency: &u16| {
                let frequency = u32::from(frequency);
                let reciprocal = if frequency > 1 { u64::MAX / u64::from(frequency) + 1 } else { u64::MAX };
                start += frequency;
                Step { reciprocal, frequency, start: start - frequency }
            };
            distribution.frequencies[parity].iter().map(step).collect::<Vec<Step>>()
        });
        let number = |(parity, slot): (usize, usize)| of_slots[parity].get(slot).copied().unwrap_or_default();
        out.extend(cells.slots(&distribution.alphabet).map(number));
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reciprocals_divide_exactly(numerator in any::<u32>(), frequency in 2u32..2048) {
            let reciprocal = u64::MAX / u64::from(frequency) + 1;
            let quotient = (u128::from(numerator) * u128::from(reciprocal)) >> 64;
            prop_assert_eq!(quotient, u128::from(numerator / frequency));
        }
    }
}
