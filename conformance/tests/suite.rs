//! One named test per backend and rule; a backend that does not work here shows as ignored, with its reason.
//!
//! `TELECINE_REQUIRE=native,zstd` turns the absence of these into failures.

use libtest_mimic::{Arguments, Failed, Trial};
use telecine_backends::{default_registry, instruction_variants};
use telecine_conformance::{CountingAllocator, Suite, Variant, Verdict};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() {
    let arguments = Arguments::from_args();
    let variants = instruction_variants().into_iter().map(|(name, backend)| Variant { name, backend });
    let suite = Suite::of(&default_registry()).with_variants(variants.collect()).require_by_environment();
    let mut trials = Vec::new();
    for check in suite.checks() {
        if let Err(reason) = (check.rule.applies)(check.subject) {
            let name = format!("{check}: not applicable, {reason}");
            trials.push(Trial::test(name, || Ok(())).with_ignored_flag(true));
            continue;
        }
        let (subject, rule) = (check.subject.clone(), check.rule);
        trials.push(Trial::test(check.to_string(), move || match rule.run(&subject) {
            Verdict::Broken { failure, .. } => Err(Failed::from(failure)),
            Verdict::Held { .. } | Verdict::NotApplicable { .. } => Ok(()),
        }));
    }
    for absent in suite.absent() {
        let trial = if absent.required {
            let reason = absent.reason.clone();
            Trial::test(format!("{}/required", absent.name), || Err(Failed::from(reason)))
        } else {
            Trial::test(format!("{}: {}", absent.name, absent.reason), || Ok(())).with_ignored_flag(true)
        };
        trials.push(trial);
    }
    libtest_mimic::run(&arguments, trials).exit();
}
