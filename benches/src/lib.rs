//! What the measuring programs share: sources of values, and one plane coded and decoded.

#![allow(clippy::cast_possible_truncation, reason = "a measuring program on data of its own")]

pub mod plane;
pub mod source;
