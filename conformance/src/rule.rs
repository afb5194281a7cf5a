//! What a rule is, and what comes of running one.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Subject;
use crate::process::{Ended, Progress, in_child};
use crate::subject::Place;

macro_rules! families {
    ($($(#[$doc:meta])* $variant:ident, $id:literal, $title:literal;)*) => {
        /// What a rule is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
    /// Memory, threads and time are bounded by the group.
    Limits, "limits", "Bounded memory, threads and time";
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
    /// Where the parent of a child process reads the count.
    shown: Option<Progress>,
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
        if let Some(shown) = self.shown {
            shown.store(self.count, Ordering::Relaxed);
        }
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

/// What a run of a rule's check came to, as it travels from a child process.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    cases: u64,
    failure: Option<String>,
}

/// Characters of a failure at most.
const LONGEST_FAILURE: usize = 4000;

impl Rule {
    /// Runs the rule, in a child process with a limit on its time where there are such. A panic of the backend is a broken
    /// guarantee, and so are an end of the process, a rule that takes too long, and one that checked nothing.
    pub fn run(&self, subject: &Subject) -> Verdict {
        if let Err(reason) = (self.applies)(subject) {
            return Verdict::NotApplicable { reason };
        }
        let limit = subject.time_limit();
        if subject.place() == Place::Here {
            return self.run_here(subject, limit);
        }
        let work = |progress| {
            let outcome = self.check(subject, Cases { count: 0, shown: Some(progress) });
            // Numbers and text always serialise.
            serde_json::to_vec(&outcome).unwrap_or_default()
        };
        let (ended, cases) = in_child(limit, work);
        match ended {
            Ended::Done(bytes) => match serde_json::from_slice::<Outcome>(&bytes) {
                Ok(outcome) => outcome.verdict(),
                Err(error) => Verdict::Broken { cases, failure: format!("the report is damaged: {error}") },
            },
            Ended::Died(how) => Verdict::Broken {
                cases,
                failure: format!("the backend's process ended in the middle of the rule: {how}"),
            },
            Ended::TookTooLong => too_long(subject, limit, cases),
            Ended::NoChild(_) => self.run_here(subject, limit),
        }
    }

    /// Runs the rule on a thread of this process, which is left to itself when the time is over.
    fn run_here(&self, subject: &Subject, limit: Duration) -> Verdict {
        let (rule, copy) = (*self, subject.clone());
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new().spawn(move || {
            // Nobody listens any more when the time is over.
            let _ = sender.send(rule.check(&copy, Cases::default()));
        });
        match thread.map(|_| receiver.recv_timeout(limit)) {
            Ok(Ok(outcome)) => outcome.verdict(),
            Ok(Err(RecvTimeoutError::Timeout)) => too_long(subject, limit, 0),
            Ok(Err(RecvTimeoutError::Disconnected)) => {
                Verdict::Broken { cases: 0, failure: "the rule's thread ended".into() }
            }
            Err(error) => Verdict::Broken { cases: 0, failure: format!("no thread can be had: {error}") },
        }
    }

    /// Runs the check, here and now.
    fn check(&self, subject: &Subject, mut cases: Cases) -> Outcome {
        let outcome =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (self.run)(subject, &mut cases)));
        let failure = match outcome {
            Ok(Ok(())) if cases.count > 0 => None,
            Ok(Ok(())) => Some("the rule checked nothing".to_owned()),
            Ok(Err(failure)) => Some(failure.0),
            Err(panic) => {
                let message = panic.downcast_ref::<String>().map(String::as_str);
                let message =
                    message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                Some(format!("the backend panicked: {message}"))
            }
        };
        let failure = failure.map(|text| text.chars().take(LONGEST_FAILURE).collect());
        Outcome { cases: cases.count, failure }
    }
}

fn too_long(subject: &Subject, limit: Duration, cases: u64) -> Verdict {
    subject.note_too_long();
    Verdict::Broken { cases, failure: format!("took over {} s, after {cases} cases", limit.as_secs()) }
}

impl Outcome {
    fn verdict(self) -> Verdict {
        match self.failure {
            None => Verdict::Held { cases: self.cases },
            Some(failure) => Verdict::Broken { cases: self.cases, failure },
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

    #[cfg(unix)]
    #[test]
    fn a_rule_whose_process_ends_is_told_with_its_cases() {
        let broken = verdict(|_, cases| {
            cases.check(true, String::new)?;
            std::process::abort()
        });
        let Verdict::Broken { cases: 1, failure } = broken else { panic!("{broken:?}") };
        assert!(failure.contains("SIGABRT"), "{failure}");
    }

    #[test]
    fn a_rule_that_takes_too_long_is_told_here_and_in_a_child_and_the_next_are_given_less_time() {
        let sleep: fn(&Subject, &mut Cases) -> Result<(), Failure> = |_, cases| {
            cases.check(true, String::new)?;
            loop {
                std::thread::park();
            }
        };
        for place in [Place::Here, Place::Child] {
            let subject = Subject::new(Arc::new(telecine_raw::Raw), Vec::new())
                .placed(place, Duration::from_millis(1500));
            let (id, family, guarantee) = ("arguments/test", Family::Arguments, "Something holds.");
            let rule = Rule { id, family, guarantee, applies: |_| Ok(()), run: sleep };
            let verdict = rule.run(&subject);
            let Verdict::Broken { failure, .. } = verdict else { panic!("{verdict:?}") };
            assert!(failure.starts_with("took over 1 s"), "{failure}");
            assert!(subject.time_limit() < Duration::from_secs(1));
        }
    }
}
