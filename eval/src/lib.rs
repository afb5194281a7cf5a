//! What a language model still does after its weights, KV cache or activations went through Telecine.

pub mod rivals;
