//! Test signals: deterministic, seeded, at the depth of the group.

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, StandardNormal};
use telecine_core::GroupSpec;

/// A distance in units of 16-bit samples, for the depth of a group.
pub(crate) fn at_depth(spec: &GroupSpec, distance: f32) -> f32 {
    distance * f32::from(spec.max_sample()) / f32::from(u16::MAX)
}

/// Gaussian samples around the middle, `deviation` sample units wide.
pub(crate) fn gaussian(spec: &GroupSpec, deviation: impl Into<f64>, seed: u64) -> Vec<u16> {
    let deviation = deviation.into();
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mid, max) = (f64::from(spec.mid_sample()), f64::from(spec.max_sample()));
    let sample = |_| {
        let value: f64 = StandardNormal.sample(&mut rng);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the samples' range"
        )]
        let sample = (mid + value * deviation).round().clamp(0.0, max) as u16;
        sample
    };
    (0..spec.samples()).map(sample).collect()
}

/// Uniform samples over the whole range.
pub(crate) fn noise(spec: &GroupSpec, seed: u64) -> Vec<u16> {
    let mut rng = SmallRng::seed_from_u64(seed);
    (0..spec.samples()).map(|_| rng.random_range(0..=spec.max_sample())).collect()
}

/// A slope over rows and columns.
pub(crate) fn ramp(spec: &GroupSpec) -> Vec<u16> {
    let count = spec.samples();
    let sample = |at: usize| at * usize::from(spec.max_sample()) / count.max(2).saturating_sub(1);
    (0..count)
        .map(|at| u16::try_from(sample(at)).unwrap_or(spec.max_sample()).min(spec.max_sample()))
        .collect()
}

/// Every signal that a lossless codec must take, by name.
pub(crate) fn all(spec: &GroupSpec) -> Vec<(&'static str, Vec<u16>)> {
    let (count, max, mid) = (spec.samples(), spec.max_sample(), spec.mid_sample());
    let mut outlier = vec![mid; count];
    outlier[count / 2] = max;
    let width = spec.width as usize;
    // Bit patterns of NaN and infinity of 16-bit floats, where the depth holds them.
    let special = [0x7fc0, 0x7f80, 0xff80, 0x7fff, 0xffff, 0x0000, 0x8000, 0x0001];
    vec![
        ("all zero", vec![0; count]),
        ("all maximum", vec![max; count]),
        ("all middle", vec![mid; count]),
        (
            "checkerboard",
            (0..count).map(|at| if (at / width + at % width).is_multiple_of(2) { 0 } else { max }).collect(),
        ),
        ("one outlier", outlier),
        ("ramp", ramp(spec)),
        ("noise", noise(spec, 11)),
        ("narrow Gaussian", gaussian(spec, 1.3, 12)),
        ("wide Gaussian", gaussian(spec, f64::from(mid) / 6.0, 13)),
        ("special floats", (0..count).map(|at| special[at * 5 % special.len()] & max).collect()),
    ]
}

/// Mean squared difference.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
pub(crate) fn mean_squared_error(a: &[u16], b: &[u16]) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    sum / a.len().max(1) as f64
}
