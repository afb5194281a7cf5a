//! `telecine conformance` as people and continuous integration run it.

#![allow(clippy::unwrap_used, reason = "a test that fails by panicking says where")]

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs; the exit status must be the wanted one, and the standard error name `names`.
fn conformance(folder: &Path, args: &[&str], require: &str, wanted: i32, names: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telecine"));
    command.current_dir(folder).arg("conformance").args(args).env("TELECINE_REQUIRE", require);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(wanted), "{args:?}: {error}");
    assert!(error.contains(names), "{args:?}: {error:?} does not name {names:?}");
    output
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn rules(json: &Value) -> HashSet<&str> {
    json["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect()
}

#[test]
fn every_rule_is_run_and_every_report_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let files = ["--quick", "--json", "c.json", "--junit", "c.xml", "--html", "c.html"];
    let table = text(&conformance(folder, &files, "native,zstd,raw", 0, ""));
    let json: Value = serde_json::from_slice(&std::fs::read(folder.join("c.json")).unwrap()).unwrap();
    let ids = rules(&json);
    let all = telecine_conformance::all();
    assert_eq!(ids, all.iter().map(|rule| rule.id).collect());
    assert_eq!((json["passed"].as_bool(), json["quick"].as_bool()), (Some(true), Some(true)));
    let page = std::fs::read_to_string(folder.join("c.html")).unwrap();
    let xml = std::fs::read_to_string(folder.join("c.xml")).unwrap();
    let xml = roxmltree::Document::parse(&xml).unwrap();
    let cases: HashSet<_> = xml.descendants().filter_map(|node| node.attribute("name")).collect();
    for rule in &all {
        assert!(
            page.contains(&telecine_report::escape_whole(rule.guarantee)),
            "{} is not on the page",
            rule.id
        );
        assert!(cases.contains(rule.id) && table.contains(rule.id), "{}", rule.id);
    }
    let fetches = page.contains("http:") || page.contains("https:") || page.contains("<script");
    assert!(page.matches("<svg class=\"plot\"").count() >= 2 && !fetches);
    for backend in json["backends"].as_array().unwrap().iter().filter(|backend| backend["absent"].is_null()) {
        assert_eq!(backend["findings"].as_array().unwrap().len(), all.len());
        for finding in backend["findings"].as_array().unwrap() {
            assert!(finding["verdict"] != "held" || finding["cases"].as_u64() > Some(0), "{finding}");
            // The binary counts its allocations, and backends work in child processes: the rules about memory, threads
            // and time apply, but for the one about steps where there are none.
            let rule = finding["rule"].as_str().unwrap();
            let no_steps = rule.ends_with("at-any-step") && backend["name"] != "native";
            let applies = rule.starts_with("limits/") && !no_steps;
            assert!(!applies || finding["verdict"] == "held", "{finding}");
        }
    }
    // Nothing but the three files.
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 3);
}

#[test]
fn a_filter_is_part_of_a_name_or_a_glob() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| -> Value {
        let args = [args, &["--quick", "--json", "-"]].concat();
        serde_json::from_str(&text(&conformance(folder.path(), &args, "", 0, "guarantees hold"))).unwrap()
    };
    let json = run(&["--filter", "raw/round-trip"]);
    assert_eq!(json["backends"].as_array().unwrap().iter().filter(|b| b["absent"].is_null()).count(), 1);
    assert!(rules(&json).iter().all(|id| id.starts_with("round-trip/")));
    let json = run(&["--filter", "zstd/*-exact", "--filter", "raw/arguments"]);
    assert!(
        rules(&json).contains("round-trip/lossless-exact") && rules(&json).contains("arguments/probe-agrees")
    );
    assert!(!rules(&json).contains("buffers/decode-fills"));
    assert_eq!(
        rules(&run(&["--backend", "raw", "--filter", "probe"])),
        HashSet::from(["arguments/probe-agrees"])
    );
    conformance(folder.path(), &["--filter", "no/such/rule"], "", 2, "no/such/rule");
    // One that fits does not speak for one that does not, nor one backend for another.
    conformance(folder.path(), &["--filter", "raw/arguments", "--filter", "rwa/*"], "", 2, "rwa/*");
    conformance(folder.path(), &["--backend", "raw,zstd", "--filter", "raw/arguments"], "", 2, "zstd");
    conformance(folder.path(), &["--filter", "[", "--quick"], "", 2, "pattern");
    // All that fits says nothing of this backend: nothing was checked, and that is no success.
    conformance(folder.path(), &["--filter", "raw/rate-distortion/monotone"], "", 2, "nothing was checked");
}

#[test]
fn a_required_backend_that_is_absent_fails() {
    let folder = tempfile::tempdir().unwrap();
    let probe = ["--quick", "--filter", "probe", "--junit", "c.xml"];
    conformance(folder.path(), &probe, "raw, nosuch", 3, "nosuch");
    let xml = std::fs::read_to_string(folder.path().join("c.xml")).unwrap();
    let xml = roxmltree::Document::parse(&xml).unwrap();
    let failed = xml.descendants().find(|node| node.has_tag_name("failure")).unwrap();
    assert!(failed.attribute("message").unwrap().contains("nosuch"));
    conformance(folder.path(), &["--quick", "--backend", "nosuch"], "", 3, "nosuch");
    conformance(folder.path(), &["--quick", "--filter", "probe"], "raw,zstd", 0, "");
}

#[test]
fn rules_are_listed_with_their_guarantees() {
    let folder = tempfile::tempdir().unwrap();
    let list = text(&conformance(folder.path(), &["--list", "--filter", "raw/"], "", 0, ""));
    for rule in telecine_conformance::all() {
        assert!(list.contains(&format!("raw/{}", rule.id)), "{list}");
    }
    assert!(list.contains("it codes losslessly only") && !list.contains("native/"));
    conformance(folder.path(), &["--list", "--json", "-"], "", 2, "");
}

#[test]
fn nothing_is_overwritten_without_force() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("c.html");
    std::fs::write(&page, "mine").unwrap();
    let args = ["--quick", "--filter", "raw/arguments", "--html", "c.html"];
    conformance(folder.path(), &args, "", 2, "--force");
    assert_eq!(std::fs::read_to_string(&page).unwrap(), "mine");
    conformance(folder.path(), &[&args[..], &["--force"]].concat(), "", 0, "");
    assert!(std::fs::read_to_string(&page).unwrap().starts_with("<!DOCTYPE html>"));
    conformance(
        folder.path(),
        &["--filter", "raw/arguments", "--json", "no/such/folder/c.json"],
        "",
        1,
        "c.json",
    );
}
