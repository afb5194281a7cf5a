//! Backend `native`, codec `tns1`: entropy-coded trellis-coded quantisation for tensors.

mod backend;
mod bytes;
mod context;
mod decode;
mod encode;
mod model;
mod plane;
mod range;
mod rates;
mod table;
mod trellis;
mod viterbi;

pub use backend::Native;
