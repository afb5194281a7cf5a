//! What the levels near each value cost.

use std::ops::Range;

use super::shape::{MOST, Shape, units};
use super::words::{WIDTH, Words};
use super::{Grid, Input, nearest};
use crate::rates::Rates;
use crate::symbols::ROUND;

/// What moves values towards 0 and weighs distances, by lane.
struct Lanes {
    shrinks: [f32; WIDTH],
    limits: [f32; WIDTH],
    weights: [u16; WIDTH],
    biases: [[u16; WIDTH]; 2],
    /// Where the costs of each lane's context start.
    starts: [u32; WIDTH],
}

impl Lanes {
    /// The same context for all lanes.
    fn alike(shape: &Shape, context: usize) -> Self {
        Self {
            shrinks: [shape.shrink; WIDTH],
            limits: [shape.limit; WIDTH],
            weights: [shape.weight; WIDTH],
            biases: shape.bias.map(|bias| [bias; WIDTH]),
            starts: [Rates::start(context); WIDTH],
        }
    }
}

/// Costs of levels, step by step.
pub(super) struct Costing<'a> {
    input: Input<'a>,
    /// Lanes of the context that the last step was in, and where the samples of that context are.
    lanes: Lanes,
    context: Range<usize>,
}

impl<'a> Costing<'a> {
    pub(super) fn new(input: Input<'a>) -> Self {
        Self { input, lanes: Lanes::alike(&input.shapes[0], 0), context: 0..input.ends[0] }
    }

    /// Sets the lanes of the values in a range.
    #[inline(always)]
    fn enter(&mut self, range: &Range<usize>) {
        if range.start < self.context.start || range.end > self.context.end {
            self.change(range);
        }
    }

    /// The same where the context changes.
    #[cold]
    fn change(&mut self, range: &Range<usize>) {
        let ends = self.input.ends;
        // Contexts may be empty.
        let context_at = |at: usize| ends.partition_point(|&end| end <= at).min(ends.len() - 1);
        let context = context_at(range.start);
        self.lanes = Lanes::alike(&self.input.shapes[context], context);
        self.context = range.start..ends[context];
        for (lane, at) in range.clone().enumerate().skip_while(|(_, at)| *at < ends[context]) {
            let context = context_at(at);
            let shape = &self.input.shapes[context];
            let lanes = &mut self.lanes;
            (lanes.shrinks[lane], lanes.limits[lane]) = (shape.shrink, shape.limit);
            (lanes.weights[lane], lanes.starts[lane]) = (shape.weight, Rates::start(context));
            (lanes.biases[0][lane], lanes.biases[1][lane]) = (shape.bias[0], shape.bias[1]);
            // The next step is in another context.
            self.context = at..at;
        }
    }

    /// Sets what the values of one step aim at, in 1/2¹⁴, and costs the nearest level of each coset modulo 4.
    ///
    /// # Safety
    /// The machine has the features that `W` is made for.
    #[inline(always)]
    pub(super) unsafe fn weigh<W: Words>(
        &mut self,
        first: usize,
        step: usize,
        aims: &mut [i32; WIDTH],
    ) -> [W; 4] {
        let input = self.input;
        let start = step * input.lanes + first;
        let start = start.min(input.samples.len());
        let end = (start + WIDTH.min(input.lanes - first)).min(input.samples.len());
        self.enter(&(start..end));
        // SAFETY: the caller's promise is passed on.
        unsafe { weigh(input, start..end, &self.lanes, aims) }
    }
}

/// Squared distances, in spacings, of samples from those that their nearest levels of a coset decode to.
#[cold]
#[inline(never)]
fn squares_on(
    grid: Grid,
    input: Input<'_>,
    samples: &[u16; WIDTH],
    aims: &[i32; WIDTH],
    coset: i32,
) -> [f32; WIDTH] {
    let (mid, max) = (f32::from(input.mid), f32::from(grid.max));
    std::array::from_fn(|lane| {
        let offset = nearest(aims[lane], coset) as f32 * grid.spacing;
        // Adding 1.5 · 2²³ rounds to an integer, ties to even.
        let sample = offset + ROUND - ROUND + mid;
        let sample = if sample > 0.0 { sample } else { 0.0 };
        let sample = if sample < max { sample } else { max };
        let error = (f32::from(samples[lane]) - sample) * input.inverse;
        error * error
    })
}

/// Samples with the middle for lanes beyond the last one, which binds nothing.
#[cold]
#[inline(never)]
fn filled(samples: &[u16], mid: u16) -> [u16; WIDTH] {
    std::array::from_fn(|lane| samples.get(lane).copied().unwrap_or(mid))
}

/// The same for the values in a range.
///
/// # Safety
/// The machine has the features that `W` is made for.
#[inline(always)]
unsafe fn weigh<W: Words>(
    input: Input<'_>,
    range: Range<usize>,
    lanes: &Lanes,
    aims: &mut [i32; WIDTH],
) -> [W; 4] {
    let samples = match <[u16; WIDTH]>::try_from(&input.samples[range.clone()]) {
        Ok(all) => all,
        Err(_) => filled(&input.samples[range], input.mid),
    };
    let mut values = [0f32; WIDTH];
    for lane in 0..WIDTH {
        values[lane] = input.value(samples[lane]);
        // Comparisons, because nothing here is NaN, and `max` and `min` would mind that.
        let (pull, limit) = (values[lane] * lanes.shrinks[lane], lanes.limits[lane]);
        let pull = if pull > -limit { pull } else { -limit };
        let pull = if pull < limit { pull } else { limit };
        // SAFETY: values are within ±2^16, and moved towards 0: products are within ±2^30.
        aims[lane] = unsafe { ((values[lane] - pull) * 16_384.0).to_int_unchecked() };
    }
    if let Some(rates) = input.rates {
        let mut costs = [[0u16; WIDTH]; 4];
        for (coset, costs) in (0..).zip(&mut costs) {
            let (mut squares, mut places) = ([0f32; WIDTH], [0u32; WIDTH]);
            for lane in 0..WIDTH {
                let level = nearest(aims[lane], coset);
                let error = values[lane] - level as f32;
                squares[lane] = error * error;
                places[lane] = Rates::place(lanes.starts[lane], level);
            }
            if let Some(grid) = input.grid {
                squares = squares_on(grid, input, &samples, aims, coset);
            }
            for lane in 0..WIDTH {
                costs[lane] = (units(squares[lane]) + rates.cost(places[lane])).min(MOST);
            }
        }
        // SAFETY: the caller's promise is passed on.
        return unsafe { [W::of(costs[0]), W::of(costs[1]), W::of(costs[2]), W::of(costs[3])] };
    }
    let mut low = [0u16; WIDTH];
    for lane in 0..WIDTH {
        // Modulo 4 spacings, which are 2^16 units.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the lower half")]
        let half = aims[lane] as u16;
        low[lane] = half;
    }
    // SAFETY: the caller's promise is passed on.
    unsafe {
        let (low, weights, most) = (W::of(low), W::of(lanes.weights), W::splat(MOST));
        let biases = [W::of(lanes.biases[0]), W::of(lanes.biases[1])];
        let mut costs = [most; 4];
        for (coset, cost) in (0u16..).zip(&mut costs) {
            // Two spacings at most: halved, a distance stays below 2^15.
            let distance = low.sub(W::splat(coset << 14)).abs().halve();
            let squared = distance.mul_round(distance).mul_round(weights);
            *cost = squared.add(biases[usize::from(coset & 1)]).min(most);
        }
        costs
    }
}
