//! Backend `native`, codec `tns1`: entropy-coded trellis-coded quantisation for tensors.

mod backend;
mod bytes;
mod cells;
mod choose;
mod context;
mod decode;
mod differences;
mod encode;
mod entropy;
mod histogram;
mod instructions;
mod mask;
mod model;
mod order;
mod palette;
mod part;
mod plain;
mod plane;
mod range;
mod rates;
mod search;
mod simd;
mod stored;
mod survey;
mod symbols;
mod table;
mod transpose;
mod trellis;

pub use backend::Native;
pub use instructions::Instructions;
