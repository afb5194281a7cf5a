//! From the fetched packages to a reference model and tokens.

mod gguf;
mod rotate;
mod text;
mod tokens;

use std::collections::BTreeMap;

pub use gguf::read_gguf;
pub use rotate::rotate;
pub use text::read_text;
pub use tokens::{TEST_TEXT_TOKENS, tokenizer};

use crate::Config;
use crate::rivals::Matrix;

/// A matrix of a model's weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// Rows: outputs, or words.
    pub rows: usize,
    /// Columns: inputs.
    pub cols: usize,
    /// `rows * cols` values, row after row. A vector has one row.
    pub values: Vec<f32>,
}

impl Weight {
    /// For the rivals.
    pub fn matrix(&self) -> Matrix<'_> {
        Matrix { rows: self.rows, cols: self.cols, values: &self.values }
    }
}

/// A model as Hugging Face names and lays it out: every weight `[out, in]`, rotary halves apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Sizes of the model.
    pub config: Config,
    /// Matrices and vectors by name, such as `model.layers.0.self_attn.q_proj.weight`.
    pub tensors: BTreeMap<String, Weight>,
}
