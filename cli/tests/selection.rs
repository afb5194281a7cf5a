//! Options that choose, and messages about them: what chooses nothing is a wrong call, and every name is shown as it is.

#![allow(clippy::unwrap_used, reason = "a test that fails by panicking says where")]

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use telecine::{Codec, CodecId, Encoding, FileWriter, Target, TensorBuf, TensorMeta};
use tempfile::TempDir;

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telecine"));
    command.current_dir(folder).args(args);
    command
}

/// Runs; a failure is one line with this in it.
#[track_caller]
fn status(folder: &Path, args: &[&str], wanted: i32, names: &str) -> Output {
    let output = command(folder, args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(wanted), "{error}");
    assert!(error.contains(names), "{error:?} does not name {names:?}");
    assert!(wanted == 0 || error.starts_with("telecine: ") && error.lines().count() == 1, "{error}");
    output
}

/// A file of matrices of these names.
fn model(names: &[&str]) -> TempDir {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    let mut state = 1u32;
    for name in names {
        let start = data.len();
        for _ in 0..64 * 128 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let value = f32::from(u16::try_from(state >> 16).unwrap()) / 65_536.0 - 0.5;
            data.extend(value.to_le_bytes());
        }
        let info = json!({"dtype": "F32", "shape": [64, 128], "data_offsets": [start, data.len()]});
        header.insert((*name).to_owned(), info);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let folder = TempDir::new().unwrap();
    let file = [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat();
    std::fs::write(folder.path().join("m.safetensors"), file).unwrap();
    folder
}

const PACK: [&str; 7] = ["pack", "m.safetensors", "-o", "m.arrow", "--force", "--nmse", "0.01"];

fn pack<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&PACK, more].concat()
}

#[test]
fn a_name_is_chosen_whatever_it_says_as_a_glob() {
    let folder = model(&["layers[0].w", "layers0.w"]);
    let output = status(folder.path(), &pack(&["--rule", "layers[0].w=lossless", "--json"]), 0, "");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let targets: Vec<&Value> = report["tensors"].as_array().unwrap().iter().map(|t| &t["target"]).collect();
    assert_eq!(targets, ["lossless", "nmse=0.01"]);
    status(folder.path(), &["unpack", "m.arrow", "--tensor", "layers[0].w", "-o", "w.npy"], 0, "");
    let bits = ["pack", "m.safetensors", "-o", "b.arrow", "--bits", "4", "--sensitivity", "s.json"];
    std::fs::write(folder.path().join("s.json"), r#"{"layers[0].w": 8}"#).unwrap();
    status(folder.path(), &[&bits[..], &["--json"]].concat(), 0, "");
}

#[test]
fn what_fits_nothing_is_a_wrong_call_that_names_it() {
    let folder = model(&["a.w", "b.w"]);
    status(folder.path(), &pack(&[]), 0, "");
    for args in [
        &pack(&["--rule", "*=bits=4", "--rule", "c.*=lossless"])[..],
        &["unpack", "m.arrow", "-o", "x.safetensors", "--tensor", "c.*"],
        &["sweep", "m.safetensors", "-o", "x.html", "--tensor", "c.*"],
    ] {
        status(folder.path(), args, 2, "c.*");
    }
    std::fs::write(folder.path().join("s.json"), r#"{"a.*": 1, "c.*": 2}"#).unwrap();
    let bits = ["pack", "m.safetensors", "-o", "x.arrow", "--bits", "4"];
    status(folder.path(), &[&bits[..], &["--sensitivity", "s.json"]].concat(), 2, "c.*");
    status(folder.path(), &["unpack", "m.arrow", "-o", "x.safetensors", "--rows", "5..5"], 2, "5..5");
    let exact = ["pack", "m.safetensors", "-o", "x.arrow", "--lossless"];
    status(folder.path(), &[&exact[..], &["--transform", "dct(8)"]].concat(), 2, "--transform");
    status(folder.path(), &[&exact[..], &["--importance", "m.safetensors"]].concat(), 2, "--importance");
    // Nothing but small tensors, which no codec that is asked for meets.
    let header = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let small = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
    std::fs::write(folder.path().join("small.safetensors"), small).unwrap();
    let small = ["pack", "small.safetensors", "-o", "x.arrow", "--nmse", "0.1"];
    status(folder.path(), &[&small[..], &["--codec", "nope"]].concat(), 3, "nope");
    status(folder.path(), &[&small[..], &["--backend", "nope"]].concat(), 2, "nope");
    status(folder.path(), &[&small[..], &["--backend", "zstd", "--codec", "tns1"]].concat(), 2, "zstd");
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("x.")), "{left:?}");
}

#[test]
fn what_no_glob_library_takes_is_a_wrong_call() {
    let folder = model(&["a.w"]);
    let rule = format!("{}=lossless", "?".repeat(120_000));
    status(folder.path(), &pack(&["--rule", &rule]), 2, "--rule");
    let bits = ["pack", "m.safetensors", "-o", "x.arrow", "--bits", "4", "--sensitivity", "s.json"];
    let long = json!({ "?".repeat(150_000): 1 }).to_string();
    for (text, names) in [(long.as_bytes(), "????"), (b"{\"a\xff\": 1}", "s.json")] {
        std::fs::write(folder.path().join("s.json"), text).unwrap();
        status(folder.path(), &bits, 2, names);
    }
}

#[test]
fn numbers_out_of_range_say_the_range() {
    let folder = model(&["a.w"]);
    // A cap: more than values have is no loss.
    status(folder.path(), &["pack", "m.safetensors", "-o", "many.arrow", "--bits", "20000"], 0, "");
    let size = 1 << 24;
    let config = json!({
        "hidden_size": size, "intermediate_size": size, "num_hidden_layers": size, "num_attention_heads": size,
        "head_dim": size, "vocab_size": size, "max_position_embeddings": size,
    });
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let plan = ["plan", "--model", "config.json", "--devices", "1x8GiB", "--weights", "64", "--kv", "64"];
    status(folder.path(), &plan, 5, "config.json");
    std::fs::write(folder.path().join("config.json"), b"{\xff}").unwrap();
    status(folder.path(), &plan, 4, "config.json");
}

#[test]
fn a_name_that_steers_the_terminal_is_spelled_out() {
    let name = "a\u{202e}b\u{1b}[31m";
    let folder = model(&[name]);
    let shown = "a\\u{202e}b\\u{1b}[31m";
    for args in [&pack(&[])[..], &["inspect", "m.arrow"], &["compare", "m.safetensors", "m.arrow"]] {
        let text = String::from_utf8(status(folder.path(), args, 0, "").stdout).unwrap();
        assert!(text.contains(shown) && !text.contains(['\u{202e}', '\u{1b}']), "{text:?}");
    }
    let error = status(folder.path(), &pack(&["--codec", "a\u{202e}"]), 2, "").stderr;
    assert!(!String::from_utf8(error).unwrap().contains('\u{202e}'));
}

/// A packed file whose one chunk names a transform of a release to come.
#[test]
fn a_transform_that_this_build_does_not_know_is_none_of_the_callers_mistakes() {
    let folder = TempDir::new().unwrap();
    let tensor = TensorBuf::from_f32(&[64, 64], &[1.5; 4096]).unwrap();
    let mut encoding = Encoding::new(Target::Step(0.1));
    encoding.codec = Some(CodecId::NATIVE);
    let encoded = Codec::new().encode(&tensor.view().unwrap(), &encoding).unwrap();
    for transform in ["wavelet@1(3)", "dct@2(8)"] {
        let mut file = FileWriter::create(&folder.path().join("m.arrow"), true).unwrap();
        let mut chunk = encoded.chunks[0].clone();
        chunk.transform = transform.into();
        let meta = TensorMeta::new("t", tensor.dtype, tensor.shape.clone());
        file.write(&meta, "step=0.1", &chunk).unwrap();
        file.finish().unwrap();
        status(folder.path(), &["inspect", "m.arrow"], 0, "");
        for args in
            [&["inspect", "m.arrow", "--verify"][..], &["unpack", "m.arrow", "-o", "x.npy", "--force"]]
        {
            status(folder.path(), args, 3, &transform[..3]);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn standard_error_that_cannot_be_written_changes_nothing() {
    let folder = model(&["a.w"]);
    for args in [&["inspect", "nonexist"][..], &["frobnicate"], &pack(&["--rule", "b=lossless"])] {
        let wanted = command(folder.path(), args).output().unwrap().status.code();
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let status = command(folder.path(), args).stdout(Stdio::null()).stderr(full).status().unwrap();
        assert_eq!(status.code(), wanted, "{args:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_is_written_where_its_name_is_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let folder = model(&["a.w"]);
    let name = OsStr::from_bytes(b"r\xff.html");
    let args = ["sweep", "m.safetensors", "--codecs", "tns1", "--bits", "3", "--effort", "fast", "-o"];
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status = command(folder.path(), &args).arg(name).stderr(full).status().unwrap();
    assert!(status.success() && folder.path().join(name).exists(), "{status}");
}
