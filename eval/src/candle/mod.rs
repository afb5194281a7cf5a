//! What a program built on candle adds to keep weights and caches compressed.

pub mod kv_cache;
mod linear;
mod tensor;
mod vars;

pub use kv_cache::{CacheBytes, CompressedCache};
pub use linear::{CompressedEmbedding, CompressedLinear};
pub use tensor::{from_candle, to_candle};
pub use vars::{Vars, open_vars};
