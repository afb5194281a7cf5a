//! What each tool of a video codec is worth on tensors: the analysis of VcLLM (arXiv 2407.00467), redone.

mod front_end;
mod measure;
mod stack;
mod stages;
mod verdict;

use serde::Serialize;

pub(crate) use front_end::{FrontEnd, Samples, ours};
pub(crate) use stack::{Stack, stacks};
pub(crate) use stages::{Cell, EncoderStages, Stage, measure_stages};
pub(crate) use verdict::{PAPER, Verdict, verdicts};

use crate::report::TensorCurve;

/// All figures of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Ablation {
    /// The files that the tensors came from.
    pub(crate) source: String,
    /// The command that made the report.
    pub(crate) command: String,
    /// The normalised mean squared error that stages are compared at.
    pub(crate) nmse: f64,
    /// One entry for each kind of tensor.
    pub(crate) stacks: Vec<Measured>,
    /// What became of each of the paper's findings.
    pub(crate) verdicts: Vec<Verdict>,
}

/// The figures of one stack of planes.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// The tensors' name, `*` for a layer's number.
    pub(crate) name: String,
    /// Planes, rows and columns.
    pub(crate) shape: [usize; 3],
    /// Order-0 entropy of the row-wise 8-bit samples, in bits: what a coder without any model of neighbours gets.
    pub(crate) entropy: f64,
    /// Stage by stage, one entry for each encoder.
    pub(crate) encoders: Vec<EncoderStages>,
    /// The same tensors through the paper's front end and through ours.
    pub(crate) front_ends: Vec<FrontEnd>,
    /// Bits per value over the error, side by side.
    pub(crate) curves: TensorCurve,
}
