//! What a rule is, and what comes of running one.

use std::fmt;

use crate::Subject;

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// What comes back is what went in, exactly or nearly.
    RoundTrip,
    /// Fewer bits for more error, as promised.
    RateDistortion,
    /// The same input makes the same bytes.
    Determinism,
    /// Packets stand alone.
    SelfContainment,
    /// Buffers are appended to, filled, and left alone beyond.
    Buffers,
    /// The smallest, oddest and deepest groups.
    Extremes,
    /// Constant and adversarial content.
    Content,
    /// Contexts work on after an error.
    Recovery,
    /// Damaged packets are errors or values, never a panic.
    Corruption,
    /// Memory is bounded by the group.
    Limits,
    /// Each implementation of a codec reads what the others wrote.
    CrossDecoding,
    /// Wrong arguments are told apart from damage.
    Arguments,
}

/// One guarantee, with the code that checks it.
#[derive(Clone, Copy)]
pub struct Rule {
    /// A stable id, `family/what`.
    pub id: &'static str,
    /// What it is about.
    pub family: Family,
    /// A sentence that says what holds for a backend that passes.
    pub guarantee: &'static str,
    /// Why the rule says nothing of a backend, if so.
    pub applies: fn(&Subject<'_>) -> Result<(), &'static str>,
    /// The check.
    pub run: fn(&Subject<'_>, &mut Cases) -> Result<(), Failure>,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rule({})", self.id)
    }
}

/// How a guarantee was found broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub String);

impl From<telecine_core::Error> for Failure {
    fn from(error: telecine_core::Error) -> Self {
        Self(format!("unexpected error: {error}"))
    }
}

/// Counts what a rule has checked: a rule that checks nothing fails.
#[derive(Debug, Default)]
pub struct Cases {
    count: u64,
}

impl Cases {
    /// One case: holds, or fails with a message.
    ///
    /// # Errors
    /// The message, when `holds` is false.
    pub fn check(&mut self, holds: bool, message: impl FnOnce() -> String) -> Result<(), Failure> {
        self.count += 1;
        if holds { Ok(()) } else { Err(Failure(message())) }
    }
}

/// What running a rule came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All cases hold; at least one was checked.
    Held {
        /// Number of cases.
        cases: u64,
    },
    /// The rule says nothing of this backend.
    NotApplicable(&'static str),
    /// The guarantee is broken.
    Broken(Failure),
}

impl Verdict {
    /// Whether the guarantee is broken.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Broken(_))
    }
}

/// A rule with its verdict on one backend.
#[derive(Debug, Clone)]
pub struct RuleResult {
    /// The rule.
    pub rule: Rule,
    /// The name of the backend.
    pub backend: &'static str,
    /// What came of it.
    pub verdict: Verdict,
}

impl fmt::Display for RuleResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.backend, self.rule.id)?;
        match &self.verdict {
            Verdict::Held { cases } => write!(f, "held in {cases} cases"),
            Verdict::NotApplicable(reason) => write!(f, "not applicable, {reason}"),
            Verdict::Broken(failure) => write!(f, "BROKEN, {}", failure.0),
        }
    }
}

impl Rule {
    /// Runs the rule; a panic of the backend is a broken guarantee.
    pub fn run(&self, subject: &Subject<'_>) -> Verdict {
        if let Err(reason) = (self.applies)(subject) {
            return Verdict::NotApplicable(reason);
        }
        let mut cases = Cases::default();
        let outcome =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (self.run)(subject, &mut cases)));
        match outcome {
            Ok(Ok(())) if cases.count > 0 => Verdict::Held { cases: cases.count },
            Ok(Ok(())) => Verdict::Broken(Failure("the rule checked nothing".into())),
            Ok(Err(failure)) => Verdict::Broken(failure),
            Err(panic) => {
                let message = panic.downcast_ref::<String>().map(String::as_str);
                let message =
                    message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                Verdict::Broken(Failure(format!("the backend panicked: {message}")))
            }
        }
    }
}
