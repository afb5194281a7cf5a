//! Contexts: samples of rows and columns of like energy share a distribution.
//!
//! A sample's context is its row's class plus its column's class, held within the contexts there are. The sum of two
//! logarithms stands for the product of two scales: trained weights vary by rows and columns, not by neighbours.

use std::collections::BTreeMap;

use telecine_core::{Error, Result};

use crate::range::{Bit, Coder, Number, Writer};

/// Contexts of a packet, at most.
pub(crate) const MAX_CONTEXTS: usize = 24;
/// Width of a class in octaves, where the scales do not span more than the contexts can hold.
const WIDTH: f64 = 0.35;
/// Scales below this many quantiser spacings are alike: nearly all levels are 0.
const SMALLEST: f64 = 0.08;

/// How many samples there are, and the sum of their distances from the centre.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "counts and sums for a mean")]
pub(crate) fn magnitudes(samples: &[u16], centre: i32) -> (f64, f64) {
    let magnitude = |sample: u16| (i32::from(sample) - centre).unsigned_abs();
    // A magnitude is at most 2¹⁶.
    let part = |part: &[u16]| u64::from(part.iter().map(|&sample| magnitude(sample)).sum::<u32>());
    let sum: u64 = samples.chunks(1 << 15).map(part).sum();
    (samples.len() as f64, sum as f64)
}

/// Sums of magnitudes of the rows and of the columns of a plane.
#[inline(always)]
fn line_sums(samples: &[u16], centre: i32, width: usize) -> (Vec<u64>, Vec<u64>) {
    let mut rows = Vec::with_capacity(samples.len() / width);
    let mut cols = vec![0u64; width];
    let mut part = vec![0u32; width];
    // A magnitude is at most 2¹⁶: 2¹⁵ of them fit 32 bits.
    for block in samples.chunks(width << 15) {
        part.fill(0);
        for row in block.chunks_exact(width) {
            let mut sum = 0u64;
            for (row, cols) in row.chunks(1 << 15).zip(part.chunks_mut(1 << 15)) {
                let mut here = 0u32;
                for (&sample, col) in row.iter().zip(cols) {
                    let magnitude = (i32::from(sample) - centre).unsigned_abs();
                    *col += magnitude;
                    here += magnitude;
                }
                sum += u64::from(here);
            }
            rows.push(sum);
        }
        for (col, &part) in cols.iter_mut().zip(&part) {
            *col += u64::from(part);
        }
    }
    (rows, cols)
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

    /// Classes by mean distance of samples from `centre`, where they promise to pay; `unit` is a sample in units of the
    /// quantiser's spacing.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "statistics of samples")]
    #[inline(always)]
    pub(crate) fn of(samples: &[u16], centre: i32, unit: f64, width: usize) -> Self {
        let height = samples.len() / width;
        let (rows, cols) = line_sums(samples, centre, width);
        let mean = unit * rows.iter().sum::<u64>() as f64 / samples.len() as f64;
        if mean == 0.0 || height.min(width) == 0 {
            return Self::single();
        }
        let log = |sum: u64, count: usize| (unit * sum as f64 / count as f64 / mean).max(1e-6).log2();
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
        if classes.pays(&rows, &cols, unit) { classes } else { Self::single() }
    }

    /// Whether splitting by context gains more than classes and tables cost, judged as Gaussian, as if the mean of a
    /// sample were the product of those of its row and its column.
    #[expect(clippy::cast_precision_loss, reason = "statistics of samples")]
    fn pays(&self, rows: &[u64], cols: &[u64], unit: f64) -> bool {
        if self.contexts == 1 {
            return false;
        }
        // A Gaussian of variance 1.571 a², a the mean magnitude, at an error of a quarter of the squared spacing.
        let bits = |(count, sum): (f64, f64)| {
            if count > 0.0 { 0.5 * count * (1.0 + 6.3 * (unit * sum / count).powi(2)).log2() } else { 0.0 }
        };
        let total = rows.iter().sum::<u64>() as f64;
        let (rows, cols) = (by_class(&self.rows, rows), by_class(&self.cols, cols));
        let mut sums = vec![(0.0, 0.0); self.contexts];
        for (&row, &(row_count, row_sum)) in &rows {
            for (&col, &(col_count, col_sum)) in &cols {
                let sum = &mut sums[context_of(row, col, self.contexts)];
                *sum = (sum.0 + row_count * col_count, sum.1 + row_sum * col_sum / total);
            }
        }
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

/// The context of samples with these classes of row and column.
pub(crate) fn context_of(row: i16, col: i16, contexts: usize) -> usize {
    usize::try_from(row.saturating_add(col)).unwrap_or(0).min(contexts - 1)
}

/// How many lines each class has, and their sum.
#[expect(clippy::cast_precision_loss, reason = "statistics of samples")]
fn by_class(classes: &[i16], sums: &[u64]) -> BTreeMap<i16, (f64, f64)> {
    let mut out = BTreeMap::new();
    for (&class, &sum) in classes.iter().zip(sums) {
        let all = out.entry(class).or_insert((0.0, 0.0));
        *all = (all.0 + 1.0, all.1 + sum as f64);
    }
    out
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
