//! Tensors as planes of one group.

use telecine::{Encoding, MatrixShape, Target, TensorBuf};

use crate::failure::{Failure, Result};
use crate::input::{Entry, Model, kind};

/// Planes are cut to multiples of this, which every encoder takes without padding.
const ALIGN: usize = 16;
/// The least rows of a plane.
const LEAST_ROWS: usize = 64;
/// The least and most columns of a plane.
const COLUMNS: std::ops::RangeInclusive<usize> = 32..=4096;
/// Most planes of a stack, and the planes that a tensor which stands alone is cut into.
const MOST_PLANES: usize = 8;
const PLANES_OF_ONE: usize = 4;

/// Planes of one size: tensors whose names differ by a layer's number alone, or parts of one tensor.
#[derive(Debug)]
pub(crate) struct Stack {
    /// The tensors' name, `*` for a layer's number.
    pub(crate) name: String,
    /// Number of planes.
    pub(crate) planes: usize,
    /// Rows of each.
    pub(crate) rows: usize,
    /// Columns of each.
    pub(crate) cols: usize,
    /// `planes × rows × cols` values, all finite.
    pub(crate) values: Vec<f32>,
    /// Their mean square.
    pub(crate) mean_square: f64,
}

impl Stack {
    /// Their standard deviation.
    pub(crate) fn deviation(&self) -> f64 {
        let mean = self.values.iter().copied().map(f64::from).sum::<f64>() / self.values.len() as f64;
        (self.mean_square - mean * mean).max(0.0).sqrt()
    }

    /// The planes below each other, as one matrix.
    pub(crate) fn tensor(&self) -> Result<TensorBuf> {
        Ok(TensorBuf::from_f32(&[(self.planes * self.rows) as u64, self.cols as u64], &self.values)?)
    }
}

/// The stacks of a model's chosen tensors, each cut to about `most` values.
///
/// # Errors
/// A tensor that holds NaN or infinity; nothing to measure.
pub(crate) fn stacks(model: &Model, chosen: &[bool], most: usize) -> Result<Vec<Stack>> {
    let mut groups: Vec<(String, &[u64], Vec<&Entry>)> = Vec::new();
    let small = Encoding::new(Target::Bits(1.0));
    for (entry, chosen) in model.entries().iter().zip(chosen) {
        if !entry.dtype.is_float() || small.keeps_small(&entry.shape) || !chosen {
            continue;
        }
        let name = kind(&entry.name);
        match groups.iter_mut().find(|(other, shape, _)| *other == name && *shape == entry.shape) {
            Some((.., entries)) => entries.push(entry),
            None => groups.push((name, &entry.shape, vec![entry])),
        }
    }
    let mut stacks = Vec::with_capacity(groups.len());
    for (name, shape, entries) in groups {
        stacks.extend(stack(model, name, shape, &entries, most)?);
    }
    if stacks.is_empty() {
        return Err(Failure::usage(
            "no tensor to measure: integers and those of under 64 rows or 32 columns are left out",
        ));
    }
    Ok(stacks)
}

/// One stack; `None` where the tensors are too small for pictures.
fn stack(
    model: &Model,
    name: String,
    shape: &[u64],
    entries: &[&Entry],
    most: usize,
) -> Result<Option<Stack>> {
    let matrix = MatrixShape::of(shape);
    let whole = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let (all_rows, all_cols) = (whole(matrix.rows), whole(matrix.cols));
    let cols = all_cols.min(*COLUMNS.end()) / ALIGN * ALIGN;
    if cols < *COLUMNS.start() || all_rows < LEAST_ROWS {
        return Ok(None);
    }
    // Rows of at most this many values in all, and rows that there are for a plane.
    let room = |planes: usize| (most / cols / planes).max(LEAST_ROWS);
    let (planes, rows) = if entries.len() > 1 {
        let fit = (most / cols / LEAST_ROWS).max(1);
        let planes = entries.len().min(MOST_PLANES).min(fit);
        (planes, all_rows.min(room(planes)))
    } else {
        let planes = PLANES_OF_ONE.min(all_rows / LEAST_ROWS);
        (planes, (all_rows / planes).min(room(planes)))
    };
    let rows = rows / ALIGN * ALIGN;
    let mut values = Vec::with_capacity(planes * rows * cols);
    for plane in 0..planes {
        let (entry, first) = if entries.len() > 1 { (entries[plane], 0) } else { (entries[0], plane * rows) };
        let data = model.data(entry)?;
        let tensor = data.tensor(entry)?;
        for row in first..first + rows {
            let start = (row * all_cols) as u64;
            entry.dtype.read_f32(&tensor.read(start..start + cols as u64), &mut values);
        }
        if values[plane * rows * cols..].iter().any(|value| !value.is_finite()) {
            return Err(Failure::usage("it holds NaN or infinity, which pictures have no place for")
                .about(format!("tensor {:?}", entry.name)));
        }
    }
    let energy: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
    if energy == 0.0 {
        return Ok(None);
    }
    let mean_square = energy / values.len() as f64;
    Ok(Some(Stack { name, planes, rows, cols, values, mean_square }))
}
