//! The rules, by family.

mod arguments;
mod buffers;
mod content;
mod corruption;
mod cross;
mod determinism;
mod extremes;
mod limits;
mod rate_distortion;
mod recovery;
mod round_trip;
mod self_contained;

use crate::{Rule, RuleResult, Subject};

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
        arguments::RULES,
    ]
    .concat()
}

/// Runs every rule whose id contains `filter`.
pub fn check(subject: &Subject<'_>, filter: &str) -> Vec<RuleResult> {
    let rules = all().into_iter().filter(|rule| rule.id.contains(filter));
    let backend = subject.backend().info().name;
    rules.map(|rule| RuleResult { rule, backend, verdict: rule.run(subject) }).collect()
}
