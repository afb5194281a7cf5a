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

/// Rules that codecs of pictures are not held to: every step, size and history as a tensor codec has them. The backends of
/// pictures here break some, and take minutes over the others (`docs/video.md`).
pub(crate) const OF_TENSOR_CODECS: &[&str] = &[
    "buffers/any-address",
    "buffers/beside-forbidden-memory",
    "content/extremes-survive",
    "corruption/large-cuts",
    "corruption/large-flips",
    "corruption/tails",
    "determinism/any-process",
    "limits/content-time",
    "limits/creations-keep-nothing",
    "limits/damage-time",
    "limits/encoder-memory-at-any-step",
    "limits/no-threads-left",
    "limits/size-time",
    "rate-distortion/efforts-agree",
    "rate-distortion/error-is-spread",
    "rate-distortion/finer-is-no-worse",
    "rate-distortion/near-shannon-everywhere",
    "rate-distortion/never-above-raw-at-any-size",
    "rate-distortion/no-bias",
    "rate-distortion/step-predicts-error-at-any-size",
    "rate-distortion/step-predicts-error-in-planes",
    "recovery/a-thousand-groups",
    "round-trip/any-step",
    "round-trip/inter",
    "round-trip/lossless-at-any-size",
    "self-containment/inter",
    "zoo/bits-well-spent",
    "zoo/max-abs-curve",
    "zoo/more-bits-never-worse",
    "zoo/never-above-lossless",
    "zoo/refusals",
    "zoo/side-effects-are-measured",
    "zoo/step-is-step",
];

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
