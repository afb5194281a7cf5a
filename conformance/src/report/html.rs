//! The report as one page.

use std::fmt::Write;

use telecine_report::{bits, count, counted, escape, escape_whole, number, page, signed, table, target};

use super::figures::{figure, mean_gap};
use super::matrix::matrix;
use super::{BackendReport, Machine, Report};
use crate::{Rule, Verdict};

const STYLE: &str = include_str!("style.css");
const TITLE: &str = "What the backends guarantee";

pub(super) fn render(report: &Report) -> String {
    let mut out =
        format!("<header>\n<h1>{TITLE}</h1>\n<p class=\"sub\">{}</p>\n</header>\n<main>\n", scope(report));
    out.push_str(&verdict(report));
    out.push_str(&overview(report));
    out.push_str(&failures(report));
    out.push_str(&matrix(report));
    let plotted: Vec<_> = report.backends.iter().filter(|backend| !backend.curve.points.is_empty()).collect();
    if !plotted.is_empty() {
        out.push_str("<section aria-labelledby=\"rate\">\n<h2 id=\"rate\">Rate and distortion</h2>\n");
        out.push_str(&figure("rate-plot", &plotted, report));
        out.push_str("</section>\n");
    }
    for (at, backend) in report.backends.iter().enumerate() {
        out.push_str(&section(at, backend, report));
    }
    out.push_str(&machine(&report.machine));
    out.push_str("</main>\n");
    let _ = write!(
        out,
        "<footer>\n<p>Telecine {}, run at {} in {} s. <code>telecine conformance</code> runs the same rules on your \
         machine; <code>--filter BACKEND/RULE</code> runs some of them.</p>\n</footer>\n",
        escape(report.version),
        escape(&report.started),
        number(report.seconds),
    );
    page(TITLE, STYLE, &out)
}

/// What was run, in one line.
fn scope(report: &Report) -> String {
    let here = report.backends.iter().filter(|backend| backend.absent.is_none()).count();
    let cases: u64 = report.backends.iter().map(|backend| backend.tally().cases).sum();
    let mut parts = vec![
        counted(here, "backend"),
        counted(report.rules.len(), "rule"),
        format!("{} cases", count(cases)),
    ];
    if report.quick {
        parts.push("quick: only some of the cases of rules that have many".into());
    }
    parts.push(escape(&report.machine.processor));
    parts.join(" · ")
}

fn verdict(report: &Report) -> String {
    let failed: Vec<_> = report.backends.iter().filter(|backend| backend.failed()).collect();
    let text = if report.passed {
        "Every backend that works here keeps every guarantee that applies to it.".to_owned()
    } else if failed.is_empty() {
        "Nothing was checked: no rule that was asked for applies to a backend that works here.".to_owned()
    } else {
        let named = failed.iter().map(|backend| {
            let name = name(backend);
            if backend.absent.is_some() {
                format!("{name} is required and does not work here")
            } else {
                format!("{name} breaks {}", counted(backend.tally().broken, "guarantee"))
            }
        });
        named.collect::<Vec<_>>().join("; ") + "."
    };
    let class = if report.passed { "passed" } else { "failed" };
    format!("<p class=\"lead verdict {class}\">{text}</p>\n")
}

fn name(backend: &BackendReport) -> String {
    format!("<b><bdi>{}</bdi></b>", escape(&backend.name))
}

/// One row per backend.
fn overview(report: &Report) -> String {
    let mut body = String::new();
    for backend in &report.backends {
        let tally = backend.tally();
        let _ = write!(body, "<tr><th scope=\"row\"><bdi>{}</bdi></th>", escape(&backend.name));
        let _ = write!(body, "<td class=\"text\"><bdi>{}</bdi></td>", escape(&backend.codec));
        if let Some(reason) = &backend.absent {
            let class = if backend.required { "broken" } else { "none" };
            let _ = writeln!(
                body,
                "<td class=\"text {class}\" colspan=\"5\"><bdi>{}</bdi></td></tr>",
                escape_whole(reason)
            );
            continue;
        }
        let broken = if tally.broken > 0 { "broken" } else { "none" };
        let gap = mean_gap(&backend.curve).map_or_else(telecine_report::dash, signed);
        let _ = writeln!(
            body,
            "<td class=\"held\">{}</td><td class=\"{broken}\">{}</td><td>{}</td><td>{}</td><td>{gap}</td></tr>",
            tally.held,
            tally.broken,
            tally.not_applicable,
            count(tally.cases),
        );
    }
    let names = ["Backend", "Codec", "Kept", "Broken", "Do not apply", "Cases", "Mean gap, bits"];
    table(
        "Guarantees of each backend; the gap is the mean distance from Shannon’s bound on N(0,1)",
        "overview",
        &names.map(str::to_owned),
        &body,
    )
}

/// Every broken guarantee with what was found.
fn failures(report: &Report) -> String {
    let mut out = String::new();
    for backend in &report.backends {
        for finding in &backend.findings {
            let Verdict::Broken { cases, failure } = &finding.verdict else { continue };
            let rule = report.rules.iter().find(|rule| rule.id == finding.rule);
            let guarantee = rule.map_or("", |rule| rule.guarantee);
            let (name, id) = (escape(&backend.name), escape(finding.rule));
            let _ = write!(
                out,
                "<h3 class=\"broken\"><bdi>{name}</bdi>/{id}</h3>\n<p>It should hold that: {}</p>\n<pre>{}</pre>\n\
                 <p class=\"note\">Case {} of the rule. Again: <code>telecine conformance --filter {name}/{id}</code></p>\n",
                escape_whole(guarantee),
                escape_whole(failure),
                count(*cases),
            );
        }
    }
    if out.is_empty() {
        return out;
    }
    format!(
        "<section aria-labelledby=\"broken\">\n<h2 id=\"broken\">Broken guarantees</h2>\n{out}</section>\n"
    )
}

/// What one backend guarantees, in sentences.
fn section(at: usize, backend: &BackendReport, report: &Report) -> String {
    let name = name(backend);
    let mut out = format!(
        "<section class=\"kind\" aria-labelledby=\"backend-{at}\">\n<h2 id=\"backend-{at}\">{name}</h2>\n\
         <p class=\"sub\">codec <bdi>{}</bdi></p>\n",
        escape(&backend.codec)
    );
    if let Some(reason) = &backend.absent {
        let _ =
            write!(out, "<p>It does not work here: <bdi>{}</bdi></p>\n</section>\n", escape_whole(reason));
        return out;
    }
    let tally = backend.tally();
    let _ = write!(out, "<p class=\"lead\">{name} keeps {}", counted(tally.held, "guarantee"));
    if tally.broken > 0 {
        let _ = write!(out, " and <span class=\"broken\">breaks {}</span>", tally.broken);
    }
    let _ = write!(out, ", checked in {} cases.", count(tally.cases));
    if let (Some(gap), Some(declared)) = (mean_gap(&backend.curve), backend.declared_excess) {
        let _ = write!(
            out,
            " On Gaussian values it takes {} bits more than Shannon’s bound on average; it declares at most {} per \
             sample.",
            bits(gap),
            target(f64::from(declared))
        );
    }
    out.push_str("</p>\n");
    let holds =
        |rule: &&Rule| matches!(backend.finding(rule).map(|f| &f.verdict), Some(Verdict::Held { .. }));
    let kept =
        report.rules.iter().filter(holds).map(|rule| format!("<li>{}</li>\n", escape_whole(rule.guarantee)));
    let kept: String = kept.collect();
    if !kept.is_empty() {
        let _ = write!(
            out,
            "<details>\n<summary>What {name} guarantees</summary>\n<ul class=\"plain\">\n{kept}</ul>\n</details>\n"
        );
    }
    let silent = report.rules.iter().filter_map(|rule| match &backend.finding(rule)?.verdict {
        Verdict::NotApplicable { reason } => {
            Some(format!("<li>{} <small>Not checked: {reason}.</small></li>\n", escape_whole(rule.guarantee)))
        }
        _ => None,
    });
    let silent: String = silent.collect();
    if !silent.is_empty() {
        let _ = write!(
            out,
            "<details>\n<summary>What does not apply to it</summary>\n<ul class=\"plain\">\n{silent}</ul>\n</details>\n"
        );
    }
    if let Some(failure) = &backend.curve.failure {
        let _ =
            writeln!(out, "<p class=\"note\">Its curve ends early: <bdi>{}</bdi></p>", escape_whole(failure));
    }
    if report.backends.iter().filter(|backend| !backend.curve.points.is_empty()).count() > 1
        && !backend.curve.points.is_empty()
    {
        out.push_str(&figure(&format!("backend-{at}-plot"), &[backend], report));
    }
    out.push_str("</section>\n");
    out
}

fn machine(machine: &Machine) -> String {
    let memory = machine.memory.map(|bytes| {
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let gib = bytes as f64 / f64::from(1 << 30);
        format!("{} GiB", number(gib))
    });
    let facts = [
        ("Processor", Some(machine.processor.clone())),
        ("Cores", Some(machine.cores.to_string())),
        ("Instructions", Some(machine.instructions.join(", ")).filter(|text| !text.is_empty())),
        ("Memory", memory),
        ("System", Some(machine.system.clone())),
        ("Platform", Some(machine.platform.clone())),
    ];
    let mut body = String::new();
    for (name, fact) in facts {
        if let Some(fact) = fact {
            let _ = writeln!(
                body,
                "<tr><th scope=\"row\">{name}</th><td><bdi>{}</bdi></td></tr>",
                escape_whole(&fact)
            );
        }
    }
    let head = ["What", "Here"].map(str::to_owned);
    format!(
        "<section aria-labelledby=\"machine\">\n<h2 id=\"machine\">The machine</h2>\n{}</section>\n",
        table("Where the rules were run", "fact", &head, &body)
    )
}
