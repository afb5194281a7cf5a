//! The two plots of a group: error over bits, and the gap to Shannon's bound over bits.

use std::fmt::Write;

use telecine_report::{Line, Plot, Scale, bits, bound_nmse, bound_swatch, escape, number, signed, swatch};

use super::summary::{Codec, Group, Mean, group};

/// Most thin lines of single tensors that a plot stays readable with.
const MOST_FAINT: usize = 24;
/// Gaps that the second plot zooms into where any lie within, in bits per value.
const GAP_WINDOW: std::ops::RangeInclusive<f64> = -3.0..=1.5;
const X_LABEL: &str = "bits per value, all bytes counted";

/// The figure of a group with legend and caption; a sentence where there is nothing to plot.
pub(super) fn figure(id: &str, group: &Group<'_>, codecs: &[Codec]) -> String {
    let points = || group.series.iter().flat_map(|s| &s.points);
    let x_high = points().map(|p| p.bits).fold(0.0, f64::max);
    if points().next().is_none() {
        return "<p>There is no lossy measurement to plot.</p>\n".into();
    }
    let x = Scale::linear(0.0, (x_high * 1.04).max(0.5), 6, false);
    let single = faint(group, codecs);
    let mut out = String::from("<figure>\n<div class=\"plots\">\n");
    out.push_str(&error_plot(id, group, codecs, x.clone(), &single).render());
    let (plot, beyond) = gap_plot(id, group, codecs, x, &single);
    out.push_str(&plot.render());
    out.push_str("</div>\n<ul class=\"legend\">");
    for series in &group.series {
        let label = escape(&codecs[series.codec].label());
        let _ = write!(out, "<li>{}<bdi>{label}</bdi></li>", swatch(series.codec));
    }
    let _ = writeln!(out, "<li>{}Shannon’s bound (Gaussian)</li></ul>", bound_swatch());
    out.push_str("<figcaption>");
    if group.tensors.len() > 1 {
        let n = group.tensors.len();
        let _ = write!(out, "Each curve is the mean over {n} tensors, weighted by their number of values");
        out.push_str(if single.is_empty() { ". " } else { "; thin lines are single tensors. " });
    }
    out.push_str(
        "First plot: nearer to the lower left is better. Second: the same points as bits above the bound. ",
    );
    if !beyond.is_empty() {
        let _ = write!(out, "Outside of the second plot: {}. ", beyond.join(", "));
    }
    out.push_str("</figcaption>\n</figure>\n");
    out
}

/// One curve's points as (bits, nmse, gap), with its codec's number.
type Single = (usize, Vec<(f64, f64, f64)>);

fn faint(whole: &Group<'_>, codecs: &[Codec]) -> Vec<Single> {
    let lines = whole.tensors.len() * whole.series.len();
    if whole.tensors.len() < 2 || lines > MOST_FAINT {
        return Vec::new();
    }
    let parts = whole.tensors.iter().flat_map(|t| group(&t.name, vec![*t], codecs, 0.01).series);
    parts.map(|s| (s.codec, s.points.iter().map(|p| (p.bits, p.nmse, p.gap())).collect())).collect()
}

fn error_plot(id: &str, group: &Group<'_>, codecs: &[Codec], x: Scale, single: &[Single]) -> Plot {
    let errors = group.series.iter().flat_map(|s| &s.points).map(|p| p.nmse);
    let (low, high) = errors.fold((f64::INFINITY, 1.0f64), |(l, h), e| (l.min(e), h.max(e)));
    let y = Scale::log(low, high);
    let end = x.high().min(-0.5 * y.low().log2());
    let inside = |p: &(f64, f64)| p.0 <= x.high() && (y.low()..=y.high()).contains(&p.1);
    let name = escape(group.name);
    Plot {
        id: format!("{id}-e"),
        title: format!("Error over bits per value: {name}"),
        description: describe(group, codecs),
        x_label: X_LABEL.into(),
        y_label: "nmse, log scale (lower is better)".into(),
        bound: [(0.0, 1.0), (end, bound_nmse(end))],
        faint: lines(single, |p| (p.0, p.1), inside),
        curves: curves(group, codecs, |p| Some((p.bits, p.nmse))),
        x,
        y,
    }
}

/// The gap plot, and what lies outside of it in words.
fn gap_plot(
    id: &str,
    group: &Group<'_>,
    codecs: &[Codec],
    x: Scale,
    single: &[Single],
) -> (Plot, Vec<String>) {
    let gaps: Vec<f64> = group.series.iter().flat_map(|s| &s.points).map(Mean::gap).collect();
    let window = if gaps.iter().any(|g| GAP_WINDOW.contains(g)) { GAP_WINDOW } else { f64::MIN..=f64::MAX };
    let shown = gaps.iter().copied().filter(|g| window.contains(g));
    let (low, high) = shown.fold((0.0f64, 0.1f64), |(l, h), g| (l.min(g), h.max(g)));
    // Room below the bound for its name.
    let y = Scale::linear(low.min(-0.1 * high), high, 6, true);
    let inside = |p: &(f64, f64)| p.0 <= x.high() && (y.low()..=y.high()).contains(&p.1);
    let mut beyond = Vec::new();
    for series in &group.series {
        let label = escape(&codecs[series.codec].label());
        let out = series.points.iter().filter(|p| !window.contains(&p.gap()));
        beyond.extend(
            out.map(|p| format!("<bdi>{label}</bdi> at {} bits ({})", bits(p.bits), signed(p.gap()))),
        );
    }
    let plot = Plot {
        id: format!("{id}-g"),
        title: format!("Gap to Shannon’s bound over bits per value: {}", escape(group.name)),
        description: describe(group, codecs),
        x_label: X_LABEL.into(),
        y_label: "bits above the bound (lower is better)".into(),
        bound: [(0.0, 0.0), (x.high(), 0.0)],
        faint: lines(single, |p| (p.0, p.2), inside),
        curves: curves(group, codecs, |p| window.contains(&p.gap()).then(|| (p.bits, p.gap()))),
        x,
        y,
    };
    (plot, beyond)
}

/// Runs of points inside of the axes; a line is broken where it leaves them.
fn lines(
    single: &[Single],
    point: fn(&(f64, f64, f64)) -> (f64, f64),
    inside: impl Fn(&(f64, f64)) -> bool,
) -> Vec<(usize, Vec<(f64, f64)>)> {
    let mut out = Vec::new();
    for (style, points) in single {
        let places: Vec<(f64, f64)> = points.iter().map(point).collect();
        let runs = places.split(|p| !inside(p)).filter(|run| run.len() > 1);
        out.extend(runs.map(|run| (*style, run.to_vec())));
    }
    out
}

fn curves(group: &Group<'_>, codecs: &[Codec], place: impl Fn(&Mean) -> Option<(f64, f64)>) -> Vec<Line> {
    let line = |series: &super::summary::Series| {
        let label = escape(&codecs[series.codec].label());
        let tooltip = |p: &Mean| {
            format!("{label}: {} bits, nmse {}, gap {}", bits(p.bits), number(p.nmse), signed(p.gap()))
        };
        let points = series.points.iter().filter_map(|p| Some((place(p)?, tooltip(p)))).collect();
        Line { style: series.codec, points }
    };
    group.series.iter().map(line).collect()
}

/// The plot in words, for those who do not see it.
fn describe(group: &Group<'_>, codecs: &[Codec]) -> String {
    let mut parts = Vec::new();
    for series in &group.series {
        let (Some(first), Some(last), Some(gap)) = (series.points.first(), series.points.last(), series.gap)
        else {
            continue;
        };
        parts.push(format!(
            "{}: {} to {} bits per value, nmse {} to {}, mean gap to the bound {} bits",
            escape(&codecs[series.codec].label()),
            bits(first.bits),
            bits(last.bits),
            number(first.nmse),
            number(last.nmse),
            signed(gap)
        ));
    }
    parts.join(". ")
}
