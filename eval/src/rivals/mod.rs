//! Other people's quantisers, implemented plainly as references, their bits counted with their scales.

/// A matrix of f32 values, row after row: an output neuron's weights, or a token, is a row.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// `rows * cols` values.
    pub values: &'a [f32],
}

/// What a quantiser made of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantised {
    /// The values that come back, in the order of the matrix.
    pub values: Vec<f32>,
    /// All bits that are stored: indices, scales, offsets, code books.
    pub bits: u64,
}
