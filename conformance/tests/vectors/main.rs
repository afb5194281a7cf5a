//! What was written once is read for ever: packets of the codecs and containers of each released format version.
//!
//! `conformance/vectors/` holds them, and an `index.txt` for each kind what they decode to, with its checksum and how far
//! it may be from what was encoded. Both are only added to, by
//!
//! ```sh
//! cargo test -p telecine-conformance --test vectors -- --ignored add
//! ```
//!
//! which writes the vectors that have a recipe here but no file, and fails where an existing one is not what its index
//! says. Vectors of `tns1` lie with its backend, in `backends/native/tests/golden`, where each instruction set reads
//! them; rows that no codec stands behind and files that other tools wrote again in `format/tests/golden`.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

mod containers;
mod index;
mod packets;
mod recipes;
mod signal;

#[test]
#[ignore = "writes files"]
fn add() {
    packets::add();
    containers::add();
}
