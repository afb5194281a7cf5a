//! Sizes of a model.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The sizes of a Llama-like model, by the names of Hugging Face's `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside of the feed-forward layers.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Number of query heads.
    pub num_attention_heads: usize,
    /// Number of key and value heads.
    pub num_key_value_heads: usize,
    /// Number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// The longest context that the model was trained for.
    pub max_position_embeddings: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// What is added to the mean square before its root is taken.
    pub rms_norm_eps: f64,
}

impl Config {
    /// Values per head.
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Values of all key heads of a token side by side.
    pub fn kv_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim()
    }

    /// Checks that the sizes fit each other.
    ///
    /// # Errors
    /// [`Error::Input`] where a size is 0 or does not divide as attention needs it.
    pub fn check(&self) -> Result<()> {
        let sizes = [
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        if let Some((name, size)) = sizes.into_iter().find(|(_, size)| !(1..1 << 24).contains(size)) {
            return Err(Error::input(format!("the model's {name} is {size}")));
        }
        let divides = |whole: usize, part: usize| whole.is_multiple_of(part);
        if !divides(self.hidden_size, 2 * self.num_attention_heads)
            || !divides(self.num_attention_heads, self.num_key_value_heads)
        {
            return Err(Error::input(format!(
                "{} query heads and {} key heads do not divide a width of {}",
                self.num_attention_heads, self.num_key_value_heads, self.hidden_size
            )));
        }
        Ok(())
    }

    /// The projections of a layer: name, rows, columns.
    pub fn projections(&self) -> [(&'static str, usize, usize); 7] {
        let (hidden, inner, kv) = (self.hidden_size, self.intermediate_size, self.kv_width());
        [
            ("self_attn.q_proj", hidden, hidden),
            ("self_attn.k_proj", kv, hidden),
            ("self_attn.v_proj", kv, hidden),
            ("self_attn.o_proj", hidden, hidden),
            ("mlp.gate_proj", inner, hidden),
            ("mlp.up_proj", inner, hidden),
            ("mlp.down_proj", hidden, inner),
        ]
    }
}

/// The name of a layer's weight: `model.layers.3.mlp.up_proj.weight`.
pub fn weight_name(layer: usize, part: &str) -> String {
    format!("model.layers.{layer}.{part}.weight")
}
