//! The rules, by family.

mod arguments;
mod buffers;
mod content;
mod corruption;
mod cross;
mod determinism;
mod extremes;
mod limits;
mod outside;
mod pipeline;
mod rate_distortion;
mod recovery;
mod round_trip;
mod self_contained;
mod zoo;

use crate::Rule;

/// Every rule, in the order of the families.
pub fn all() -> Vec<Rule> {
    [
        round_trip::RULES,
        rate_distortion::RULES,
        determinism::RULES,
        self_contained::RULES,
        buffers::RULES,
        extremes::RULES,
        content::RULES,
        recovery::RULES,
        corruption::RULES,
        limits::RULES,
        cross::RULES,
        outside::RULES,
        arguments::RULES,
        pipeline::RULES,
        zoo::RULES,
    ]
    .concat()
}
