//! What every backend guarantees, as rules over the backend trait.
//!
//! A third party checks a backend of its own like this:
//!
//! ```
//! use std::sync::Arc;
//! use telecine_conformance::Suite;
//! use telecine_core::Registry;
//!
//! let mut registry = Registry::new();
//! registry.register(Arc::new(telecine_raw::Raw))?;
//! let report = Suite::of(&registry).quick(true).run(&|_| ());
//! assert!(report.passed(), "{report}");
//! # Ok::<(), telecine_core::Error>(())
//! ```
//!
//! On Unix each rule runs in a child process, a copy of the program, with a limit on its time: a report comes whatever the
//! backend does. Nothing has to be set up for it. Rules that need a child say so where there is none, and rules
//! about memory where the program has no [`CountingAllocator`].

mod alloc;
mod outside;
mod pipeline;
mod process;
mod report;
mod rule;
mod rules;
mod shapes;
mod signal;
mod subject;
mod suite;
mod survey;
mod tensors;
pub mod zoo;

pub use alloc::CountingAllocator;
pub use report::{BackendReport, Curve, Finding, Machine, Point, Report};
pub use rule::{Cases, Failure, Family, Rule, Verdict};
pub use rules::all;
pub use subject::{Subject, Variant};
pub use suite::{Absent, Check, Event, Suite};
