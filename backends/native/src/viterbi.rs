//! The encoder's search: the levels of least `distortion + λ · rate` that the trellis allows.
//!
//! Viterbi's algorithm over the code's states; source of the scheme: Marcellin and Fischer, "Trellis coded
//! quantization of memoryless and Gauss–Markov sources", IEEE Trans. Commun. 38 (1990), with the rate term of
//! Fischer and Wang, "Entropy-constrained trellis-coded quantization", IEEE Trans. Inf. Theory 38 (1992).

use crate::model::Rates;
use crate::trellis::Trellis;

/// λ in units of the squared spacing, per bit. `2 ln2 · D` would be 0.36 at high rate; measured on N(0,1), 0.27 is
/// as good there and better below 1 bit.
const LAMBDA: f32 = 0.27;

/// Buffers of the search, kept between groups.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// For each step and state, whether the survivor came from the second of the two states before.
    decisions: Vec<u8>,
    /// For each step, the best level of each coset modulo 4.
    levels: Vec<[i32; 4]>,
    costs: Vec<f32>,
    next: Vec<f32>,
    /// For each state the two states before it, each with the coset that leads from there.
    before: Vec<[(u16, u8); 2]>,
}

impl Search {
    /// Finds the levels of one lane: every `lanes`-th value from `lane` on; values are in units of the spacing.
    pub(crate) fn lane(
        &mut self,
        trellis: &Trellis,
        values: &[f32],
        contexts: &[u8],
        rates: &Rates,
        (lane, lanes): (usize, usize),
        out: &mut [i32],
    ) {
        let states = trellis.states();
        self.prepare(trellis);
        let steps = values.len().saturating_sub(lane).div_ceil(lanes);
        self.decisions.clear();
        self.decisions.resize(steps * states, 0);
        self.levels.clear();
        self.levels.resize(steps, [0; 4]);
        self.costs.clear();
        self.costs.resize(states, f32::INFINITY);
        self.costs[0] = 0.0;
        self.next.resize(states, 0.0);
        for step in 0..steps {
            let at = step * lanes + lane;
            let (levels, cost) = best_of_cosets(values[at], usize::from(contexts[at]), rates);
            self.levels[step] = levels;
            let decisions = &mut self.decisions[step * states..][..states];
            let mut least = f32::INFINITY;
            for ((next, decision), [a, b]) in self.next.iter_mut().zip(decisions).zip(&self.before) {
                let via_a = self.costs[usize::from(a.0)] + cost[usize::from(a.1)];
                let via_b = self.costs[usize::from(b.0)] + cost[usize::from(b.1)];
                *decision = u8::from(via_b < via_a);
                *next = via_a.min(via_b);
                least = least.min(*next);
            }
            std::mem::swap(&mut self.costs, &mut self.next);
            // Differences are what counts: keep the numbers small.
            if step % 64 == 63 {
                for cost in &mut self.costs {
                    *cost -= least;
                }
            }
        }
        let mut state = (0..states).min_by(|&a, &b| self.costs[a].total_cmp(&self.costs[b])).unwrap_or(0);
        for step in (0..steps).rev() {
            let decision = self.decisions[step * states + state];
            let (before, coset) = self.before[state][usize::from(decision)];
            out[step * lanes + lane] = self.levels[step][usize::from(coset)];
            state = usize::from(before);
        }
    }

    fn prepare(&mut self, trellis: &Trellis) {
        self.before.clear();
        self.before.resize(trellis.states(), [(u16::MAX, 0); 2]);
        for state in 0..trellis.states() {
            #[expect(clippy::cast_possible_truncation, reason = "at most 256 states")]
            let state = state as u16;
            for z1 in 0..2u8 {
                let next = &mut self.before[usize::from(trellis.next(state, i32::from(z1)))];
                let branch = (state, (state & 1) as u8 | z1 << 1);
                let free = usize::from(next[0].0 != u16::MAX);
                next[free] = branch;
            }
        }
    }
}

/// For each coset modulo 4, the level of least cost among its two nearest, and that cost.
fn best_of_cosets(value: f32, context: usize, rates: &Rates) -> ([i32; 4], [f32; 4]) {
    let mut levels = [0; 4];
    let mut costs = [0.0; 4];
    #[expect(
        clippy::cast_possible_truncation,
        reason = "samples of 16 bits over a spacing that keeps within i32"
    )]
    let below = value.floor() as i32;
    for offset in -3..=0 {
        // The members of one coset just below and just above the value.
        let low = below + offset;
        let high = low + 4;
        let cost = |level: i32| {
            #[expect(clippy::cast_precision_loss, reason = "levels are small")]
            let error = value - level as f32;
            error * error + LAMBDA * rates.of(context, level)
        };
        let (a, b) = (cost(low), cost(high));
        let coset = (low & 3) as usize;
        (levels[coset], costs[coset]) = if a <= b { (low, a) } else { (high, b) };
    }
    (levels, costs)
}
