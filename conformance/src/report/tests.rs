//! What programs and people are given, read back.

use std::time::Duration;

use telecine_report::testing::assert_balanced;

use super::*;

const HOSTILE: &str = "</script><script>alert('x')</script>\"onload=\"x\u{202e}\u{0}]]>&amp;<!--";

fn report() -> Report {
    let rules = crate::all();
    let info = telecine_core::Backend::info(&telecine_raw::Raw).clone();
    let finding = |(at, rule): (usize, &Rule)| {
        let verdict = match at % 5 {
            0 => Verdict::NotApplicable { reason: "it stores samples as they are" },
            1 => Verdict::Broken { cases: 3, failure: HOSTILE.into() },
            _ => Verdict::Held { cases: 1200 },
        };
        Finding { rule: rule.id, verdict, seconds: 0.25 }
    };
    let findings = rules.iter().enumerate().map(finding).collect();
    let point =
        |step: f64, bits: f64, nmse| Point { step, bits, nmse, gap: telecine_report::gap(bits, nmse) };
    let points = vec![point(0.1, 5.0, 0.001), point(1.0, 2.0, 0.07), point(9.0, 0.0, 1.0)];
    let tested = BackendReport::tested(&info, findings, Curve { points, failure: Some(HOSTILE.into()) });
    let absent =
        Absent { name: HOSTILE.into(), codec: String::new(), reason: HOSTILE.into(), required: true };
    let backends = vec![tested, BackendReport::absent(&absent)];
    Report::new(chrono::Utc::now(), Duration::from_millis(1500), true, rules, backends)
}

#[test]
fn the_page_is_well_formed_and_holds_every_rule_and_failure() {
    let html = report().html();
    assert_balanced(&html);
    for rule in crate::all() {
        assert!(html.contains(&telecine_report::escape_whole(rule.guarantee)), "{}", rule.id);
    }
    let broken = report().backends[0].tally().broken;
    assert_eq!(html.matches("<pre>&lt;/script&gt;").count(), broken);
    assert!(
        html.contains(&format!("breaks {broken} guarantees"))
            && html.contains("is required and does not work")
    );
    for needle in [
        "http:", "https:", "<script", "<link", "<img", "@import", "url(", "src=", "NaN ", "NaN\"", "\u{202e}",
    ] {
        assert!(!html.contains(needle), "{needle}");
    }
}

#[test]
fn a_page_without_anything_says_so() {
    let report = Report::new(chrono::Utc::now(), Duration::ZERO, false, Vec::new(), Vec::new());
    assert_balanced(&report.html());
    assert!(!report.passed() && report.html().contains("Nothing was checked"));
}

#[test]
fn junit_is_xml_with_a_case_for_each_rule() {
    let report = report();
    let xml = report.junit();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let named = |name: &'static str| document.descendants().filter(move |node| node.has_tag_name(name));
    let tally = report.backends[0].tally();
    assert_eq!(named("testsuite").count(), 2);
    assert_eq!(named("testcase").count(), crate::all().len() + 1);
    assert_eq!(named("skipped").count(), tally.not_applicable);
    assert_eq!(named("failure").count(), tally.broken + 1);
    let failures = document.root_element().attribute("failures").unwrap();
    assert_eq!(failures, (tally.broken + 1).to_string());
    let message = named("failure").next().unwrap().attribute("message").unwrap();
    assert!(message.contains("<script>alert('x')"), "{message}");
}

#[test]
fn json_says_what_was_found() {
    let report = report();
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(json["passed"], false);
    assert_eq!(json["rules"].as_array().unwrap().len(), crate::all().len());
    let finding = &json["backends"][0]["findings"][1];
    assert_eq!(
        (&finding["verdict"], &finding["cases"], &finding["failure"]),
        (&"broken".into(), &3.into(), &HOSTILE.into())
    );
    assert_eq!(json["backends"][0]["findings"][2]["verdict"], "held");
    assert_eq!(json["backends"][0]["findings"][0]["reason"], "it stores samples as they are");
    assert_eq!(json["backends"][1]["required"], true);
    assert_eq!(json["backends"][0]["curve"]["points"][1]["bits"], 2.0);
}
