//! Unusual tensors: the promises of the [zoo](crate::zoo) that a backend can break.

use telecine_core::{DType, Effort};

use crate::pipeline::Pipeline;
use crate::zoo::{PROMISES, Specimen, Trial, make, makers};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "zoo/target-holds",
        family: Family::Zoo,
        guarantee: "Tensors of every kind come back within their target, or the target is refused.",
        applies: |subject| subject.is_complete(),
        run: |subject, cases| hold(subject, cases, "target-holds", 1),
    },
    Rule {
        id: "zoo/refusals",
        family: Family::Zoo,
        guarantee: "Tensors of every kind are refused only where headers and masks alone exceed the target.",
        applies: |subject| subject.is_complete(),
        run: |subject, cases| hold(subject, cases, "refusals", 4),
    },
    Rule {
        id: "zoo/never-above-lossless",
        family: Family::Zoo,
        guarantee: "No lossy target takes more bytes than lossless does, whatever a tensor holds.",
        applies: |subject| subject.is_lossless(),
        run: |subject, cases| hold(subject, cases, "never-above-lossless", 4),
    },
    Rule {
        id: "zoo/more-bits-never-worse",
        family: Family::Zoo,
        guarantee: "More bits never make a larger error, whatever a tensor holds (1.15 times at most where short samples are the limit).",
        applies: |subject| subject.is_lossy(),
        run: |subject, cases| hold(subject, cases, "more-bits-never-worse", 4),
    },
    Rule {
        id: "zoo/bits-well-spent",
        family: Family::Zoo,
        guarantee: "At a bits target no tensor's error is far above that of Gaussian values of the same power.",
        applies: |subject| subject.is_lossy(),
        run: |subject, cases| hold(subject, cases, "bits-well-spent", 4),
    },
    Rule {
        id: "zoo/max-abs-curve",
        family: Family::Zoo,
        guarantee: "Half the maximum error costs at most 1.6 bits more, up to lossless (a plane of samples more where these are short).",
        applies: |subject| subject.is_lossless().and_then(|()| subject.is_lossy()),
        run: |subject, cases| hold(subject, cases, "max-abs-curve", 1),
    },
    Rule {
        id: "zoo/step-is-step",
        family: Family::Zoo,
        guarantee: "At every scale and offset the mean squared error at a step is 0.3 to 1.6 times step²/12.",
        applies: |subject| subject.is_complete(),
        run: |subject, cases| hold(subject, cases, "step-is-step", 1),
    },
    Rule {
        id: "zoo/report-is-measured",
        family: Family::Zoo,
        guarantee: "The errors and bytes reported for tensors of every kind are those of what comes back.",
        applies: |subject| subject.is_complete(),
        run: |subject, cases| hold(subject, cases, "report-is-measured", 4),
    },
    Rule {
        id: "zoo/side-effects-are-measured",
        family: Family::Zoo,
        guarantee: "Lost zeros, changed signs and flattened values are counted as they come back.",
        applies: |subject| subject.is_complete(),
        run: |subject, cases| hold(subject, cases, "side-effects-are-measured", 4),
    },
];

/// Holds specimens to a promise; `share` is the number of rules that share the zoo among them.
fn hold(subject: &Subject, cases: &mut Cases, promise: &'static str, share: usize) -> Result<(), Failure> {
    let promise = PROMISES
        .iter()
        .enumerate()
        .find(|(_, known)| known.id == promise)
        .ok_or_else(|| Failure(format!("no promise {promise}")))?;
    let (phase, promise) = promise;
    let pipeline = Pipeline::new(subject, 1)?;
    let (specimens, targets) = selection(subject, promise.id, share, phase);
    for (at, specimen) in specimens.enumerate() {
        let effort = match at % 11 {
            4 => Effort::Balanced,
            7 if !subject.is_quick() => Effort::Best,
            _ => Effort::Fast,
        };
        let mut encoding = pipeline.encoding().clone();
        encoding.effort = effort;
        let mut trial = Trial::new(&specimen, pipeline.registry(), &encoding).every(targets, at + phase);
        let (count, violations) = trial.check(promise);
        cases.add(count);
        if let Some(violation) = violations.first() {
            let more = match violations.len() {
                1 => String::new(),
                count => format!(" (and {} more of this tensor)", count - 1),
            };
            return cases.check(false, || format!("{violation}{more}"));
        }
    }
    Ok(())
}

/// The specimens of a rule, and one in how many targets to try each with.
fn selection(
    subject: &Subject,
    promise: &'static str,
    share: usize,
    phase: usize,
) -> (impl Iterator<Item = Specimen>, usize) {
    // Backends of large groups take long for each.
    let large = subject.spec(1, 1, 1, 8).is_ok_and(|spec| spec.samples() >= 1024);
    let (stride, targets) = match promise {
        "max-abs-curve" => (if subject.is_quick() { 5 } else { 1 }, 1),
        "step-is-step" => (if subject.is_quick() { 17 } else { 2 }, 1),
        // A third of the targets are in bits, and it takes several to compare.
        "more-bits-never-worse" | "bits-well-spent" => match (subject.is_quick(), large) {
            (false, false) => (41 * share, 1),
            (false, true) => (131 * share, 1),
            (true, false) => (131, 1),
            (true, true) => (199, 2),
        },
        _ => match (subject.is_quick(), large) {
            (false, false) => (41 * share, 5),
            (false, true) => (131 * share, 5),
            (true, false) => (131 * share, 5),
            (true, true) => (199 * share, 13),
        },
    };
    let concerns = move |name: &str| match promise {
        "max-abs-curve" => matches!(name, "gaussian" | "uniform" | "offset-1000"),
        "step-is-step" => {
            matches!(name, "gaussian" | "uniform" | "barely-normal")
                || name.starts_with("scale-")
                || name.starts_with("offset-")
        }
        _ => true,
    };
    let dtypes = move |at: usize| match promise {
        "max-abs-curve" => vec![DType::F32, DType::F64],
        // Most tensors are made of these two; the others take turns.
        _ => vec![
            DType::F32,
            DType::Bf16,
            DType::ALL[at % DType::ALL.len()],
            DType::ALL[(at + 7) % DType::ALL.len()],
        ],
    };
    let specimens = makers()
        .filter(move |maker| concerns(maker.name))
        .enumerate()
        .flat_map(move |(at, maker)| dtypes(at).into_iter().map(move |dtype| (maker, dtype)))
        .skip(phase % stride)
        .step_by(stride)
        .filter_map(|(maker, dtype)| maker.make(dtype, 1));
    // Ordinary values, too: what is wrong with them may show on nothing else.
    (make("gaussian", DType::F32, 1).into_iter().chain(specimens), targets)
}
