//! A Llama-like model on candle, with places to put other linear layers, another KV cache, and something between layers.

mod attention;
mod cache;
mod config;
mod llama;

pub use cache::{Cache, PlainCache};
pub use config::{Config, weight_name};
pub use llama::{Layer, Linear, Llama, untouched};
