//! What levels of a context cost by a formula, for the encoder's search.

use std::f32::consts::LOG2_E;

/// λ in units of the squared spacing, per bit. `2 ln2 · D` would be 0.36 at high rate; measured on N(0,1), 0.27 is
/// as good there and better below 1 bit.
pub(crate) const LAMBDA: f32 = 0.27;
/// Cost units of one squared spacing.
const UNIT: f32 = 256.0;
/// The most that one value costs, in units.
pub(super) const MOST: u16 = 2047;
/// Beyond this many standard deviations a level's cost grows no longer with its square but in proportion.
const BEND: f32 = 3.0;

/// Cost of a level near a value: squared distance from the value moved towards 0, times a weight, plus a bias.
///
/// A Gaussian's rate is quadratic in the level, so `(x − m)² + λ · rate` is again a square around a shrunk `x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    /// The part of a value by which it moves towards 0,
    pub(crate) shrink: f32,
    /// at most by this.
    pub(crate) limit: f32,
    /// What a squared distance, of which 2048 units are a squared spacing, is multiplied by, in 1/2¹⁵, to give cost.
    pub(crate) weight: u16,
    /// Cost of even and of odd levels.
    pub(crate) bias: [u16; 2],
}

impl Shape {
    /// Squared error alone.
    #[cfg(test)]
    pub(crate) fn flat() -> Self {
        Self { shrink: 0.0, limit: 0.0, weight: weight(1.0), bias: [0; 2] }
    }

    /// The shape of a Gaussian with this mean magnitude, in units of the spacing.
    pub(crate) fn of_mean(mean: f32) -> Self {
        // A Gaussian's standard deviation is 1.2533 times its mean magnitude; the quantiser adds its own noise.
        let deviation = (1.2533 * mean).max(0.05);
        let spread = (deviation * deviation + 0.25).sqrt();
        let curve = LAMBDA * 0.5 * LOG2_E / (spread * spread);
        let shrink = curve / (1.0 + curve);
        let total = |parity: f32| {
            let term = |n: i32| {
                #[expect(clippy::cast_precision_loss, reason = "a small integer")]
                let level = (2 * n) as f32 + parity;
                (-0.5 * (level / spread).powi(2)).exp()
            };
            // Where levels are many, even and odd ones cost the same.
            if spread > 4.0 { 1.0 } else { (-12..12).map(term).sum::<f32>() }
        };
        let bias = [LAMBDA * total(0.0).log2(), LAMBDA * total(1.0).log2()];
        let least = bias[0].min(bias[1]);
        Self {
            shrink,
            limit: shrink * BEND * spread,
            weight: weight(1.0 + curve),
            bias: bias.map(|bias| units(bias - least)),
        }
    }
}

/// A cost in units, at most [`MOST`].
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "below 2^16 by the clamp")]
pub(crate) fn units(cost: f32) -> u16 {
    // Adding 2^23 leaves the integer in the low bits.
    ((cost * UNIT).clamp(0.0, f32::from(MOST)) + 8_388_608.0).to_bits() as u16
}

/// The weight that multiplies costs by `factor`, which is below 8.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^15")]
fn weight(factor: f32) -> u16 {
    (factor * UNIT / 2048.0 * 32_768.0) as u16
}
