//! What is counted and coded of levels: their cells, numbered through all contexts.
//!
//! A level `m = 2n + z0` (`m = n` without a trellis) has the symbol `q = n >> raw` and the cell `2q + z0` (`q`).

use crate::model::{Alphabet, ESCAPES, max_reach};
use crate::table::{SCALE, SCALE_BITS};

/// Numbers behind those of a context's cells for what lies beyond any reach: by the cell modulo 4.
const FAR: usize = 4;
/// About what an escape costs in bits, besides its slot.
const ESCAPE_BITS: f64 = 7.0;

/// How the cells of a context are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cells {
    pub(crate) trellis: bool,
}

impl Cells {
    /// Cells of a context from `-half` to `half - 1` have numbers of their own.
    fn half(self) -> i32 {
        (max_reach(self.trellis) + 1) << u32::from(self.trellis)
    }

    /// Numbers of a context.
    pub(crate) fn count(self) -> usize {
        2 * self.half().unsigned_abs() as usize + FAR
    }

    /// The cell of a level.
    #[inline(always)]
    pub(crate) fn of(self, level: i32, raw: u8) -> i32 {
        if self.trellis { level >> 1 >> raw << 1 | level & 1 } else { level >> raw }
    }

    /// The number of a cell within its context.
    #[inline(always)]
    fn number(self, cell: i32) -> usize {
        let at = (cell + self.half()).cast_unsigned() as usize;
        let far = self.count() - FAR;
        if at < far { at } else { far + (cell & 3).unsigned_abs() as usize }
    }

    /// Parity and symbol of a number; beyond any reach, a symbol that any alphabet escapes.
    fn symbol(self, number: usize) -> (usize, i32) {
        let far = self.count() - FAR;
        #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "about a thousand")]
        let cell =
            if number < far { number as i32 - self.half() } else { self.half() + (number - far) as i32 };
        if self.trellis { ((cell & 1).unsigned_abs() as usize, cell >> 1) } else { (0, cell) }
    }

    /// Numbers the cells of all levels, and counts them.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "24 contexts of about a thousand numbers")]
    pub(crate) fn number_all(
        self,
        levels: &[i32],
        contexts: &[u8],
        alphabets: &[Alphabet],
        numbers: &mut Vec<u16>,
    ) -> Vec<u32> {
        numbers.clear();
        numbers.resize(levels.len(), 0);
        if let [Alphabet { raw, .. }] = *alphabets {
            match raw {
                0 => self.number_single(levels, |level| level, numbers),
                _ => self.number_single(levels, |level| self.of(level, raw), numbers),
            }
        } else {
            let starts: Vec<(usize, u8)> =
                alphabets.iter().enumerate().map(|(at, a)| (at * self.count(), a.raw)).collect();
            for ((number, &level), &context) in numbers.iter_mut().zip(levels).zip(contexts) {
                let (start, raw) = starts[usize::from(context)];
                *number = (start + self.number(self.of(level, raw))) as u16;
            }
        }
        count(numbers, alphabets.len() * self.count())
    }

    /// Numbers the cells of a single context.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "about a thousand numbers")]
    fn number_single(self, levels: &[i32], cell: impl Fn(i32) -> i32, numbers: &mut [u16]) {
        let half = self.half();
        let inside = |level: i32| (cell(level) + half).cast_unsigned() < 2 * half.unsigned_abs();
        if levels.iter().fold(true, |all, &level| all & inside(level)) {
            for (number, &level) in numbers.iter_mut().zip(levels) {
                *number = (cell(level) + half) as u16;
            }
        } else {
            for (number, &level) in numbers.iter_mut().zip(levels) {
                *number = self.number(cell(level)) as u16;
            }
        }
    }

    /// Counts by parity and slot of an alphabet, from those of a context's numbers.
    pub(crate) fn slot_counts(self, alphabet: &Alphabet, counts: &[u32]) -> [Vec<u32>; 2] {
        let mut out = [vec![0; alphabet.slots()], vec![0; alphabet.slots()]];
        for (number, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (parity, q) = self.symbol(number);
            out[parity][alphabet.slot(q)] += count;
        }
        out
    }

    /// For each number of a context, its parity and slot.
    pub(crate) fn slots(self, alphabet: &Alphabet) -> impl Iterator<Item = (usize, usize)> {
        (0..self.count()).map(move |number| {
            let (parity, q) = self.symbol(number);
            (parity, alphabet.slot(q))
        })
    }

    /// Whether a number of a context stands for an escape.
    pub(crate) fn escapes(self, alphabet: &Alphabet, number: usize) -> bool {
        alphabet.slot(self.symbol(number).1) >= alphabet.slots() - ESCAPES
    }

    /// The reach that makes a context's levels cheapest: symbols too rare for a frequency of their own escape.
    pub(crate) fn best_reach(self, counts: &[u32]) -> i32 {
        // By the magnitude max(q, −1 − q), 0 first; what lies beyond any reach comes last.
        let most = max_reach(self.trellis);
        let mut rings = vec![[0u32; 4]; most.unsigned_abs() as usize + 2];
        for (number, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (parity, q) = self.symbol(number);
            let ring = q.max(-1 - q).min(most + 1).unsigned_abs() as usize;
            rings[ring][2 * parity + usize::from(q < 0)] += count;
        }
        let total: f64 = counts.iter().map(|&count| f64::from(count)).sum();
        // Tables of both parities share the total about evenly.
        let share = if self.trellis { 0.5 } else { 1.0 } * total;
        let floor = share / f64::from(SCALE);
        let beyond: u32 = rings.last().map_or(0, |ring| ring.iter().sum());
        let mut tail = f64::from(beyond);
        let mut cost = 0.0;
        let mut best = (f64::INFINITY, most);
        // From the outermost ring inwards: the cost of escaping it and all beyond against that of coding it.
        let Some(outermost) = (0..rings.len() - 1).rev().find(|&ring| rings[ring] != [0; 4]) else {
            return 0;
        };
        let own: Vec<f64> = rings
            .iter()
            .take(outermost + 1)
            .map(|ring| {
                let entry = |&count: &u32| {
                    let count = f64::from(count);
                    // A frequency of 1 takes its share from all others.
                    let wasted = if count < floor { (floor - count) * std::f64::consts::LOG2_E } else { 0.0 };
                    if count > 0.0 { count * (share / count.max(floor)).log2() + wasted + 1.5 } else { 0.0 }
                };
                ring.iter().map(entry).sum()
            })
            .collect();
        let inner: f64 = own.iter().sum();
        for reach in (0..=outermost).rev() {
            let escapes = if tail > 0.0 {
                tail * ((2.0 * share / tail.max(floor)).log2().min(f64::from(SCALE_BITS)) + ESCAPE_BITS)
                    + 2.0 * (floor - tail).max(0.0) * std::f64::consts::LOG2_E
            } else {
                0.0
            };
            let all = inner - cost + escapes;
            if all < best.0 {
                best = (all, i32::try_from(reach).unwrap_or(most));
            }
            cost += own[reach];
            tail += rings[reach].iter().map(|&count| f64::from(count)).sum::<f64>();
        }
        best.1
    }
}

/// How often each number occurs.
#[inline(always)]
fn count(numbers: &[u16], size: usize) -> Vec<u32> {
    // Four counts side by side, because each waits for itself.
    let mut counts = vec![[0u32; 4]; size];
    let (fours, rest) = numbers.as_chunks::<4>();
    for four in fours {
        for at in 0..4 {
            counts[usize::from(four[at])][at] += 1;
        }
    }
    for &number in rest {
        counts[usize::from(number)][0] += 1;
    }
    counts.iter().map(|counts| counts.iter().sum()).collect()
}

/// The alphabets of a reach of at most `most`, one for each number of raw bits, with their costs in bits.
///
/// `counts` are those of `n` from `lowest` on.
pub(crate) fn alphabet_costs(mut counts: Vec<u32>, mut lowest: i32, most: i32) -> Vec<(Alphabet, f64)> {
    let total = f64::from(counts.iter().sum::<u32>());
    let mut costs = Vec::with_capacity(16);
    for raw in 0..16 {
        let highest = lowest + i32::try_from(counts.len()).unwrap_or(i32::MAX) - 1;
        let reach = highest.max(-1 - lowest).max(0);
        if reach <= most {
            let mut bits = total * f64::from(raw) + f64::from(reach) * 0.1;
            for &count in counts.iter().filter(|&&count| count > 0) {
                // No symbol costs more than the precision of frequencies.
                let own = (total / f64::from(count)).log2().min(f64::from(SCALE_BITS));
                bits += f64::from(count) * own + 6.0;
            }
            costs.push((Alphabet { raw, reach }, bits));
        }
        let next = lowest >> 1;
        let mut halved = vec![0; ((highest >> 1) - next).unsigned_abs() as usize + 1];
        for (n, count) in (lowest..).zip(&counts) {
            halved[((n >> 1) - next).unsigned_abs() as usize] += count;
        }
        (counts, lowest) = (halved, next);
    }
    costs
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
    let alike = (0..16).filter_map(|raw| {
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

/// Counts of `n` from the least to the greatest, and the least.
pub(crate) fn histogram(values: impl Iterator<Item = i32> + Clone) -> (Vec<u32>, i32) {
    let (low, high) = values.clone().fold((i32::MAX, i32::MIN), |(a, b), n| (a.min(n), b.max(n)));
    if low > high {
        return (vec![0], 0);
    }
    let mut counts = vec![0; (high - low).unsigned_abs() as usize + 1];
    for n in values {
        counts[(n - low).unsigned_abs() as usize] += 1;
    }
    (counts, low)
}

/// The same for each of some contexts, from values with theirs.
pub(crate) fn histograms(
    values: impl Iterator<Item = (usize, i32)> + Clone,
    contexts: usize,
) -> Vec<(Vec<u32>, i32)> {
    let mut ranges = vec![(i32::MAX, i32::MIN); contexts];
    for (context, n) in values.clone() {
        let range = &mut ranges[context];
        *range = (range.0.min(n), range.1.max(n));
    }
    let empty = |(low, high): (i32, i32)| match low {
        low if low > high => (vec![0], 0),
        low => (vec![0; (high - low).unsigned_abs() as usize + 1], low),
    };
    let mut out: Vec<(Vec<u32>, i32)> = ranges.into_iter().map(empty).collect();
    for (context, n) in values {
        let (counts, low) = &mut out[context];
        counts[(n - *low).unsigned_abs() as usize] += 1;
    }
    out
}
