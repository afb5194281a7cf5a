//! `pack --allocate` and `--sensitivity`: how a model's bits are spread over its tensors.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Tensors of unlike sizes and scales; `heavy` has columns of unlike scales, and so takes fewer bits at an error.
const TENSORS: [(&str, usize, usize); 4] =
    [("large", 1024, 512), ("small", 64, 512), ("middle", 256, 512), ("heavy", 256, 512)];

fn model(folder: &Path) {
    let mut state = 11u32;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 16_777_216.0 - 0.5
    };
    for (name, rows, cols) in TENSORS {
        let scale = |at: usize| if name == "heavy" && !(at % cols).is_multiple_of(8) { 0.05 } else { 1.0 };
        let shape = format!("({rows}, {cols})");
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
        let mut file = [&b"\x93NUMPY\x01\x00\x76\x00"[..], format!("{header:<117}\n").as_bytes()].concat();
        for at in 0..rows * cols {
            let value = (0..6).map(|_| uniform()).sum::<f32>() * scale(at);
            file.extend(value.to_le_bytes());
        }
        std::fs::write(folder.join(format!("{name}.npy")), file).unwrap();
    }
}

fn telecine(folder: &Path, args: &[&str]) -> Output {
    let always = ["pack", "-o", "out.arrow", "--force", "--json", "--bits", "3"];
    let inputs = TENSORS.map(|(name, ..)| format!("{name}.npy"));
    let args = [&always, args, &inputs.each_ref().map(String::as_str)].concat();
    Command::new(env!("CARGO_BIN_EXE_telecine")).current_dir(folder).args(args).output().unwrap()
}

/// Bits and nmse by tensor; the file's bits are those asked for.
fn pack(folder: &Path, args: &[&str]) -> BTreeMap<String, (f64, f64)> {
    let output = telecine(folder, args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let total = report["total"]["bits"].as_f64().unwrap();
    assert!((total / 3.0 - 1.0).abs() < 0.01, "{args:?}: {total} bits");
    let tensors = report["tensors"].as_array().unwrap();
    let number = |tensor: &Value, key: &str| tensor[key].as_f64().unwrap();
    tensors
        .iter()
        .map(|tensor| {
            (tensor["name"].as_str().unwrap().to_owned(), (number(tensor, "bits"), number(tensor, "nmse")))
        })
        .collect()
}

#[test]
fn even_gives_equal_bits_and_nmse_equal_errors() {
    let folder = TempDir::new().unwrap();
    model(folder.path());
    let even = pack(folder.path(), &["--allocate", "even"]);
    for (name, (bits, _)) in &even {
        assert!((bits - even["large"].0).abs() < 0.05, "{name}: {bits}");
    }
    let equal = pack(folder.path(), &["--allocate", "nmse"]);
    for (name, (_, nmse)) in &equal {
        assert!((nmse / equal["large"].1 - 1.0).abs() < 0.1, "{name}: {nmse}");
    }
    assert!(equal["heavy"].0 < equal["middle"].0 - 0.5);
}

#[test]
fn auto_gives_errors_in_proportion_to_sizes_and_sensitivities_move_them() {
    let folder = TempDir::new().unwrap();
    model(folder.path());
    let auto = pack(folder.path(), &["--allocate", "auto"]);
    for (name, rows, _) in TENSORS {
        let expected = auto["large"].1 * rows as f64 / 1024.0;
        assert!((auto[name].1 / expected - 1.0).abs() < 0.12, "{name}: {} not {expected}", auto[name].1);
    }
    std::fs::write(folder.path().join("s.json"), r#"{"large": 4, "h*": 4}"#).unwrap();
    let told = pack(folder.path(), &["--sensitivity", "s.json"]);
    for (name, rows, sensitivity) in [("small", 64.0, 1.0), ("heavy", 256.0, 4.0), ("middle", 256.0, 1.0)] {
        let expected = told["large"].1 * rows / 1024.0 * 4.0 / sensitivity;
        assert!((told[name].1 / expected - 1.0).abs() < 0.12, "{name}: {} not {expected}", told[name].1);
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = TempDir::new().unwrap();
    model(folder.path());
    for (text, message) in [
        (r#"{"nowhere": 1}"#, "fits no tensor"),
        (r#"{"large": 0}"#, "positive"),
        (r#"{"large": "much"}"#, "no JSON object"),
        ("[1, 2]", "no JSON object"),
        (r#"{"l*": 1, "*e": 2}"#, "both fit"),
        (r#"{"l[": 1}"#, "l["),
    ] {
        std::fs::write(folder.path().join("s.json"), text).unwrap();
        let output = telecine(folder.path(), &["--sensitivity", "s.json"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), error.contains(message)), (Some(2), true), "{text}: {error}");
    }
    let both = telecine(folder.path(), &["--allocate", "nmse", "--sensitivity", "s.json"]);
    assert_eq!(both.status.code(), Some(2));
    let missing = telecine(folder.path(), &["--sensitivity", "absent.json"]);
    assert_eq!(missing.status.code(), Some(1));
}
