//! The sizes of a model, from the `config.json` that Hugging Face's models come with.

use std::path::Path;

use serde::Deserialize;

use crate::failure::{Failure, Result};

/// A decoder of layers with grouped-query attention and a gated feed-forward net: Llama, Mistral, Qwen2 and their kin.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ModelConfig {
    hidden_size: u64,
    intermediate_size: u64,
    num_hidden_layers: u64,
    num_attention_heads: u64,
    num_key_value_heads: Option<u64>,
    head_dim: Option<u64>,
    vocab_size: u64,
    max_position_embeddings: u64,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

/// Keys of models whose layers are others.
const OTHER: [&str; 7] = [
    "num_local_experts",
    "n_routed_experts",
    "num_experts",
    "kv_lora_rank",
    "ssm_cfg",
    "is_encoder_decoder",
    "text_config",
];
/// Beyond this a size is a mistake, and products would not fit.
const MOST: u64 = 1 << 24;

impl ModelConfig {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| Failure::io(path, "cannot be read", &error))?;
        let text = std::str::from_utf8(&bytes).map_err(|error| Failure::damaged(path, error))?;
        Self::parse(text).map_err(|reason| Failure::damaged(path, reason))
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let config: Self = serde_json::from_str(text)
            .map_err(|error| format!("is no configuration of a language model: {error}"))?;
        let set = |value: &serde_json::Value| !value.is_null() && *value != serde_json::Value::Bool(false);
        if let Some(key) = OTHER.iter().find(|key| config.rest.get(**key).is_some_and(set)) {
            return Err(format!("has {key}: only dense decoders with grouped-query attention are planned"));
        }
        let sizes = [
            ("hidden_size", config.hidden_size),
            ("intermediate_size", config.intermediate_size),
            ("num_hidden_layers", config.num_hidden_layers),
            ("num_attention_heads", config.num_attention_heads),
            ("num_key_value_heads", config.kv_heads()),
            ("vocab_size", config.vocab_size),
            ("max_position_embeddings", config.max_position_embeddings),
            ("head_dim", config.head_dim.unwrap_or(1)),
        ];
        if let Some((key, size)) = sizes.into_iter().find(|(_, size)| !(1..=MOST).contains(size)) {
            return Err(format!("{key} is {size}: 1 to {MOST}"));
        }
        let (hidden, heads, kv) = (config.hidden_size, config.num_attention_heads, config.kv_heads());
        if config.head_dim.is_none() && !hidden.is_multiple_of(heads) {
            return Err(format!("a hidden_size of {hidden} does not divide into {heads} heads"));
        }
        if !heads.is_multiple_of(kv) {
            return Err(format!("{heads} attention heads do not divide into {kv} groups"));
        }
        Ok(config)
    }

    /// Values of all weights, keys and values of a token in all layers, and values of a token at work, however large.
    pub(crate) fn totals(&self) -> (u128, u128, u128) {
        let wide = |number: u64| u128::from(number);
        let (hidden, layers) = (wide(self.hidden_size), wide(self.num_hidden_layers));
        let queries = wide(self.num_attention_heads) * wide(self.head());
        let kv = 2 * wide(self.kv_heads()) * wide(self.head());
        let layer = hidden * (2 * queries + kv + 3 * wide(self.intermediate_size) + 2);
        let token = 2 * hidden + (2 * queries + kv).max(2 * wide(self.intermediate_size));
        (layers * layer + (2 * wide(self.vocab_size) + 1) * hidden, layers * kv, token)
    }

    fn kv_heads(&self) -> u64 {
        self.num_key_value_heads.unwrap_or(self.num_attention_heads)
    }

    fn head(&self) -> u64 {
        self.head_dim.unwrap_or(self.hidden_size / self.num_attention_heads)
    }

    /// Number of layers.
    pub(crate) fn layers(&self) -> u64 {
        self.num_hidden_layers
    }

    /// The longest context that the model takes, in tokens.
    pub(crate) fn most_tokens(&self) -> u64 {
        self.max_position_embeddings
    }

    /// Keys, or values, of a token in one layer.
    pub(crate) fn kv_width(&self) -> u64 {
        self.kv_heads() * self.head()
    }

    /// Values of the largest projection of a layer.
    pub(crate) fn largest_projection(&self) -> u64 {
        self.hidden_size * self.intermediate_size.max(self.num_attention_heads * self.head())
    }

    /// Values of the projections of a layer: queries and output, keys and values, the feed-forward net's three.
    pub(crate) fn layer_values(&self) -> u64 {
        let queries = self.num_attention_heads * self.head();
        self.hidden_size * (2 * queries + 2 * self.kv_width() + 3 * self.intermediate_size)
    }

    /// Values of the gains of a layer's two norms.
    pub(crate) fn norm_values(&self) -> u64 {
        2 * self.hidden_size
    }

    /// Values of the embedding, and of the head.
    pub(crate) fn embedding_values(&self) -> u64 {
        self.vocab_size * self.hidden_size
    }

    /// Whether the embedding is the head.
    pub(crate) fn tied(&self) -> bool {
        self.tie_word_embeddings
    }

    /// Values that a token has at work in a layer at the same time: the residual stream, its normed copy, and queries,
    /// keys, values and attended values, or the two inner products of the feed-forward net.
    pub(crate) fn token_values(&self) -> u64 {
        let attention = 2 * self.num_attention_heads * self.head() + 2 * self.kv_width();
        2 * self.hidden_size + attention.max(2 * self.intermediate_size)
    }

    /// Tokens of the vocabulary.
    pub(crate) fn vocabulary(&self) -> u64 {
        self.vocab_size
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Llama 3.1 70B: the sizes of LLaMA-3-70B, whose own configuration ends at 8,192 tokens.
    pub(in crate::plan) fn llama_70b() -> ModelConfig {
        let text = r#"{"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
            "num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 128256,
            "max_position_embeddings": 131072, "tie_word_embeddings": false, "num_local_experts": null}"#;
        ModelConfig::parse(text).unwrap()
    }

    #[test]
    fn seventy_billion_values_are_counted() {
        let config = llama_70b();
        let all = 80 * (config.layer_values() + config.norm_values()) + 2 * config.embedding_values() + 8192;
        assert_eq!(all, 70_553_706_496);
        assert_eq!(config.kv_width(), 1024);
    }

    #[test]
    fn totals_are_sums_of_the_parts() {
        let config = llama_70b();
        let token = u128::from(config.token_values());
        assert_eq!(config.totals(), (70_553_706_496, 80 * 2 * 1024, token));
    }

    #[test]
    fn what_is_not_planned_is_refused() {
        let with = |change: &str| {
            let text = r#"{"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
                "num_attention_heads": 4, "vocab_size": 100, "max_position_embeddings": 512, CHANGE}"#;
            ModelConfig::parse(&text.replace("CHANGE", change))
        };
        assert!(with(r#""x": 1"#).is_ok());
        for (change, reason) in [
            (r#""num_local_experts": 8"#, "num_local_experts"),
            (r#""num_key_value_heads": 3"#, "do not divide"),
            (r#""num_key_value_heads": 0"#, "num_key_value_heads is 0"),
            (r#""head_dim": 99999999999"#, "head_dim is"),
            (r#""head_dim": -1"#, "no configuration"),
        ] {
            let error = with(change).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
