//! The binary as people run it: round trips, exit statuses, and what it leaves behind.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn telecine(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_telecine")).current_dir(folder).args(args).output().unwrap()
}

/// Runs; the exit status must be the wanted one, and a failure one line that names `names`.
fn status(folder: &Path, args: &[&str], wanted: i32, names: &str) -> Output {
    let output = telecine(folder, args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(wanted), "{args:?}: {error}");
    assert!(error.contains(names), "{args:?}: {error:?} does not name {names:?}");
    assert!(!error.contains("panicked"), "{error}");
    if wanted > 0 && error.starts_with("telecine:") {
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    output
}

fn json(folder: &Path, args: &[&str]) -> Value {
    let output = status(folder, &[args, &["--json"]].concat(), 0, "");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Noise that is about Gaussian, the same every time.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(747_796_405).wrapping_add(1);
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 16_777_216.0 - 0.5
    };
    (0..count).map(|_| (0..6).map(|_| uniform()).sum::<f32>()).collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn safetensors(tensors: &[(&str, &str, &[u64], Vec<u8>)]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let start = data.len();
        data.extend_from_slice(bytes);
        let info = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [start, data.len()]});
        header.insert((*name).to_owned(), info);
    }
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()
}

/// A folder with a small model `m.safetensors`.
fn model() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let ids: Vec<u8> = (0..6000i64).flat_map(i64::to_le_bytes).collect();
    let half: Vec<u8> =
        noise(60_000, 3).iter().flat_map(|v| ((v.to_bits() >> 16) as u16).to_le_bytes()).collect();
    let tensors = [
        ("a.weight", "F32", &[300u64, 400][..], bytes(&noise(120_000, 1))),
        ("b.bias", "F32", &[400], bytes(&noise(400, 2))),
        ("c/../d.weight", "BF16", &[100, 600], half),
        ("empty", "F32", &[0, 3], Vec::new()),
        ("ids", "I64", &[6000], ids),
        ("scalar", "F64", &[], 2.5f64.to_le_bytes().to_vec()),
    ];
    std::fs::write(folder.path().join("m.safetensors"), safetensors(&tensors)).unwrap();
    let path = folder.path().to_owned();
    (folder, path)
}

/// What is in a folder, by name.
fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_model_is_packed_inspected_compared_and_unpacked() {
    let (_held, folder) = model();
    let packed = json(&folder, &["pack", "m.safetensors", "--bits", "4", "-o", "m.arrow"]);
    let total = &packed["total"];
    assert_eq!(total["values"], 120_000 + 400 + 60_000 + 6000 + 1);
    assert_eq!(total["bytes"], std::fs::metadata(folder.join("m.arrow")).unwrap().len());
    let bits = total["bits"].as_f64().unwrap();
    assert!((bits / 4.0 - 1.0).abs() < 0.01, "{bits}");
    let inspected = json(&folder, &["inspect", "m.arrow", "--verify"]);
    let compared = json(&folder, &["compare", "m.safetensors", "m.arrow"]);
    for (at, tensor) in packed["tensors"].as_array().unwrap().iter().enumerate() {
        for key in ["name", "bytes", "bits", "max_abs_error", "codec", "transform"] {
            assert_eq!(inspected["tensors"][at][key], tensor[key], "{key}");
        }
        for key in ["nmse", "max_abs_error"] {
            let (a, b) = (compared["tensors"][at][key].as_f64().unwrap(), tensor[key].as_f64().unwrap());
            assert!((a - b).abs() <= 1e-9 * b, "{}: {key} {a} {b}", tensor["name"]);
        }
        let kept = !tensor["name"].as_str().unwrap().ends_with("weight");
        assert_eq!(compared["tensors"][at]["bit_exact"], kept, "{}", tensor["name"]);
    }
    status(&folder, &["unpack", "m.arrow", "-o", "back.safetensors"], 0, "");
    let again = json(&folder, &["compare", "back.safetensors", "m.arrow"]);
    assert!(again["tensors"].as_array().unwrap().iter().all(|tensor| tensor["bit_exact"] == true));
}

#[test]
fn lossless_gives_the_same_file_back() {
    let (_held, folder) = model();
    status(&folder, &["pack", "m.safetensors", "--lossless", "-o", "m.arrow"], 0, "");
    status(&folder, &["unpack", "m.arrow", "-o", "back.safetensors"], 0, "");
    let compared = json(&folder, &["compare", "m.safetensors", "m.arrow"]);
    assert!(compared["tensors"].as_array().unwrap().iter().all(|tensor| tensor["bit_exact"] == true));
    status(&folder, &["pack", "back.safetensors", "--lossless", "-o", "again.arrow"], 0, "");
    let same = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert_eq!(same("m.arrow"), same("again.arrow"), "the same input makes the same file");
}

#[test]
fn one_thread_and_many_make_the_same_file() {
    let (_held, folder) = model();
    for jobs in ["1", "7"] {
        let out = format!("{jobs}.arrow");
        status(&folder, &["pack", "m.safetensors", "--nmse", "0.01", "--jobs", jobs, "-o", &out], 0, "");
    }
    assert_eq!(
        std::fs::read(folder.join("1.arrow")).unwrap(),
        std::fs::read(folder.join("7.arrow")).unwrap()
    );
}

#[test]
fn rules_give_tensors_targets_of_their_own() {
    let (_held, folder) = model();
    let rules = ["--rule", "*.weight=nmse=0.02", "--rule", "a.*=lossless", "--rule", "*.bias=max-abs=0.01"];
    let packed =
        json(&folder, &[&["pack", "m.safetensors", "--bits", "40", "-o", "m.arrow"], &rules[..]].concat());
    let nmse = |at: usize| packed["tensors"][at]["nmse"].as_f64().unwrap();
    assert_eq!((nmse(0), nmse(4)), (0.0, 0.0));
    assert!(nmse(2) > 0.015 && nmse(2) <= 0.02);
    let error = packed["tensors"][1]["max_abs_error"].as_f64().unwrap();
    assert!(error > 0.0 && error <= 0.01, "asked for by name, though small: {error}");
}

#[test]
fn importance_weighs_the_columns_of_the_tensors_that_have_it() {
    let (_held, folder) = model();
    let weights =
        |name: &'static str, values: &[f32]| (name, "F32", vec![values.len() as u64], bytes(values));
    let write = |file: &str, vectors: &[(&'static str, &'static str, Vec<u64>, Vec<u8>)]| {
        let vectors: Vec<_> =
            vectors.iter().map(|(n, t, shape, b)| (*n, *t, &shape[..], b.clone())).collect();
        std::fs::write(folder.join(file), safetensors(&vectors)).unwrap();
    };
    // The bias is kept losslessly: what the file says of it does not matter.
    let spread: Vec<f32> = (0..400).map(|at| [0.02, 0.1, 1.0, 9.0, 0.0][at % 5]).collect();
    write("w.safetensors", &[weights("a.weight", &spread), weights("b.bias", &[1.0; 9])]);
    let pack = ["pack", "m.safetensors", "--bits", "5", "--force", "-o", "m.arrow"];
    let without = json(&folder, &pack);
    assert!(without["tensors"].as_array().unwrap().iter().all(|tensor| tensor["weighted_nmse"].is_null()));
    let with = json(&folder, &[&pack[..], &["--importance", "w.safetensors"]].concat());
    let of = |at: usize, key: &str| with["tensors"][at][key].clone();
    for (at, tensor) in with["tensors"].as_array().unwrap().iter().enumerate() {
        assert_eq!(tensor["weighted_nmse"].is_null(), at != 0, "{}", tensor["name"]);
    }
    assert_eq!(of(0, "transform"), "column-scale@1");
    let number = |value: Value| value.as_f64().unwrap();
    assert!(number(of(0, "weighted_nmse")) < number(without["tensors"][0]["nmse"].clone()) / 1.3);
    assert!(number(of(0, "nmse")) > number(without["tensors"][0]["nmse"].clone()));
    assert!((number(with["total"]["bits"].clone()) / 5.0 - 1.0).abs() < 0.01);
    let compared = json(&folder, &["compare", "m.safetensors", "m.arrow"]);
    let (told, found) = (number(of(0, "nmse")), number(compared["tensors"][0]["nmse"].clone()));
    assert!((told - found).abs() <= 1e-9 * told);
    for (flags, shown) in [(&[][..], false), (&["--importance", "w.safetensors"], true)] {
        let table = status(&folder, &[&pack[..], flags].concat(), 0, "").stdout;
        assert_eq!(String::from_utf8(table).unwrap().contains("weighted nmse"), shown);
    }

    // What does not fit is said before anything is written.
    let refused = |file: &str, code: i32, names: &[&str]| {
        for name in names {
            status(
                &folder,
                &["pack", "m.safetensors", "--bits", "5", "-o", "x.arrow", "--importance", file],
                code,
                name,
            );
        }
    };
    write("short.safetensors", &[weights("a.weight", &[1.0; 300])]);
    refused("short.safetensors", 2, &["a.weight", "300", "400"]);
    let mut holed = [1.0; 400];
    holed[7] = f32::NAN;
    write("nan.safetensors", &[weights("a.weight", &holed)]);
    refused("nan.safetensors", 2, &["a.weight", "column 7"]);
    write("zeros.safetensors", &[weights("a.weight", &[0.0; 400])]);
    refused("zeros.safetensors", 2, &["no column has any weight"]);
    write("other.safetensors", &[weights("a.weight", &spread), weights("z", &[1.0])]);
    refused("other.safetensors", 2, &["other.safetensors", "\"z\""]);
    refused("absent.safetensors", 1, &["absent.safetensors"]);
    let itself = [&pack[..], &["--importance", "m.arrow"]].concat();
    status(&folder, &itself, 2, "m.arrow");
    let onto = [
        "pack",
        "m.safetensors",
        "--bits",
        "5",
        "-o",
        "w.safetensors",
        "--force",
        "--importance",
        "w.safetensors",
    ];
    status(&folder, &onto, 2, "cannot be the output");
    assert!(!listing(&folder).iter().any(|name| name.starts_with("x.")));
}

#[test]
fn tensors_and_rows_are_unpacked_alone() {
    let (_held, folder) = model();
    status(&folder, &["pack", "m.safetensors", "--bits", "4", "-o", "m.arrow"], 0, "");
    status(&folder, &["unpack", "m.arrow", "--tensor", "a.*", "-o", "a.npy"], 0, "");
    status(&folder, &["unpack", "m.arrow", "--tensor", "a.*", "--rows", "7..9", "-o", "rows.npy"], 0, "");
    let (whole, rows) =
        (std::fs::read(folder.join("a.npy")).unwrap(), std::fs::read(folder.join("rows.npy")).unwrap());
    let data = |file: &[u8]| file[128..].to_vec();
    assert_eq!(data(&rows), data(&whole)[7 * 1600..9 * 1600]);
    // What was written reads as an input.
    let packed = json(&folder, &["pack", "rows.npy", "--lossless", "-o", "rows.arrow"]);
    assert_eq!(packed["tensors"][0]["shape"], serde_json::json!([2, 400]));
    assert_eq!(packed["tensors"][0]["name"], "rows");
    status(&folder, &["unpack", "m.arrow", "--tensor", "c*", "-o", "c.npy"], 2, "bf16");
    status(&folder, &["unpack", "m.arrow", "-o", "all.npy"], 2, "--tensor");
    status(&folder, &["unpack", "m.arrow", "--tensor", "nobody", "-o", "x.npy"], 2, "nobody");
    status(&folder, &["unpack", "m.arrow", "--tensor", "a.*", "--rows", "9..7", "-o", "x.npy"], 2, "9..7");
    status(&folder, &["unpack", "m.arrow", "--tensor", "a.*", "--rows", "0..301", "-o", "x.npy"], 2, "300");
    status(&folder, &["unpack", "m.arrow", "-o", "x.txt"], 2, "x.txt");
    let by = |backend, code, says| {
        status(
            &folder,
            &["unpack", "m.arrow", "--tensor", "a.*", "--backend", backend, "-o", "by.npy"],
            code,
            says,
        );
    };
    by("native", 0, "");
    assert_eq!(std::fs::read(folder.join("by.npy")).unwrap(), std::fs::read(folder.join("a.npy")).unwrap());
    std::fs::remove_file(folder.join("by.npy")).unwrap();
    by("raw", 2, "raw0");
    by("nobody", 2, "nobody");
    if cfg!(not(feature = "nvdec")) {
        by("nvdec-hevc", 3, "feature `nvdec`");
    }
    assert!(!listing(&folder).iter().any(|name| name.starts_with("x.")));
}

#[test]
fn wrong_calls_exit_with_2_and_write_nothing() {
    let (_held, folder) = model();
    let wrong: [&[&str]; 12] = [
        &["pack", "m.safetensors", "-o", "x.arrow"],
        &["pack", "m.safetensors", "--bits", "3", "--lossless", "-o", "x.arrow"],
        &["pack", "m.safetensors", "--bits", "0", "-o", "x.arrow"],
        &["pack", "m.safetensors", "--nmse", "-1", "-o", "x.arrow"],
        &["pack", "m.safetensors", "--bits", "nan", "-o", "x.arrow"],
        &["pack", "m.safetensors", "--bits", "3", "--codec", "toolong", "-o", "x.arrow"],
        &["pack", "m.safetensors", "--bits", "3", "--backend", "nobody", "-o", "x.arrow"],
        &["pack", "m.safetensors", "--bits", "3", "--transform", "dct(7)", "-o", "x.arrow"],
        &["pack", "m.safetensors", "--bits", "3", "--rule", "nonsense", "-o", "x.arrow"],
        &["pack", "m.safetensors", "--bits", "0.001", "-o", "x.arrow"],
        &["pack", "m.gguf", "--bits", "3", "-o", "x.arrow"],
        &["frobnicate"],
    ];
    for args in wrong {
        status(&folder, args, 2, "");
    }
    status(&folder, &["pack", "m.safetensors", "--bits", "3", "--codec", "av01", "-o", "x.arrow"], 3, "av01");
    assert_eq!(listing(&folder), ["m.safetensors"]);
}

#[test]
fn nothing_is_overwritten_without_force() {
    let (_held, folder) = model();
    std::fs::write(folder.join("m.arrow"), "precious").unwrap();
    status(&folder, &["pack", "m.safetensors", "--bits", "4", "-o", "m.arrow"], 2, "--force");
    assert_eq!(std::fs::read(folder.join("m.arrow")).unwrap(), b"precious");
    status(&folder, &["pack", "m.safetensors", "--bits", "4", "-o", "m.arrow", "--force"], 0, "");
    status(&folder, &["unpack", "m.arrow", "-o", "m.safetensors"], 2, "--force");
    status(&folder, &["pack", "absent.safetensors", "--bits", "4", "-o", "y.arrow"], 1, "absent.safetensors");
    status(&folder, &["pack", "m.safetensors", "--bits", "4", "-o", "no/such/folder.arrow"], 1, "no/such");
    // Not even --force makes an input its own output.
    let before = std::fs::read(folder.join("m.safetensors")).unwrap();
    let args = ["pack", "./m.safetensors", "--bits", "4", "-o", "m.safetensors", "--force"];
    status(&folder, &args, 2, "cannot be the output");
    assert_eq!(std::fs::read(folder.join("m.safetensors")).unwrap(), before);
    assert_eq!(listing(&folder), ["m.arrow", "m.safetensors"]);
}

#[test]
fn damaged_foreign_and_newer_files_exit_with_4() {
    let (_held, folder) = model();
    status(&folder, &["pack", "m.safetensors", "--bits", "4", "-o", "m.arrow"], 0, "");
    let good = std::fs::read(folder.join("m.arrow")).unwrap();
    let write = |bytes: &[u8]| std::fs::write(folder.join("bad.arrow"), bytes).unwrap();
    for bytes in [&b""[..], b"hello", &good[..good.len() / 2], &good[..good.len() - 1], &good[1..]] {
        write(bytes);
        status(&folder, &["inspect", "bad.arrow"], 4, "bad.arrow");
        status(&folder, &["unpack", "bad.arrow", "-o", "x.safetensors"], 4, "bad.arrow");
    }
    let mut flipped = good.clone();
    flipped[good.len() / 3] ^= 4;
    write(&flipped);
    status(&folder, &["inspect", "--verify", "bad.arrow"], 4, "bad.arrow");
    std::fs::write(
        folder.join("bad.safetensors"),
        &std::fs::read(folder.join("m.safetensors")).unwrap()[..5000],
    )
    .unwrap();
    status(&folder, &["pack", "bad.safetensors", "--bits", "4", "-o", "x.arrow"], 4, "bad.safetensors");
    assert!(!listing(&folder).iter().any(|name| name.starts_with("x.")));
}

#[test]
fn two_files_of_different_tensors_are_told_apart() {
    let (_held, folder) = model();
    status(&folder, &["pack", "m.safetensors", "--lossless", "-o", "m.arrow"], 0, "");
    let other = safetensors(&[("a.weight", "F32", &[300, 400], bytes(&noise(120_000, 9)))]);
    std::fs::write(folder.join("other.safetensors"), other).unwrap();
    status(&folder, &["compare", "other.safetensors", "m.arrow"], 1, "5 tensors");
    let other = safetensors(&[("a.weight", "F32", &[400, 300], bytes(&noise(120_000, 1)))]);
    std::fs::write(folder.join("other.safetensors"), other).unwrap();
    status(&folder, &["compare", "other.safetensors", "m.arrow"], 1, "400×300");
}

#[test]
fn sweep_writes_one_page_and_its_figures() {
    let (_held, folder) = model();
    let args = [
        "sweep",
        "m.safetensors",
        "-o",
        "r.html",
        "--bits",
        "2,4",
        "--codecs",
        "tns1,zstd",
        "--json",
        "r.json",
    ];
    status(&folder, &args, 0, "");
    let page = std::fs::read_to_string(folder.join("r.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<svg") && page.contains("Shannon"));
    let figures: Value = serde_json::from_slice(&std::fs::read(folder.join("r.json")).unwrap()).unwrap();
    let tensors = figures["tensors"].as_array().unwrap();
    assert_eq!(tensors.len(), 2, "small tensors and integers are left out");
    for tensor in tensors {
        let nmse = |curve: usize| tensor["curves"][curve]["points"][1]["nmse"].as_f64().unwrap();
        assert!(nmse(0) < nmse(1), "tns1 beats uniform quantisation with zstd");
    }
    status(&folder, &args, 2, "--force");
}

#[test]
fn backends_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let listed = json(folder.path(), &["backends"]);
    let names: Vec<_> =
        listed["backends"].as_array().unwrap().iter().map(|b| b["name"].as_str().unwrap()).collect();
    assert!(["native", "zstd", "raw"].iter().all(|name| names.contains(name)));
}

#[cfg(unix)]
mod unix {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn an_interrupted_pack_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let big = safetensors(&[("w", "F32", &[6000, 4000], bytes(&noise(24_000_000, 1)))]);
        std::fs::write(folder.path().join("big.safetensors"), big).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_telecine"))
            .current_dir(folder.path())
            .args([
                "pack",
                "big.safetensors",
                "--bits",
                "3",
                "--effort",
                "best",
                "--jobs",
                "1",
                "-o",
                "big.arrow",
            ])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        // Once the temporary file is there, the work has begun.
        while listing(folder.path()).len() < 2 && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(100));
        // The shell's own: a small machine has no program `kill`.
        let kill = format!("kill -INT {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert_eq!(listing(folder.path()), ["big.safetensors"]);
    }

    #[test]
    fn a_full_disk_is_one_line_and_status_1() {
        let (_held, folder) = model();
        // A process may write files of up to 40 blocks: the pack file needs more.
        let limited = format!(
            "ulimit -f 40; trap '' XFSZ; exec {} pack m.safetensors --lossless -o m.arrow",
            env!("CARGO_BIN_EXE_telecine")
        );
        let output = Command::new("sh").current_dir(&folder).args(["-c", &limited]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.lines().count() == 1 && error.contains("m.arrow"), "{error}");
        assert_eq!(listing(&folder), ["m.safetensors"]);
    }

    #[test]
    fn a_reader_that_goes_away_is_no_failure() {
        let (_held, folder) = model();
        status(&folder, &["pack", "m.safetensors", "--bits", "4", "-o", "m.arrow"], 0, "");
        let mut child = Command::new(env!("CARGO_BIN_EXE_telecine"))
            .current_dir(&folder)
            .args(["inspect", "m.arrow", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
