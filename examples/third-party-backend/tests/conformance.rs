//! The whole suite on a backend that Telecine does not know.

use std::sync::Arc;

use telecine_conformance::{CountingAllocator, Suite};
use telecine_core::Registry;
use third_party_backend::RunLength;

// With it the rules about memory apply, too.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn every_rule_holds() -> Result<(), Box<dyn std::error::Error>> {
    let mut registry = Registry::new();
    registry.register(Arc::new(RunLength::new()?))?;
    let report = Suite::of(&registry).run(&|_| ());
    // For people; `report.json()` and `report.junit()` are for programs.
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/conformance.html"), report.html())?;
    assert!(report.passed(), "{report}");
    Ok(())
}
