//! What the `telecine` command reads: other people's files, as a library so that fuzzers and tests reach it.

pub mod failure;
pub mod input;
pub mod select;
pub mod text;
