//! Holds the zoo to every promise and prints what is broken, one line each.
//!
//! `cargo run --profile test -p telecine-conformance --example zoo -- [--codec C] [--backend B] [--effort E] [--dtype D]…
//! [--filter TENSOR]… [--promise ID]… [--seed N] [--list]`

#![allow(clippy::unwrap_used, reason = "a tool of tests that fails by panicking says where")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use rayon::prelude::*;
use telecine_backends::default_registry;
use telecine_conformance::zoo::{self, PROMISES, Trial};
use telecine_core::{CodecId, DType, Effort, Encoding, Target};

fn main() -> ExitCode {
    let mut encoding = Encoding::new(Target::Lossless);
    encoding.effort = Effort::Fast;
    let (mut dtypes, mut filters, mut promises) = (Vec::new(), Vec::new(), Vec::new());
    let (mut seed, mut list) = (1, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} takes a value"));
        match argument.as_str() {
            "--codec" => encoding.codec = Some(CodecId::parse(&value()).unwrap()),
            "--backend" => encoding.backend = Some(value()),
            "--effort" => {
                encoding.effort = match value().as_str() {
                    "fast" => Effort::Fast,
                    "balanced" => Effort::Balanced,
                    "best" => Effort::Best,
                    other => panic!("effort {other} is none of fast, balanced, best"),
                }
            }
            "--dtype" => dtypes.push(DType::parse(&value()).unwrap()),
            "--filter" => filters.push(value()),
            "--promise" => promises.push(value()),
            "--seed" => seed = value().parse().unwrap(),
            "--list" => list = true,
            other => panic!("unknown argument {other}"),
        }
    }
    if list {
        zoo::makers().for_each(|maker| println!("{:<26} {}", maker.name, maker.about));
        PROMISES.iter().for_each(|promise| println!("{:<26} {}", promise.id, promise.guarantee));
        return ExitCode::SUCCESS;
    }
    if dtypes.is_empty() {
        dtypes = DType::ALL.to_vec();
    }
    let fits = |name: &str, wanted: &[String]| {
        wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
    };
    let specimens: Vec<_> = zoo::makers()
        .filter(|maker| fits(maker.name, &filters))
        .flat_map(|maker| dtypes.iter().filter_map(move |&dtype| maker.make(dtype, seed)).collect::<Vec<_>>())
        .collect();
    // Panics are findings here.
    std::panic::set_hook(Box::new(|_| ()));
    let (begun, registry) = (Instant::now(), default_registry());
    let found: Vec<_> = specimens
        .par_iter()
        .map(|specimen| {
            let mut trial = Trial::new(specimen, &registry, &encoding);
            let wanted = PROMISES.iter().filter(|promise| fits(promise.id, &promises));
            let mut results = Vec::new();
            for promise in wanted {
                let (cases, violations) = trial.check(promise);
                for violation in &violations {
                    println!("{:<22} {violation}", promise.id);
                }
                results.push((promise.id, cases, violations.len()));
            }
            (specimen.name, specimen.tensor.dtype, results)
        })
        .collect();
    let mut by_promise: BTreeMap<_, (u64, usize)> = BTreeMap::new();
    let (mut by_specimen, mut by_dtype): (BTreeMap<_, usize>, BTreeMap<_, usize>) = Default::default();
    for (name, dtype, results) in &found {
        for (id, cases, violations) in results {
            let sums = by_promise.entry(*id).or_default();
            *sums = (sums.0 + cases, sums.1 + violations);
            *by_specimen.entry(*name).or_default() += violations;
            *by_dtype.entry(dtype.name()).or_default() += violations;
        }
    }
    let total: usize = by_promise.values().map(|(_, violations)| violations).sum();
    println!("\n{} tensors, {:.1} s, {total} violations", found.len(), begun.elapsed().as_secs_f64());
    by_promise
        .iter()
        .for_each(|(id, (cases, violations))| println!("  {id:<26} {violations:>6} of {cases} cases"));
    for (title, sums) in [("by dtype", &by_dtype), ("by tensor", &by_specimen)] {
        println!("{title}:");
        let mut sums: Vec<_> = sums.iter().filter(|(_, violations)| **violations > 0).collect();
        sums.sort_by_key(|(_, violations)| std::cmp::Reverse(**violations));
        sums.iter().for_each(|(name, violations)| println!("  {name:<26} {violations:>6}"));
    }
    if total == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
