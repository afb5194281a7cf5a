//! The promises that every specimen is held to, whatever codes it.

mod rates;
mod values;

use super::Trial;

/// One promise to whoever codes a tensor.
#[derive(Debug, Clone, Copy)]
pub struct Promise {
    /// A stable id, such as `within-range`.
    pub id: &'static str,
    /// A sentence that says what holds.
    pub guarantee: &'static str,
    /// The check.
    pub(crate) check: fn(&mut Trial<'_>),
}

/// Every promise.
pub const PROMISES: &[Promise] = &[
    Promise {
        id: "target-holds",
        guarantee: "A tensor comes back within its target, NaNs and infinities bit for bit, or the target is refused.",
        check: rates::target_holds,
    },
    Promise {
        id: "refusals",
        guarantee: "A target is refused only where headers and masks alone exceed it, and with the nearest in reach.",
        check: rates::refusals,
    },
    Promise {
        id: "never-above-lossless",
        guarantee: "No lossy target takes more bytes than lossless does; bits that suffice for lossless are lossless.",
        check: rates::never_above_lossless,
    },
    Promise {
        id: "more-bits-never-worse",
        guarantee: "More bits never make a larger error; where samples of less than 16 bits are the limit, one 1.15 times larger at most.",
        check: rates::more_bits_never_worse,
    },
    Promise {
        id: "bits-well-spent",
        guarantee: "At a bits target the error is near that of a Gaussian of the same power, or smaller.",
        check: rates::bits_well_spent,
    },
    Promise {
        id: "max-abs-curve",
        guarantee: "Half the maximum error of Gaussian values costs at most 1.6 bits more, up to lossless (a plane of samples more where these are short).",
        check: rates::max_abs_curve,
    },
    Promise {
        id: "step-is-step",
        guarantee: "The mean squared error at a step is 0.3 to 1.6 times step²/12 where values are continuous.",
        check: rates::step_is_step,
    },
    Promise {
        id: "within-range",
        guarantee: "Values come back within the range of the tensor's finite values.",
        check: values::within_range,
    },
    Promise {
        id: "zeros-kept",
        guarantee: "Exact zeros come back as zeros on request, and without it where their places cost next to nothing.",
        check: values::zeros_kept,
    },
    Promise {
        id: "outliers-exact",
        guarantee: "Values that outweigh the rest come back exact, and the rest is coded as if they were not there.",
        check: values::outliers_exact,
    },
    Promise {
        id: "report-is-measured",
        guarantee: "Errors and bytes that are reported are those of what comes back.",
        check: values::report_is_measured,
    },
    Promise {
        id: "side-effects-are-measured",
        guarantee: "Counts of lost zeros, changed signs and flattened values are those of what comes back.",
        check: values::side_effects_are_measured,
    },
    Promise {
        id: "masks-are-cheap",
        guarantee: "A mask costs little more than the entropy of its places.",
        check: values::masks_are_cheap,
    },
    Promise {
        id: "near-zstd",
        guarantee: "Lossless coding of masked and sparse tensors takes at most 1.1 times what zstd takes.",
        check: values::near_zstd,
    },
];
