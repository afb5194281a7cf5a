//! `telecine conformance`: what every backend guarantees on this machine.

use std::collections::HashMap;
use std::path::Path;

use indicatif::ProgressBar;
use telecine::{default_registry, instruction_variants};
use telecine_conformance::{Event, Report, Suite, Variant, Verdict};

use crate::args::ConformanceArgs;
use crate::failure::{Failure, Result};
use crate::output::{AtomicFile, check_free};
use crate::screen::{self, Table};
use crate::select::glob;

pub(crate) fn run(args: &ConformanceArgs) -> Result<()> {
    let files = [&args.json, &args.junit, &args.html].into_iter().flatten();
    for path in files.filter(|path| !is_stdout(path)) {
        check_free(path, args.force)?;
    }
    let suite = suite(args)?;
    check_patterns(args)?;
    if suite.checks().is_empty() && suite.absent().iter().all(|absent| !absent.required) {
        let wanted = args.filter.join(" or ");
        return Err(Failure::usage(format!("no rule on a backend here fits {wanted}; --list shows all")));
    }
    if args.list {
        return screen::print(&list(&suite));
    }
    let report = watched(&suite);
    let outputs = [(&args.json, report.json()), (&args.junit, report.junit()), (&args.html, report.html())];
    let mut to_stdout = false;
    for (path, text) in outputs {
        match path {
            Some(path) if is_stdout(path) => {
                to_stdout = true;
                screen::print(&text)?;
            }
            Some(path) => {
                let mut file = AtomicFile::create(path, args.force)?;
                file.write(text.as_bytes())?;
                file.finish()?;
            }
            None => (),
        }
    }
    if to_stdout {
        screen::say_lines(&report.to_string());
    } else {
        screen::print(&format!("{}\n{report}", table(&report)))?;
    }
    verdict(&report)
}

/// `-` stands for standard output.
fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// The rules and backends that were asked for.
fn suite(args: &ConformanceArgs) -> Result<Suite> {
    let patterns = args.filter.iter().map(|text| Pattern::parse(text)).collect::<Result<Vec<_>>>()?;
    let variants = instruction_variants().into_iter().map(|(name, backend)| Variant { name, backend });
    let of_backend = |name: &str| {
        args.backend.is_empty() || args.backend.iter().any(|b| name.split('/').next() == Some(b.as_str()))
    };
    let fits = |name: &str| patterns.is_empty() || patterns.iter().any(|pattern| pattern.fits(name));
    Ok(Suite::of(&default_registry())
        .with_variants(variants.collect())
        .quick(args.quick)
        .keep(|name| of_backend(name) && fits(name))
        .require(&args.backend)
        .require_by_environment())
}

/// Refuses a filter that fits no rule of the backends here, and one that leaves nothing of a backend that is asked for.
fn check_patterns(args: &ConformanceArgs) -> Result<()> {
    let all = Suite::of(&default_registry());
    let names: Vec<String> = all.checks().iter().map(ToString::to_string).collect();
    let backend = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let patterns = args.filter.iter().map(|text| Pattern::parse(text)).collect::<Result<Vec<_>>>()?;
    for (pattern, text) in patterns.iter().zip(&args.filter) {
        if !names.iter().any(|name| pattern.fits(name)) {
            return Err(Failure::usage(format!("no rule on a backend here fits {text}; --list shows all")));
        }
    }
    for wanted in &args.backend {
        let mut of_it = names.iter().filter(|name| backend(name) == *wanted).peekable();
        let is_here = of_it.peek().is_some();
        if is_here && !patterns.is_empty() && !of_it.any(|name| patterns.iter().any(|p| p.fits(name))) {
            let filters = args.filter.join(" or ");
            return Err(Failure::usage(format!(
                "no rule on backend {wanted} fits {filters}; --list shows all"
            )));
        }
    }
    Ok(())
}

/// What a name must fit.
enum Pattern {
    /// A part of it.
    Part(String),
    /// All of it.
    Glob(globset::GlobMatcher),
}

impl Pattern {
    fn parse(text: &str) -> Result<Self> {
        let is_glob = text.contains(['*', '?', '[', '{']);
        if is_glob { Ok(Self::Glob(glob(text)?)) } else { Ok(Self::Part(text.to_owned())) }
    }

    fn fits(&self, name: &str) -> bool {
        match self {
            Self::Part(part) => name.contains(part),
            Self::Glob(glob) => glob.is_match(name),
        }
    }
}

fn list(suite: &Suite) -> String {
    let mut table = Table::new(&["<rule", "<applies", "<guarantee"]);
    for check in suite.checks() {
        let applies = (check.rule.applies)(check.subject).err().unwrap_or("yes");
        table.row(vec![check.to_string(), applies.into(), check.rule.guarantee.into()]);
    }
    for absent in suite.absent() {
        table.row(vec![absent.name.clone(), absent.reason.clone(), String::new()]);
    }
    table.text()
}

/// Runs the suite, with a line for each backend that shows how far it is, where that is a terminal.
fn watched(suite: &Suite) -> Report {
    let mut rules: HashMap<&str, u64> = HashMap::new();
    let checks = suite.checks();
    for check in &checks {
        *rules.entry(check.subject.name()).or_default() += 1;
    }
    let bars = screen::Bars::new();
    let mut lines: HashMap<&str, ProgressBar> = HashMap::new();
    for check in &checks {
        let name = check.subject.name();
        lines.entry(name).or_insert_with(|| bars.add(name, rules.get(name).copied().unwrap_or(0)));
    }
    // A panic of a backend is a broken guarantee, and told as such: a message of its own would only tear the table.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let report = suite.run(&|event| match event {
        Event::Started(check) => {
            if let Some(line) = lines.get(check.subject.name()) {
                line.set_message(check.rule.id);
            }
        }
        Event::Ended(check, verdict) => {
            if let Some(line) = lines.get(check.subject.name()) {
                line.inc(1);
                if Some(line.position()) == line.length() {
                    line.set_message("done");
                }
            }
            if let Verdict::Broken { failure, .. } = verdict {
                bars.say(&format!("BROKEN {check}: {failure}"));
            }
        }
        Event::Measuring(info) => {
            if let Some(line) = lines.get(info.name) {
                line.set_message("measuring rate and distortion");
            }
        }
    });
    std::panic::set_hook(hook);
    bars.clear();
    report
}

/// One row per rule, one column per backend.
fn table(report: &Report) -> String {
    let here: Vec<_> = report.backends.iter().filter(|backend| backend.absent.is_none()).collect();
    let columns: Vec<&str> = std::iter::once("<rule").chain(here.iter().map(|b| b.name.as_str())).collect();
    let mut table = Table::new(&columns);
    for rule in &report.rules {
        let cell = |verdict: Option<&Verdict>| match verdict {
            Some(Verdict::Held { cases }) => format!("{cases} ok"),
            Some(Verdict::Broken { .. }) => "BROKEN".into(),
            Some(Verdict::NotApplicable { .. }) => "–".into(),
            None => String::new(),
        };
        let cells = here.iter().map(|backend| {
            cell(backend.findings.iter().find(|finding| finding.rule == rule.id).map(|f| &f.verdict))
        });
        table.row(std::iter::once(rule.id.to_owned()).chain(cells).collect());
    }
    table.text()
}

/// The exit status: 1 for a broken guarantee, 3 for a required backend that does not work here.
fn verdict(report: &Report) -> Result<()> {
    if report.passed() {
        return Ok(());
    }
    let broken: Vec<_> = report
        .backends
        .iter()
        .flat_map(|backend| backend.findings.iter().map(move |finding| (backend, finding)))
        .filter(|(_, finding)| finding.verdict.is_broken())
        .map(|(backend, finding)| format!("{}/{}", backend.name, finding.rule))
        .collect();
    if !broken.is_empty() {
        return Err(Failure::other(format!("broken guarantees: {}", broken.join(", "))));
    }
    let missing = report.backends.iter().filter(|backend| backend.required && backend.absent.is_some());
    let missing: Vec<_> = missing
        .map(|backend| format!("{} ({})", backend.name, backend.absent.as_deref().unwrap_or("")))
        .collect();
    if !missing.is_empty() {
        return Err(Failure {
            status: 3,
            message: format!("required, but not here: {}", missing.join(", ")),
        });
    }
    Err(Failure::usage("nothing was checked: no rule that was asked for applies"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use telecine::{
        Backend, BackendInfo, CoreError, Decoder, EncodeOptions, Encoder, GroupSpec, Pick, Registry, Role,
        Unavailable,
    };

    use super::*;

    /// A backend that promises to encode and refuses to.
    #[derive(Debug)]
    struct Broken(Arc<dyn Backend>);

    impl Backend for Broken {
        fn info(&self) -> &BackendInfo {
            self.0.info()
        }

        fn probe(&self) -> std::result::Result<(), Unavailable> {
            self.0.probe()
        }

        fn encoder(
            &self,
            _: GroupSpec,
            _: &EncodeOptions,
        ) -> std::result::Result<Box<dyn Encoder>, CoreError> {
            Err(CoreError::unsupported("not today"))
        }

        fn decoder(&self, spec: GroupSpec) -> std::result::Result<Box<dyn Decoder>, CoreError> {
            self.0.decoder(spec)
        }
    }

    #[test]
    fn a_broken_guarantee_is_named_and_fails() {
        let raw = default_registry().find(telecine::CodecId::RAW, Role::Encode, Pick::Auto).unwrap().backend;
        let mut registry = Registry::new();
        registry.register(Arc::new(Broken(raw))).unwrap();
        let report = Suite::of(&registry).keep(|name| name.ends_with("probe-agrees")).run(&|_| ());
        let failure = verdict(&report).unwrap_err();
        assert_eq!(
            (failure.status, failure.message.as_str()),
            (1, "broken guarantees: raw/arguments/probe-agrees")
        );
        assert!(table(&report).contains("BROKEN") && report.to_string().contains("not today"));
    }
}
