//! What a rule is, and what comes of running one.

use std::fmt;

use serde::Serialize;

use crate::Subject;

macro_rules! families {
    ($($(#[$doc:meta])* $variant:ident, $id:literal, $title:literal;)*) => {
        /// What a rule is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Family { $($(#[$doc])* $variant,)* }

        impl Family {
            /// The part of a rule's id before the slash.
            pub fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// The family's name for people.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

families! {
    /// What comes back is what went in, exactly or nearly.
    RoundTrip, "round-trip", "Round trip";
    /// Fewer bits for more error, as promised.
    RateDistortion, "rate-distortion", "Rate and distortion";
    /// The same input makes the same bytes.
    Determinism, "determinism", "Determinism";
    /// Packets stand alone.
    SelfContainment, "self-containment", "Packets stand alone";
    /// Buffers are appended to, filled, and left alone beyond.
    Buffers, "buffers", "Buffers";
    /// The smallest, oddest, deepest and largest groups.
    Extremes, "extremes", "Extreme sizes";
    /// Constant and adversarial content.
    Content, "content", "Odd content";
    /// Contexts work on after an error.
    Recovery, "recovery", "Recovery after errors";
    /// Damaged packets are errors or values, never a panic.
    Corruption, "corruption", "Damaged packets";
    /// Memory is bounded by the group.
    Limits, "limits", "Bounded memory";
    /// Each implementation of a codec reads what the others wrote.
    CrossDecoding, "cross-decoding", "Other backends of the codec";
    /// Decoders from elsewhere read the packets.
    OutsideDecoder, "outside-decoder", "Decoders from elsewhere";
    /// Wrong arguments are told apart from damage.
    Arguments, "arguments", "Arguments and capabilities";
    /// Whole tensors, through everything between values and packets.
    Pipeline, "pipeline", "Whole tensors";
    /// Tensors of every kind, through the pipeline.
    Zoo, "zoo", "Unusual tensors";
}

/// One guarantee, with the code that checks it.
#[derive(Clone, Copy, Serialize)]
pub struct Rule {
    /// A stable id, `family/what`.
    pub id: &'static str,
    /// What it is about.
    pub family: Family,
    /// A sentence that says what holds for a backend that passes.
    pub guarantee: &'static str,
    /// Why the rule says nothing of a backend, if so.
    #[serde(skip)]
    pub applies: fn(&Subject) -> Result<(), &'static str>,
    /// The check.
    #[serde(skip)]
    pub run: fn(&Subject, &mut Cases) -> Result<(), Failure>,
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
    /// Counts cases that held.
    pub(crate) fn add(&mut self, count: u64) {
        self.count += count;
    }

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// All cases hold; at least one was checked.
    Held {
        /// Number of cases.
        cases: u64,
    },
    /// The rule says nothing of this backend.
    NotApplicable {
        /// Why not.
        reason: &'static str,
    },
    /// The guarantee is broken.
    Broken {
        /// Number of cases, the broken one last.
        cases: u64,
        /// What was found.
        failure: String,
    },
}

impl Verdict {
    /// Whether the guarantee is broken.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { cases } => write!(f, "held in {cases} cases"),
            Self::NotApplicable { reason } => write!(f, "not applicable, {reason}"),
            Self::Broken { failure, .. } => write!(f, "BROKEN, {failure}"),
        }
    }
}

impl Rule {
    /// Runs the rule; a panic of the backend is a broken guarantee, and so is a rule that checked nothing.
    pub fn run(&self, subject: &Subject) -> Verdict {
        if let Err(reason) = (self.applies)(subject) {
            return Verdict::NotApplicable { reason };
        }
        let mut cases = Cases::default();
        let outcome =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (self.run)(subject, &mut cases)));
        let cases = cases.count;
        match outcome {
            Ok(Ok(())) if cases > 0 => Verdict::Held { cases },
            Ok(Ok(())) => Verdict::Broken { cases, failure: "the rule checked nothing".into() },
            Ok(Err(failure)) => Verdict::Broken { cases, failure: failure.0 },
            Err(panic) => {
                let message = panic.downcast_ref::<String>().map(String::as_str);
                let message =
                    message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                Verdict::Broken { cases, failure: format!("the backend panicked: {message}") }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// What a rule with this check comes to.
    fn verdict(run: fn(&Subject, &mut Cases) -> Result<(), Failure>) -> Verdict {
        let subject = Subject::new(Arc::new(telecine_raw::Raw), Vec::new());
        let (id, family, guarantee) = ("arguments/test", Family::Arguments, "Something holds.");
        Rule { id, family, guarantee, applies: |_| Ok(()), run }.run(&subject)
    }

    #[test]
    fn a_rule_that_checks_nothing_fails() {
        let failure = "the rule checked nothing".to_owned();
        assert_eq!(verdict(|_, _| Ok(())), Verdict::Broken { cases: 0, failure });
        assert_eq!(verdict(|_, cases| cases.check(true, String::new)), Verdict::Held { cases: 1 });
    }

    #[test]
    fn the_first_broken_case_ends_a_rule_and_is_told() {
        let broken = verdict(|_, cases| {
            cases.check(true, String::new)?;
            cases.check(false, || "samples differ".into())?;
            cases.check(false, || "never reached".into())
        });
        assert_eq!(broken, Verdict::Broken { cases: 2, failure: "samples differ".into() });
    }
}
