//! The matrix of rules and backends.

use std::fmt::Write;

use telecine_report::{breakable, count, escape, escape_whole, table};

use super::{BackendReport, Report};
use crate::{Family, Rule, Verdict};

/// One row per rule, one column per backend that works here.
pub(super) fn matrix(report: &Report) -> String {
    let backends: Vec<_> = report.backends.iter().filter(|backend| backend.absent.is_none()).collect();
    if report.rules.is_empty() || backends.is_empty() {
        return String::new();
    }
    let mut head = vec!["Guarantee".to_owned()];
    head.extend(backends.iter().map(|backend| format!("<bdi>{}</bdi>", escape(&backend.name))));
    let mut body = String::new();
    let mut family: Option<Family> = None;
    for rule in &report.rules {
        if family != Some(rule.family) {
            family = Some(rule.family);
            let (span, title) = (head.len(), rule.family.title());
            let _ = writeln!(
                body,
                "<tr><th class=\"family\" scope=\"rowgroup\" colspan=\"{span}\"><span>{title}</span></th></tr>"
            );
        }
        let _ = write!(
            body,
            "<tr><th scope=\"row\">{}<code>{}</code></th>",
            escape_whole(rule.guarantee),
            breakable(rule.id)
        );
        for backend in &backends {
            body.push_str(&cell(backend, rule));
        }
        body.push_str("</tr>\n");
    }
    let terms = "<p class=\"note\">A <b>group</b> is a block of whole-number <b>samples</b> of some <b>depth</b> in bits, \
                 the <b>packet</b> what a backend makes of it. The <b>step</b> is the quantiser’s: a larger one makes \
                 smaller packets and larger errors.</p>\n";
    let caption = "✓ kept, with the number of cases · ✗ broken · – does not apply";
    format!(
        "<section aria-labelledby=\"matrix\">\n<h2 id=\"matrix\">Every rule on every backend</h2>\n{terms}{}</section>\n",
        table(caption, "matrix", &head, &body)
    )
}

fn cell(backend: &BackendReport, rule: &Rule) -> String {
    match backend.finding(rule).map(|finding| &finding.verdict) {
        Some(Verdict::Held { cases }) => format!("<td class=\"held\">✓<small>{}</small></td>", count(*cases)),
        Some(Verdict::Broken { .. }) => "<td class=\"broken\">✗<small>broken</small></td>".to_owned(),
        Some(Verdict::NotApplicable { reason }) => {
            format!("<td class=\"none\" title=\"{}\">–</td>", escape(reason))
        }
        None => "<td></td>".to_owned(),
    }
}
