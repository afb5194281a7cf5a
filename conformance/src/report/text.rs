//! The report as text: what is wrong, and one line in the end.

use std::fmt;

use super::Report;
use crate::Verdict;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for backend in &self.backends {
            match &backend.absent {
                Some(reason) if backend.required => writeln!(f, "{}: REQUIRED, {reason}", backend.name)?,
                Some(reason) => writeln!(f, "{}: not here, {reason}", backend.name)?,
                None => {
                    let tally = backend.tally();
                    let (held, cases) = (tally.held, tally.cases);
                    write!(f, "{}: {held} guarantees hold, in {cases} cases", backend.name)?;
                    if tally.broken > 0 {
                        write!(f, "; {} BROKEN", tally.broken)?;
                    }
                    writeln!(f, "; {} do not apply", tally.not_applicable)?;
                }
            }
            for finding in &backend.findings {
                if let Verdict::Broken { failure, .. } = &finding.verdict {
                    writeln!(f, "  {}/{}: {failure}", backend.name, finding.rule)?;
                }
            }
        }
        Ok(())
    }
}
