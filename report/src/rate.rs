//! Shannon's bound for a Gaussian, the gap to it, and curves between their points.

/// The nmse below which no coder gets a Gaussian at `bits` per value: `2^(−2R)` (Shannon 1959).
pub fn bound_nmse(bits: f64) -> f64 {
    (-2.0 * bits).exp2()
}

/// Bits per value above Shannon's bound for a Gaussian; negative below it.
pub fn gap(bits: f64, nmse: f64) -> f64 {
    bits + 0.5 * nmse.log2()
}

/// Bits at which a curve of (bits, log2 error), by growing bits, first reaches an error; linear between its points in
/// log2(error), never extrapolated.
pub fn bits_at(line: &[(f64, f64)], error: f64) -> Option<f64> {
    let wanted = error.log2();
    if let [only] = line {
        return (only.1 == wanted).then_some(only.0);
    }
    line.windows(2).find(|w| (w[1].1..=w[0].1).contains(&wanted)).map(|w| {
        let ((bits, most), (more_bits, least)) = (w[0], w[1]);
        if most == least { bits } else { bits + (more_bits - bits) * (most - wanted) / (most - least) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_is_worth_six_decibels() {
        assert_eq!(bound_nmse(1.0), 0.25);
        assert_eq!(gap(3.0, bound_nmse(3.0)), 0.0);
        assert_eq!(gap(3.5, bound_nmse(3.0)), 0.5);
        assert_eq!(gap(2.5, bound_nmse(3.0)), -0.5);
    }

    #[test]
    fn bits_between_two_points_are_interpolated_and_never_extrapolated() {
        let line = [(2.0, -4.0), (4.0, -8.0)];
        assert_eq!(bits_at(&line, (-6f64).exp2()), Some(3.0));
        assert_eq!(bits_at(&line, (-8f64).exp2()), Some(4.0));
        assert_eq!(bits_at(&line, (-9f64).exp2()), None);
        assert_eq!(bits_at(&[], 0.1), None);
    }
}
