//! The model.

use std::sync::Arc;

use candle_core::{Device, Module, Tensor};
use candle_nn::VarBuilder;
use candle_nn::rotary_emb::rope;

use super::attention::{attend, rms_norm, rotary};
use super::{Cache, Config};
use crate::{Error, Result};

/// A linear layer without bias: a dense one, a compressed one, one that watches.
pub type Linear = Arc<dyn Module + Send + Sync>;

/// A layer of the model.
#[derive(Clone)]
pub struct Layer {
    attention_norm: Tensor,
    feed_norm: Tensor,
    /// The projections, in the order of [`Config::projections`].
    pub projections: [Linear; 7],
}

/// A Llama-like model for one sequence at a time, in f32 on the CPU.
///
/// Clones share their weights.
#[derive(Clone)]
pub struct Llama {
    /// Its sizes.
    pub config: Config,
    /// Rows of the embedding, by token: `[tokens] → [tokens, hidden_size]`.
    pub embedding: Linear,
    /// Its layers.
    pub layers: Vec<Layer>,
    norm: Tensor,
    /// From the residual stream to logits.
    pub head: Linear,
    rotary: (Tensor, Tensor),
}

struct Lookup(Tensor);

impl Module for Lookup {
    fn forward(&self, tokens: &Tensor) -> candle_core::Result<Tensor> {
        self.0.index_select(tokens, 0)
    }
}

impl Llama {
    /// A model whose weights are those of `vars`, all of them dense.
    ///
    /// # Errors
    /// [`Error::Runtime`] where a weight is missing or has another shape.
    pub fn load(config: &Config, vars: &VarBuilder<'_>) -> Result<Self> {
        let dense = |name: &str, rows: usize, cols: usize| -> Result<Linear> {
            Ok(Arc::new(candle_nn::Linear::new(vars.get((rows, cols), name)?, None)))
        };
        let embedding = vars.get((config.vocab_size, config.hidden_size), "model.embed_tokens.weight")?;
        Self::load_with(config, vars, Arc::new(Lookup(embedding)), &dense)
    }

    /// A model whose norms are those of `vars`, and whose linear layers are made by `linear` from a weight's name, rows
    /// and columns.
    ///
    /// # Errors
    /// As [`Llama::load`], and what `linear` returns.
    pub fn load_with(
        config: &Config,
        vars: &VarBuilder<'_>,
        embedding: Linear,
        linear: &dyn Fn(&str, usize, usize) -> Result<Linear>,
    ) -> Result<Self> {
        let hidden = config.hidden_size;
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for layer in 0..config.num_hidden_layers {
            let mut projections = Vec::with_capacity(7);
            for (part, rows, cols) in config.projections() {
                projections.push(linear(&super::weight_name(layer, part), rows, cols)?);
            }
            let norm = |part: &str| vars.get(hidden, &super::weight_name(layer, part));
            layers.push(Layer {
                attention_norm: norm("input_layernorm")?,
                feed_norm: norm("post_attention_layernorm")?,
                projections: projections.try_into().map_err(|_| Error::input("a layer has 7 projections"))?,
            });
        }
        Ok(Self {
            config: config.clone(),
            embedding,
            layers,
            norm: vars.get(hidden, "model.norm.weight")?,
            head: linear("lm_head.weight", config.vocab_size, hidden)?,
            rotary: rotary(config.head_dim(), config.rope_theta, config.max_position_embeddings)?,
        })
    }

    /// The logits `[tokens, vocab_size]` after each of these tokens, of which the first stands at `position`.
    ///
    /// Without a cache there is nothing before them. `between` gets the residual stream `[tokens, hidden_size]` behind
    /// each layer, and returns what the next one sees.
    ///
    /// # Errors
    /// [`Error::Call`] for a context longer than the model's; what the runtime, the cache or `between` refuses.
    pub fn forward(
        &self,
        tokens: &[u32],
        position: usize,
        mut cache: Option<&mut dyn Cache>,
        between: &mut dyn FnMut(usize, Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let end = position + tokens.len();
        if end > self.config.max_position_embeddings {
            return Err(Error::call(format!(
                "a context of {end} tokens: the model takes {} at most",
                self.config.max_position_embeddings
            )));
        }
        if let Some(token) = tokens.iter().find(|&&token| token as usize >= self.config.vocab_size) {
            return Err(Error::input(format!(
                "token {token} is not among the model's {}: this is another model's tokenizer",
                self.config.vocab_size
            )));
        }
        let mut stream = self.embedding.forward(&Tensor::new(tokens, &Device::Cpu)?)?;
        for (index, layer) in self.layers.iter().enumerate() {
            stream = self.attention(index, layer, &stream, position, &mut cache)?;
            let input = rms_norm(&stream, &layer.feed_norm, self.config.rms_norm_eps)?;
            let [.., gate, up, down] = &layer.projections;
            let inner = (gate.forward(&input)?.silu()? * up.forward(&input)?)?;
            stream = (stream + down.forward(&inner)?)?;
            stream = between(index, stream)?;
        }
        let output = rms_norm(&stream, &self.norm, self.config.rms_norm_eps)?;
        Ok(self.head.forward(&output)?)
    }

    fn attention(
        &self,
        index: usize,
        layer: &Layer,
        stream: &Tensor,
        position: usize,
        cache: &mut Option<&mut dyn Cache>,
    ) -> Result<Tensor> {
        let (tokens, dim) = (stream.dim(0)?, self.config.head_dim());
        let input = rms_norm(stream, &layer.attention_norm, self.config.rms_norm_eps)?;
        let [query, key, value, output, ..] = &layer.projections;
        let heads = |linear: &Linear| -> Result<Tensor> {
            let out = linear.forward(&input)?;
            let count = out.dim(1)? / dim;
            Ok(out.reshape((tokens, count, dim))?.transpose(0, 1)?.contiguous()?)
        };
        let queries = self.turn(&heads(query)?, position)?;
        let (keys, values) = (heads(key)?, heads(value)?);
        let (keys, values) = match cache {
            None => (self.turn(&keys, position)?, values),
            Some(cache) if cache.takes_keys_before_rope() => {
                let (keys, values) = cache.append(index, &keys, &values)?;
                (self.turn(&keys, 0)?, values)
            }
            Some(cache) => cache.append(index, &self.turn(&keys, position)?, &values)?,
        };
        let attended = attend(&queries, &keys, &values)?;
        let attended = attended.transpose(0, 1)?.contiguous()?.reshape((tokens, self.config.hidden_size))?;
        Ok((stream + output.forward(&attended)?)?)
    }

    /// The rotary embedding of `[heads, tokens, dim]`, of which the first token stands at `position`.
    fn turn(&self, values: &Tensor, position: usize) -> Result<Tensor> {
        let tokens = values.dim(1)?;
        let (cos, sin) = &self.rotary;
        let (cos, sin) = (cos.narrow(0, position, tokens)?, sin.narrow(0, position, tokens)?);
        Ok(rope(&values.unsqueeze(0)?.contiguous()?, &cos.contiguous()?, &sin.contiguous()?)?.squeeze(0)?)
    }
}

/// Leaves the residual stream as it is.
pub fn untouched(_layer: usize, stream: Tensor) -> Result<Tensor> {
    Ok(stream)
}
