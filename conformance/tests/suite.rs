//! One named test per backend and rule; a backend that does not work here shows as ignored, with its reason.
//!
//! `TELECINE_REQUIRE=native,zstd` turns the absence of these into failures.

use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use telecine_backends::default_registry;
use telecine_conformance::{CountingAllocator, Subject, Verdict, all};
use telecine_core::Backend;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() {
    let arguments = Arguments::from_args();
    let registry = default_registry();
    let required = std::env::var("TELECINE_REQUIRE").unwrap_or_default();
    let mut missing: Vec<String> =
        required.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let mut trials = Vec::new();
    let working: Vec<Arc<dyn Backend>> = registry.backends().filter(|b| b.probe().is_ok()).cloned().collect();
    for listing in registry.list() {
        missing.retain(|name| name != listing.name || listing.status.is_err());
        let Some(backend) = working.iter().find(|backend| backend.info().name == listing.name) else {
            let reason = listing.status.err().map_or_else(|| "absent".to_owned(), |error| error.to_string());
            let trial = Trial::test(format!("{}: {reason}", listing.name), || Ok(())).with_ignored_flag(true);
            trials.push(trial);
            continue;
        };
        for rule in all() {
            if let Err(reason) = (rule.applies)(&Subject::new(&**backend, &peers(backend, &working))) {
                let name = format!("{}/{}: not applicable, {reason}", listing.name, rule.id);
                trials.push(Trial::test(name, || Ok(())).with_ignored_flag(true));
                continue;
            }
            let (backend, working) = (backend.clone(), working.clone());
            trials.push(Trial::test(format!("{}/{}", listing.name, rule.id), move || {
                let others = peers(&backend, &working);
                match rule.run(&Subject::new(&*backend, &others)) {
                    Verdict::Broken(failure) => Err(Failed::from(failure.0)),
                    Verdict::Held { .. } | Verdict::NotApplicable(_) => Ok(()),
                }
            }));
        }
    }
    for name in missing {
        trials.push(Trial::test(format!("{name}/required"), || {
            Err(Failed::from("required, but it does not work here"))
        }));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// The other backends of the same codec.
fn peers<'a>(backend: &Arc<dyn Backend>, working: &'a [Arc<dyn Backend>]) -> Vec<&'a dyn Backend> {
    let (codec, name) = (backend.info().codec, backend.info().name);
    working.iter().filter(|b| b.info().codec == codec && b.info().name != name).map(|b| &**b).collect()
}
