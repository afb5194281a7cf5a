//! Rates and errors: Shannon's bound, the gap to it, a curve between its points, weighted means.

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

/// Bits at which a curve first reaches an nmse, linear between its points in log2(nmse); never extrapolated.
pub(super) fn bits_at(line: &[(f64, f64)], nmse: f64) -> Option<f64> {
    let wanted = nmse.log2();
    if let [only] = line {
        return (only.1 == wanted).then_some(only.0);
    }
    line.windows(2).find(|w| (w[1].1..=w[0].1).contains(&wanted)).map(|w| {
        let ((bits, error), (more_bits, less_error)) = (w[0], w[1]);
        if error == less_error {
            bits
        } else {
            bits + (more_bits - bits) * (error - wanted) / (error - less_error)
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_between_two_points_are_interpolated_and_never_extrapolated() {
        let line = [(2.0, -4.0), (4.0, -8.0)];
        assert_eq!(bits_at(&line, (-6f64).exp2()), Some(3.0));
        assert_eq!(bits_at(&line, (-8f64).exp2()), Some(4.0));
        assert_eq!(bits_at(&line, (-9f64).exp2()), None);
        assert_eq!(bits_at(&[], 0.1), None);
    }
}
