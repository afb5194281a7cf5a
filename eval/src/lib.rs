//! What a language model still does after its weights, KV cache or activations went through Telecine.

pub mod args;
pub mod calibrate;
pub mod candle;
mod commands;
mod error;
pub mod feedback;
pub mod files;
pub mod klt;
pub mod model;
pub mod pack;
pub mod page;
pub mod quality;
pub mod rivals;
pub mod rows;
pub mod sensitivity;
pub mod setup;
pub mod source;

pub use commands::run;
pub use error::{Error, Result};
pub use model::Config;
