//! How large the values of a chunk are.

use crate::lanes::{LANES, in_lanes};

/// How large values are.
pub(super) struct Magnitudes {
    /// The mean magnitude of the finite values.
    pub(super) mean: f64,
    /// The largest magnitude; not finite where any is not.
    pub(super) largest: f32,
}

impl Magnitudes {
    pub(super) fn of(values: &[f32]) -> Self {
        // Bits of magnitudes order as they do, with infinity and NaN last.
        let (mut sums, mut counts, mut most) = ([0f64; LANES], [0u32; LANES], [0u32; LANES]);
        in_lanes(values, |lane, value| {
            let finite = value.is_finite();
            sums[lane] += f64::from(if finite { value.abs() } else { 0.0 });
            counts[lane] += u32::from(finite);
            most[lane] = most[lane].max(value.abs().to_bits());
        });
        let count = counts.iter().sum::<u32>().max(1);
        let largest = f32::from_bits(most.into_iter().max().unwrap_or(0));
        Self { mean: sums.iter().sum::<f64>() / f64::from(count), largest }
    }
}
