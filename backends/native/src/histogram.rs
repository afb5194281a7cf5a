//! How often levels occur, and what alphabets would make of them.

use crate::model::{Alphabet, MAX_RAW, REACH_OF_SAMPLES};
use crate::table::SCALE_BITS;

/// Above the numbers that are counted at once.
const MOST_NUMBERS: usize = 1024;
const _: () = assert!(2 * REACH_OF_SAMPLES.unsigned_abs() as usize + 2 < MOST_NUMBERS);

/// How often each number from `start` on occurs, modulo [`MOST_NUMBERS`].
#[inline(always)]
pub(crate) fn count(numbers: &[u16], start: usize) -> [u32; MOST_NUMBERS] {
    // Four counts side by side, because each waits for itself.
    let mut counts = [[0u32; MOST_NUMBERS]; 4];
    let mut add = |at: usize, number: u16| {
        counts[at][usize::from(number).wrapping_sub(start) % MOST_NUMBERS] += 1;
    };
    let (fours, rest) = numbers.as_chunks::<4>();
    for four in fours {
        for (at, &number) in four.iter().enumerate() {
            add(at, number);
        }
    }
    rest.iter().for_each(|&number| add(0, number));
    std::array::from_fn(|number| counts.iter().map(|counts| counts[number]).sum())
}

/// Counts of `n >> raw` for the values `n` of a context.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    /// From the lowest to the highest that occurs.
    pub(crate) counts: Vec<u32>,
    /// The lowest.
    pub(crate) lowest: i32,
    pub(crate) raw: u8,
}

impl Histogram {
    /// Counts samples less `base`, by as few raw bits as an alphabet of samples allows; `held` is a buffer.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "below MOST_NUMBERS")]
    pub(crate) fn of_samples(samples: &[u16], base: u16, held: &mut Vec<u16>) -> Self {
        let low = samples.iter().fold(u16::MAX, |low, &sample| low.min(sample));
        let high = samples.iter().fold(0, |high, &sample| high.max(sample));
        if low > high {
            return Self { counts: vec![0], lowest: 0, raw: 0 };
        }
        let (low, high) = (i32::from(low) - i32::from(base), i32::from(high) - i32::from(base));
        let mut raw = 0;
        while (high >> raw).max(-1 - (low >> raw)) > REACH_OF_SAMPLES {
            raw += 1;
        }
        let lowest = low >> raw;
        held.resize(samples.len(), 0);
        for (number, &sample) in held.iter_mut().zip(samples) {
            *number = (((i32::from(sample) - i32::from(base)) >> raw) - lowest) as u16;
        }
        let len = ((high >> raw) - lowest).unsigned_abs() as usize + 1;
        Self { counts: count(held, 0)[..len].to_vec(), lowest, raw }
    }

    /// Counts levels without their low bits, of which there are `parity`.
    pub(crate) fn of_levels(levels: &[i32], parity: u8) -> Self {
        let all = || levels.iter().map(|&level| level >> parity);
        let (low, high) = all().fold((i32::MAX, i32::MIN), |(a, b), n| (a.min(n), b.max(n)));
        if low > high {
            return Self { counts: vec![0], lowest: 0, raw: 0 };
        }
        let mut counts = vec![0; (high - low).unsigned_abs() as usize + 1];
        for n in all() {
            counts[(n - low).unsigned_abs() as usize] += 1;
        }
        Self { counts, lowest: low, raw: 0 }
    }

    /// The histogram of all values of some.
    pub(crate) fn sum(histograms: &[Self]) -> Self {
        let raw = histograms.iter().map(|histogram| histogram.raw).max().unwrap_or(0);
        let alike: Vec<Self> = histograms
            .iter()
            .filter(|histogram| histogram.counts.iter().any(|&count| count > 0))
            .map(|histogram| (histogram.raw..raw).fold(histogram.clone(), |histogram, _| histogram.halved()))
            .collect();
        let lowest = alike.iter().map(|histogram| histogram.lowest).min().unwrap_or(0);
        let highest = alike.iter().map(Self::highest).max().unwrap_or(0);
        let mut counts = vec![0; (highest - lowest).unsigned_abs() as usize + 1];
        for histogram in &alike {
            let start = (histogram.lowest - lowest).unsigned_abs() as usize;
            for (sum, &count) in counts[start..].iter_mut().zip(&histogram.counts) {
                *sum += count;
            }
        }
        Self { counts, lowest, raw }
    }

    fn highest(&self) -> i32 {
        self.lowest + i32::try_from(self.counts.len()).unwrap_or(i32::MAX) - 1
    }

    /// The same with one more raw bit.
    fn halved(&self) -> Self {
        let lowest = self.lowest >> 1;
        let mut counts = vec![0; ((self.highest() >> 1) - lowest).unsigned_abs() as usize + 1];
        for (n, &count) in (self.lowest..).zip(&self.counts) {
            counts[((n >> 1) - lowest).unsigned_abs() as usize] += count;
        }
        Self { counts, lowest, raw: self.raw + 1 }
    }

    /// The alphabets of a reach of at most `most`, one for each number of raw bits, with their costs in bits.
    pub(crate) fn costs(&self, most: i32) -> Vec<(Alphabet, f64)> {
        let total = f64::from(self.counts.iter().sum::<u32>());
        let mut costs = Vec::with_capacity(16);
        let mut histogram = self.clone();
        loop {
            let raw = histogram.raw;
            let reach = histogram.highest().max(-1 - histogram.lowest).max(0);
            if reach <= most {
                let mut bits = total * f64::from(raw) + f64::from(reach) * 0.1;
                for &count in histogram.counts.iter().filter(|&&count| count > 0) {
                    // No symbol costs more than the precision of frequencies.
                    let own = (total / f64::from(count)).log2().min(f64::from(SCALE_BITS));
                    bits += f64::from(count) * own + 6.0;
                }
                costs.push((Alphabet { raw, reach }, bits));
            }
            if raw == MAX_RAW {
                return costs;
            }
            histogram = histogram.halved();
        }
    }
}

/// The alphabet of least cost, the fewer raw bits first.
pub(crate) fn cheapest(costs: &[(Alphabet, f64)]) -> (Alphabet, f64) {
    let least = costs.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    least.copied().unwrap_or((Alphabet { raw: 0, reach: 0 }, f64::INFINITY))
}

/// An alphabet for each context, with their cost, from the costs of each context's.
///
/// As many raw bits everywhere are faster to code, whole bytes the fastest: they may cost a little more.
pub(crate) fn cheapest_together(costs: &[Vec<(Alphabet, f64)>]) -> (Vec<Alphabet>, f64) {
    let sum = |chosen: Vec<(Alphabet, f64)>| {
        let bits = chosen.iter().map(|(_, bits)| bits).sum::<f64>();
        (chosen.into_iter().map(|(alphabet, _)| alphabet).collect::<Vec<_>>(), bits)
    };
    let mut best = sum(costs.iter().map(|costs| cheapest(costs)).collect());
    let alike = (0..=MAX_RAW).filter_map(|raw| {
        let of_context = |costs: &Vec<(Alphabet, f64)>| costs.iter().find(|(a, _)| a.raw == raw).copied();
        costs.iter().map(of_context).collect::<Option<Vec<_>>>().map(sum)
    });
    let alike: Vec<_> = alike.collect();
    if let Some(least) = alike.iter().min_by(|a, b| a.1.total_cmp(&b.1))
        && least.1 < 1.004 * best.1
    {
        best = least.clone();
    }
    let whole_bytes = |(alphabets, _): &&(Vec<Alphabet>, f64)| alphabets.iter().all(|a| a.raw == 8);
    match alike.iter().find(whole_bytes) {
        Some(bytes) if bytes.1 < 1.004 * best.1 => bytes.clone(),
        _ => best,
    }
}
