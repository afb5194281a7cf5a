//! How large the values of a chunk are.

use multiversion::multiversion;

use crate::lanes::{LANES, in_lanes};

/// How large values are.
pub(super) struct Magnitudes {
    /// The mean magnitude of the finite values.
    pub(super) mean: f64,
    /// The largest magnitude; not finite where any is not.
    pub(super) largest: f32,
}

/// How large these are.
#[multiversion(targets("x86_64+avx2"))]
#[expect(clippy::cast_precision_loss, reason = "a count for a mean")]
pub(super) fn magnitudes(values: &[f32]) -> Magnitudes {
    // Bits of magnitudes order as they do, with infinity and NaN last.
    let (mut sums, mut others, mut most) = ([0f64; LANES], [0u32; LANES], [0u32; LANES]);
    in_lanes(values, 0.0, |values| {
        let (mut bits, mut finite) = ([0; LANES], [0; LANES]);
        for lane in 0..LANES {
            bits[lane] = values[lane].to_bits() & 0x7fff_ffff;
        }
        for lane in 0..LANES {
            finite[lane] = if bits[lane] < 0x7f80_0000 { bits[lane] } else { 0 };
        }
        for lane in 0..LANES {
            sums[lane] += f64::from(f32::from_bits(finite[lane]));
        }
        for lane in 0..LANES {
            others[lane] += u32::from(bits[lane] >= 0x7f80_0000);
        }
        for lane in 0..LANES {
            most[lane] = most[lane].max(bits[lane]);
        }
    });
    let count = values.len() as f64 - f64::from(others.iter().sum::<u32>());
    let largest = f32::from_bits(most.into_iter().max().unwrap_or(0));
    Magnitudes { mean: sums.iter().sum::<f64>() / count.max(1.0), largest }
}
