//! Tests of the container through its public interface.

mod atomicity;
mod corruption;
mod forgery;
mod order;
mod round_trip;
mod rows;
mod streams;
