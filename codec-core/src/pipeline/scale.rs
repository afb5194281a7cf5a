//! How large values are, for a first guess at a step.

use super::source::Source;

/// The size of values that are to be quantised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    /// Root mean square.
    pub(super) rms: f64,
    /// Standard deviation.
    pub(super) deviation: f64,
    /// Largest magnitude.
    pub(super) largest: f64,
}

/// Values as many times the mean magnitude are kept exactly at any step.
const OUTLIER: f64 = 2048.0;
/// Passes in search of outliers, at most.
const PASSES: usize = 8;

/// The scale of the finite values that are in no forced class and no outliers, in the scale of importance where that is
/// given; `None` where all of those are 0.
#[expect(clippy::cast_precision_loss, reason = "a mean for a first guess")]
pub(super) fn scale<'s, 'a: 's>(sources: impl Iterator<Item = &'s Source<'a>>) -> Option<Scale> {
    let mut values = Vec::new();
    for source in sources {
        let start = values.len();
        source.dtype.read_f64(&source.bytes, &mut values);
        if let Some(importance) = &source.importance {
            importance.scale_f64(&mut values[start..]);
        }
        if let Some(classes) = source.classes(false) {
            let classed = values[start..].iter_mut().zip(classes.map()).filter(|(_, class)| **class != 0);
            classed.for_each(|(value, _)| *value = f64::NAN);
        }
    }
    values.retain(|value| value.is_finite());
    let mut largest = 0.0;
    for _ in 0..PASSES {
        let count = values.len().max(1) as f64;
        largest = values.iter().fold(0.0, |most, value: &f64| value.abs().max(most));
        let mean: f64 = values.iter().map(|value| value.abs() / count).sum();
        if largest <= OUTLIER * mean {
            break;
        }
        values.retain(|value| value.abs() <= OUTLIER * mean);
    }
    if largest == 0.0 {
        return None;
    }
    // Relative to the largest, squares stay within range.
    let count = values.len() as f64;
    let sum = |power: i32| values.iter().map(|value| (value / largest).powi(power)).sum::<f64>() / count;
    let (mean, square) = (sum(1), sum(2));
    let deviation = (square - mean * mean).max(0.0).sqrt();
    Some(Scale { rms: square.sqrt() * largest, deviation: deviation * largest, largest })
}
