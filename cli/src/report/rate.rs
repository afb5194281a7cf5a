//! Measurements that are possible, curves of them, weighted means.

use super::data::Point;
use std::ops::RangeInclusive;

/// Bits per value that a measurement may have; beyond is taken for a mistake.
const BITS: RangeInclusive<f64> = 0.0..=1e6;
/// Errors other than 0 that a measurement may have.
const NMSE: RangeInclusive<f64> = 1e-300..=1e12;

/// Whether a measurement has an error that can be plotted.
pub(super) fn is_lossy(p: &Point) -> bool {
    is_valid(p) && p.nmse != 0.0
}

/// Whether the numbers of a measurement are possible ones.
pub(super) fn is_valid(p: &Point) -> bool {
    BITS.contains(&p.bits) && (p.nmse == 0.0 || NMSE.contains(&p.nmse))
}

/// The lossy points of one curve as (bits, log2 nmse), by growing bits.
pub(super) fn line<'a>(points: impl Iterator<Item = &'a Point>) -> Vec<(f64, f64)> {
    let mut line: Vec<(f64, f64)> = points.filter(|p| is_lossy(p)).map(|p| (p.bits, p.nmse.log2())).collect();
    line.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    line
}

/// A running mean with whole-number weights.
#[derive(Default)]
pub(super) struct Weighted {
    sum: f64,
    weight: f64,
    /// Number of terms.
    pub(super) count: usize,
}

impl Weighted {
    pub(super) fn add(&mut self, weight: u64, x: f64) {
        self.sum += weight as f64 * x;
        self.weight += weight as f64;
        self.count += 1;
    }

    pub(super) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.weight)
    }
}
