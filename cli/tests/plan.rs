//! `telecine plan`: a plan, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test that fails by panicking says where")]

use std::path::Path;
use std::process::{Command, Output};

/// Llama 3.1 70B's sizes.
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/llama-3.1-70b.json");

fn plan(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_telecine"))
        .arg("plan")
        .args(args)
        .args(["--weights", "2.9", "--kv", "2.9"])
        .output()
        .unwrap()
}

#[track_caller]
fn refused(args: &[&str], status: i32) -> String {
    let output = plan(args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{error}");
    assert!(error.lines().count() == 1 && error.starts_with("telecine: "), "{error}");
    error
}

/// 70 billion values with 128k tokens are a little too much for four devices of 8 GiB, and fit with a few tokens less.
#[test]
fn what_fits_is_said_to_fit_and_what_does_not_says_what_would() {
    let error = refused(&["--model", MODEL, "--devices", "4x8GiB"], 5);
    let most = error.rsplit("; ").next().unwrap().split(' ').next().unwrap();
    let most: u64 = most.parse().unwrap();
    let fits = plan(&["--model", MODEL, "--devices", "4x8GiB", "--json", "--context", &most.to_string()]);
    assert!(fits.status.success());
    let plan: serde_json::Value = serde_json::from_slice(&fits.stdout).unwrap();
    assert_eq!((&plan["fits"], plan["most_context"].as_u64()), (&true.into(), Some(most)));
    let devices = plan["devices"].as_array().unwrap();
    assert_eq!(devices.iter().map(|device| device["layers"].as_u64().unwrap()).sum::<u64>(), 80);
    refused(&["--model", MODEL, "--devices", "4x8GiB", "--context", &(most + 1).to_string()], 5);
}

#[test]
fn a_wrong_call_or_file_is_one_line() {
    assert!(refused(&["--model", MODEL, "--devices", "4x8"], 2).contains("--devices"));
    assert!(refused(&["--model", MODEL, "--devices", "1x1TB"], 2).contains("no unit"));
    let long = refused(&["--model", MODEL, "--devices", "8x80GB", "--context", "131073"], 2);
    assert!(long.contains("takes 131072 tokens at most"), "{long}");
    refused(&["--model", "missing.json", "--devices", "8x80GB"], 1);
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    refused(&["--model", other.to_str().unwrap(), "--devices", "8x80GB"], 4);
}
