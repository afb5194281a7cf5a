//! The encoder's search: the levels of least `distortion + λ · rate` that the trellis allows.
//!
//! Viterbi's algorithm over the code's states; source of the scheme: Marcellin and Fischer, "Trellis coded
//! quantization of memoryless and Gauss–Markov sources", IEEE Trans. Commun. 38 (1990), with the rate term of
//! Fischer and Wang, "Entropy-constrained trellis-coded quantization", IEEE Trans. Inf. Theory 38 (1992).
//!
//! Sixteen lanes are searched side by side with 16-bit path costs, one bit per decision. Costs come from single
//! IEEE operations in a fixed order, all else is integers: the result is the same whatever the instruction set.

mod shape;
#[cfg(test)]
mod tests;
mod weigh;
mod words;

pub(crate) use shape::{LAMBDA, Shape, units};

use crate::rates::Rates;
use crate::trellis::Trellis;
use shape::MOST;
use weigh::Costing;
use words::{WIDTH, Words};

/// A path cost that no path from state 0 reaches: it exceeds 8 steps, which lead from any state to any other of 256.
const NEVER: u16 = 20_000;
/// Steps between two rebases: costs stay below `NEVER` + 16 · `MOST`.
const REBASE: usize = 16;
const _: () = assert!(NEVER > 8 * MOST && NEVER as usize + REBASE * MOST as usize + MOST as usize <= 0xffff);

/// Buffers of the search, kept between planes.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// For each step, sixteen states and lane, a bit per state: whether the survivor came along `z1 = 0`.
    decisions: Vec<[u16; WIDTH]>,
    /// What levels are nearest to, by step, in 1/2¹⁴.
    aims: Vec<[i32; WIDTH]>,
}

/// The samples of a plane with what their levels cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    /// In coding order.
    pub(crate) samples: &'a [u16],
    /// The sample of level 0.
    pub(crate) mid: u16,
    /// What makes distances from it values in units of the spacing, which are within ±2¹⁶.
    pub(crate) inverse: f32,
    /// Where the samples of each context end.
    pub(crate) ends: &'a [usize],
    /// One for each context.
    pub(crate) shapes: &'a [Shape],
    /// Costs from counts, where there are any; otherwise those of the shapes.
    pub(crate) rates: Option<&'a Rates>,
    /// Sample `i` belongs to lane `i` modulo this.
    pub(crate) lanes: usize,
    /// The places of levels on the grid of samples, if those are to count; only with `rates`.
    pub(crate) grid: Option<Grid>,
}

/// The samples that levels decode to: rounded and held within the depth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    /// Samples between two levels.
    pub(crate) spacing: f32,
    /// The largest sample.
    pub(crate) max: u16,
}

impl Input<'_> {
    /// The value of a sample.
    #[inline(always)]
    pub(crate) fn value(&self, sample: u16) -> f32 {
        (f32::from(sample) - f32::from(self.mid)) * self.inverse
    }
}

/// How path costs are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Way {
    fn here() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") {
            return Self::Avx2;
        }
        Self::Portable
    }
}

impl Search {
    /// Finds the levels of all lanes.
    pub(crate) fn run(&mut self, is_portable: bool, trellis: &Trellis, input: Input<'_>, levels: &mut [i32]) {
        let way = if is_portable { Way::Portable } else { Way::here() };
        self.run_by(way, trellis, input, levels);
    }

    fn run_by(&mut self, way: Way, trellis: &Trellis, input: Input<'_>, levels: &mut [i32]) {
        for first in (0..input.lanes).step_by(WIDTH) {
            match way {
                // SAFETY: arrays are words of any machine.
                Way::Portable => unsafe { self.group::<[u16; WIDTH]>(trellis, input, first, levels) },
                // SAFETY: `here` chooses this way only where the features are.
                #[cfg(target_arch = "x86_64")]
                Way::Avx2 => unsafe { self.group_avx2(trellis, input, first, levels) },
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi2")]
    fn group_avx2(&mut self, trellis: &Trellis, input: Input<'_>, first: usize, levels: &mut [i32]) {
        // SAFETY: the features are those of this function.
        unsafe { self.group::<words::x86::Avx2>(trellis, input, first, levels) }
    }

    /// Finds the levels of up to [`WIDTH`] lanes from `first` on.
    ///
    /// # Safety
    /// The machine has the features that `W` is made for.
    #[inline(always)]
    unsafe fn group<W: Words>(
        &mut self,
        trellis: &Trellis,
        input: Input<'_>,
        first: usize,
        levels: &mut [i32],
    ) {
        // SAFETY: the caller's promise is passed on. The codes are those of `trellis.rs`.
        unsafe {
            match trellis.log2_states {
                2 => self.both_ways::<W, 4, 1, 0o5, 0o2>(input, first, levels),
                3 => self.both_ways::<W, 8, 1, 0o13, 0o4>(input, first, levels),
                6 => self.both_ways::<W, 64, 4, 0o103, 0o24>(input, first, levels),
                _ => self.both_ways::<W, 256, 16, 0o515, 0o362>(input, first, levels),
            }
        }
    }

    /// Walks through all steps and back.
    ///
    /// # Safety
    /// As in [`Self::group`].
    #[inline(always)]
    unsafe fn both_ways<
        W: Words,
        const STATES: usize,
        const SIXTEENS: usize,
        const H0: usize,
        const H1: usize,
    >(
        &mut self,
        input: Input<'_>,
        first: usize,
        levels: &mut [i32],
    ) {
        let steps = input.samples.len().div_ceil(input.lanes);
        self.decisions.resize(self.decisions.len().max(steps * SIXTEENS), [0; WIDTH]);
        self.aims.resize(steps, [0; WIDTH]);
        // SAFETY: the caller's promise is passed on.
        let ends = unsafe { self.forward::<W, STATES, SIXTEENS, H0, H1>(input, first) };
        self.trace::<STATES, SIXTEENS, H0, H1>(ends, input.lanes, first, levels);
    }

    /// Walks through all steps; gives the state in which the cheapest path of each lane ends.
    ///
    /// # Safety
    /// As in [`Self::group`].
    #[inline(always)]
    unsafe fn forward<
        W: Words,
        const STATES: usize,
        const SIXTEENS: usize,
        const H0: usize,
        const H1: usize,
    >(
        &mut self,
        input: Input<'_>,
        first: usize,
    ) -> [u16; WIDTH] {
        let decisions = self.decisions.as_chunks_mut::<SIXTEENS>().0;
        // SAFETY: the caller's promise is passed on.
        unsafe {
            let mut costs = [W::splat(NEVER); STATES];
            costs[0] = W::splat(0);
            let mut next = [W::splat(0); STATES];
            let mut costing = Costing::new(input);
            for (step, (aims, decisions)) in self.aims.iter_mut().zip(decisions).enumerate() {
                let cost = costing.weigh::<W>(first, step, aims);
                let mut taken = [W::splat(0); SIXTEENS];
                // Costs go to and fro between two arrays, so that none is copied.
                if step % 2 == 0 {
                    advance::<W, STATES, SIXTEENS, H0, H1>(&costs, &cost, &mut next, &mut taken);
                } else {
                    advance::<W, STATES, SIXTEENS, H0, H1>(&next, &cost, &mut costs, &mut taken);
                }
                for (decisions, taken) in decisions.iter_mut().zip(taken) {
                    *decisions = taken.array();
                }
                if step % REBASE == REBASE - 1 {
                    rebase(&mut costs);
                }
            }
            cheapest(if self.aims.len().is_multiple_of(2) { &costs } else { &next })
        }
    }

    /// Follows each lane's path back from the state in which it ends.
    #[inline(always)]
    fn trace<const STATES: usize, const SIXTEENS: usize, const H0: usize, const H1: usize>(
        &self,
        ends: [u16; WIDTH],
        lanes: usize,
        first: usize,
        levels: &mut [i32],
    ) {
        #[expect(clippy::cast_possible_truncation, reason = "at most 8 bits")]
        let (h0, h1, top) = ((H0 >> 1) as u32, (H1 >> 1) as u32, STATES.ilog2() - 1);
        let mut at = ends.map(u32::from);
        let width = WIDTH.min(lanes - first);
        let steps = self.aims.iter().zip(self.decisions.as_chunks::<SIXTEENS>().0);
        for (step, (aims, decisions)) in steps.enumerate().rev() {
            let mut row = [0i32; WIDTH];
            for lane in 0..WIDTH {
                let sixteen = if SIXTEENS == 1 { 0 } else { (at[lane] >> 4) as usize % SIXTEENS };
                let zero = u32::from(decisions[sixteen][lane]) >> (at[lane] & 15) & 1;
                let (z0, z1) = (at[lane] >> top, zero ^ 1);
                row[lane] = nearest(aims[lane], (z0 | z1 << 1).cast_signed());
                at[lane] = (at[lane] ^ (h0 * z0) ^ (h1 * z1)) << 1 | z0;
            }
            let start = step * lanes + first;
            let end = (start + width).min(levels.len());
            let levels = levels.get_mut(start..end).unwrap_or(&mut []);
            match <&mut [i32; WIDTH]>::try_from(&mut *levels) {
                Ok(all) => *all = row,
                Err(_) => levels.iter_mut().zip(row).for_each(|(level, found)| *level = found),
            }
        }
    }
}

/// The level of a coset modulo 4 that is nearest to an aim in 1/2¹⁴.
#[inline(always)]
fn nearest(aim: i32, coset: i32) -> i32 {
    ((aim - (coset << 14) + (1 << 15)) >> 16 << 2) + coset
}

/// One step of all states and lanes: into each state lead two branches from states of one parity.
///
/// Two states that differ by `H1` share the states before them.
///
/// # Safety
/// The machine has the features that `W` is made for.
#[inline(always)]
unsafe fn advance<W: Words, const STATES: usize, const SIXTEENS: usize, const H0: usize, const H1: usize>(
    costs: &[W; STATES],
    cost: &[W; 4],
    next: &mut [W; STATES],
    taken: &mut [W; SIXTEENS],
) {
    let (h0, h1) = (H0 >> 1, H1 >> 1);
    let pair = h1 & h1.wrapping_neg();
    for half in 0..STATES / 2 {
        // The states without the lowest bit of `h1`, in order.
        let state = (half & !(pair - 1)) << 1 | half & (pair - 1);
        let other = (state ^ h1) % STATES;
        let z0 = state / (STATES / 2);
        let even = ((state ^ (h0 * z0)) << 1 | z0) % STATES;
        let odd = (even ^ h1 << 1) % STATES;
        // SAFETY: the caller's promise is passed on.
        unsafe {
            let (zero, one) = (cost[z0], cost[z0 + 2]);
            let a = costs[even].add(zero);
            let least = a.min(costs[odd].add(one));
            next[state] = least;
            let sixteen = &mut taken[state / 16];
            *sixteen = sixteen.or(least.where_equal(a, W::splat(1 << (state % 16))));
            let a = costs[odd].add(zero);
            let least = a.min(costs[even].add(one));
            next[other] = least;
            let sixteen = &mut taken[other / 16];
            *sixteen = sixteen.or(least.where_equal(a, W::splat(1 << (other % 16))));
        }
    }
}

/// Keeps costs small: only their differences count.
///
/// # Safety
/// The machine has the features that `W` is made for.
#[inline(always)]
unsafe fn rebase<W: Words>(costs: &mut [W]) {
    // SAFETY: the caller's promise is passed on.
    unsafe {
        let mut least = W::splat(u16::MAX);
        for &row in costs.iter() {
            least = least.min(row);
        }
        for row in costs.iter_mut() {
            *row = row.sub(least);
        }
    }
}

/// The first of the cheapest states of each lane.
///
/// # Safety
/// The machine has the features that `W` is made for.
#[inline(always)]
unsafe fn cheapest<W: Words>(costs: &[W]) -> [u16; WIDTH] {
    let (mut ends, mut least) = ([0; WIDTH], [u16::MAX; WIDTH]);
    for (state, row) in (0u16..).zip(costs) {
        // SAFETY: the caller's promise is passed on.
        let row = unsafe { row.array() };
        for lane in 0..WIDTH {
            if row[lane] < least[lane] {
                (ends[lane], least[lane]) = (state, row[lane]);
            }
        }
    }
    ends
}
