//! Reversible linear steps on a chunk, before quantisation.

mod centre;
mod chain;
pub(crate) mod column_scale;
mod dct;
mod directions;
mod hadamard;
mod klt;
mod row_scale;

pub use chain::{Chain, Transform, TransformChoice, candidates};
pub use klt::Basis;
