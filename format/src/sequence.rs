//! The order of rows: a tensor's chunks lie together, in order and without gaps, and no name comes twice.

use std::collections::HashSet;

use telecine_core::{DType, Error, Result};
use twox_hash::XxHash3_128;

use crate::row::{Checked, Row};

/// Follows the rows of a container, written or read.
///
/// Memory is 16 bytes for each tensor, about, and each tensor has a row: [`Limits::packets`](telecine_core::Limits::packets) bounds it where it is held.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    /// XXH3-128 of every name so far. Two of 2^26 different names collide with a chance of 2^-77: names that were chosen so
    /// that they do are refused, which harms nobody but whoever chose them.
    names: HashSet<u128>,
    current: Option<Current>,
}

/// The tensor whose rows come now.
#[derive(Debug)]
struct Current {
    name: String,
    dtype: DType,
    shape: Vec<u64>,
    target: String,
    rows: u64,
    next_chunk: u32,
    next_row: u64,
}

impl Sequence {
    /// Takes the next row; tells whether it begins a tensor.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a row that cannot come here; the sequence is then as before.
    pub(crate) fn step(&mut self, row: &Row<'_>, checked: &Checked) -> Result<bool> {
        if let Some(current) = self.current.as_mut().filter(|current| current.next_row < current.rows) {
            current.step(row, checked)?;
            return Ok(false);
        }
        let hash = XxHash3_128::oneshot(row.tensor.as_bytes());
        if self.names.contains(&hash) {
            return Err(Error::invalid(format!("tensor {:?} comes twice", row.tensor)));
        }
        let mut current = Current {
            name: row.tensor.to_owned(),
            dtype: checked.dtype,
            shape: row.shape.to_vec(),
            target: row.target.to_owned(),
            rows: checked.matrix.rows,
            next_chunk: 0,
            next_row: 0,
        };
        current.step(row, checked)?;
        self.names.insert(hash);
        self.current = Some(current);
        Ok(true)
    }

    /// Checks that the last tensor is whole.
    ///
    /// # Errors
    /// [`Error::Invalid`] where rows are missing.
    pub(crate) fn end(&self) -> Result<()> {
        match &self.current {
            Some(current) if current.next_row < current.rows => Err(Error::invalid(format!(
                "tensor {:?} ends after {} of its {} rows",
                current.name, current.next_row, current.rows
            ))),
            _ => Ok(()),
        }
    }
}

impl Current {
    fn step(&mut self, row: &Row<'_>, checked: &Checked) -> Result<()> {
        let same_tensor = row.tensor == self.name
            && checked.dtype == self.dtype
            && *row.shape == *self.shape
            && row.target == self.target;
        let next = row.chunk == self.next_chunk && row.row_start == self.next_row;
        let progress = row.row_end > row.row_start || self.rows == 0;
        if !same_tensor || !next || !progress {
            return Err(Error::invalid(format!(
                "chunk {} with rows {}..{} of tensor {:?} ({} {:?}, {}) comes where chunk {} from row {} of tensor \
                 {:?} ({} {:?}, {}) is due",
                row.chunk,
                row.row_start,
                row.row_end,
                row.tensor,
                row.dtype,
                row.shape,
                row.target,
                self.next_chunk,
                self.next_row,
                self.name,
                self.dtype,
                self.shape,
                self.target
            )));
        }
        // Each chunk has a row of the tensor at least, but a column of 2^32 values can be cut finer than u32 counts.
        self.next_chunk = self
            .next_chunk
            .checked_add(1)
            .ok_or_else(|| Error::invalid(format!("tensor {:?} has 2^32 chunks", self.name)))?;
        self.next_row = row.row_end;
        Ok(())
    }
}
