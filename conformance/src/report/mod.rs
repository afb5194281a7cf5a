//! What a run of the suite found, for programs (JSON, JUnit XML) and for people (text, one HTML page).

mod curve;
mod figures;
mod html;
mod junit;
mod machine;
mod matrix;
mod text;

#[cfg(test)]
mod tests;

pub(crate) use curve::measure_curve;
pub use curve::{Curve, Point};
pub use machine::Machine;

use std::time::Duration;

use serde::Serialize;
use telecine_core::BackendInfo;

use crate::{Absent, Rule, Verdict};

/// What a run of the suite found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The version of the suite.
    pub version: &'static str,
    /// When the run began, in UTC (RFC 3339).
    pub started: String,
    /// How long it took.
    pub seconds: f64,
    /// Whether rules with many cases ran only some of them.
    pub quick: bool,
    /// Where it ran.
    pub machine: Machine,
    /// Whether no guarantee is broken, no required backend absent, and anything was run at all.
    pub passed: bool,
    /// The rules that were run on any backend.
    pub rules: Vec<Rule>,
    /// The backends, those that do not work here last.
    pub backends: Vec<BackendReport>,
}

/// What was found about one backend.
#[derive(Debug, Clone, Serialize)]
pub struct BackendReport {
    /// Its name.
    pub name: String,
    /// The codec's id.
    pub codec: String,
    /// Why it does not work here, if so.
    pub absent: Option<String>,
    /// Whether its absence is a failure.
    pub required: bool,
    /// The rules that were run, in their order.
    pub findings: Vec<Finding>,
    /// Rate and distortion on Gaussian values.
    pub curve: Curve,
    /// The bits per sample above Shannon's bound that it declares, where it is lossy.
    pub declared_excess: Option<f32>,
}

/// A rule with its verdict on one backend.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The rule's id.
    pub rule: &'static str,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long it took.
    pub seconds: f64,
}

impl BackendReport {
    pub(crate) fn tested(info: &BackendInfo, findings: Vec<Finding>, curve: Curve) -> Self {
        Self {
            name: info.name.into(),
            codec: info.codec.to_string(),
            absent: None,
            required: false,
            findings,
            curve,
            declared_excess: info.capabilities.lossy.then_some(info.capabilities.excess),
        }
    }

    pub(crate) fn absent(absent: &Absent) -> Self {
        Self {
            name: absent.name.clone(),
            codec: absent.codec.clone(),
            absent: Some(absent.reason.clone()),
            required: absent.required,
            findings: Vec::new(),
            curve: Curve::default(),
            declared_excess: None,
        }
    }

    /// Whether a guarantee is broken, or the backend is required and absent.
    pub fn failed(&self) -> bool {
        (self.required && self.absent.is_some()) || self.findings.iter().any(|f| f.verdict.is_broken())
    }

    fn finding(&self, rule: &Rule) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.rule == rule.id)
    }

    /// Guarantees that hold, that are broken, and that do not apply; cases in all.
    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for finding in &self.findings {
            match finding.verdict {
                Verdict::Held { cases } => (tally.held, tally.cases) = (tally.held + 1, tally.cases + cases),
                Verdict::Broken { cases, .. } => {
                    (tally.broken, tally.cases) = (tally.broken + 1, tally.cases + cases);
                }
                Verdict::NotApplicable { .. } => tally.not_applicable += 1,
            }
        }
        tally
    }
}

/// How many rules came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    held: usize,
    broken: usize,
    not_applicable: usize,
    cases: u64,
}

impl Report {
    pub(crate) fn new(
        started: chrono::DateTime<chrono::Utc>,
        took: Duration,
        quick: bool,
        rules: Vec<Rule>,
        backends: Vec<BackendReport>,
    ) -> Self {
        let ran = backends.iter().any(|backend| backend.tally().held > 0);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            started: started.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            seconds: took.as_secs_f64(),
            quick,
            machine: Machine::here(),
            passed: ran && !backends.iter().any(BackendReport::failed),
            rules,
            backends,
        }
    }

    /// Whether no guarantee is broken, no required backend absent, and anything was run at all.
    pub fn passed(&self) -> bool {
        self.passed
    }

    /// The report as one JSON document.
    pub fn json(&self) -> String {
        // Plain structs with text keys always serialise.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The report as JUnit XML: a test suite for each backend, a test case for each rule.
    pub fn junit(&self) -> String {
        junit::render(self)
    }

    /// The report as one HTML page that needs nothing beside itself.
    pub fn html(&self) -> String {
        html::render(self)
    }
}
