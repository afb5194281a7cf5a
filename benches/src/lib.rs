//! What the measuring programs share: sources of values, coders of ours and of others, and how they are timed.

#![allow(clippy::cast_possible_truncation, reason = "a measuring program on data of its own")]

pub mod entropy;
pub mod linear;
pub mod ours;
pub mod plane;
pub mod race;
pub mod rivals;
pub mod source;

/// The step at which a Gaussian of standard deviation 1 takes so many bits per value, 0.08 above Shannon's bound.
#[must_use]
pub fn step_of(bits: f64) -> f64 {
    12f64.sqrt() * (0.08 - bits).exp2()
}
