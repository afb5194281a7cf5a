//! What keeps the keys and values of the tokens seen.

use candle_core::Tensor;

use crate::Result;

/// Keys and values of every layer, for one sequence.
pub trait Cache {
    /// Whether it wants keys before the rotary embedding, which the model then applies to all that it returns.
    fn takes_keys_before_rope(&self) -> bool {
        false
    }

    /// Takes the keys and values of the next tokens, `[heads, tokens, head_dim]`, and returns those of all tokens so
    /// far.
    ///
    /// # Errors
    /// What the cache's codec or the runtime refuses.
    fn append(&mut self, layer: usize, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)>;
}

/// A cache that keeps everything as it is.
#[derive(Debug, Default)]
pub struct PlainCache {
    layers: Vec<Option<(Tensor, Tensor)>>,
}

impl Cache for PlainCache {
    fn append(&mut self, layer: usize, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)> {
        if self.layers.len() <= layer {
            self.layers.resize(layer + 1, None);
        }
        let all = match &self.layers[layer] {
            None => (keys.clone(), values.clone()),
            Some((k, v)) => (Tensor::cat(&[k, keys], 1)?, Tensor::cat(&[v, values], 1)?),
        };
        self.layers[layer] = Some(all.clone());
        Ok(all)
    }
}
