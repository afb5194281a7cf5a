//! What the levels near each value cost.

use super::shape::{MOST, units};
use super::words::{WIDTH, Words};
use super::{Input, nearest};
use crate::rates::Rates;

/// What moves values towards 0 and weighs distances, by lane.
struct Lanes {
    shrinks: [f32; WIDTH],
    limits: [f32; WIDTH],
    weights: [u16; WIDTH],
    biases: [[u16; WIDTH]; 2],
}

/// Sets what the values of one step aim at, in 1/2¹⁴, and costs the nearest level of each coset modulo 4.
///
/// # Safety
/// The machine has the features that `W` is made for.
#[inline(always)]
pub(super) unsafe fn weigh<W: Words>(
    input: Input<'_>,
    first: usize,
    step: usize,
    aims: &mut [i32; WIDTH],
) -> [W; 4] {
    let start = step * input.lanes + first;
    let end = (start + WIDTH.min(input.lanes - first)).min(input.values.len()).max(start);
    // Lanes beyond the last value go on with values of 0, which bind nothing.
    let mut values = [0f32; WIDTH];
    match input.values.get(start..end).unwrap_or(&[]) {
        all if all.len() == WIDTH => values.copy_from_slice(all),
        some => values[..some.len()].copy_from_slice(some),
    }
    let lanes = lanes(input, start..end);
    for lane in 0..WIDTH {
        let pull = (values[lane] * lanes.shrinks[lane]).max(-lanes.limits[lane]).min(lanes.limits[lane]);
        // SAFETY: values are within ±2^16, and moved towards 0: products are within ±2^30.
        aims[lane] = unsafe { ((values[lane] - pull) * 16_384.0).to_int_unchecked() };
    }
    if let Some(rates) = input.rates {
        let contexts = input.contexts.get(start..end).unwrap_or(&[]);
        let mut costs = [[0u16; WIDTH]; 4];
        let mut starts = [0u32; WIDTH];
        for (start, &context) in starts.iter_mut().zip(contexts) {
            *start = Rates::start(context);
        }
        for (coset, costs) in (0..).zip(&mut costs) {
            let (mut squares, mut places) = ([0f32; WIDTH], [0u32; WIDTH]);
            for lane in 0..WIDTH {
                let level = nearest(aims[lane], coset);
                let error = values[lane] - level as f32;
                squares[lane] = error * error;
                places[lane] = Rates::place(starts[lane], level);
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

#[inline(always)]
fn lanes(input: Input<'_>, values: std::ops::Range<usize>) -> Lanes {
    if let [shape] = input.shapes {
        return Lanes {
            shrinks: [shape.shrink; WIDTH],
            limits: [shape.limit; WIDTH],
            weights: [shape.weight; WIDTH],
            biases: shape.bias.map(|bias| [bias; WIDTH]),
        };
    }
    let mut out =
        Lanes { shrinks: [0.0; WIDTH], limits: [0.0; WIDTH], weights: [0; WIDTH], biases: [[0; WIDTH]; 2] };
    for (lane, &context) in input.contexts.get(values).unwrap_or(&[]).iter().enumerate() {
        let shape = &input.shapes[usize::from(context)];
        (out.shrinks[lane], out.limits[lane], out.weights[lane]) = (shape.shrink, shape.limit, shape.weight);
        (out.biases[0][lane], out.biases[1][lane]) = (shape.bias[0], shape.bias[1]);
    }
    out
}
