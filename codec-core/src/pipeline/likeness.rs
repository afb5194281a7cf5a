//! How much of a chunk's values follows from other values, by a look at some of them: an estimate of what lossless coding makes
//! of it, for a small part of lossless coding's time.

use crate::{DType, bitcast};

/// Estimates for one chunk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Likeness {
    /// Bits per value that the values take by their frequencies, or by those of their differences from neighbours. An
    /// underestimate where there are many kinds of values.
    pub(super) bits: f64,
    /// Whether neighbours or repetitions say more of a value than its frequency: what dictionaries and runs are good at.
    pub(super) is_structured: bool,
}

/// Values that frequencies are counted on.
const SAMPLE: usize = 2048;
/// Values in a row that are searched for repetitions, and the distance from one such run to the next.
const RUN: usize = 2048;
const RUN_DISTANCE: usize = 4 * RUN;
/// Chunks of up to as many values are searched whole.
const SHORT: usize = 1 << 15;
/// Of windows of 8 bytes one in as many (log2) is remembered, chosen by its hash, so that repetitions choose the same.
const CHOSEN: u32 = 7;
const CHOSEN_OF_SHORT: u32 = 3;
/// A share of repeated windows from which on values count as structured.
const REPEATED: f64 = 0.05;

/// Estimates for values in rows of `cols`.
pub(super) fn likeness(dtype: DType, bytes: &[u8], cols: usize) -> Likeness {
    let size = dtype.size();
    let values = bytes.len() / size;
    let stride = (values / SAMPLE).max(1);
    // The values at some places, and those of them that have one so far before, with that.
    let places = || (0..values).step_by(stride).take(SAMPLE);
    let before = |distance: usize| -> Vec<u8> {
        let mut before = Vec::with_capacity(SAMPLE * size);
        for at in places().filter(|at| *at >= distance).map(|at| at - distance) {
            before.extend_from_slice(&bytes[at * size..(at + 1) * size]);
        }
        before
    };
    let (these, left, above) = (before(0), before(1), before(cols));
    let (mut alone, mut beside) = (0.0, 0.0);
    let (planes, depth) = bitcast::planes(dtype);
    let mut counts = vec![0u16; 1 << depth];
    let (mut samples, mut others) = (Vec::new(), Vec::new());
    for plane in 0..planes as usize {
        samples.clear();
        bitcast::split(dtype, &these, (plane, depth), &mut samples);
        let own = entropy(samples.iter().copied(), &mut counts);
        let mut difference = |before: &[u8]| {
            others.clear();
            bitcast::split(dtype, before, (plane, depth), &mut others);
            let pairs = samples[samples.len() - others.len()..].iter().zip(&others);
            let mask = u16::MAX >> (16 - depth);
            entropy(pairs.map(|(sample, other)| sample.wrapping_sub(*other) & mask), &mut counts)
        };
        let left = difference(&left);
        let above = if cols < values { difference(&above) } else { own };
        alone += own;
        beside += own.min(left).min(above);
    }
    let repeated = repeated(bytes, size);
    Likeness { bits: beside * (1.0 - repeated), is_structured: beside < 0.9 * alone || repeated > REPEATED }
}

/// Bits per sample by frequencies; leaves `counts` at 0.
#[expect(clippy::cast_precision_loss, reason = "counts for a ratio")]
fn entropy(samples: impl Iterator<Item = u16> + Clone, counts: &mut [u16]) -> f64 {
    let mut total = 0usize;
    for sample in samples.clone() {
        counts[usize::from(sample)] += 1;
        total += 1;
    }
    let total = total.max(1) as f64;
    let mut bits = 0.0;
    for sample in samples {
        let count = f64::from(std::mem::take(&mut counts[usize::from(sample)]));
        if count > 0.0 {
            bits += count * (total / count).log2();
        }
    }
    bits / total
}

/// The share of windows that were seen before.
#[expect(clippy::cast_precision_loss, reason = "a share")]
fn repeated(bytes: &[u8], size: usize) -> f64 {
    let is_short = bytes.len() <= SHORT * size;
    let (distance, log2) = if is_short { (RUN, CHOSEN_OF_SHORT) } else { (RUN_DISTANCE, CHOSEN) };
    let mut chosen = Vec::new();
    for run in bytes.chunks(distance * size) {
        let run = &run[..run.len().min(RUN * size)];
        for window in run.windows(8).step_by(size).filter_map(|window| window.first_chunk::<8>()) {
            let hash = u64::from_le_bytes(*window).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            if hash >> (64 - log2) == 0 {
                chosen.push(hash);
            }
        }
    }
    let all = chosen.len();
    chosen.sort_unstable();
    chosen.dedup();
    if all < 8 { 0.0 } else { (all - chosen.len()) as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f32], cols: usize) -> Likeness {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        likeness(DType::F32, &bytes, cols)
    }

    fn noise(count: usize) -> Vec<f32> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / 16_777_216.0 - 0.5
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn noise_is_not_structured_and_takes_many_bits() {
        let found = of(&noise(100_000), 100);
        assert!(!found.is_structured && found.bits > 18.0, "{found:?}");
    }

    #[test]
    fn few_values_repetitions_rows_and_ramps_are_seen() {
        let few: Vec<f32> = noise(50_000).iter().map(|value| (value * 8.0).round()).collect();
        assert!(of(&few, 100).bits < 4.0);
        let period = noise(997);
        let periodic: Vec<f32> = (0..50_000).map(|at| period[at % 997]).collect();
        let rows: Vec<f32> = (0..50_000).map(|at| period[at % 100]).collect();
        let ramp: Vec<f32> = (0..50_000).map(|at| at as f32).collect();
        for (name, values) in [("periodic", periodic), ("rows", rows), ("ramp", ramp)] {
            let found = of(&values, 100);
            assert!(found.is_structured, "{name}: {found:?}");
        }
    }
}
