//! `telecine ablate`: its figures, and what it refuses.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

use std::path::Path;
use std::process::{Command, Output};

fn telecine(folder: &Path, args: &[&str]) -> Output {
    let always = ["ablate", "-o", "out.html", "--json", "out.json"];
    Command::new(env!("CARGO_BIN_EXE_telecine")).current_dir(folder).args(always).args(args).output().unwrap()
}

/// The one line of a failed run of this status, which leaves no file behind.
#[track_caller]
fn refused(folder: &Path, args: &[&str], status: i32) -> String {
    let output = telecine(folder, args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{error}");
    assert!(error.lines().count() == 1 && error.starts_with("telecine: "), "{error}");
    assert!(!folder.join("out.html").exists() && !folder.join("out.json").exists());
    error
}

/// A safetensors file of `f32` matrices.
fn write(path: &Path, tensors: &[(&str, usize, usize, Vec<f32>)]) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, rows, cols, values) in tensors {
        let start = data.len();
        values.iter().for_each(|value| data.extend(value.to_le_bytes()));
        let entry =
            serde_json::json!({"dtype": "F32", "shape": [rows, cols], "data_offsets": [start, data.len()]});
        header.insert((*name).to_owned(), entry);
    }
    let header = serde_json::Value::Object(header).to_string();
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat();
    std::fs::write(path, file).unwrap();
}

/// Rows that go on from each other, with some noise: a picture that a codec predicts.
fn picture(seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 16_777_216.0 - 0.5
    };
    let columns: Vec<f32> = (0..128).map(|_| 4.0 * uniform()).collect();
    (0..128 * 128).map(|at| columns[at % 128] + 0.4 * uniform()).collect()
}

#[test]
#[cfg(not(any(feature = "av1", feature = "av1-rust", feature = "ffmpeg")))]
fn without_a_video_encoder_the_features_are_named() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("m.safetensors"), &[("a", 128, 128, picture(1))]);
    let error = refused(folder.path(), &["m.safetensors"], 3);
    assert!(error.contains("rav1e") && error.contains("feature"), "{error}");
}

#[test]
fn a_wrong_error_or_rate_is_a_wrong_call() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("m.safetensors"), &[("a", 128, 128, picture(1))]);
    refused(folder.path(), &["m.safetensors", "--nmse", "0"], 2);
    refused(folder.path(), &["m.safetensors", "--bits", "2,0"], 2);
}

#[cfg(feature = "ffmpeg")]
mod with_encoders {
    use super::*;
    use serde_json::Value;

    #[test]
    fn tensors_that_pictures_have_no_place_for_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut values = picture(1);
        values[777] = f32::NAN;
        write(
            &folder.path().join("m.safetensors"),
            &[("a", 128, 128, values), ("thin", 1024, 8, vec![1.0; 8192])],
        );
        let error = refused(folder.path(), &["m.safetensors"], 2);
        assert!(error.contains("\"a\"") && error.contains("NaN"), "{error}");
        let error = refused(folder.path(), &["m.safetensors", "--tensor", "thin"], 2);
        assert!(error.contains("no tensor to measure"), "{error}");
    }

    #[test]
    fn stages_show_what_each_tool_is_worth() {
        let folder = tempfile::tempdir().unwrap();
        // Two layers alike, and one matrix alone.
        let alike = picture(1);
        let tensors = [
            ("layers.0.k", 128, 128, alike.clone()),
            ("layers.1.k", 128, 128, alike),
            ("alone", 128, 128, picture(2)),
        ];
        write(&folder.path().join("m.safetensors"), &tensors);
        let output = telecine(folder.path(), &["m.safetensors", "--values", "65536", "--bits", "2"]);
        assert!(output.status.success(), "{output:?}");
        let page = std::fs::read_to_string(folder.path().join("out.html")).unwrap();
        assert!(page.contains("layers.*.k") || page.contains("layers.<wbr>*.<wbr>k"));
        let json: Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("out.json")).unwrap()).unwrap();
        let stacks = json["stacks"].as_array().unwrap();
        let of = |stack: &Value, name: &str| -> Vec<Option<f64>> {
            let encoders = stack["encoders"].as_array().unwrap();
            let encoder = encoders.iter().find(|encoder| encoder["backend"] == name).unwrap();
            encoder["cells"].as_array().unwrap().iter().map(|cell| cell["bits"].as_f64()).collect()
        };
        let layers = stacks.iter().find(|stack| stack["name"] == "layers.*.k").unwrap();
        assert_eq!(layers["shape"], serde_json::json!([2, 128, 128]));
        let cells = of(layers, "libaom");
        // Two half-precision numbers for each row of 128.
        assert_eq!(cells[0], Some(8.25));
        let (transform, prediction) = (cells[2].unwrap(), cells[3].unwrap());
        assert!(prediction < transform && transform < 6.0, "{cells:?}");
        // The second layer is the first.
        let cells = of(layers, "x265");
        assert_eq!(cells[2], None, "x265 has no switch for prediction: {cells:?}");
        let (intra, inter) = (cells[4].unwrap() - 0.25, cells[5].unwrap() - 0.25);
        assert!(inter < 0.7 * intra, "{cells:?}");
        // Parts of one matrix are not alike.
        let alone = stacks.iter().find(|stack| stack["name"] == "alone").unwrap();
        assert_eq!(alone["shape"], serde_json::json!([2, 64, 128]));
        let native = |front: &&Value| front["backend"] == "native";
        let fronts = alone["front_ends"].as_array().unwrap();
        let front = fronts.iter().find(native).unwrap();
        let bits = |kind: &str| front[kind]["bits"].as_f64().unwrap();
        assert!(bits("auto") < bits("row_wise"), "{front}");
        assert!(json["verdicts"].as_array().unwrap().iter().any(|verdict| verdict["stage"] == "Inter"));
    }
}
