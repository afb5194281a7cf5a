//! How a tensor of any shape is read as a matrix, and how its rows are cut into chunks.

use std::ops::Range;

/// Trailing dimensions are joined until a row has this many values, so that convolution kernels make useful rows.
const MIN_COLS: u64 = 16;
/// A longer row is not kept whole: the tensor is then read as one column.
const MAX_COLS: u64 = 1 << 20;
/// From this many rows on, chunks start at multiples of it, so that row transforms seldom meet a short block.
const ROW_ALIGN: u64 = 64;

/// A tensor read as `rows` × `cols`, in row-major order; everything above the backends works on this view.
///
/// A row is the last dimension, joined with those before it while it is shorter than 16 values. Vectors, and tensors
/// whose rows exceed 2²⁰ values, are one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixShape {
    /// Number of rows.
    pub rows: u64,
    /// Values of a row; at least 1.
    pub cols: u64,
    /// Rows that belong together, such as the tokens of one head: divides `rows`.
    pub inner_rows: u64,
}

impl MatrixShape {
    /// The matrix view of a shape. The product of its dimensions must not overflow.
    pub fn of(shape: &[u64]) -> Self {
        let values: u64 = if shape.contains(&0) { 0 } else { shape.iter().product() };
        let flat = Self { rows: values, cols: 1, inner_rows: values.max(1) };
        if shape.len() < 2 || values == 0 {
            return flat;
        }
        let mut axis = shape.len() - 1;
        let mut cols = shape[axis];
        while cols < MIN_COLS && axis > 1 {
            axis -= 1;
            cols *= shape[axis];
        }
        if cols > MAX_COLS {
            return flat;
        }
        Self { rows: values / cols, cols, inner_rows: shape[axis - 1] }
    }

    /// Number of values.
    pub fn values(&self) -> u64 {
        self.rows * self.cols
    }

    /// Cuts the rows into chunks of about `chunk_values` values, at least one row each, in order.
    ///
    /// Rows that belong together share a chunk where they fit, and otherwise chunks do not straddle two such sets.
    pub fn chunks(&self, chunk_values: u64) -> Chunks {
        let rows_wanted = (chunk_values / self.cols).max(1);
        let block = if self.inner_rows >= rows_wanted.div_ceil(4) { self.inner_rows } else { self.rows };
        let pieces = block.div_ceil(rows_wanted).max(1);
        let mut piece = block.div_ceil(pieces).max(1);
        let unit = if block == self.inner_rows { ROW_ALIGN } else { self.inner_rows };
        if piece >= 4 * unit {
            piece = piece.next_multiple_of(unit);
        }
        Chunks { rows: self.rows, block: block.max(1), piece }
    }
}

/// The row ranges of a tensor's chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunks {
    rows: u64,
    block: u64,
    piece: u64,
}

impl Chunks {
    /// Number of chunks.
    pub fn len(&self) -> u64 {
        (self.rows / self.block) * self.block.div_ceil(self.piece)
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The rows of the `index`-th chunk.
    pub fn rows(&self, index: u64) -> Range<u64> {
        let pieces = self.block.div_ceil(self.piece);
        let base = index / pieces * self.block;
        let start = index % pieces * self.piece;
        base + start..base + (start + self.piece).min(self.block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(shape: &[u64]) -> (u64, u64) {
        let m = MatrixShape::of(shape);
        (m.rows, m.cols)
    }

    #[test]
    fn rows_are_what_belongs_together() {
        assert_eq!(matrix(&[]), (1, 1));
        assert_eq!(matrix(&[7]), (7, 1));
        assert_eq!(matrix(&[384, 1536]), (384, 1536));
        assert_eq!(matrix(&[3, 2048, 64]), (6144, 64));
        assert_eq!(matrix(&[64, 32, 3, 3]), (64, 288));
        assert_eq!(matrix(&[2, 5]), (2, 5));
        assert_eq!(matrix(&[2, 1 << 21]), (1 << 22, 1));
        assert_eq!(matrix(&[4, 0, 3]), (0, 1));
    }

    #[test]
    fn chunks_cover_every_row_once_in_order() {
        for shape in [
            &[][..],
            &[1],
            &[1 << 19],
            &[1000, 3],
            &[3, 2048, 64],
            &[100, 7, 64],
            &[30522, 384],
            &[5, 900_000],
        ] {
            for chunk_values in [1, 1000, 1 << 18] {
                let matrix = MatrixShape::of(shape);
                let chunks = matrix.chunks(chunk_values);
                let mut next = 0;
                for index in 0..chunks.len() {
                    let rows = chunks.rows(index);
                    assert!(rows.start == next && rows.end > rows.start, "{shape:?} {chunk_values} {rows:?}");
                    next = rows.end;
                }
                assert_eq!(next, matrix.rows, "{shape:?} {chunk_values}");
            }
        }
    }

    #[test]
    fn heads_are_not_mixed_when_they_are_large() {
        let chunks = MatrixShape::of(&[3, 2048, 64]).chunks(1 << 18);
        assert_eq!(
            (0..chunks.len()).map(|i| chunks.rows(i)).collect::<Vec<_>>(),
            [0..2048, 2048..4096, 4096..6144]
        );
    }
}
