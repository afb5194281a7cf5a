//! Kinds of faults that the suite once missed, a few of each.

mod errors;
mod inputs;
mod process;
mod sizes;

use telecine_core::Quality;

use crate::broken::Broken;

/// Every kind.
pub(crate) fn all() -> Vec<Broken> {
    [sizes::all(), errors::all(), inputs::all(), process::all()].into_iter().flatten().collect()
}

/// Whether the quality is a step.
fn is_lossy(quality: &Quality) -> bool {
    matches!(quality, Quality::Step(_))
}

/// Multiplies the step.
fn scale(quality: &mut Quality, factor: f32) {
    if let Quality::Step(step) = quality {
        *step *= factor;
    }
}

/// A uniform quantiser of this step, over a sample.
fn coarse(sample: u16, step: f32, max: u16) -> u16 {
    ((f32::from(sample) / step).round() * step).clamp(0.0, f32::from(max)) as u16
}
