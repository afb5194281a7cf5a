//! Shannon's bound for a Gaussian, and the gap to it.

/// The nmse below which no coder gets a Gaussian at `bits` per value: `2^(−2R)` (Shannon 1959).
pub fn bound_nmse(bits: f64) -> f64 {
    (-2.0 * bits).exp2()
}

/// Bits per value above Shannon's bound for a Gaussian; negative below it.
pub fn gap(bits: f64, nmse: f64) -> f64 {
    bits + 0.5 * nmse.log2()
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
}
