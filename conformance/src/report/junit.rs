//! JUnit XML, as continuous integration reads it.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::{BackendReport, Report};
use crate::Verdict;

pub(super) fn render(report: &Report) -> String {
    let mut document = Document::new("telecine conformance");
    document.set_time(Duration::from_secs_f64(report.seconds));
    for backend in &report.backends {
        document.add_test_suite(suite(backend));
    }
    // Only what XML cannot hold could fail, and the library leaves that out.
    document.to_string().unwrap_or_default()
}

fn suite(backend: &BackendReport) -> TestSuite {
    let mut suite = TestSuite::new(backend.name.as_str());
    if let Some(reason) = &backend.absent {
        let mut status = if backend.required {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        } else {
            TestCaseStatus::skipped()
        };
        status.set_message(reason.as_str());
        suite.add_test_case(case(backend, "available", status, 0.0));
    }
    for finding in &backend.findings {
        let status = match &finding.verdict {
            Verdict::Held { .. } => TestCaseStatus::success(),
            Verdict::NotApplicable { reason } => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(*reason);
                status
            }
            Verdict::Broken { failure, .. } => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(failure.as_str());
                status
            }
        };
        suite.add_test_case(case(backend, finding.rule, status, finding.seconds));
    }
    suite
}

fn case(backend: &BackendReport, name: &str, status: TestCaseStatus, seconds: f64) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("telecine.{}", backend.name)).set_time(Duration::from_secs_f64(seconds));
    case
}
