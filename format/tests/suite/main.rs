//! Tests of the container through its public interface.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

mod atomicity;
mod corruption;
mod forgery;
mod golden;
mod order;
mod other_readers;
mod round_trip;
mod rows;
mod streams;
