//! Contexts: samples of rows and columns of like energy share a distribution.
//!
//! A sample's context is its row's class plus its column's class, held within the contexts there are. The sum of two
//! logarithms stands for the product of two scales: trained weights vary by rows and columns, not by neighbours.

use telecine_core::{Error, Result};

use crate::range::{Bit, Coder, Number, Writer};

/// Contexts of a packet, at most.
pub(crate) const MAX_CONTEXTS: usize = 24;
/// Width of a class in octaves, where the scales do not span more than the contexts can hold.
const WIDTH: f64 = 0.35;
/// Scales below this many quantiser spacings are alike: nearly all levels are 0.
const SMALLEST: f64 = 0.08;

/// Counts and sums of magnitudes of values by context.
#[inline(always)]
pub(crate) fn magnitudes(contexts: &[u8], values: &[f32], count: usize) -> Vec<(f64, f64)> {
    if count == 1 {
        let (eights, rest) = values.as_chunks::<8>();
        let mut sums = [0f64; 8];
        for values in eights {
            for at in 0..8 {
                sums[at] += f64::from(values[at].abs());
            }
        }
        let sum = sums.iter().sum::<f64>() + rest.iter().map(|v| f64::from(v.abs())).sum::<f64>();
        #[expect(clippy::cast_precision_loss, reason = "counts of samples")]
        return vec![(values.len() as f64, sum)];
    }
    // Four sums side by side, because each waits for itself.
    let mut sums = vec![[(0f64, 0f64); 4]; count];
    for (contexts, values) in contexts.chunks(4).zip(values.chunks(4)) {
        for (at, (&context, value)) in contexts.iter().zip(values).enumerate() {
            let sum = &mut sums[usize::from(context)][at];
            *sum = (sum.0 + 1.0, sum.1 + f64::from(value.abs()));
        }
    }
    sums.iter().map(|sums| sums.iter().fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1))).collect()
}

/// The classes of a plane's rows and columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Classes {
    /// Number of contexts; 1 has no classes.
    pub(crate) contexts: usize,
    /// Class of each row; may be negative, as columns' may.
    pub(crate) rows: Vec<i16>,
    /// Class of each column.
    pub(crate) cols: Vec<i16>,
}

impl Classes {
    pub(crate) fn single() -> Self {
        Self { contexts: 1, rows: Vec::new(), cols: Vec::new() }
    }

    /// Appends the context of every sample of a plane, row by row.
    #[inline(always)]
    pub(crate) fn contexts(&self, height: usize, width: usize, out: &mut Vec<u8>) {
        out.clear();
        if self.contexts == 1 {
            out.resize(height * width, 0);
            return;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_possible_wrap,
            reason = "at most MAX_CONTEXTS"
        )]
        let last = self.contexts as i16 - 1;
        out.resize(height * width, 0);
        for (&row, out) in self.rows.iter().zip(out.chunks_exact_mut(width)) {
            for (&col, out) in self.cols.iter().zip(out) {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "0 to `last` by the clamp"
                )]
                let context = row.saturating_add(col).max(0).min(last) as u8;
                *out = context;
            }
        }
    }

    /// Classes by mean magnitude, where they promise to pay; `values` are in units of the quantiser's spacing.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "statistics of samples")]
    #[inline(always)]
    pub(crate) fn of(values: &[f32], width: usize) -> Self {
        let height = values.len() / width;
        let mut rows = vec![0f64; height];
        let mut cols = vec![0f64; width];
        for (row, sum) in values.chunks_exact(width).zip(&mut rows) {
            // Eight sums side by side, because each waits for itself.
            let mut sums = [0f64; 8];
            let (eights, rest) = row.as_chunks::<8>();
            let (col_eights, col_rest) = cols.as_chunks_mut::<8>();
            for (values, cols) in eights.iter().zip(col_eights) {
                for at in 0..8 {
                    let magnitude = f64::from(values[at].abs());
                    sums[at] += magnitude;
                    cols[at] += magnitude;
                }
            }
            for (value, col) in rest.iter().zip(col_rest) {
                sums[0] += f64::from(value.abs());
                *col += f64::from(value.abs());
            }
            *sum = sums.iter().sum();
        }
        let mean = rows.iter().sum::<f64>() / values.len() as f64;
        if mean == 0.0 || height.min(width) == 0 {
            return Self::single();
        }
        let log = |sum: f64, count: usize| (sum / count as f64 / mean).max(1e-6).log2();
        let base = mean.log2();
        let smallest = SMALLEST.log2();
        let row_logs: Vec<f64> = rows.iter().map(|&sum| log(sum, width)).collect();
        let col_logs: Vec<f64> = cols.iter().map(|&sum| log(sum, height)).collect();
        let span = |logs: &[f64]| {
            logs.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &log| (a.min(log), b.max(log)))
        };
        let ((r0, r1), (c0, c1)) = (span(&row_logs), span(&col_logs));
        let low = (base + r0 + c0).max(smallest);
        let high = (base + r1 + c1).max(low);
        let step = ((high - low) / (MAX_CONTEXTS - 1) as f64).max(WIDTH);
        let class = |log: f64| (log / step).round() as i16;
        let origin = ((base - low) / step).round() as i16;
        let classes = Self {
            contexts: (((high - low) / step).round() as usize + 1).min(MAX_CONTEXTS),
            rows: row_logs.iter().map(|&log| class(log) + origin).collect(),
            cols: col_logs.iter().map(|&log| class(log)).collect(),
        };
        if classes.pays(values) { classes } else { Self::single() }
    }

    /// Whether splitting by context gains more than classes and tables cost, judged as Gaussian.
    #[expect(clippy::cast_precision_loss, reason = "statistics of samples")]
    fn pays(&self, values: &[f32]) -> bool {
        if self.contexts == 1 {
            return false;
        }
        let mut contexts = Vec::new();
        self.contexts(self.rows.len(), self.cols.len(), &mut contexts);
        let sums = magnitudes(&contexts, values, self.contexts);
        // A Gaussian of variance 1.571 a², a the mean magnitude, at an error of a quarter of the squared spacing.
        let bits = |(count, sum): (f64, f64)| {
            if count > 0.0 { 0.5 * count * (1.0 + 6.3 * (sum / count).powi(2)).log2() } else { 0.0 }
        };
        let whole = sums.iter().fold((0.0, 0.0), |(n, s), &(count, sum)| (n + count, s + sum));
        let gain = bits(whole) - sums.iter().map(|&sum| bits(sum)).sum::<f64>();
        let used = sums.iter().filter(|(count, _)| *count > 0.0).count() as f64;
        gain > 1.2 * (self.rows.len() + self.cols.len()) as f64 + 70.0 * used
    }

    /// Codes the classes; a reader passes classes of the right number of contexts, rows and columns.
    pub(crate) fn code(&self, coder: &mut impl Coder) -> Result<Self> {
        let mut out = Self { contexts: self.contexts, rows: Vec::new(), cols: Vec::new() };
        if self.contexts == 1 {
            return Ok(out);
        }
        for (wanted, coded) in [(&self.rows, &mut out.rows), (&self.cols, &mut out.cols)] {
            let drifts = coder.bit(drifts(wanted), &mut Bit::default())?;
            *coded = code_line(coder, wanted, drifts)?;
        }
        Ok(out)
    }
}

/// Whether classes are cheaper to tell from the one before than from their mean.
fn drifts(classes: &[i16]) -> bool {
    let bytes = |drifts| {
        let mut writer = Writer::new();
        code_line(&mut writer, classes, drifts).map_or(usize::MAX, |_| writer.finish().len())
    };
    bytes(true) < bytes(false)
}

/// Codes the classes of all rows or columns, as differences from the one before or from the mean of all before.
fn code_line(coder: &mut impl Coder, classes: &[i16], drifts: bool) -> Result<Vec<i16>> {
    let mut models = [Number::default(), Number::default(), Number::default()];
    let (mut last, mut step, mut sum) = (0i32, 0usize, 0i64);
    let mut out = Vec::with_capacity(classes.len());
    for (count, &class) in (1i64..).zip(classes) {
        let residual = models[step].signed(coder, i32::from(class) - last)?;
        let class = i16::try_from(last + residual)
            .map_err(|_| Error::corrupt("a class of a tns1 packet leaves its range"))?;
        sum += i64::from(class);
        if drifts {
            last = i32::from(class);
            step = residual.unsigned_abs().min(2) as usize;
        } else {
            // Between two classes, the mean's halves round up.
            last = i32::try_from((2 * sum + count).div_euclid(2 * count)).unwrap_or(0);
        }
        out.push(class);
    }
    Ok(out)
}
