//! Entropy coding of symbols: interleaved range asymmetric numeral systems, the encoder's side.
//!
//! Duda, "Asymmetric numeral systems", arXiv:1311.2540; interleaved lanes after Giesen, arXiv:1402.3392. States are
//! at least 2¹⁵ and below 2³¹, words 16 bits, frequencies 11 bits; symbol `i` belongs to lane `i` modulo their number.

use crate::cells::Cells;
use crate::model::Distribution;
use crate::plane::LOWEST;
use crate::table::{SCALE, SCALE_BITS};

/// What coding one symbol needs: `x` becomes `x + bias + q · complement`, where `q` is the quotient of `x` and the
/// frequency by multiplication with a reciprocal. A frequency of 1 takes `x − 1` for the quotient, and the bias mends
/// it.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    /// The least state that gives a word away first.
    full: u32,
    reciprocal: u32,
    bias: u32,
    complement: u16,
    shift: u16,
}

impl Step {
    #[expect(clippy::cast_possible_truncation, reason = "32 bits by the choice of the shift, small numbers")]
    fn new(frequency: u32, start: u32) -> Self {
        let full = frequency << (31 - SCALE_BITS);
        let complement = (SCALE - frequency) as u16;
        if frequency < 2 {
            return Self { full, reciprocal: u32::MAX, bias: start + SCALE - 1, complement, shift: 32 };
        }
        let shift = frequency.next_power_of_two().ilog2();
        let reciprocal = (1u64 << (shift + 31)).div_ceil(u64::from(frequency)) as u32;
        Self { full, reciprocal, bias: start, complement, shift: 31 + shift as u16 }
    }

    /// The quotient of a state below 2³¹ and the frequency; one less where that is 1.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a quotient of 31 bits")]
    fn quotient(&self, state: u32) -> u32 {
        ((u64::from(state) * u64::from(self.reciprocal)) >> self.shift) as u32
    }
}

/// Codes cells, numbered through all contexts, into words; gives the states of the lanes.
///
/// The last symbol is coded first, so that a decoder starts with the first.
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
    let all = symbols.len() / lanes * lanes;
    code_step(&steps, &symbols[all..], &mut states, words, &mut at);
    for symbols in symbols[..all].chunks_exact(lanes).rev() {
        code_step(&steps, symbols, &mut states, words, &mut at);
    }
    words.drain(..=at);
    states
}

/// Codes one symbol of each lane, the last one first.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low half of a state")]
fn code_step(steps: &[Step], symbols: &[u16], states: &mut [u32], words: &mut [u16], at: &mut usize) {
    for (&symbol, state) in symbols.iter().zip(states).rev() {
        let step = steps[usize::from(symbol)];
        // Whether a word goes out is hard to predict: it is written anyway, and kept if the place moves on.
        let full = *state >= step.full;
        words[*at] = *state as u16;
        *at -= usize::from(full);
        let held = if full { *state >> 16 } else { *state };
        let quotient = step.quotient(held);
        *state = held + step.bias + quotient * u32::from(step.complement);
    }
}

/// The steps of all numbers, context after context.
fn steps(distributions: &[Distribution], cells: Cells) -> Vec<Step> {
    let mut out = Vec::with_capacity(distributions.len() * cells.count());
    for distribution in distributions {
        let of_slots = [0, 1].map(|parity| {
            let mut start = 0;
            let step = |&frequency: &u16| {
                let frequency = u32::from(frequency);
                start += frequency;
                Step::new(frequency, start - frequency)
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
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_step_is_that_of_the_definition(state in 0u32..1 << 31, frequency in 1u32..SCALE, start in 0u32..SCALE) {
            let start = start.min(SCALE - frequency);
            let step = Step::new(frequency, start);
            let state = state % step.full;
            let wanted = (state / frequency << SCALE_BITS) + state % frequency + start;
            let found = state
                .wrapping_add(step.bias)
                .wrapping_add(step.quotient(state).wrapping_mul(step.complement.into()));
            prop_assume!(state > 0);
            prop_assert_eq!(found, wanted);
        }
    }
}
