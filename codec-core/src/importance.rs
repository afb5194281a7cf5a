//! How much the error of each column counts.

use crate::transform::column_scale;
use crate::{Error, Result};

/// How much the error of each column counts: a weight for every column of a tensor's
/// [matrix view](crate::MatrixShape), such as the mean squared activation that meets it.
///
/// Only the ratios between weights matter. A weight of 0 leaves the column out of the weighted error; its values are
/// still coded, at a scale of at most 64 times the median column's.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// Of mean 1.
    weights: Vec<f32>,
    /// What each column is divided by before coding, as its side byte.
    scales: Vec<u8>,
}

impl Importance {
    /// The importance of columns with these weights.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there are no weights, when one is negative, infinite or NaN, or when all are 0.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a mean of f32 values")]
    pub fn new(weights: &[f32]) -> Result<Self> {
        let wrong = weights.iter().position(|weight| !weight.is_finite() || *weight < 0.0);
        if let Some(column) = wrong {
            let weight = weights[column];
            return Err(Error::invalid(format!(
                "importance of column {column} is {weight}: weights are finite numbers from 0 on"
            )));
        }
        let sum: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
        if sum == 0.0 {
            return Err(Error::invalid(format!(
                "importance of {} columns: no column has any weight",
                weights.len()
            )));
        }
        let mean = sum / weights.len() as f64;
        let ratios: Vec<f64> = weights.iter().map(|&weight| f64::from(weight) / mean).collect();
        Ok(Self {
            scales: column_scale::scales(&ratios),
            weights: ratios.iter().map(|&ratio| ratio as f32).collect(),
        })
    }

    /// The weights, over their mean.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The side bytes of the column scales.
    pub(crate) fn scales(&self) -> &[u8] {
        &self.scales
    }

    /// Divides columns by their scales.
    pub(crate) fn scale_f64(&self, values: &mut [f64]) {
        for row in values.chunks_exact_mut(self.scales.len()) {
            for (value, &byte) in row.iter_mut().zip(&self.scales) {
                *value /= f64::from(column_scale::scale(byte));
            }
        }
    }

    /// Whether all columns are scaled alike, so that scaling them would change nothing.
    pub(crate) fn is_uniform(&self) -> bool {
        self.scales.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Checks that there is a weight for each of `cols` columns.
    pub(crate) fn check(&self, cols: u64) -> Result<()> {
        if self.weights.len() as u64 == cols {
            return Ok(());
        }
        let count = self.weights.len();
        Err(Error::invalid(format!(
            "importance of {count} columns for a tensor whose rows have {cols} values"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_mean_nothing_are_refused() {
        for (wrong, place) in [
            (&[1.0, f32::NAN][..], "column 1"),
            (&[f32::INFINITY, 1.0], "column 0"),
            (&[1.0, 2.0, -0.5], "column 2"),
            (&[0.0, 0.0], "2 columns"),
            (&[], "0 columns"),
        ] {
            let error = Importance::new(wrong).unwrap_err();
            assert!(matches!(&error, Error::Invalid(message) if message.contains(place)), "{error}");
        }
    }

    #[test]
    fn only_ratios_matter() {
        let weights = [0.0, 1e-3, 2.0, 5.0];
        let importance = Importance::new(&weights).unwrap();
        assert!((importance.weights().iter().sum::<f32>() - 4.0).abs() < 1e-5);
        // Even where sums would leave the range of f32.
        for factor in [2f32.powi(-100), 2f32.powi(125)] {
            assert_eq!(Importance::new(&weights.map(|weight| weight * factor)).unwrap(), importance);
        }
        assert!(Importance::new(&[3.0; 7]).unwrap().is_uniform());
        assert!(!importance.is_uniform());
    }

    #[test]
    fn the_number_of_columns_is_checked() {
        let importance = Importance::new(&[1.0, 2.0]).unwrap();
        assert!(importance.check(2).is_ok());
        let error = importance.check(3).unwrap_err().to_string();
        assert!(error.contains('2') && error.contains('3'), "{error}");
    }
}
