//! Which of the paper's findings come out here.

use serde::Serialize;

use super::{EncoderStages, Measured, Stage};

/// The paper's figures for K-projections of LLaMA-2-7B at an error of 0.01, in bits per value (VcLLM, arXiv 2407.00467,
/// the figure that takes the codec apart), one for each of [`Stage::ALL`].
pub(crate) const PAPER: [f64; 6] = [8.0, 7.6, 3.5, 2.9, 2.6, 3.1];

/// A difference in bits that is told from none.
const NOTHING: f64 = 0.02;

/// What became of one of the paper's findings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Verdict {
    /// The stage that is added.
    pub(crate) stage: Stage,
    /// What the stage changed in the paper, in bits; saved bits are negative.
    pub(crate) paper: f64,
    /// The encoder.
    pub(crate) backend: String,
    /// What it changed here, on average over the stacks that were measured.
    pub(crate) here: f64,
    /// The least and the largest change of a stack.
    pub(crate) range: (f64, f64),
    /// Stacks that were measured, and those where the finding comes out: at least half of the paper's change.
    pub(crate) stacks: (usize, usize),
    /// The outcome in words.
    pub(crate) outcome: &'static str,
}

/// A verdict for each stage that an encoder has a switch for.
pub(crate) fn verdicts(stacks: &[Measured]) -> Vec<Verdict> {
    let mut names: Vec<&str> = Vec::new();
    for encoder in stacks.iter().flat_map(|stack| &stack.encoders) {
        if !names.contains(&encoder.backend.as_str()) {
            names.push(&encoder.backend);
        }
    }
    let mut out = Vec::new();
    for (index, stage) in Stage::ALL.into_iter().enumerate().skip(1) {
        let paper = PAPER[index] - PAPER[index - 1];
        if stage == Stage::Entropy {
            // No codec's lossless mode is entropy coding alone; this is what that alone would give.
            let changes: Vec<f64> = stacks.iter().map(|stack| stack.entropy - PAPER[0]).collect();
            out.push(judge(stage, paper, "order-0 entropy", &changes));
        }
        for name in &names {
            let all =
                stacks.iter().flat_map(|stack| &stack.encoders).filter(|encoder| encoder.backend == *name);
            let changes: Vec<f64> = all.filter_map(|encoder| change(encoder, index)).collect();
            if !changes.is_empty() {
                out.push(judge(stage, paper, name, &changes));
            }
        }
    }
    out
}

/// What a stage changed for an encoder: against the stage before it that was measured.
fn change(encoder: &EncoderStages, index: usize) -> Option<f64> {
    Some(encoder.cells[index].bits()? - encoder.cells[index - 1].bits()?)
}

fn judge(stage: Stage, paper: f64, backend: &str, changes: &[f64]) -> Verdict {
    let here = changes.iter().sum::<f64>() / changes.len() as f64;
    let comes_out = |change: f64| change * paper.signum() >= paper.abs() / 2.0;
    let range = changes.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), c| (l.min(*c), h.max(*c)));
    let outcome = if comes_out(here) {
        "reproduces"
    } else if here * paper.signum() > NOTHING {
        "the same way, less than half as much"
    } else if here.abs() <= NOTHING {
        "no effect here"
    } else {
        "the other way"
    };
    let agreeing = changes.iter().filter(|change| comes_out(**change)).count();
    let stacks = (changes.len(), agreeing);
    Verdict { stage, paper, backend: backend.into(), here, range, stacks, outcome }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_comes_out_by_half_of_its_size_in_its_direction() {
        let outcome = |paper, changes: &[f64]| judge(Stage::Prediction, paper, "x", changes);
        assert_eq!(outcome(-0.6, &[-0.4, -0.5]).outcome, "reproduces");
        assert_eq!(outcome(-0.6, &[-0.4, 0.0]).stacks, (2, 1));
        assert_eq!(outcome(-0.6, &[-0.1]).outcome, "the same way, less than half as much");
        assert_eq!(outcome(-0.6, &[0.01, -0.01]).outcome, "no effect here");
        assert_eq!(outcome(-0.6, &[0.1]).outcome, "the other way");
        assert_eq!(outcome(0.5, &[0.3]).outcome, "reproduces");
        assert_eq!(outcome(0.5, &[-0.3]).outcome, "the other way");
    }
}
