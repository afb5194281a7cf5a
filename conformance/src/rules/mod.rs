//! The rules, by family.

mod addresses;
mod arguments;
mod buffers;
mod content;
mod corruption;
mod cross;
mod determinism;
mod error;
mod extremes;
mod history;
mod large;
mod limits;
mod options;
mod outside;
mod pipeline;
mod rate_distortion;
mod recovery;
mod resources;
mod round_trip;
mod self_contained;
mod shapes;
mod steps;
mod time;
mod zoo;

use telecine_core::Effort;

use crate::Rule;

/// Every effort.
const EFFORTS: [Effort; 3] = [Effort::Fast, Effort::Balanced, Effort::Best];

/// Every rule, in the order of the families.
pub fn all() -> Vec<Rule> {
    let mut rules = [
        round_trip::RULES,
        shapes::RULES,
        steps::RULES,
        options::RULES,
        rate_distortion::RULES,
        error::RULES,
        determinism::RULES,
        history::RULES,
        self_contained::RULES,
        buffers::RULES,
        addresses::RULES,
        extremes::RULES,
        content::RULES,
        recovery::RULES,
        corruption::RULES,
        large::RULES,
        limits::RULES,
        resources::RULES,
        time::RULES,
        cross::RULES,
        outside::RULES,
        arguments::RULES,
        pipeline::RULES,
        zoo::RULES,
    ]
    .concat();
    // Stable: a module may have rules of several families.
    rules.sort_by_key(|rule| rule.family);
    rules
}
