//! Backend `native`, codec `tns1`: entropy-coded trellis-coded quantisation for tensors.

mod backend;
mod bytes;
mod cells;
mod context;
mod decode;
mod encode;
mod entropy;
mod histogram;
mod instructions;
mod model;
mod order;
mod plain;
mod plane;
mod range;
mod rates;
mod search;
mod simd;
mod symbols;
mod table;
mod transpose;
mod trellis;

pub use backend::Native;
pub use instructions::Instructions;
