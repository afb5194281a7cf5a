//! What a container tells of one tensor.

use std::ops::Range;

use telecine_core::{CodecId, SideEffects, TensorMeta};

use crate::row::{Checked, Row};

/// The prefix of names that Telecine keeps for its own tensors, such as a KLT basis `telecine:klt/<16 hex digits>`.
pub const RESERVED_PREFIX: &str = "telecine:";

/// A tensor of a container, summed up over its chunks.
///
/// It comes from the descriptive columns, which are compared with the checksums only when a chunk is read.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorEntry {
    /// Name, dtype and shape.
    pub meta: TensorMeta,
    /// What the caller asked for, such as `bits=3`.
    pub target: String,
    /// The container's rows that hold its chunks.
    pub rows: Range<u64>,
    /// Number of values.
    pub values: u64,
    /// Bytes of side information and packets.
    pub bytes: u64,
    /// Mean squared error over mean square of the finite values.
    ///
    /// Exact but for rounding, save that a chunk without energy counts with its largest error on every value.
    pub nmse: f64,
    /// Largest absolute error of the finite values.
    pub max_abs_error: f64,
    /// Sum of squares of the finite original values.
    pub energy: f64,
    /// Counts of values that changed in kind.
    pub side_effects: SideEffects,
    /// The codecs of its chunks, in order of appearance.
    pub codecs: Vec<CodecId>,
    /// The transforms of its chunks, in order of appearance, at most [`TensorEntry::TRANSFORMS`].
    pub transforms: Vec<String>,
}

impl TensorEntry {
    /// Most transforms that an entry lists.
    pub const TRANSFORMS: usize = 64;

    /// Whether the tensor is Telecine's own, not one of the caller's.
    pub fn is_internal(&self) -> bool {
        self.meta.name.starts_with(RESERVED_PREFIX)
    }

    /// Bits per value, side information included; 0 for a tensor without values.
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn bits(&self) -> f64 {
        if self.values == 0 { 0.0 } else { self.bytes as f64 * 8.0 / self.values as f64 }
    }
}

/// Sums up a tensor's rows.
#[derive(Debug)]
pub(crate) struct Sum {
    entry: TensorEntry,
    squared_error: f64,
}

impl Sum {
    /// Begins with the tensor's first row, which is the container's row `number`.
    pub(crate) fn new(row: &Row<'_>, checked: &Checked, number: u64) -> Self {
        let mut sum = Self {
            entry: TensorEntry {
                meta: TensorMeta::new(row.tensor, checked.dtype, &*row.shape),
                target: row.target.to_owned(),
                rows: number..number,
                values: 0,
                bytes: 0,
                nmse: 0.0,
                max_abs_error: 0.0,
                energy: 0.0,
                side_effects: SideEffects::default(),
                codecs: Vec::new(),
                transforms: Vec::new(),
            },
            squared_error: 0.0,
        };
        sum.add(row, checked);
        sum
    }

    pub(crate) fn add(&mut self, row: &Row<'_>, checked: &Checked) {
        let entry = &mut self.entry;
        entry.rows.end += 1;
        entry.values += row.values;
        // A file of lies about sizes has been refused by now: each chunk's bytes are there.
        entry.bytes += row.bytes;
        entry.energy += row.energy;
        entry.side_effects.merge(&row.side_effects);
        entry.max_abs_error = entry.max_abs_error.max(row.max_abs_error);
        if row.nmse != 0.0 {
            #[expect(clippy::cast_precision_loss, reason = "a weight")]
            let values = row.values as f64;
            self.squared_error +=
                if row.energy == 0.0 { row.max_abs_error.powi(2) * values } else { row.nmse * row.energy };
        }
        if !entry.codecs.contains(&checked.codec) && entry.codecs.len() < TensorEntry::TRANSFORMS {
            entry.codecs.push(checked.codec);
        }
        if entry.transforms.len() < TensorEntry::TRANSFORMS
            && !entry.transforms.iter().any(|known| known == row.transform)
        {
            entry.transforms.push(row.transform.to_owned());
        }
    }

    pub(crate) fn finish(mut self) -> TensorEntry {
        if self.squared_error != 0.0 {
            self.entry.nmse = self.squared_error / self.entry.energy;
        }
        self.entry
    }
}
