//! `pack --bits` and `--bytes` over models of every make: the file keeps to them, or the refusal says the least.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Name, dtype, shape, bytes.
type Tensor = (String, &'static str, Vec<u64>, Vec<u8>);

/// Noise that is about Gaussian, of variance 1.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(747_796_405).wrapping_add(1);
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 16_777_216.0 - 0.5
    };
    (0..count).map(|_| (0..12).map(|_| uniform()).sum::<f32>()).collect()
}

fn f32s(name: impl Into<String>, shape: &[u64], values: &[f32]) -> Tensor {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    (name.into(), "F32", shape.to_vec(), bytes)
}

fn bf16s(name: impl Into<String>, shape: &[u64], values: &[f32]) -> Tensor {
    let bytes = values.iter().flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes()).collect();
    (name.into(), "BF16", shape.to_vec(), bytes)
}

fn folder_of(tensors: &[Tensor]) -> TempDir {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let start = data.len();
        data.extend_from_slice(bytes);
        let info = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [start, data.len()]});
        header.insert(name.clone(), info);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat();
    std::fs::write(folder.path().join("m.safetensors"), file).unwrap();
    folder
}

fn telecine(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_telecine")).current_dir(folder).args(args).output().unwrap()
}

fn pack(folder: &Path, args: &[&str]) -> Output {
    let always = ["pack", "m.safetensors", "-o", "m.arrow", "--force", "--json", "--effort", "fast"];
    telecine(folder, &[&always, args].concat())
}

/// The report of a pack that must be done, and what it warned of.
fn packed(folder: &Path, args: &[&str]) -> (Value, String) {
    let output = pack(folder, args);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {error}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let file = std::fs::metadata(folder.join("m.arrow")).unwrap().len();
    assert_eq!(report["total"]["bytes"], file);
    (report, error)
}

/// The file keeps to its bits per value, and is less than this part below them.
#[track_caller]
fn keeps_to(folder: &Path, bits: f64, below: f64, args: &[&str]) -> Value {
    let (report, _) = packed(folder, &[&["--bits", &bits.to_string()], args].concat());
    let found = report["total"]["bits"].as_f64().unwrap() / bits;
    assert!(found <= 1.0 && found >= 1.0 - below, "{bits} bits: {found}");
    let verified = telecine(folder, &["inspect", "--verify", "m.arrow"]);
    assert!(verified.status.success(), "{verified:?}");
    report
}

/// The number behind `what=` in a refusal that names the nearest, which must have left nothing behind.
#[track_caller]
fn refused(folder: &Path, args: &[&str], what: &str) -> String {
    std::fs::remove_file(folder.join("m.arrow")).ok();
    let output = pack(folder, args);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1, "left behind");
    let nearest = error.split("the nearest was ").nth(1).unwrap();
    let number = nearest.strip_prefix(what).unwrap().split([';', ' ']).next().unwrap();
    number.to_owned()
}

#[test]
fn pairs_of_low_rank_share_though_each_is_small() {
    let pairs = (0..64u32).flat_map(|at| {
        let a = bf16s(format!("layers.{at}.lora_A"), &[4, 320], &noise(1280, 2 * at));
        let b = bf16s(format!("layers.{at}.lora_B"), &[320, 4], &noise(1280, 2 * at + 1));
        [a, b]
    });
    let folder = folder_of(&pairs.collect::<Vec<_>>());
    keeps_to(folder.path(), 4.0, 0.03, &[]);
    keeps_to(folder.path(), 6.0, 0.03, &["--allocate", "even"]);
    // As many bits as lossless takes: nothing is lost.
    let report = keeps_to(folder.path(), 15.0, 0.2, &[]);
    assert!(report["tensors"].as_array().unwrap().iter().all(|tensor| tensor["nmse"] == 0.0));
}

#[test]
fn experts_of_many_sizes_share() {
    let experts = (0..400u32).map(|at| {
        let (rows, cols) = (8 << (at % 4), 16 << (at % 3));
        f32s(format!("experts.{at}"), &[rows, cols], &noise((rows * cols) as usize, at))
    });
    let folder = folder_of(&experts.collect::<Vec<_>>());
    keeps_to(folder.path(), 6.0, 0.05, &[]);
}

#[test]
fn tensors_of_one_value_are_refused_with_the_least_that_then_is_met() {
    let tensors: Vec<_> = (0..3000u32).map(|at| f32s(format!("scale.{at}"), &[], &noise(1, at))).collect();
    let folder = folder_of(&tensors);
    let least = refused(folder.path(), &["--bits", "8"], "bits=");
    let number: f64 = least.parse().unwrap();
    assert!((1000.0..2200.0).contains(&number), "{least}");
    keeps_to(folder.path(), number, 0.001, &[]);
}

#[test]
fn a_tensor_that_cannot_be_as_small_as_its_share_is_paid_for_by_the_others() {
    // The packet's tables alone take more than 0.4 bits per value of the last ones.
    let mut tensors = vec![f32s("large", &[256, 512], &noise(1 << 17, 1))];
    tensors.extend((0..6).map(|at| f32s(format!("rough.{at}"), &[64, 70], &noise(4480, 7 + at))));
    let folder = folder_of(&tensors);
    let report = keeps_to(folder.path(), 0.5, 0.02, &["--allocate", "even"]);
    let bits = |at: usize| report["tensors"][at]["bits"].as_f64().unwrap();
    assert!(bits(0) < 0.45, "{}", bits(0));
}

#[test]
fn norms_beside_a_large_embedding_stay_exact() {
    let mut tensors = vec![f32s("embedding", &[2048, 128], &noise(1 << 18, 3))];
    tensors.extend((0..40).map(|at| f32s(format!("norm.{at}"), &[384], &noise(384, 90 + at))));
    tensors.push(("ids".into(), "I64", vec![600], (0..600i64).flat_map(i64::to_le_bytes).collect()));
    let folder = folder_of(&tensors);
    let report = keeps_to(folder.path(), 4.0, 0.01, &[]);
    assert!(report["tensors"].as_array().unwrap()[1..].iter().all(|tensor| tensor["nmse"] == 0.0));
}

#[test]
fn bytes_are_a_cap_on_the_file() {
    let tensors = [
        f32s("a", &[256, 512], &noise(1 << 17, 1)),
        f32s("b", &[128, 256], &noise(1 << 15, 2)),
        f32s("norm", &[256], &noise(256, 3)),
    ];
    let folder = folder_of(&tensors);
    let bytes = |args: &[&str]| packed(folder.path(), args).0["total"]["bytes"].as_u64().unwrap();
    for (text, most) in [("60000", 60_000), ("40KB", 40_000), ("64 KiB", 65_536), ("1MB", 1_000_000)] {
        let found = bytes(&["--bytes", text]);
        assert!(found <= most && (found as f64 > 0.98 * most as f64 || most == 1_000_000), "{text}: {found}");
    }
    // A rule's tensor counts, too.
    let found = bytes(&["--bytes", "60000", "--rule", "b=bits=6"]);
    assert!(found <= 60_000, "{found}");
    let least = refused(folder.path(), &["--bytes", "5000"], "bytes=");
    assert!(bytes(&["--bytes", &least]) <= least.parse().unwrap());
    for wrong in ["0", "-1", "1.5", "3TB", "99999999999GB"] {
        let output = pack(folder.path(), &[&*format!("--bytes={wrong}")]);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn one_odd_tensor_is_packed_with_a_warning_and_refused_where_that_is_asked_for() {
    let mut tensors = vec![f32s("fine", &[64, 128], &noise(8192, 1))];
    tensors.extend((0..14).map(|at| f32s(format!("odd.{at}"), &[64, 64], &noise(4096, 7 + at))));
    let folder = folder_of(&tensors);
    let args = ["--nmse", "0.01", "--rule", "odd.*=bits=0.001"];
    let (report, error) = packed(folder.path(), &args);
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 11, "{error}");
    assert!(lines[0].starts_with("warning: odd.0: bits=0.001 is out of reach; packed at bits="), "{error}");
    assert_eq!(lines[10], "warning: and 4 more");
    assert_eq!(report["tensors"][0]["warnings"], serde_json::json!([]));
    let odd = &report["tensors"][1];
    assert!(odd["warnings"][0].as_str().unwrap().contains("out of reach"), "{odd}");
    assert!(odd["bits"].as_f64().unwrap() < 1.0, "{odd}");

    let strict = pack(folder.path(), &[&args[..], &["--strict"]].concat());
    let error = String::from_utf8(strict.stderr).unwrap();
    assert_eq!(strict.status.code(), Some(2), "{error}");
    assert!(error.contains("tensor \"odd.0\"") && error.contains("the nearest was bits="), "{error}");
    let nearest = error.split("the nearest was bits=").nth(1).unwrap().split(';').next().unwrap();
    let rule = format!("odd.0=bits={nearest}");
    let met = ["--nmse", "0.01", "--rule", &*rule, "--strict"];
    assert!(!packed(folder.path(), &met).1.contains("out of reach"));
}

#[test]
fn a_tensor_that_collapses_is_told_by_pack_inspect_and_compare() {
    let folder = folder_of(&[f32s("flat", &[64, 128], &noise(8192, 1))]);
    let (report, error) = packed(folder.path(), &["--step", "100"]);
    let tensor = &report["tensors"][0];
    assert_eq!((&tensor["flattened"], &tensor["lost_zeros"]), (&8192.into(), &0.into()), "{tensor}");
    let wanted =
        "warning: flat: 100.0 % of its values became one value; ask for more bits or exclude outliers\n";
    assert_eq!(error, wanted);
    for args in [&["inspect", "m.arrow", "--json"][..], &["compare", "m.safetensors", "m.arrow", "--json"]] {
        let output = telecine(folder.path(), args);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["tensors"][0]["flattened"], 8192, "{args:?}");
        assert_eq!(report["tensors"][0]["warnings"].as_array().unwrap().len(), 1, "{args:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), wanted, "{args:?}");
    }
}

#[test]
fn ordinary_noise_brings_no_warning() {
    let folder = folder_of(&[f32s("w", &[256, 512], &noise(1 << 17, 1))]);
    for bits in ["1", "2", "3", "4"] {
        let (report, error) = packed(folder.path(), &["--bits", bits]);
        assert_eq!(error, "", "{bits} bits: {}", report["tensors"][0]);
    }
}

#[test]
fn bits_are_asked_of_no_tensor_where_each_has_a_target_of_its_own() {
    let folder = folder_of(&[f32s("layers[0].w", &[96, 128], &noise(96 * 128, 5))]);
    let (report, _) = packed(folder.path(), &["--bits", "3", "--rule", "layers[0].w=lossless"]);
    assert_eq!(report["tensors"][0]["nmse"], 0.0);
}
