//! Differences from the sample some places before: what is smooth, sorted or periodic becomes small or zero.

use crate::plane::PlaneSpec;

/// Replaces samples by their differences, modulo 2^depth, from those `distance` before; the first ones stay.
pub(crate) fn take(spec: &PlaneSpec, samples: &[u16], distance: usize) -> Vec<u16> {
    let max = spec.max();
    let (first, rest) = samples.split_at(distance);
    let differences = rest.iter().zip(samples).map(|(&sample, &before)| sample.wrapping_sub(before) & max);
    first.iter().copied().chain(differences).collect()
}

/// Undoes it.
pub(crate) fn undo(spec: &PlaneSpec, samples: &mut [u16], distance: usize) {
    let max = spec.max();
    // Runs of `distance` samples do not depend on each other within.
    for start in (distance..samples.len()).step_by(distance) {
        let (done, rest) = samples.split_at_mut(start);
        for (sample, &before) in rest.iter_mut().zip(&done[start - distance..]) {
            *sample = sample.wrapping_add(before) & max;
        }
    }
}
