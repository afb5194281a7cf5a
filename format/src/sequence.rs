//! The order of rows: a tensor's chunks lie together, in order and without gaps, and no name comes twice.

use std::collections::HashMap;

use telecine_core::{DType, Error, Result};

use crate::row::{Checked, Row};

/// Follows the rows of a container, written or read.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    /// Every name so far, with the number of its tensor.
    names: HashMap<String, usize>,
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
        if self.names.contains_key(row.tensor) {
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
        self.names.insert(current.name.clone(), self.names.len());
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

    /// Every name with the number of its tensor.
    pub(crate) fn into_names(self) -> HashMap<String, usize> {
        self.names
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
