//! From a tensor to coded chunks and back.

mod decode;
mod encode;
mod exact;
mod job;
mod likeness;
mod magnitudes;
mod plan;
mod quantiser;
mod report;
mod sample;
mod scale;
mod search;
mod side;
mod source;
mod survey;
mod values;
mod worker;

pub use decode::{ChunkDecoder, decode_rows};
pub use encode::encode;

use std::sync::Arc;

use crate::{Basis, CodecId, Effort, Importance, Limits, SideEffects, Target, TransformChoice};

/// How to encode a tensor.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Encoding {
    /// What is wanted.
    pub target: Target,
    /// The bitstream; `None` takes the registry's first with a step, or for lossless the one that makes a sample smallest.
    pub codec: Option<CodecId>,
    /// The name of the one backend to use; `None` takes the first of the codec that works here.
    pub backend: Option<String>,
    /// How long to search.
    pub effort: Effort,
    /// The transform before quantisation.
    pub transform: TransformChoice,
    /// Bases that automatic choice may rotate rows by, where their size fits; the caller stores them.
    pub bases: Vec<Arc<Basis>>,
    /// How much the error of each column counts; all alike unless given.
    ///
    /// A bits target then minimises the weighted error at these bits, an nmse target bounds the weighted nmse
    /// `Σw(x−x̂)² / Σwx²`, and a step's mean squared error is that of weights of mean 1. Maximum-error and lossless
    /// targets code as without.
    pub importance: Option<Arc<Importance>>,
    /// Wanted values of a chunk.
    pub chunk_values: u64,
    /// Whether a tensor of under 4,096 values, or a vector of under 100,000, is stored losslessly whatever the
    /// target says. A bits or nmse target gains nothing from squeezing them, and models are sensitive to them.
    pub keep_small: bool,
    /// Whether every value that is exactly zero comes back as zero. Without it zeros are kept where that costs under 0.02
    /// bits per value.
    pub keep_zeros: bool,
    /// Bounds on the work.
    pub limits: Limits,
}

impl Encoding {
    /// The default way to reach this target.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            codec: None,
            backend: None,
            effort: Effort::default(),
            transform: TransformChoice::Auto,
            bases: Vec::new(),
            importance: None,
            chunk_values: 1 << 18,
            keep_small: true,
            keep_zeros: false,
            limits: Limits::default(),
        }
    }

    /// Whether a tensor of this shape is stored losslessly whatever the target, being small.
    pub fn keeps_small(&self, shape: &[u64]) -> bool {
        let values = shape.iter().fold(1u64, |product, &n| product.saturating_mul(n));
        self.keep_small && values < if shape.len() < 2 { SMALL_VECTOR } else { SMALL_TENSOR }
    }
}

/// Vectors (norms, biases) with fewer values are small.
const SMALL_VECTOR: u64 = 100_000;
/// Other tensors with fewer values are small.
const SMALL_TENSOR: u64 = 4096;

/// What encoding one tensor came to, measured on the decoded output.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TensorReport {
    /// Number of values.
    pub values: u64,
    /// Bytes of all packets and their side information.
    pub bytes: u64,
    /// Normalised mean squared error over the finite values.
    pub nmse: f64,
    /// The same with each column's squares weighed by [`Encoding::importance`]; `None` without.
    pub weighted_nmse: Option<f64>,
    /// Largest absolute error of the finite values.
    pub max_abs_error: f64,
    /// Ids of the codecs used, most bytes first, joined by `,`.
    pub codec: String,
    /// The chains of transforms in the order of appearance, joined by `,`, such as `none,centre@1+dct@1(32)`.
    pub transform: String,
    /// Counts of values that changed in kind.
    pub side_effects: SideEffects,
}

impl TensorReport {
    /// Bits per value; 0 for a tensor without values.
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn bits(&self) -> f64 {
        if self.values == 0 { 0.0 } else { self.bytes as f64 * 8.0 / self.values as f64 }
    }
}
