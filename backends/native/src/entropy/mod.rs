//! Entropy coding of symbols: interleaved range asymmetric numeral systems, the encoder's side.
//!
//! Duda, "Asymmetric numeral systems", arXiv:1311.2540; interleaved lanes after Giesen, arXiv:1402.3392. States are
//! at least 2¹⁵ and below 2³¹, words 16 bits, frequencies 11 bits; symbol `i` belongs to lane `i` modulo their number.

#[cfg(target_arch = "x86_64")]
mod avx2;

use crate::cells::Cells;
use crate::model::Distribution;
use crate::plane::LOWEST;
use crate::table::{SCALE, SCALE_BITS};

/// What coding the symbols of a plane needs: `x` becomes `x + bias + q · (SCALE − frequency)`, where `q` is the quotient
/// of `x` and the frequency by multiplication with a reciprocal. A frequency of 1 takes `x − 1` for the quotient, and the
/// bias mends it.
#[derive(Debug, Default)]
struct Steps {
    /// For each number the reciprocal, then the rest: frequency, 12 bits of bias, the shift behind the upper half of the
    /// product.
    entries: Vec<[u32; 2]>,
}

const BIAS_AT: u32 = SCALE_BITS;
const SHIFT_AT: u32 = BIAS_AT + 12;

impl Steps {
    #[expect(clippy::cast_possible_truncation, reason = "32 bits by the choice of the shift")]
    fn push(&mut self, frequency: u32, start: u32) {
        let (reciprocal, bias, shift) = match frequency {
            0 | 1 => (u32::MAX, start + SCALE - 1, 0),
            _ => {
                let bits = frequency.next_power_of_two().ilog2();
                ((1u64 << (bits + 31)).div_ceil(u64::from(frequency)) as u32, start, bits - 1)
            }
        };
        self.entries.push([reciprocal, frequency | bias << BIAS_AT | shift << SHIFT_AT]);
    }

    /// The steps of all numbers, context after context.
    fn of(distributions: &[Distribution], cells: Cells) -> Self {
        let mut out = Self::default();
        for distribution in distributions {
            let starts = distribution.frequencies.each_ref().map(|frequencies| {
                let sums = frequencies.iter().scan(0, |sum, &frequency| {
                    *sum += u32::from(frequency);
                    Some(*sum - u32::from(frequency))
                });
                sums.collect::<Vec<u32>>()
            });
            for (parity, slot) in cells.slots(&distribution.alphabet) {
                let frequency = distribution.frequencies[parity].get(slot).copied().unwrap_or(0);
                out.push(frequency.into(), starts[parity].get(slot).copied().unwrap_or(0));
            }
        }
        out
    }

    /// The state after a symbol, and whether the state before gives its low half away first.
    #[inline(always)]
    fn code(&self, symbol: u16, state: u32) -> (u32, bool) {
        let [reciprocal, rest] = self.entries[usize::from(symbol)];
        let frequency = rest & (SCALE - 1);
        let full = state >= frequency << (31 - SCALE_BITS);
        let held = if full { state >> 16 } else { state };
        let quotient = ((u64::from(held) * u64::from(reciprocal)) >> 32) as u32 >> (rest >> SHIFT_AT);
        (held + (rest >> BIAS_AT & 0xfff) + quotient * (SCALE - frequency), full)
    }
}

/// Codes cells, numbered through all contexts, into a buffer of words; gives the states of the lanes, and where the
/// words start, which go to the end.
///
/// The last symbol is coded first, so that a decoder starts with the first.
pub(crate) fn encode(
    is_portable: bool,
    distributions: &[Distribution],
    cells: Cells,
    symbols: &[u16],
    lanes: usize,
    words: &mut Vec<u16>,
) -> (Vec<u32>, usize) {
    let steps = Steps::of(distributions, cells);
    let mut states = vec![LOWEST; lanes];
    // Words are written from the back; every symbol writes at most one, and vectors write up to 8 too many.
    words.resize(symbols.len() + SPARE, 0);
    let whole = symbols.len() / lanes * lanes;
    let mut at = words.len();
    code_plainly(&steps, &symbols[whole..], &mut states, words, &mut at);
    let symbols = &symbols[..whole];
    match lanes {
        #[cfg(target_arch = "x86_64")]
        8 | 16 | 32 | 64 if !is_portable && has_avx2() => {
            // SAFETY: the features were detected.
            unsafe { avx2::code(&steps, symbols, &mut states, words, &mut at) }
        }
        _ => code_plainly(&steps, symbols, &mut states, words, &mut at),
    }
    (states, at)
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
}

/// Words in front of those that symbols write.
const SPARE: usize = 8;

/// Codes symbols one by one, the last one first.
#[expect(clippy::cast_possible_truncation, reason = "the low half of a state")]
fn code_plainly(steps: &Steps, symbols: &[u16], states: &mut [u32], words: &mut [u16], at: &mut usize) {
    for symbols in symbols.chunks(states.len()).rev() {
        for (&symbol, state) in symbols.iter().zip(&mut *states).rev() {
            // Whether a word goes out is hard to predict: it is written anyway, and kept if the place moves on.
            words[*at - 1] = *state as u16;
            let full;
            (*state, full) = steps.code(symbol, *state);
            *at -= usize::from(full);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_step_is_that_of_the_definition(state in 1u32..1 << 31, frequency in 1u32..SCALE, start in 0u32..SCALE) {
            let start = start.min(SCALE - frequency);
            let mut steps = Steps::default();
            steps.push(frequency, start);
            let (found, full) = steps.code(0, state);
            let held = if full { state >> 16 } else { state };
            prop_assert_eq!(full, state >= frequency << 20);
            if held > 0 {
                prop_assert_eq!(found, ((held / frequency) << SCALE_BITS) + held % frequency + start);
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    #[cfg_attr(
        not(all(target_feature = "avx2", target_feature = "popcnt")),
        ignore = "for Miri, with -Ctarget-feature=+avx2,+popcnt; tests/instructions.rs compares packets"
    )]
    fn avx2_writes_the_words_that_the_plain_way_writes() {
        use rand::{RngExt, SeedableRng, rngs::SmallRng};
        let mut steps = Steps::default();
        let mut start = 0;
        for frequency in [1, 1, 2, 3, 500, 1000, 37, 504] {
            steps.push(frequency, start);
            start += frequency;
        }
        let mut rng = SmallRng::seed_from_u64(7);
        for lanes in [8usize, 16, 32, 64] {
            let symbols: Vec<u16> = (0..lanes * 100).map(|_| rng.random_range(0..8)).collect();
            let all = symbols.len() + SPARE;
            let (mut plain, mut plain_states, mut plain_at) = (vec![0; all], vec![LOWEST; lanes], all);
            let (mut fast, mut fast_states, mut fast_at) = (vec![0; all], vec![LOWEST; lanes], all);
            code_plainly(&steps, &symbols, &mut plain_states, &mut plain, &mut plain_at);
            // SAFETY: the features were detected.
            unsafe { avx2::code(&steps, &symbols, &mut fast_states, &mut fast, &mut fast_at) };
            assert_eq!((plain_at, &plain_states), (fast_at, &fast_states));
            assert_eq!(plain[plain_at..], fast[fast_at..]);
        }
    }
}
