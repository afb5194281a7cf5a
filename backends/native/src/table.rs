//! Distributions of symbols: what the packet says of them, and the frequencies that follow.
//!
//! A table lists, for each slot, the logarithm of a weight in eighths of an octave below the largest, or that the
//! slot never occurs. Weights become frequencies of [`SCALE`] by integer arithmetic, the same everywhere.

use telecine_core::{Error, Result};

use crate::range::{Bit, Coder, Number};

/// Bits of a frequency: decoding tables of all contexts then fit a core's own caches.
pub(crate) const SCALE_BITS: u32 = 11;
/// The sum of the frequencies of a table, and above each of them.
pub(crate) const SCALE: u32 = 1 << SCALE_BITS;
/// Steps of a logarithm per octave.
const STEPS: i32 = 8;
/// Weights below this many steps are raised to it.
const FLOOR: i32 = 14 * STEPS;

/// 2^16 · 2^(−i/8).
const POWERS: [u32; 8] = [65536, 60097, 55109, 50535, 46341, 42495, 38968, 35734];

fn weight(log: u8) -> u32 {
    let log = usize::from(log);
    (POWERS[log % 8] >> (log / 8)).max(1)
}

/// The logarithms of slots: steps below the largest, `None` where the slot never occurs.
pub(crate) type Logs = Vec<Option<u8>>;

/// The logarithms that describe counts best.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to FLOOR by the clamp")]
pub(crate) fn logs_of(counts: &[f64]) -> Logs {
    let largest = counts.iter().copied().fold(0.0, f64::max);
    let log =
        |count: f64| ((largest / count).log2() * f64::from(STEPS)).round().clamp(0.0, f64::from(FLOOR)) as u8;
    counts.iter().map(|&count| (count > 0.0).then(|| log(count))).collect()
}

/// Models for the tables of one packet.
#[derive(Default)]
pub(crate) struct TableModel {
    present: [Bit; 4],
    residual: [Number; 3],
}

impl TableModel {
    /// Codes one table; a reader passes anything of the right length.
    ///
    /// Each logarithm is predicted by extrapolating the two before it: Gaussian tails are
    /// parabolas.
    pub(crate) fn code(&mut self, coder: &mut impl Coder, logs: &Logs) -> Result<Logs> {
        let mut out: Logs = Vec::with_capacity(logs.len());
        for (slot, wanted) in logs.iter().enumerate() {
            let back = |steps: usize| slot.checked_sub(steps).and_then(|at| out[at]).map(i32::from);
            let context = usize::from(back(1).is_some()) + 2 * usize::from(back(2).is_some());
            if !coder.bit(wanted.is_some(), &mut self.present[context])? {
                out.push(None);
                continue;
            }
            let (predicted, order) = match (back(1), back(2), back(3)) {
                (Some(a), Some(b), Some(c)) => (3 * a - 3 * b + c, 2),
                (Some(a), Some(b), None) => (2 * a - b, 1),
                (Some(a), None, _) => (a, 0),
                (None, _, _) => (0, 0),
            };
            // Far extrapolations overshoot: damp them to the linear one.
            let predicted = match (back(1), back(2)) {
                (Some(a), Some(b)) if order == 2 => predicted.clamp(2 * a - b - 8, 2 * a - b + 8),
                _ => predicted,
            }
            .clamp(0, FLOOR);
            let residual = wanted.map_or(0, |log| i32::from(log) - predicted);
            let log = predicted + self.residual[order].signed(coder, residual)?;
            match u8::try_from(log) {
                Ok(log) if i32::from(log) <= FLOOR => out.push(Some(log)),
                _ => return Err(Error::corrupt("a table of a tns1 packet leaves its range")),
            }
        }
        Ok(out)
    }
}

/// Frequencies of symbols, each at least 1 where it occurs, that sum to [`SCALE`]; all 0 where nothing occurs.
///
/// Weights too small for a share of their own get 1; the others divide the rest in proportion, between the rounded
/// places of their running sums, so that rounding favours none of them.
///
/// # Errors
/// [`Error::Corrupt`] for more symbols than [`SCALE`] has room for.
pub(crate) fn frequencies(logs: &[Option<u8>]) -> Result<Vec<u16>> {
    let symbols = logs.iter().flatten().count();
    if symbols > SCALE as usize / 2 {
        return Err(Error::corrupt(format!("a table of a tns1 packet has {symbols} symbols")));
    }
    if symbols < 2 {
        return Ok(single(logs));
    }
    let total: u32 = logs.iter().flatten().map(|&log| weight(log)).sum();
    let is_small = |weight: u32| u64::from(weight) * u64::from(SCALE) < u64::from(total);
    let weights = || logs.iter().flatten().map(|&log| weight(log));
    let small = weights().filter(|&weight| is_small(weight)).fold((0, 0), |(n, sum), w| (n + 1, sum + w));
    let (room, rest) = (u64::from(SCALE - small.0), u64::from(total - small.1));
    let mut sum = 0;
    #[expect(clippy::cast_possible_truncation, reason = "at most SCALE")]
    let share = |log: &Option<u8>| match log.map(weight) {
        None => 0,
        Some(weight) if is_small(weight) => 1,
        Some(weight) => {
            let place = |sum: u64| (2 * sum * room + rest) / (2 * rest);
            let before = place(sum);
            sum += u64::from(weight);
            (place(sum) - before).max(1) as u16
        }
    };
    let mut out: Vec<u16> = logs.iter().map(share).collect();
    // Shares that came to nothing got 1 all the same. Over half of the scale is not theirs: what is over can be taken.
    let mut over = out.iter().map(|&f| u32::from(f)).sum::<u32>().saturating_sub(SCALE);
    while over > 0 {
        let Some(largest) = (0..out.len()).rev().max_by_key(|&slot| out[slot]).filter(|&slot| out[slot] > 1)
        else {
            return Err(Error::corrupt("a table of a tns1 packet cannot be shared out"));
        };
        #[expect(clippy::cast_possible_truncation, reason = "at most half of a frequency")]
        let given = over.min(u32::from(out[largest] / 2)) as u16;
        out[largest] -= given;
        over -= u32::from(given);
    }
    Ok(out)
}

/// One symbol leaves the least share to another, so that no frequency is the whole scale.
fn single(logs: &[Option<u8>]) -> Vec<u16> {
    let mut out = vec![0; logs.len()];
    if let Some(slot) = logs.iter().position(Option::is_some) {
        out[slot] = 2047;
        out[usize::from(slot == 0)] = 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::{Reader, Writer};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tables_read_back_and_sum_up(counts in prop::collection::vec(0u32..10_000, 2..900)) {
            let logs = logs_of(&counts.iter().map(|&c| f64::from(c)).collect::<Vec<_>>());
            let mut writer = Writer::new();
            TableModel::default().code(&mut writer, &logs).unwrap();
            let bytes = writer.finish();
            let back = TableModel::default().code(&mut Reader::new(&bytes), &vec![None; logs.len()]).unwrap();
            prop_assert_eq!(&back, &logs);
            let frequencies = frequencies(&logs).unwrap();
            let sum: u32 = frequencies.iter().map(|&f| u32::from(f)).sum();
            prop_assert_eq!(sum, if counts.iter().any(|&c| c > 0) { SCALE } else { 0 });
            if counts.iter().filter(|&&c| c > 0).count() > 1 {
                for (f, c) in frequencies.iter().zip(&counts) {
                    prop_assert_eq!(*f > 0, *c > 0);
                }
            }
            prop_assert!(frequencies.iter().all(|&f| u32::from(f) < SCALE));
        }

        #[test]
        fn any_logarithms_sum_up(logs in prop::collection::vec(prop::option::of(0u8..=112), 2..1012)) {
            if let Ok(frequencies) = frequencies(&logs) {
                let sum: u32 = frequencies.iter().map(|&f| u32::from(f)).sum();
                prop_assert_eq!(sum, if logs.iter().any(Option::is_some) { SCALE } else { 0 });
            }
        }
    }
}
