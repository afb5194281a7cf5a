//! What `sweep` measured: the input of the page, and the document that `--json` writes.

use serde::Serialize;

/// All measurements of one sweep.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SweepData {
    /// The heading of the page, such as the name of the model.
    pub(crate) title: String,
    /// Where the tensors came from, and on what machine they were measured.
    pub(crate) source: String,
    /// The command that made the report.
    pub(crate) command: String,
    /// The tensors, in the order of the page.
    pub(crate) tensors: Vec<TensorCurve>,
}

/// One tensor and its curves.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct TensorCurve {
    /// The tensor's name: text of the input file, so anything at all.
    pub(crate) name: String,
    /// The group that the tensor is plotted in: its name without layer numbers, say.
    pub(crate) kind: String,
    /// The dtype's name, such as `bf16`.
    pub(crate) dtype: String,
    /// Sizes of the axes, outermost first.
    pub(crate) shape: Vec<u64>,
    /// Number of values; the tensor's weight in every mean.
    pub(crate) values: u64,
    /// Standard deviation of the values.
    pub(crate) std: f64,
    /// Mean of the squared values, the denominator of the normalised error.
    pub(crate) mean_square: f64,
    /// One curve per codec and backend.
    pub(crate) curves: Vec<Curve>,
}

/// One codec's measurements on one tensor.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Curve {
    /// The four-byte codec id, such as `tns1`.
    pub(crate) codec: String,
    /// The backend that coded, such as `native`.
    pub(crate) backend: String,
    /// One measurement per target, in any order.
    pub(crate) points: Vec<Point>,
}

/// One measurement: a tensor encoded and decoded at one target.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Point {
    /// Bits per value that were asked for.
    pub(crate) target_bits: f64,
    /// Bits per value that it took, all bytes counted.
    pub(crate) bits: f64,
    /// Mean squared error over mean square; 0 where every value came back exactly.
    pub(crate) nmse: f64,
    /// Largest absolute error, in the tensor's own unit.
    pub(crate) max_abs_error: f64,
    /// Wall-clock seconds of the encoder.
    pub(crate) encode_seconds: f64,
    /// Wall-clock seconds of the decoder.
    pub(crate) decode_seconds: f64,
    /// The transform chain that was used, such as `centre+hadamard`.
    pub(crate) transform: String,
}
