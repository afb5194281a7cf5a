//! What each fuzz target does with the bytes that it is given, and the seeds that it starts from.
//!
//! `fuzz/` has a binary for each, for cargo-fuzz; `tests/smoke.rs` feeds them seeds and damaged seeds in `cargo test`.
//! A target panics where it finds something, and returns whatever happened otherwise.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::missing_panics_doc,
    reason = "a target reports by panicking"
)]

mod api;
mod chunk;
mod container;
mod files;
mod input;
mod packets;
mod seeds;
mod tensor;

pub use input::Noise;
pub use seeds::{Seed, seeds};

/// One target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is that of the binary and of its folder of seeds.
    pub name: &'static str,
    /// What it does with an input.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "api", run: api::api },
    Target { name: "chunk", run: chunk::chunk },
    Target { name: "container", run: container::container },
    Target { name: "native_decode", run: packets::native_decode },
    Target { name: "native_differential", run: packets::native_differential },
    Target { name: "native_round_trip", run: packets::native_round_trip },
    Target { name: "npy", run: files::npy },
    Target { name: "npz", run: files::npz },
    Target { name: "raw_decode", run: packets::raw_decode },
    Target { name: "safetensors", run: files::safetensors },
    Target { name: "tensor_round_trip", run: tensor::tensor_round_trip },
    Target { name: "zstd_decode", run: packets::zstd_decode },
];

/// Runs the target of this name.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target's name");
    (target.run)(data);
}
