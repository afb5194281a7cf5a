//! The encoder's search: the levels of least `distortion + λ · rate` that the trellis allows.
//!
//! Viterbi's algorithm over the code's states; source of the scheme: Marcellin and Fischer, "Trellis coded
//! quantization of memoryless and Gauss–Markov sources", IEEE Trans. Commun. 38 (1990), with the rate term of
//! Fischer and Wang, "Entropy-constrained trellis-coded quantization", IEEE Trans. Inf. Theory 38 (1992).
//!
//! Sixteen lanes are searched side by side, so that every inner loop runs over lanes or over neighbouring levels and
//! becomes vector code. All arithmetic is single IEEE operations in a fixed order: the result is the same whatever
//! the instruction set.

use crate::rates::Rates;
use crate::trellis::Trellis;

/// λ in units of the squared spacing, per bit. `2 ln2 · D` would be 0.36 at high rate; measured on N(0,1), 0.27 is
/// as good there and better below 1 bit.
const LAMBDA: f32 = 0.27;

/// Lanes searched side by side.
const WIDTH: usize = 16;

/// Candidates of a value: neighbouring levels, two of each coset modulo 4.
const CANDIDATES: usize = 8;

/// A path cost that no path of finite cost reaches.
const NEVER: f32 = 1e30;

/// The candidates of one value.
#[derive(Debug, Clone, Copy, Default)]
struct Candidates {
    /// The lowest of the eight.
    low: i32,
    /// Bit `c`: of coset `c`, the higher of the two is the cheaper.
    higher: u8,
}

impl Candidates {
    /// The cheaper level of a coset.
    fn level(self, coset: u8) -> i32 {
        let offset = (i32::from(coset) - self.low) & 3;
        self.low + offset + if self.higher >> coset & 1 == 1 { 4 } else { 0 }
    }
}

/// Buffers of the search, kept between planes.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// For each step, state and lane, whether the survivor came along the branch with `z1 = 1`.
    decisions: Vec<[u8; WIDTH]>,
    candidates: Vec<[Candidates; WIDTH]>,
    costs: Vec<[f32; WIDTH]>,
    next: Vec<[f32; WIDTH]>,
}

/// The values of a plane with what their levels cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    /// In units of the spacing, within ±2²⁰.
    pub(crate) values: &'a [f32],
    pub(crate) contexts: &'a [u8],
    pub(crate) rates: &'a Rates,
    /// Value `i` belongs to lane `i` modulo this.
    pub(crate) lanes: usize,
}

impl Search {
    /// Finds the levels of all lanes.
    pub(crate) fn run(&mut self, trellis: &Trellis, input: Input<'_>, levels: &mut [i32]) {
        for first in (0..input.lanes).step_by(WIDTH) {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
                // SAFETY: the features were detected on the line above.
                unsafe { self.group_avx512(trellis, input, first, levels) };
                continue;
            }
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the feature was detected on the line above.
                unsafe { self.group_avx2(trellis, input, first, levels) };
                continue;
            }
            self.group(trellis, input, first, levels);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn group_avx512(&mut self, trellis: &Trellis, input: Input<'_>, first: usize, levels: &mut [i32]) {
        self.group(trellis, input, first, levels);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn group_avx2(&mut self, trellis: &Trellis, input: Input<'_>, first: usize, levels: &mut [i32]) {
        self.group(trellis, input, first, levels);
    }

    /// Finds the levels of up to [`WIDTH`] lanes from `first` on.
    #[inline(always)]
    fn group(&mut self, trellis: &Trellis, input: Input<'_>, first: usize, levels: &mut [i32]) {
        let (states, lanes) = (trellis.states(), input.lanes);
        let width = WIDTH.min(lanes - first);
        let steps = input.values.len().div_ceil(lanes);
        self.decisions.resize(steps * states, [0; WIDTH]);
        self.candidates.resize(steps, [Candidates::default(); WIDTH]);
        self.costs.clear();
        self.costs.resize(states, [NEVER; WIDTH]);
        self.costs[0] = [0.0; WIDTH];
        self.next.resize(states, [0.0; WIDTH]);
        for step in 0..steps {
            // Lanes beyond the last value of the last step go on with costs of 0, which bind nothing.
            let mut cost = [[0f32; WIDTH]; 4];
            for lane in 0..width {
                let at = step * lanes + first + lane;
                if at < input.values.len() {
                    let (candidates, costs) = weigh(input.values[at], input.contexts[at], input.rates);
                    self.candidates[step][lane] = candidates;
                    for (row, cost_of_coset) in cost.iter_mut().zip(costs) {
                        row[lane] = cost_of_coset;
                    }
                }
            }
            let decisions = &mut self.decisions[step * states..][..states];
            advance(trellis, &self.costs, &cost, &mut self.next, decisions);
            std::mem::swap(&mut self.costs, &mut self.next);
            if step % 256 == 255 {
                rebase(&mut self.costs);
            }
        }
        for lane in 0..width {
            self.trace(trellis, (steps, states), lane, |step, level| {
                if let Some(slot) = levels.get_mut(step * lanes + first + lane) {
                    *slot = level;
                }
            });
        }
    }

    /// Follows the cheapest path of a lane back from its end.
    fn trace(
        &self,
        trellis: &Trellis,
        (steps, states): (usize, usize),
        lane: usize,
        mut set: impl FnMut(usize, i32),
    ) {
        let cheapest = (0..states).min_by(|&a, &b| self.costs[a][lane].total_cmp(&self.costs[b][lane]));
        let mut state = cheapest.unwrap_or(0);
        for step in (0..steps).rev() {
            let z1 = self.decisions[step * states + state][lane];
            let (before, z0) = trellis.before(state, z1);
            set(step, self.candidates[step][lane].level(z0 | z1 << 1));
            state = before;
        }
    }
}

/// One step of all states and lanes: into each state lead two branches from states of one parity.
#[inline(always)]
fn advance(
    trellis: &Trellis,
    costs: &[[f32; WIDTH]],
    cost: &[[f32; WIDTH]; 4],
    next: &mut [[f32; WIDTH]],
    decisions: &mut [[u8; WIDTH]],
) {
    for (state, (next, decisions)) in next.iter_mut().zip(decisions).enumerate() {
        let (even, z0) = trellis.before(state, 0);
        let (odd, _) = trellis.before(state, 1);
        let (from_0, from_1) = (&costs[even], &costs[odd]);
        let (cost_0, cost_1) = (&cost[usize::from(z0)], &cost[usize::from(z0) + 2]);
        for lane in 0..WIDTH {
            let (a, b) = (from_0[lane] + cost_0[lane], from_1[lane] + cost_1[lane]);
            next[lane] = if b < a { b } else { a };
            decisions[lane] = u8::from(b < a);
        }
    }
}

/// Keeps costs small: only their differences count.
fn rebase(costs: &mut [[f32; WIDTH]]) {
    for lane in 0..WIDTH {
        let least = costs.iter().map(|state| state[lane]).fold(f32::INFINITY, f32::min);
        for state in costs.iter_mut() {
            state[lane] -= least;
        }
    }
}

/// The cheaper candidate of each coset, and what it costs.
#[inline(always)]
fn weigh(value: f32, context: u8, rates: &Rates) -> (Candidates, [f32; 4]) {
    #[expect(clippy::cast_possible_truncation, reason = "values lie within ±2^20")]
    let truncated = value as i32;
    #[expect(clippy::cast_precision_loss, reason = "21 bits fit f32")]
    let below = truncated - i32::from(value < truncated as f32);
    let low = below - 3;
    let bits = rates.around(usize::from(context), low);
    #[expect(clippy::cast_precision_loss, reason = "21 bits fit f32")]
    let start = value - low as f32;
    let mut costs = [0f32; CANDIDATES];
    for (offset, cost) in costs.iter_mut().enumerate() {
        let error = start - offset as f32;
        *cost = error * error + LAMBDA * bits[offset];
    }
    let mut least = [0f32; 4];
    let mut higher = 0;
    let turn = (low & 3).unsigned_abs() as usize;
    for offset in 0..4 {
        let coset = (turn + offset) & 3;
        let (a, b) = (costs[offset], costs[offset + 4]);
        least[coset] = if b < a { b } else { a };
        higher |= u8::from(b < a) << coset;
    }
    (Candidates { low, higher }, least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::SmallRng};
    use rand_distr::{Distribution, StandardNormal};

    fn values(count: usize) -> Vec<f32> {
        let mut rng = SmallRng::seed_from_u64(5);
        (0..count)
            .map(|_| {
                let v: f32 = StandardNormal.sample(&mut rng);
                v * 2.5
            })
            .collect()
    }

    /// The least cost over all paths, by trying every one.
    fn exhaustive(trellis: &Trellis, values: &[f32], state: u32) -> f32 {
        let Some((&value, rest)) = values.split_first() else { return 0.0 };
        let parity = (state & 1).cast_signed();
        #[expect(clippy::cast_possible_truncation, reason = "a few units")]
        let floor = value.floor() as i32;
        let near = (floor - 4..=floor + 5).filter(|level| level & 1 == parity);
        near.map(|level| {
            (value - level as f32).powi(2) + exhaustive(trellis, rest, trellis.next(state, level >> 1))
        })
        .fold(f32::INFINITY, f32::min)
    }

    #[test]
    fn the_search_finds_the_path_that_trying_all_finds() {
        let rates = Rates::flat(1);
        let values = values(6);
        for log2_states in [2, 3, 6, 8] {
            let trellis = Trellis::with_log2_states(log2_states).unwrap();
            let mut levels = vec![0; values.len()];
            let input = Input { values: &values, contexts: &[0; 6], rates: &rates, lanes: 1 };
            Search::default().run(&trellis, input, &mut levels);
            let found: f32 = values.iter().zip(&levels).map(|(v, &l)| (v - l as f32).powi(2)).sum();
            let least = exhaustive(&trellis, &values, 0);
            assert!((found - least).abs() < 1e-4, "{log2_states}: {found} {least}");
            let mut state = 0u32;
            for &level in &levels {
                assert_eq!(level & 1, (state & 1).cast_signed(), "the parity is the state's");
                state = trellis.next(state, level >> 1);
            }
        }
    }

    #[test]
    fn every_instruction_set_finds_the_same_levels() {
        let rates = Rates::flat(1);
        let values = values(5000);
        let contexts = vec![0; 5000];
        for lanes in [1, 7, 32] {
            let input = Input { values: &values, contexts: &contexts, rates: &rates, lanes };
            let trellis = Trellis::with_log2_states(3).unwrap();
            let (mut plain, mut fast) = (vec![0; 5000], vec![1; 5000]);
            let mut search = Search::default();
            for first in (0..lanes).step_by(WIDTH) {
                search.group(&trellis, input, first, &mut plain);
            }
            search.run(&trellis, input, &mut fast);
            assert_eq!(plain, fast, "{lanes} lanes");
        }
    }
}
