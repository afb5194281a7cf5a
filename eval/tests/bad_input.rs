//! What `telecine-eval` refuses: one clear line, no half-run.

#![allow(clippy::unwrap_used, reason = "a test that fails by panicking says where")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use telecine_eval::Config;
use telecine_eval::model::{Llama, untouched, weight_name};
use telecine_eval::source::read_gguf;

/// The one line of a failed run of this status.
#[track_caller]
fn refused(args: &[&str], status: i32) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_telecine-eval")).args(args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{error}");
    let lines: Vec<&str> = error.lines().filter(|line| !line.ends_with("(once)")).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("telecine-eval: "), "{error}");
    error
}

/// Exact as f32, which the file has.
const EPSILON: f32 = 1.0 / 65536.0;

fn config() -> Config {
    Config {
        hidden_size: 32,
        intermediate_size: 64,
        num_hidden_layers: 1,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        vocab_size: 8,
        max_position_embeddings: 16,
        rope_theta: 1e4,
        rms_norm_eps: f64::from(EPSILON),
    }
}

/// A GGUF file of the sizes above, with some metadata changed, and one value of one tensor.
fn write_gguf(path: &Path, change: &[(&str, Value)], tensor: &str, value: f32) {
    let words: Vec<Value> = (0..8).map(|at| Value::String(format!("w{at}"))).collect();
    let mut metadata: HashMap<&str, Value> = HashMap::from([
        ("general.architecture", Value::String("llama".into())),
        ("llama.embedding_length", Value::U32(32)),
        ("llama.feed_forward_length", Value::U32(64)),
        ("llama.block_count", Value::U32(1)),
        ("llama.attention.head_count", Value::U32(4)),
        ("llama.attention.head_count_kv", Value::U32(2)),
        ("llama.context_length", Value::U32(16)),
        ("llama.rope.freq_base", Value::F32(1e4)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(EPSILON)),
        ("tokenizer.ggml.tokens", Value::Array(words)),
    ]);
    metadata.extend(change.iter().cloned());
    let shapes: [(&str, &[usize]); 11] = [
        ("token_embd.weight", &[8, 32]),
        ("output_norm.weight", &[32]),
        ("blk.0.attn_norm.weight", &[32]),
        ("blk.0.ffn_norm.weight", &[32]),
        ("blk.0.attn_q.weight", &[32, 32]),
        ("blk.0.attn_k.weight", &[16, 32]),
        ("blk.0.attn_v.weight", &[16, 32]),
        ("blk.0.attn_output.weight", &[32, 32]),
        ("blk.0.ffn_gate.weight", &[64, 32]),
        ("blk.0.ffn_up.weight", &[64, 32]),
        ("blk.0.ffn_down.weight", &[32, 64]),
    ];
    let tensors: Vec<(&str, QTensor)> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let mut values = vec![0.5f32; shape.iter().product()];
            if name == tensor {
                values[1] = value;
            }
            let dense = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
            (name, QTensor::quantize(&dense, GgmlDType::F32).unwrap())
        })
        .collect();
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
    gguf_file::write(&mut File::create(path).unwrap(), &metadata, &tensors).unwrap();
}

#[test]
fn a_gguf_file_is_read_or_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    write_gguf(&path, &[], "", 0.0);
    assert_eq!(read_gguf(&path).unwrap().0.config, config());

    let refused = || read_gguf(&path).map(|_| ()).unwrap_err().to_string();
    write_gguf(&path, &[("general.architecture", Value::String("mamba".into()))], "", 0.0);
    assert!(refused().contains("\"mamba\""), "{}", refused());
    write_gguf(&path, &[("llama.embedding_length", Value::U32(64))], "", 0.0);
    assert!(refused().contains("was expected"), "{}", refused());
    write_gguf(&path, &[("llama.attention.head_count_kv", Value::U32(3))], "", 0.0);
    assert!(refused().contains("do not divide"), "{}", refused());
    write_gguf(&path, &[], "blk.0.ffn_up.weight", f32::NAN);
    assert!(refused().contains("ffn_up.weight holds NaN at 1"), "{}", refused());

    // A type that is not read: the numbers of types stand behind the dimensions.
    write_gguf(&path, &[], "", 0.0);
    let bytes = fs::read(&path).unwrap();
    let name = b"blk.0.ffn_down.weight";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len();
    let mut other = bytes.clone();
    other[at + 4 + 16..][..4].copy_from_slice(&99u32.to_le_bytes());
    fs::write(&path, other).unwrap();
    assert!(refused().contains("99"), "{}", refused());
    for length in [0, 3, 40, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        assert!(refused().contains("model.gguf"), "{}", refused());
    }
}

fn model(vocabulary: usize) -> Llama {
    let config = Config { vocab_size: vocabulary, ..config() };
    let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap();
    let mut weights = HashMap::from([
        ("model.embed_tokens.weight".to_owned(), ones(&[vocabulary, 32])),
        ("lm_head.weight".to_owned(), ones(&[vocabulary, 32])),
        ("model.norm.weight".to_owned(), ones(&[32])),
    ]);
    for part in ["input_layernorm", "post_attention_layernorm"] {
        weights.insert(weight_name(0, part), ones(&[32]));
    }
    for (part, rows, cols) in config.projections() {
        weights.insert(weight_name(0, part), ones(&[rows, cols]));
    }
    Llama::load(&config, &VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu)).unwrap()
}

#[test]
fn tokens_and_contexts_that_the_model_does_not_have_are_refused() {
    let model = model(8);
    assert_eq!(model.forward(&[1, 2, 7], 0, None, &mut untouched).unwrap().dims(), [3, 8]);
    let unknown = model.forward(&[1, 8], 0, None, &mut untouched).unwrap_err();
    assert!(unknown.to_string().contains("another model's tokenizer"), "{unknown}");
    let long = model.forward(&[1; 17], 0, None, &mut untouched).unwrap_err();
    assert!(long.to_string().contains("a context of 17 tokens"), "{long}");
    assert!(model.forward(&[1, 2], 15, None, &mut untouched).is_err());
}

#[test]
fn the_command_says_what_is_missing_or_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().to_str().unwrap();
    let missing = refused(&["weights", "--cache", at], 2);
    assert!(missing.contains("scripts/fetch-smollm2"), "{missing}");
    let windows = refused(&["weights", "--cache", at, "--windows", "1,x"], 2);
    assert!(windows.contains("no numbers"), "{windows}");
    let gguf = folder.path().join("smollm2-135m-instruct.q4_1.gguf");
    fs::write(&gguf, b"GGUFnot really").unwrap();
    refused(&["reference", "--cache", at], 4);
    write_gguf(&gguf, &[("tokenizer.ggml.model", Value::String("llama".into()))], "", 0.0);
    let tokenizer = refused(&["reference", "--cache", at], 4);
    assert!(tokenizer.contains("the tokenizer is \"llama\""), "{tokenizer}");
    assert!(!folder.path().join("smollm2").exists());
    let table = folder.path().join("table.json");
    fs::write(&table, "{}").unwrap();
    refused(&["report", table.to_str().unwrap()], 4);
    refused(&["report", "missing.json"], 1);
    refused(&["weights", "--cache", at, "--json", table.to_str().unwrap()], 4);
}
