//! Every rule on every backend of a registry.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use telecine_core::{BackendInfo, Registry};

use crate::report::{BackendReport, Curve, Finding, Report, measure_curve};
use crate::{Family, Rule, Subject, Variant, Verdict, rules};

/// The rules to run on the backends that work here, and the backends that do not.
#[derive(Debug)]
pub struct Suite {
    subjects: Vec<Subject>,
    /// Rules by subject, in the order of [`rules::all`].
    kept: Vec<Vec<Rule>>,
    absent: Vec<Absent>,
    quick: bool,
}

/// A backend that does not work here.
#[derive(Debug, Clone)]
pub struct Absent {
    /// Its name.
    pub name: String,
    /// The codec's id; empty where nothing is known of the backend.
    pub codec: String,
    /// Why it does not work.
    pub reason: String,
    /// Whether its absence is a failure.
    pub required: bool,
}

/// One rule on one backend.
#[derive(Debug, Clone, Copy)]
pub struct Check<'s> {
    /// The backend.
    pub subject: &'s Subject,
    /// The rule.
    pub rule: Rule,
}

impl Check<'_> {
    /// Runs it.
    pub fn run(&self) -> Verdict {
        self.rule.run(self.subject)
    }
}

impl fmt::Display for Check<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.subject.name(), self.rule.id)
    }
}

/// What happens while a suite runs; calls come from several threads.
#[derive(Debug)]
pub enum Event<'e> {
    /// A check begins.
    Started(&'e Check<'e>),
    /// A check has ended.
    Ended(&'e Check<'e>, &'e Verdict),
    /// The rate–distortion curve of this backend is being measured.
    Measuring(&'e BackendInfo),
}

impl Suite {
    /// Every rule on every backend of this registry that works here.
    pub fn of(registry: &Registry) -> Self {
        let (subjects, absent) = Subject::survey(registry);
        let kept = vec![rules::all(); subjects.len()];
        Self { absent, kept, subjects, quick: false }
    }

    /// The suite with ways in which backends, found by their names, must make the same packets and samples.
    #[must_use]
    pub fn with_variants(mut self, variants: Vec<Variant>) -> Self {
        let of = |subject: &Subject| {
            let ours = variants.iter().filter(|variant| variant.backend.info().name == subject.name());
            subject.clone().with_variants(ours.cloned().collect())
        };
        self.subjects = self.subjects.iter().map(of).collect();
        self
    }

    /// The suite with fewer cases per rule, where rules have many.
    #[must_use]
    pub fn quick(mut self, quick: bool) -> Self {
        self.subjects = self.subjects.into_iter().map(|subject| subject.quick(quick)).collect();
        self.quick = quick;
        self
    }

    /// The suite with the backends and rules only whose name, such as `native/round-trip/lossless-exact`, fits.
    #[must_use]
    pub fn keep(mut self, fits: impl Fn(&str) -> bool) -> Self {
        for (subject, kept) in self.subjects.iter().zip(&mut self.kept) {
            kept.retain(|rule| fits(&format!("{}/{}", subject.name(), rule.id)));
        }
        self
    }

    /// The suite with the absence of these backends made a failure.
    #[must_use]
    pub fn require(mut self, names: &[String]) -> Self {
        for name in names {
            if self.subjects.iter().any(|subject| subject.name() == name) {
                continue;
            }
            match self.absent.iter_mut().find(|absent| absent.name == *name) {
                Some(absent) => absent.required = true,
                None => {
                    let reason = format!("no backend is named {name} in this build");
                    self.absent.push(Absent {
                        name: name.clone(),
                        codec: String::new(),
                        reason,
                        required: true,
                    });
                }
            }
        }
        self
    }

    /// The suite with the absence of the backends made a failure that the environment names: `TELECINE_REQUIRE=a,b`.
    #[must_use]
    pub fn require_by_environment(self) -> Self {
        let names = std::env::var("TELECINE_REQUIRE").unwrap_or_default();
        let names: Vec<String> =
            names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        self.require(&names)
    }

    /// The backends that do not work here.
    pub fn absent(&self) -> &[Absent] {
        &self.absent
    }

    /// What is to be run, backend by backend.
    pub fn checks(&self) -> Vec<Check<'_>> {
        let of = |(subject, kept): (_, &Vec<Rule>)| {
            kept.iter().map(move |&rule| Check { subject, rule }).collect::<Vec<_>>()
        };
        self.subjects.iter().zip(&self.kept).flat_map(of).collect()
    }

    /// Runs everything on all cores, each rule in a process of its own where there are such. `watch` is told what happens, from several threads.
    ///
    /// Rate–distortion curves are measured for the backends of which a rule about them is run.
    pub fn run(&self, watch: &(dyn Fn(&Event<'_>) + Sync)) -> Report {
        let begun = Instant::now();
        let started = chrono::Utc::now();
        let checks = self.checks();
        let findings = in_parallel(&checks, |check| {
            let begun = Instant::now();
            watch(&Event::Started(check));
            let verdict = check.run();
            watch(&Event::Ended(check, &verdict));
            Finding { rule: check.rule.id, verdict, seconds: begun.elapsed().as_secs_f64() }
        });
        let curves =
            in_parallel(&self.subjects.iter().zip(&self.kept).collect::<Vec<_>>(), |(subject, kept)| {
                if !kept.iter().any(|rule| rule.family == Family::RateDistortion) {
                    return Curve::default();
                }
                watch(&Event::Measuring(subject.backend().info()));
                measure_curve(subject)
            });
        let mut findings = findings.into_iter();
        let backends =
            self.subjects.iter().zip(&self.kept).zip(curves).filter(|((_, kept), _)| !kept.is_empty());
        let tested = backends.map(|((subject, kept), curve)| {
            let findings = findings.by_ref().take(kept.len()).collect();
            BackendReport::tested(subject.backend().info(), findings, curve)
        });
        let mut backends: Vec<_> = tested.collect();
        backends.extend(self.absent.iter().map(BackendReport::absent));
        let rules =
            rules::all().into_iter().filter(|rule| self.kept.iter().flatten().any(|kept| kept.id == rule.id));
        Report::new(started, begun.elapsed(), self.quick, rules.collect(), backends)
    }
}

/// Works on all items with as many threads as there are cores; results in the order of the items.
///
/// Threads of its own: where rules run in this process, what they do may itself run on rayon's, and a thread that waits
/// there picks up other work, while memory is counted by thread.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(items.len()));
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((at, item)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, items.get(at)?)))
                {
                    let result = work(item);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}
