//! Backend `native`, codec `tns1`: entropy-coded trellis-coded quantisation for tensors.

mod backend;
mod bytes;
mod context;
mod decode;
mod encode;
mod entropy;
mod model;
mod plain;
mod plane;
mod range;
mod rates;
mod shape;
mod simd;
mod symbols;
mod table;
mod trellis;
mod viterbi;

pub use backend::Native;
