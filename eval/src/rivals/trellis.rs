//! A fixed-rate trellis over a Gaussian code book, after QTIP (arXiv 2406.11235, the bit-shift trellis), without the
//! rotations around it: the reference model is rotated already.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, StandardNormal};

use super::{Matrix, Quantised, to_half};
use crate::{Error, Result};

/// Bits of a state: the last so many bits of a row choose a value from the code book. QTIP has 16, which lowers errors
/// by another 2 %.
const STATE: u32 = 12;
/// States whose costs are compared side by side; a power of two that divides the states which share a past.
const LANES: usize = 8;
/// Bits of a row's scale.
const SCALE_BITS: u64 = 16;

/// Quantises each row, divided by a scale of 16 bits, to `bits` per value along the best path.
///
/// Counted are the bits of the path, the bits of the first state that a row's first value does not bring, and scales.
/// The code book is drawn from a seed and costs nothing.
///
/// # Errors
/// [`Error::Call`] for bits beyond 1 to 4, a wrong shape and values that are not finite.
pub fn trellis(matrix: &Matrix<'_>, bits: u32) -> Result<Quantised> {
    let search = match bits {
        1 => search::<2>,
        2 => search::<4>,
        3 => search::<8>,
        4 => search::<16>,
        _ => return Err(Error::call(format!("a trellis of {bits} bits: 1 to 4"))),
    };
    let mut rng = SmallRng::seed_from_u64(20_240_617);
    let book: Vec<f32> =
        (0..1 << STATE).map(|_| -> f32 { StandardNormal.sample(&mut rng) }).map(to_half).collect();
    matrix.by_rows(|row, out| {
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let scale = to_half((row.iter().map(|value| value * value).sum::<f32>() / row.len() as f32).sqrt());
        search(&book, row, scale, out);
        u64::from(bits) * row.len() as u64 + u64::from(STATE - bits) + SCALE_BITS
    })
}

/// Viterbi's search: the `WAYS` states before one differ in their highest bits, so that the least cost among these serves
/// all states that share the rest.
fn search<const WAYS: usize>(book: &[f32], row: &[f32], scale: f32, out: &mut [f32]) {
    let shared = book.len() / WAYS;
    let mut costs = vec![0f32; book.len()];
    let mut least = vec![0f32; shared];
    let mut from = vec![0u8; shared * row.len()];
    let levels = book.as_chunks::<WAYS>().0;
    for (at, &value) in row.iter().enumerate() {
        // Nothing is before the first value.
        if at > 0 {
            let ways: [&[[f32; LANES]]; WAYS] =
                std::array::from_fn(|way| costs[way * shared..][..shared].as_chunks().0);
            let from = from[at * shared..][..shared].as_chunks_mut().0;
            for (chunk, (least, from)) in least.as_chunks_mut().0.iter_mut().zip(from).enumerate() {
                (*least, *from) = best_of(&ways.map(|way| &way[chunk]));
            }
        }
        let target = if scale == 0.0 { 0.0 } else { value / scale };
        for ((costs, levels), &before) in costs.as_chunks_mut::<WAYS>().0.iter_mut().zip(levels).zip(&least) {
            *costs = levels.map(|level| before + (level - target) * (level - target));
        }
    }
    let ends = costs.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
    let mut state = ends.map_or(0, |(state, _)| state);
    for (at, out) in out.iter_mut().enumerate().rev() {
        *out = book[state] * scale;
        let low = state / WAYS;
        state = low + usize::from(from[at * shared + low]) * shared;
    }
}

/// The least cost of each lane and the way that has it. A compiler makes vectors of lanes.
#[inline]
fn best_of<const WAYS: usize>(ways: &[&[f32; LANES]; WAYS]) -> ([f32; LANES], [u8; LANES]) {
    let (mut best, mut from) = (*ways[0], [0u32; LANES]);
    for (label, way) in (1..).zip(&ways[1..]) {
        for ((best, from), &cost) in best.iter_mut().zip(&mut from).zip(*way) {
            let better = cost < *best;
            *from = if better { label } else { *from };
            *best = if better { cost } else { *best };
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "fewer than 256 ways")]
    let from = from.map(|label| label as u8);
    (best, from)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{gaussian, nmse, takes_any_shape};
    use super::*;

    /// QTIP's table 1 has 0.069, 0.018 and 0.0047 at 16 bits of state; Shannon's bound is 0.0625, 0.0156, 0.0039.
    #[test]
    fn errors_are_near_those_of_the_paper() {
        for (bits, most) in [(2, 0.0735), (3, 0.0195), (4, 0.0055)] {
            let error = nmse(|matrix| trellis(matrix, bits));
            println!("{bits} bits: {error:.5}");
            assert!(error < most && error > 0.25f64.powi(i32::try_from(bits).unwrap()));
        }
    }

    /// Against all paths of a short row.
    #[test]
    fn no_path_is_better() {
        let row = gaussian(6, 3);
        let book: Vec<f32> = gaussian(16, 4);
        let mut out = [0.0; 6];
        search::<2>(&book, &row, 1.0, &mut out);
        let error = |values: &[f32]| -> f32 { values.iter().zip(&row).map(|(a, b)| (a - b).powi(2)).sum() };
        let all = (0..1usize << (6 + 3)).map(|path| {
            let values: Vec<f32> = (0..6).map(|at| book[(path >> (5 - at)) & 15]).collect();
            error(&values)
        });
        assert!((error(&out) - all.fold(f32::INFINITY, f32::min)).abs() < 1e-6);
    }

    #[test]
    fn path_first_state_and_scale_are_counted() {
        let values = gaussian(2 * 100, 5);
        let coded = trellis(&Matrix { rows: 2, cols: 100, values: &values }, 3).unwrap();
        assert_eq!(coded.bits, 2 * (3 * 100 + 9 + 16));
    }

    #[test]
    fn any_shape_is_taken() {
        takes_any_shape(|matrix| trellis(matrix, 2));
    }
}
