//! What every backend guarantees, as rules over the backend trait.
//!
//! A third party checks a backend of its own like this:
//!
//! ```
//! use telecine_conformance::{Subject, check};
//!
//! let backend = telecine_raw::Raw;
//! let subject = Subject::new(&backend, &[]);
//! for result in check(&subject, "") {
//!     assert!(!result.verdict.is_failure(), "{result}");
//! }
//! ```

mod alloc;
mod rule;
mod rules;
mod signal;
mod subject;

pub use alloc::CountingAllocator;
pub use rule::{Cases, Failure, Family, Rule, RuleResult, Verdict};
pub use rules::{all, check};
pub use subject::Subject;
