//! The encoder's search: the levels of least `distortion + λ · rate` that the trellis allows.
//!
//! Viterbi's algorithm over the code's states; source of the scheme: Marcellin and Fischer, "Trellis coded
//! quantization of memoryless and Gauss–Markov sources", IEEE Trans. Commun. 38 (1990), with the rate term of
//! Fischer and Wang, "Entropy-constrained trellis-coded quantization", IEEE Trans. Inf. Theory 38 (1992).
//!
//! Thirty-two lanes are searched side by side with 16-bit path costs, one bit per decision. Costs come from single
//! IEEE operations in a fixed order, all else is integers: the result is the same whatever the instruction set.

use crate::rates::Rates;
use crate::shape::{LAMBDA, Shape};
use crate::trellis::Trellis;

/// Lanes searched side by side.
const WIDTH: usize = 32;
/// Cost units of one squared spacing.
const UNIT: f32 = 256.0;
/// The most that one value costs, in units; 8 steps lead from any state to any other of 256.
const MOST: f32 = 4095.0;
/// A path cost that no path from state 0 reaches: it exceeds 8 steps, and leaves room for those between two rebases.
const NEVER: u16 = 40_000;
/// Steps between two rebases: costs stay below 40,000 + 4 · 4095.
const REBASE: usize = 4;
/// Adding and subtracting this rounds a float below 2²² to an integer, ties to even.
const ROUND: f32 = 12_582_912.0;

/// Costs of 32 lanes.
type Row = [u16; WIDTH];

/// Buffers of the search, kept between planes.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// For each step and state, a bit per lane: whether the survivor came along the branch with `z1 = 1`.
    decisions: Vec<u32>,
    /// What levels are nearest to, by step.
    aims: Vec<[f32; WIDTH]>,
    costs: Vec<Row>,
    next: Vec<Row>,
}

/// The values of a plane with what their levels cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    /// In units of the spacing, within ±2²⁰.
    pub(crate) values: &'a [f32],
    pub(crate) contexts: &'a [u8],
    /// One for each context.
    pub(crate) shapes: &'a [Shape],
    /// Costs from counts, where there are any; otherwise those of the shapes.
    pub(crate) rates: Option<&'a Rates>,
    /// Value `i` belongs to lane `i` modulo this.
    pub(crate) lanes: usize,
}

/// How path costs are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Search {
    /// Finds the levels of all lanes.
    pub(crate) fn run(&mut self, trellis: &Trellis, input: Input<'_>, levels: &mut [i32]) {
        for first in (0..input.lanes).step_by(WIDTH) {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                // SAFETY: the features were detected on the lines above.
                unsafe { self.group_avx512(trellis, input, first, levels) };
                continue;
            }
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the feature was detected on the line above.
                unsafe { self.group_avx2(trellis, input, first, levels) };
                continue;
            }
            self.group(Way::Portable, trellis, input, first, levels);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn group_avx512(&mut self, trellis: &Trellis, input: Input<'_>, first: usize, levels: &mut [i32]) {
        self.group(Way::Avx512, trellis, input, first, levels);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn group_avx2(&mut self, trellis: &Trellis, input: Input<'_>, first: usize, levels: &mut [i32]) {
        self.group(Way::Avx2, trellis, input, first, levels);
    }

    /// Finds the levels of up to [`WIDTH`] lanes from `first` on.
    #[inline(always)]
    fn group(&mut self, way: Way, trellis: &Trellis, input: Input<'_>, first: usize, levels: &mut [i32]) {
        let states = trellis.states();
        let steps = input.values.len().div_ceil(input.lanes);
        self.decisions.resize(steps * states, 0);
        self.aims.resize(steps, [0.0; WIDTH]);
        self.costs.clear();
        self.costs.resize(states, [NEVER; WIDTH]);
        self.costs[0] = [0; WIDTH];
        self.next.resize(states, [0; WIDTH]);
        for step in 0..steps {
            let cost = weigh(input, first, step, &mut self.aims[step]);
            let decisions = &mut self.decisions[step * states..][..states];
            match way {
                Way::Portable => advance(trellis, &self.costs, &cost, &mut self.next, decisions),
                // SAFETY: `run` chooses these where their features are, and there are as many rows as states.
                #[cfg(target_arch = "x86_64")]
                Way::Avx2 => unsafe {
                    x86::advance_avx2(trellis, &self.costs, &cost, &mut self.next, decisions)
                },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Way::Avx512 => unsafe {
                    x86::advance_avx512(trellis, &self.costs, &cost, &mut self.next, decisions);
                },
            }
            std::mem::swap(&mut self.costs, &mut self.next);
            if step % REBASE == REBASE - 1 {
                rebase(&mut self.costs);
            }
        }
        self.trace(trellis, input.lanes, first, levels);
    }

    /// Follows the cheapest path of each lane back from its end.
    #[inline(always)]
    fn trace(&self, trellis: &Trellis, lanes: usize, first: usize, levels: &mut [i32]) {
        let states = trellis.states();
        let (h0, h1) = trellis.taps();
        let (h0, h1) = (h0.unsigned_abs(), h1.unsigned_abs());
        let mut at = [0u32; WIDTH];
        for (state, costs) in (0u32..).zip(&self.costs) {
            for (lane, at) in at.iter_mut().enumerate() {
                if costs[lane] < self.costs[*at as usize][lane] {
                    *at = state;
                }
            }
        }
        let width = WIDTH.min(lanes - first);
        for (step, aims) in self.aims.iter().enumerate().rev() {
            let decisions = &self.decisions[step * states..][..states];
            let mut taken = [0u32; WIDTH];
            for (lane, (taken, at)) in taken.iter_mut().zip(&at).enumerate() {
                *taken = decisions[*at as usize] >> lane & 1;
            }
            let mut row = [0i32; WIDTH];
            for lane in 0..WIDTH {
                let (state, z1) = (at[lane], taken[lane]);
                let z0 = state >> (trellis.log2_states - 1);
                row[lane] = nearest(aims[lane], (z0 | z1 << 1) as f32);
                at[lane] = (state ^ (h0 * z0) ^ (h1 * z1)) << 1 | z0;
            }
            let start = step * lanes + first;
            let end = (start + width).min(levels.len());
            if let Some(levels) = levels.get_mut(start..end) {
                levels.copy_from_slice(&row[..levels.len()]);
            }
        }
    }
}

/// A float below 2²² rounded to an integer, ties to even.
#[inline(always)]
fn round(value: f32) -> f32 {
    (value + ROUND) - ROUND
}

/// The level of a coset modulo 4 that is nearest to `aim`.
#[inline(always)]
fn nearest(aim: f32, coset: f32) -> i32 {
    let level = round((aim - coset) * 0.25) * 4.0 + coset;
    // An integer below 2^22 in magnitude stands in the low bits after this addition.
    (level + ROUND).to_bits().wrapping_sub(ROUND.to_bits()).cast_signed()
}

/// A cost in units.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "below 2^16 by the minimum")]
fn units(cost: f32) -> u16 {
    // 2^23 leaves the integer in the low bits.
    (cost.clamp(0.0, MOST) + 8_388_608.0).to_bits() as u16
}

/// Sets what the values of one step aim at, and costs the nearest level of each coset modulo 4.
#[inline(always)]
fn weigh(input: Input<'_>, first: usize, step: usize, aims: &mut [f32; WIDTH]) -> [Row; 4] {
    let start = step * input.lanes + first;
    let end = (start + WIDTH.min(input.lanes - first)).min(input.values.len()).max(start);
    let mut values = [0f32; WIDTH];
    let (mut shrinks, mut limits) = ([0f32; WIDTH], [0f32; WIDTH]);
    let (mut weights, mut biases) = ([0f32; WIDTH], [[0f32; WIDTH]; 2]);
    // Lanes beyond the last value go on with costs of 0, which bind nothing.
    let here = input.values.get(start..end).unwrap_or(&[]);
    values[..here.len()].copy_from_slice(here);
    if let ([shape], WIDTH) = (input.shapes, here.len()) {
        (shrinks, limits) = ([shape.shrink; WIDTH], [shape.limit; WIDTH]);
        (weights, biases) = ([shape.weight; WIDTH], shape.bias.map(|bias| [bias; WIDTH]));
    } else {
        for (lane, &context) in input.contexts.get(start..end).unwrap_or(&[]).iter().enumerate() {
            let shape = &input.shapes[usize::from(context)];
            (shrinks[lane], limits[lane], weights[lane]) = (shape.shrink, shape.limit, shape.weight);
            (biases[0][lane], biases[1][lane]) = (shape.bias[0], shape.bias[1]);
        }
    }
    for lane in 0..WIDTH {
        let pull = (values[lane] * shrinks[lane]).max(-limits[lane]).min(limits[lane]);
        aims[lane] = values[lane] - pull;
    }
    let mut costs = [[0u16; WIDTH]; 4];
    match input.rates {
        None => {
            for (coset, costs) in costs.iter_mut().enumerate() {
                let bias = &biases[coset & 1];
                for lane in 0..WIDTH {
                    let quarter = (aims[lane] - coset as f32) * 0.25;
                    let error = quarter - round(quarter);
                    costs[lane] = units((weights[lane] * (error * error) * 16.0 + bias[lane]) * UNIT);
                }
            }
        }
        Some(rates) => {
            let contexts = input.contexts.get(start..end).unwrap_or(&[]);
            for (coset, costs) in costs.iter_mut().enumerate() {
                for (lane, &context) in contexts.iter().enumerate() {
                    let level = nearest(aims[lane], coset as f32);
                    let error = values[lane] - level as f32;
                    let bits = rates.bits(usize::from(context), level);
                    costs[lane] = units((error * error + LAMBDA * bits) * UNIT);
                }
            }
        }
    }
    costs
}

/// One step of all states and lanes: into each state lead two branches from states of one parity.
fn advance(trellis: &Trellis, costs: &[Row], cost: &[Row; 4], next: &mut [Row], decisions: &mut [u32]) {
    for (state, (next, decisions)) in next.iter_mut().zip(decisions).enumerate() {
        let (even, z0) = trellis.before(state, 0);
        let (odd, _) = trellis.before(state, 1);
        let (from_0, from_1) = (&costs[even], &costs[odd]);
        let (cost_0, cost_1) = (&cost[usize::from(z0)], &cost[usize::from(z0) + 2]);
        *decisions = 0;
        for lane in 0..WIDTH {
            let (a, b) = (from_0[lane] + cost_0[lane], from_1[lane] + cost_1[lane]);
            next[lane] = a.min(b);
            *decisions |= u32::from(b < a) << lane;
        }
    }
}

/// Keeps costs small: only their differences count.
#[inline(always)]
fn rebase(costs: &mut [Row]) {
    let mut least = [u16::MAX; WIDTH];
    for row in costs.iter() {
        for lane in 0..WIDTH {
            least[lane] = least[lane].min(row[lane]);
        }
    }
    for row in costs.iter_mut() {
        for lane in 0..WIDTH {
            row[lane] -= least[lane];
        }
    }
}

/// [`advance`] with vectors.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Row;
    use crate::trellis::Trellis;

    /// The caller has as many rows of `costs` as of `next` and `decisions`: one for each state.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    pub(super) unsafe fn advance_avx512(
        trellis: &Trellis,
        costs: &[Row],
        cost: &[Row; 4],
        next: &mut [Row],
        decisions: &mut [u32],
    ) {
        // SAFETY: a row is 64 bytes.
        let load = |row: &Row| unsafe { _mm512_loadu_si512(row.as_ptr().cast()) };
        let cost = [load(&cost[0]), load(&cost[1]), load(&cost[2]), load(&cost[3])];
        for (state, (next, decision)) in next.iter_mut().zip(decisions).enumerate() {
            let (even, z0) = trellis.before(state, 0);
            let (odd, _) = trellis.before(state, 1);
            // SAFETY: a state's predecessors are states.
            let (from_0, from_1) =
                unsafe { (load(costs.get_unchecked(even)), load(costs.get_unchecked(odd))) };
            let z0 = usize::from(z0);
            let a = _mm512_add_epi16(from_0, cost[z0]);
            let b = _mm512_add_epi16(from_1, cost[z0 + 2]);
            // SAFETY: a row is 64 bytes.
            unsafe { _mm512_storeu_si512(next.as_mut_ptr().cast(), _mm512_min_epu16(a, b)) };
            *decision = _mm512_cmplt_epu16_mask(b, a);
        }
    }

    /// The caller has as many rows of `costs` as of `next` and `decisions`: one for each state.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn advance_avx2(
        trellis: &Trellis,
        costs: &[Row],
        cost: &[Row; 4],
        next: &mut [Row],
        decisions: &mut [u32],
    ) {
        // SAFETY: a row is 64 bytes, of which `half` is 0 or 1 half.
        let load = |row: &Row, half: usize| unsafe { _mm256_loadu_si256(row.as_ptr().add(16 * half).cast()) };
        for (state, (next, decision)) in next.iter_mut().zip(decisions).enumerate() {
            let (even, z0) = trellis.before(state, 0);
            let (odd, _) = trellis.before(state, 1);
            let z0 = usize::from(z0);
            let mut first = [_mm256_setzero_si256(); 2];
            for (half, first) in first.iter_mut().enumerate() {
                // SAFETY: a state's predecessors are states.
                let (from_0, from_1) =
                    unsafe { (load(costs.get_unchecked(even), half), load(costs.get_unchecked(odd), half)) };
                let a = _mm256_add_epi16(from_0, load(&cost[z0], half));
                let b = _mm256_add_epi16(from_1, load(&cost[z0 + 2], half));
                let least = _mm256_min_epu16(a, b);
                // SAFETY: as for `load`.
                unsafe { _mm256_storeu_si256(next.as_mut_ptr().add(16 * half).cast(), least) };
                *first = _mm256_cmpeq_epi16(least, a);
            }
            // Packing works on halves of vectors: the quarters come out in the order 0, 2, 1, 3.
            let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi16(first[0], first[1]));
            *decision = !_mm256_movemask_epi8(packed).cast_unsigned();
        }
    }
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
        let shapes = [Shape::flat()];
        let values = values(6);
        for log2_states in [2, 3, 6, 8] {
            let trellis = Trellis::with_log2_states(log2_states).unwrap();
            let mut levels = vec![0; values.len()];
            let input = Input { values: &values, contexts: &[0; 6], shapes: &shapes, rates: None, lanes: 1 };
            Search::default().run(&trellis, input, &mut levels);
            let found: f32 = values.iter().zip(&levels).map(|(v, &l)| (v - l as f32).powi(2)).sum();
            let least = exhaustive(&trellis, &values, 0);
            // Costs are rounded to 1/256.
            assert!((found - least).abs() < 6.0 / 256.0, "{log2_states}: {found} {least}");
            let mut state = 0u32;
            for &level in &levels {
                assert_eq!(level & 1, (state & 1).cast_signed(), "the parity is the state's");
                state = trellis.next(state, level >> 1);
            }
        }
    }

    fn agrees(way: Way, detected: bool) {
        if !detected {
            println!("{way:?} is not on this machine");
            return;
        }
        let values = values(5000);
        let contexts: Vec<u8> = (0..5000).map(|at| u8::from(at % 3 == 0)).collect();
        for shapes in [&[Shape::of_mean(2.0)][..], &[Shape::of_mean(2.0), Shape::of_mean(0.4)]] {
            let contexts = if shapes.len() == 1 { vec![0; 5000] } else { contexts.clone() };
            for lanes in [1, 7, 32, 64] {
                let input = Input { values: &values, contexts: &contexts, shapes, rates: None, lanes };
                let trellis = Trellis::with_log2_states(6).unwrap();
                let (mut plain, mut fast) = (vec![0; 5000], vec![1; 5000]);
                let mut search = Search::default();
                for first in (0..lanes).step_by(WIDTH) {
                    search.group(Way::Portable, &trellis, input, first, &mut plain);
                    match way {
                        Way::Portable => fast.copy_from_slice(&plain),
                        // SAFETY: the caller says that the features were detected.
                        #[cfg(target_arch = "x86_64")]
                        Way::Avx2 => unsafe { search.group_avx2(&trellis, input, first, &mut fast) },
                        // SAFETY: as above.
                        #[cfg(target_arch = "x86_64")]
                        Way::Avx512 => unsafe { search.group_avx512(&trellis, input, first, &mut fast) },
                    }
                }
                assert!(plain == fast, "{lanes} lanes, {} contexts", shapes.len());
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx2_finds_the_levels_that_portable_code_finds() {
        agrees(Way::Avx2, is_x86_feature_detected!("avx2"));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx512_finds_the_levels_that_portable_code_finds() {
        let all = is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512dq");
        agrees(Way::Avx512, all && is_x86_feature_detected!("avx512vl"));
    }
}
