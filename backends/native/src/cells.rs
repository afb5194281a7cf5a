//! What is counted and coded of levels: their cells, numbered through all contexts.
//!
//! A level `m = 2n + z0` (`m = n` without a trellis) has the symbol `q = n >> raw` and the cell `2q + z0` (`q`).

use std::ops::Range;

use crate::histogram::{Histogram, count};
use crate::model::{Alphabet, max_reach};
use crate::order::Order;
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
    pub(crate) fn number_all(
        self,
        levels: &[i32],
        order: &Order,
        alphabets: &[Alphabet],
        numbers: &mut Vec<u16>,
    ) -> Vec<u32> {
        // Every level gets its number: what stood there does not matter.
        numbers.resize(levels.len(), 0);
        let mut counts = Vec::with_capacity(alphabets.len() * self.count());
        for (range, alphabet) in order.ranges().zip(alphabets) {
            let (levels, numbers, start) = (&levels[range.clone()], &mut numbers[range], counts.len());
            match alphabet.raw {
                0 => self.number_context(levels, |level| level, start, numbers),
                raw => self.number_context(levels, |level| self.of(level, raw), start, numbers),
            }
            counts.extend_from_slice(&count(numbers, start)[..self.count()]);
        }
        counts
    }

    /// Numbers the cells of a context, whose numbers begin at `start`.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "24 contexts of about a thousand numbers")]
    fn number_context(self, levels: &[i32], cell: impl Fn(i32) -> i32, start: usize, numbers: &mut [u16]) {
        let half = self.half();
        let (zero, count) = (start as i32 + half, 2 * half.unsigned_abs());
        let mut inside = true;
        for (number, &level) in numbers.iter_mut().zip(levels) {
            inside &= (cell(level) + half).cast_unsigned() < count;
            *number = (cell(level) + zero) as u16;
        }
        if !inside {
            for (number, &level) in numbers.iter_mut().zip(levels) {
                *number = (start + self.number(cell(level))) as u16;
            }
        }
    }

    /// Numbers samples, without a trellis, as levels from `base` on; none lies beyond every reach.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "24 contexts of about a thousand numbers")]
    pub(crate) fn number_samples(
        self,
        samples: &[u16],
        base: u16,
        raw: u8,
        start: usize,
        numbers: &mut [u16],
    ) {
        let zero = start as i32 + self.half();
        for (number, &sample) in numbers.iter_mut().zip(samples) {
            *number = (((i32::from(sample) - i32::from(base)) >> raw) + zero) as u16;
        }
    }

    /// Counts by number of a context's samples, without a trellis, for an alphabet that holds them all.
    pub(crate) fn counts_of(self, histogram: &Histogram, alphabet: &Alphabet) -> Vec<u32> {
        let mut counts = vec![0; self.count()];
        for (n, &count) in (histogram.lowest..).zip(&histogram.counts).filter(|(_, count)| **count > 0) {
            counts[self.number(n >> (alphabet.raw - histogram.raw))] += count;
        }
        counts
    }

    /// The numbers of a context that an alphabet does not escape.
    pub(crate) fn numbers_within(self, alphabet: &Alphabet) -> Range<usize> {
        let reach = (alphabet.reach + 1) << u32::from(self.trellis);
        let place = |cell: i32| (self.half() + cell).unsigned_abs() as usize;
        place(-reach)..place(reach)
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
