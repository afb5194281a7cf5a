//! A Llama model out of a GGUF file, dequantised.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, Value};

use super::{Weight, Weights};
use crate::model::{Config, weight_name};
use crate::{Error, Result};

/// Reads a model of architecture `llama`, and the file's metadata for its tokenizer.
///
/// Rows of queries and keys are put back from llama.cpp's order (pairs of rotary partners side by side) into that of
/// Hugging Face (halves apart). A model without `output.weight` has its embedding as head.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] for a file that is not GGUF or damaged, another architecture, a type of tensor that
/// is not read, missing tensors, sizes that do not fit, and values that are not finite.
pub fn read_gguf(path: &Path) -> Result<(Weights, Content)> {
    let about = |error: candle_core::Error| Error::input(format!("{}: {error}", path.display()));
    let mut file = BufReader::new(File::open(path).map_err(|error| Error::io(path, error))?);
    let content = Content::read(&mut file).map_err(about)?;
    let config = config(&content)?;
    let mut tensors = BTreeMap::new();
    let mut read = |name: &str, rows: usize, cols: usize| -> Result<Weight> {
        let tensor = content.tensor(&mut file, name, &Device::Cpu).map_err(about)?;
        let found = tensor.shape().dims().to_vec();
        let expected = if rows == 1 { vec![cols] } else { vec![rows, cols] };
        if found != expected {
            return Err(Error::input(format!("{name} has shape {found:?}, and {expected:?} was expected")));
        }
        let values = tensor.dequantize(&Device::Cpu).and_then(|t| t.flatten_all()?.to_vec1::<f32>());
        let values = values.map_err(about)?;
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::input(format!("{name} holds {} at {at}", values[at])));
        }
        Ok(Weight { rows, cols, values })
    };
    let (hidden, vocabulary) = (config.hidden_size, config.vocab_size);
    let embedding = read("token_embd.weight", vocabulary, hidden)?;
    let head = if content.tensor_infos.contains_key("output.weight") {
        read("output.weight", vocabulary, hidden)?
    } else {
        embedding.clone()
    };
    tensors.insert("model.embed_tokens.weight".to_owned(), embedding);
    tensors.insert("lm_head.weight".to_owned(), head);
    tensors.insert("model.norm.weight".to_owned(), read("output_norm.weight", 1, hidden)?);
    for layer in 0..config.num_hidden_layers {
        for (part, name) in [("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm")] {
            tensors.insert(weight_name(layer, part), read(&format!("blk.{layer}.{name}.weight"), 1, hidden)?);
        }
        for (part, rows, cols) in config.projections() {
            let name = format!("blk.{layer}.{}.weight", short_name(part));
            let mut weight = read(&name, rows, cols)?;
            if matches!(part, "self_attn.q_proj" | "self_attn.k_proj") {
                weight.values = halves_apart(&weight, config.head_dim());
            }
            tensors.insert(weight_name(layer, part), weight);
        }
    }
    Ok((Weights { config, tensors }, content))
}

fn short_name(part: &str) -> &'static str {
    match part {
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        _ => "ffn_down",
    }
}

/// Rows `2i` and `2i + 1` of a head become rows `i` and `head_dim / 2 + i`.
fn halves_apart(weight: &Weight, head_dim: usize) -> Vec<f32> {
    let cols = weight.cols;
    let mut out = vec![0.0; weight.values.len()];
    for (from, row) in weight.values.chunks_exact(cols).enumerate() {
        let (head, place) = (from / head_dim, from % head_dim);
        let to = head * head_dim + (place % 2) * head_dim / 2 + place / 2;
        out[to * cols..][..cols].copy_from_slice(row);
    }
    out
}

fn config(content: &Content) -> Result<Config> {
    let get = |key: &str| {
        content.metadata.get(key).ok_or_else(|| Error::input(format!("the GGUF file lacks {key}")))
    };
    let architecture = get("general.architecture")?.to_string().cloned().unwrap_or_default();
    if architecture != "llama" {
        return Err(Error::input(format!(
            "the model's architecture is {architecture:?}; only llama is evaluated"
        )));
    }
    let size = |key: &str| get(key).and_then(|value| unsigned(key, value));
    let float = |key: &str| {
        let value = get(key)?.to_f32().map_err(|error| Error::input(format!("{key}: {error}")))?;
        if value.is_finite() && value > 0.0 {
            Ok(f64::from(value))
        } else {
            Err(Error::input(format!("{key} is {value}")))
        }
    };
    let vocab_size = get("tokenizer.ggml.tokens")?.to_vec().map_or(0, Vec::len);
    let config = Config {
        hidden_size: size("llama.embedding_length")?,
        intermediate_size: size("llama.feed_forward_length")?,
        num_hidden_layers: size("llama.block_count")?,
        num_attention_heads: size("llama.attention.head_count")?,
        num_key_value_heads: size("llama.attention.head_count_kv")?,
        vocab_size,
        max_position_embeddings: size("llama.context_length")?,
        rope_theta: float("llama.rope.freq_base")?,
        rms_norm_eps: float("llama.attention.layer_norm_rms_epsilon")?,
    };
    config.check()?;
    Ok(config)
}

fn unsigned(key: &str, value: &Value) -> Result<usize> {
    let wrong = || Error::input(format!("{key} is not a size"));
    let size = value.to_u64().or_else(|_| value.to_u32().map(u64::from)).map_err(|_| wrong())?;
    usize::try_from(size).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotary_partners_move_half_a_head_apart() {
        let weight = Weight { rows: 8, cols: 1, values: (0..8u8).map(f32::from).collect() };
        assert_eq!(halves_apart(&weight, 4), [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
    }
}
