//! The page as a whole, and what the tests of the other files share.

use telecine_report::testing::assert_balanced;

use super::{Curve, Point, SweepData, TensorCurve, render};

const HOSTILE: &str = "</script><script>alert('x')</script>\"onload=\"x\u{202e}\u{0}]]>&amp;<!--";

pub(super) fn point(target_bits: f64, bits: f64, nmse: f64) -> Point {
    Point {
        target_bits,
        bits,
        nmse,
        max_abs_error: 0.5,
        encode_seconds: 0.25,
        decode_seconds: 0.125,
        transform: "none".into(),
    }
}

pub(super) fn tensor(name: &str, kind: &str, values: u64, curves: Vec<(&str, Vec<Point>)>) -> TensorCurve {
    let curve =
        |(name, points): (&str, Vec<Point>)| Curve { codec: name.into(), backend: name.into(), points };
    TensorCurve {
        name: name.into(),
        kind: kind.into(),
        dtype: "f32".into(),
        shape: vec![values],
        values,
        std: 1.0,
        mean_square: 1.0,
        curves: curves.into_iter().map(curve).collect(),
    }
}

pub(super) fn sweep(tensors: Vec<TensorCurve>) -> SweepData {
    SweepData { title: "model".into(), source: "here".into(), command: "telecine sweep".into(), tensors }
}

/// Curves `gap` bits above the bound at whole bits.
fn curve(gap: f64) -> Vec<Point> {
    (1..=5).map(f64::from).map(|bits| point(bits, bits, (-2.0 * (bits - gap)).exp2())).collect()
}

fn ordinary() -> SweepData {
    let curves = || vec![("native", curve(0.1)), ("x265", curve(0.45))];
    sweep(vec![
        tensor("a.0", "a", 100, curves()),
        tensor("a.1", "a", 300, curves()),
        tensor("b", "b", 50, curves()),
    ])
}

#[test]
fn a_page_is_well_formed_and_says_what_was_measured() {
    let html = render(&ordinary());
    assert_balanced(&html);
    // Two plots for everything and for each of two kinds.
    assert_eq!(html.matches("<svg class=\"plot\"").count(), 6);
    assert_eq!(html.matches("Shannon’s bound</text>").count(), 6);
    assert!(html.contains("3 tensors of 2 kinds · 450 values · 2 codecs · 1 to 5 bits per value"));
    // Bits at nmse 0.01 of a coder 0.1 above the bound of 3.32 bits, out of 32.
    assert!(html.contains("<td>+0.10</td><td>3.42</td><td>9.35×</td>"), "{html}");
    assert!(html.contains(
        "<b><bdi>native</bdi></b> needs the fewest bits: on average <b>0.10 bits per value above</b>"
    ));
}

#[test]
fn nothing_on_the_page_is_fetched_or_run() {
    let html = render(&ordinary());
    for needle in ["http:", "https:", "//", "<script", "<link", "<img", "@import", "url(", "src="] {
        assert!(!html.contains(needle), "{needle}");
    }
}

#[test]
fn hostile_names_stay_text() {
    let mut data = sweep(vec![tensor(HOSTILE, HOSTILE, 10, vec![(HOSTILE, curve(0.2))])]);
    data.tensors[0].dtype = HOSTILE.into();
    data.tensors[0].curves[0].points[0].transform = HOSTILE.into();
    (data.title, data.source, data.command) = (HOSTILE.into(), HOSTILE.into(), HOSTILE.into());
    let html = render(&data);
    assert_balanced(&html);
    assert!(!html.contains("<script") && !html.contains("<!--") && !html.contains('\u{202e}'));
    assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)"));
}

#[test]
fn a_very_long_name_does_not_grow_the_page() {
    let long = "x".repeat(1 << 20);
    let html = render(&sweep(vec![tensor(&long, &long, 10, vec![("c", curve(0.2))])]));
    assert!(html.len() < 100_000, "{}", html.len());
}

#[test]
fn no_tensors_make_a_page_that_says_so() {
    for data in [SweepData::default(), sweep(vec![]), sweep(vec![tensor("a", "k", 0, vec![])])] {
        let html = render(&data);
        assert_balanced(&html);
        assert!(html.contains("Nothing was measured"));
    }
}

#[test]
fn one_point_is_plotted() {
    let html = render(&sweep(vec![tensor("a", "k", 10, vec![("c", vec![point(2.0, 2.1, 0.07)])])]));
    assert_balanced(&html);
    assert!(html.contains("class=\"marker\" d=\"M"));
    assert!(!html.contains("NaN") && !html.contains("inf"));
}

#[test]
fn a_lossless_result_is_a_note_and_not_a_point() {
    let mut points = curve(0.1);
    points.push(point(16.0, 11.25, 0.0));
    let html = render(&sweep(vec![tensor("a", "k", 10, vec![("c", points)])]));
    assert_balanced(&html);
    assert!(html.contains("brought values back exactly (nmse 0, not on the plot) at 11.25 bits"));
    assert_eq!(html.matches("<title>c: ").count(), 10);
    assert!(!html.contains("NaN") && !html.contains("inf"));
    let only = render(&sweep(vec![tensor("a", "k", 10, vec![("c", vec![point(16.0, 11.25, 0.0)])])]));
    assert_balanced(&only);
    assert!(only.contains("Every measurement came back exactly"));
}

#[test]
fn numbers_that_are_not_finite_never_reach_the_page() {
    let odd = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -1.0,
        0.0,
        1e-310,
        f64::MIN_POSITIVE,
        1e300,
        7.0,
        f64::MAX,
    ];
    let mut points = Vec::new();
    for a in odd {
        for b in odd {
            let mut p = point(a, b, a);
            (p.max_abs_error, p.encode_seconds, p.decode_seconds) = (b, a, b);
            points.push(p);
            points.push(point(b, 3.0, b));
        }
    }
    let mut data = sweep(vec![
        tensor("a", "k", u64::MAX, vec![("c", points.clone()), ("d", curve(0.1))]),
        tensor("b", "k", u64::MAX, vec![("c", points)]),
    ]);
    data.tensors[0].std = f64::NAN;
    let html = render(&data);
    assert_balanced(&html);
    for needle in ["NaN", "inf", "Infinity"] {
        let around = html.find(needle).map(|at| &html[at.saturating_sub(100)..at + 50]);
        assert_eq!(around, None, "{needle}");
    }
    assert!(html.contains("with impossible numbers left out"));
    assert!(html.len() < 400_000, "{}", html.len());
}

#[test]
fn a_point_far_from_the_bound_is_named_and_does_not_flatten_the_others() {
    let data =
        sweep(vec![tensor("a", "k", 10, vec![("good", curve(0.1)), ("far", vec![point(2.0, 8.0, 0.06)])])]);
    let html = render(&data);
    assert!(html.contains("Outside of the second plot: <bdi>far</bdi> at 8.00 bits (+5.97)"), "{html}");
}

#[test]
fn hundreds_of_kinds_and_dozens_of_codecs_stay_one_readable_page() {
    let names: Vec<String> = (0..30).map(|i| format!("codec {i}")).collect();
    let tensors = (0..200).map(|i| {
        let curves = names.iter().map(|n| (n.as_str(), curve(0.1))).collect();
        tensor(&format!("t{i}"), &format!("k{i}"), 10, curves)
    });
    let html = render(&sweep(tensors.collect()));
    assert_balanced(&html);
    assert_eq!(html.matches("<a href=\"#kind-").count(), 200);
}

#[test]
fn the_data_serialise_to_json() {
    let text = serde_json::to_string(&ordinary()).unwrap();
    let back: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(back["tensors"][1]["curves"][0]["points"][2]["target_bits"], 3.0);
}
