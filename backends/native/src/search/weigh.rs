//! What the levels near each value cost.

use super::shape::{LAMBDA, MOST, units};
use super::words::{WIDTH, Words};
use super::{Input, nearest};

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
        #[expect(clippy::cast_possible_truncation, reason = "values are below 2^16")]
        let aim = ((values[lane] - pull) * 16_384.0) as i32;
        aims[lane] = aim;
    }
    if let Some(rates) = input.rates {
        let contexts = input.contexts.get(start..end).unwrap_or(&[]);
        let mut costs = [[0u16; WIDTH]; 4];
        for (coset, costs) in (0..).zip(&mut costs) {
            let mut levels = [0i32; WIDTH];
            for lane in 0..WIDTH {
                levels[lane] = nearest(aims[lane], coset);
            }
            for lane in 0..WIDTH {
                let error = values[lane] - levels[lane] as f32;
                let context = contexts.get(lane).map_or(0, |&context| usize::from(context));
                let cost = error * error + LAMBDA * rates.bits(context, levels[lane]);
                costs[lane] = units(cost);
            }
        }
        // SAFETY: the caller's promise is passed on.
        return costs.map(|costs| unsafe { W::of(costs) });
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
        let biases = lanes.biases.map(|bias| W::of(bias));
        std::array::from_fn(|coset| {
            let distance = low.sub(W::splat([0, 1 << 14, 2 << 14, 3 << 14][coset])).abs();
            distance.mul_high(distance).mul_high(weights).add(biases[coset & 1]).min(most)
        })
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
    let mut out = Lanes {
        shrinks: [0.0; WIDTH],
        limits: [0.0; WIDTH],
        weights: [0; WIDTH],
        biases: [[0; WIDTH]; 2],
    };
    for (lane, &context) in input.contexts.get(values).unwrap_or(&[]).iter().enumerate() {
        let shape = &input.shapes[usize::from(context)];
        (out.shrinks[lane], out.limits[lane], out.weights[lane]) = (shape.shrink, shape.limit, shape.weight);
        (out.biases[0][lane], out.biases[1][lane]) = (shape.bias[0], shape.bias[1]);
    }
    out
}
