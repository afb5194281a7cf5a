//! The report of `telecine sweep`: rate–distortion curves and Shannon's bound on one HTML page.

mod ablation;
mod chart;
mod data;
mod page;
mod rate;
mod summary;
mod table;

#[cfg(test)]
mod tests;

pub(crate) use ablation::render as render_ablation;
pub(crate) use data::{Curve, Point, SweepData, TensorCurve};
pub(crate) use page::render;
