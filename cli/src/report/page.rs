//! The page around plots and tables.

use super::chart::figure;
use super::data::SweepData;
use super::summary::{Codec, Group, Series, codecs, group, kinds, reference_nmse};
use super::table;
use std::fmt::Write;
use telecine_report::{bits, count, counted, escape, escape_whole, target};

/// One HTML page that needs nothing beside itself: no script, no font, no other file.
///
/// Any data gives a page. What cannot be plotted (exact results, impossible numbers) is named in a note.
pub(crate) fn render(data: &SweepData) -> String {
    let title =
        if data.title.trim().is_empty() { "Rate–distortion sweep".into() } else { escape(&data.title) };
    let mut out = format!("<header>\n<h1><bdi>{title}</bdi></h1>\n");
    let codecs = codecs(data);
    let reference = reference_nmse(data);
    let all = group("all tensors", data.tensors.iter().collect(), &codecs, reference);
    let kinds = kinds(data, &codecs, reference);
    let _ = write!(out, "<p class=\"sub\">{}</p>\n</header>\n<main>\n", scope(&all, &kinds, &codecs));
    if all.series.is_empty() {
        out.push_str("<p>Nothing was measured, so there is nothing to show.</p>\n");
    } else {
        summary(&all, &codecs, reference, &mut out);
        overview(&all, &kinds, &codecs, &mut out);
        for (i, kind) in kinds.iter().enumerate() {
            section(i, kind, &codecs, &mut out);
        }
        let n = counted(all.tensors.len(), "tensor");
        let _ = write!(out, "<details>\n<summary>Every tensor on its own ({n})</summary>\n");
        out.push_str(&table::tensors(&kinds, &codecs, reference));
        out.push_str("</details>\n");
    }
    out.push_str("</main>\n");
    footer(&data.source, &data.command, &mut out);
    telecine_report::page(&title, "", &out)
}

/// What was measured, in one line.
fn scope(all: &Group<'_>, kinds: &[Group<'_>], codecs: &[Codec]) -> String {
    let points = || all.series.iter().flat_map(|s| &s.points).map(|p| p.target).filter(|t| t.is_finite());
    let (low, high) = (points().fold(f64::INFINITY, f64::min), points().fold(f64::NEG_INFINITY, f64::max));
    let mut parts = vec![
        format!("{} of {}", counted(all.tensors.len(), "tensor"), counted(kinds.len(), "kind")),
        format!("{} values", count(all.values)),
        counted(codecs.len(), "codec"),
    ];
    if low < high {
        parts.push(format!("{} to {} bits per value", target(low), target(high)));
    }
    parts.join(" · ")
}

fn summary(all: &Group<'_>, codecs: &[Codec], reference: f64, out: &mut String) {
    let mut order: Vec<&Series> = all.series.iter().collect();
    order.sort_by(|a, b| {
        let key = |s: &Series| s.gap.unwrap_or(f64::INFINITY);
        key(a).total_cmp(&key(b))
    });
    out.push_str("<section aria-labelledby=\"summary\">\n<h2 id=\"summary\">Summary</h2>\n");
    if let Some(best) = order.first() {
        out.push_str(&lead(best, codecs, reference, order.len() > 1));
    }
    out.push_str(&table::codecs(all, &order, codecs, reference));
    let r = target(reference);
    let bound = bits(-0.5 * reference.log2());
    let _ = write!(
        out,
        "<p class=\"note\"><b>Bits per value</b> count all bytes that it takes to get the tensor back. <b>nmse</b> is \
         the mean squared error over the mean square of the tensor: at {r} the error holds {}&nbsp;% of the energy. \
         <b>Gap</b> is the distance to Shannon’s bound for a Gaussian of the same power, nmse = 2<sup>−2R</sup> at \
         R bits per value; at nmse {r} the bound is {bound} bits. No coder of Gaussian noise gets below it. A real \
         tensor can, where its rows or columns differ in scale: then the gap is negative. Means are weighted by the \
         number of values, and errors are averaged in decibels. Speeds are single runs.</p>\n</section>\n",
        percent(reference)
    );
}

fn percent(x: f64) -> String {
    target(100.0 * x)
}

/// The outcome in words.
fn lead(best: &Series, codecs: &[Codec], reference: f64, several: bool) -> String {
    let Some(gap) = best.gap else {
        return "<p class=\"lead\">Every measurement came back exactly, so there is no curve to draw.</p>\n"
            .into();
    };
    let name = escape(&codecs[best.codec].label());
    let verb = if several { "needs the fewest bits:" } else { "takes" };
    let side = if gap < 0.0 { "below" } else { "above" };
    let mut out = format!(
        "<p class=\"lead\"><b><bdi>{name}</bdi></b> {verb} on average <b>{} bits per value {side}</b> Shannon’s \
         Gaussian bound",
        bits(gap.abs())
    );
    if let Some((at, _)) = best.reference {
        let r = target(reference);
        let _ = write!(
            out,
            ". An error of {}&nbsp;% of the energy (nmse {r}) takes {} bits per value",
            percent(reference),
            bits(at)
        );
    }
    out.push_str(".</p>\n");
    out
}

/// The plot over everything and the index of kinds, where there are several.
fn overview(all: &Group<'_>, kinds: &[Group<'_>], codecs: &[Codec], out: &mut String) {
    if kinds.len() < 2 {
        return;
    }
    out.push_str("<section aria-labelledby=\"all\">\n<h2 id=\"all\">All tensors</h2>\n");
    out.push_str(&figure("all-plot", all, codecs));
    out.push_str("</section>\n<nav aria-labelledby=\"index\">\n<h2 id=\"index\">Kinds of tensor</h2>\n");
    out.push_str(&table::kinds(kinds, codecs));
    out.push_str("</nav>\n");
}

fn section(i: usize, kind: &Group<'_>, codecs: &[Codec], out: &mut String) {
    let name = table::kind_name(kind);
    let _ = write!(
        out,
        "<section class=\"kind\" aria-labelledby=\"kind-{i}\">\n<h2 id=\"kind-{i}\"><bdi>{name}</bdi></h2>\n\
         <p class=\"sub\">{} · {} values{}</p>\n",
        counted(kind.tensors.len(), "tensor"),
        count(kind.values),
        shape(kind),
    );
    out.push_str(&figure(&format!("kind-{i}-plot"), kind, codecs));
    out.push_str(&notes(kind, codecs));
    out.push_str(&table::measurements(kind, codecs));
    out.push_str("</section>\n");
}

/// The dtype and shape that all tensors of a kind share.
fn shape(kind: &Group<'_>) -> String {
    let Some(first) = kind.tensors.first() else { return String::new() };
    let shared = kind.tensors.iter().all(|t| t.dtype == first.dtype && t.shape == first.shape);
    if !shared || first.shape.is_empty() || first.shape.len() > 9 {
        return String::new();
    }
    let sizes: Vec<String> = first.shape.iter().map(u64::to_string).collect();
    let each = if kind.tensors.len() > 1 { "each " } else { "" };
    format!(" · {each}{} {}", escape(&first.dtype), sizes.join("×"))
}

/// What the plot cannot show.
fn notes(kind: &Group<'_>, codecs: &[Codec]) -> String {
    let mut out = String::new();
    for series in &kind.series {
        let label = escape(&codecs[series.codec].label());
        if !series.lossless.is_empty() {
            let (low, high) = series
                .lossless
                .iter()
                .fold((f64::INFINITY, 0.0f64), |(l, h), p| (l.min(p.bits), h.max(p.bits)));
            let range =
                if bits(low) == bits(high) { bits(low) } else { format!("{} to {}", bits(low), bits(high)) };
            let _ = writeln!(
                out,
                "<p class=\"note\"><bdi>{label}</bdi> brought values back exactly (nmse 0, not on the plot) \
                 at {range} bits.</p>"
            );
        }
        if series.invalid > 0 {
            let n = counted(series.invalid, "measurement");
            let _ = writeln!(
                out,
                "<p class=\"note\"><bdi>{label}</bdi>: {n} with impossible numbers left out.</p>"
            );
        }
    }
    out
}

/// Where the figures came from and what made them.
pub(super) fn footer(source: &str, command: &str, out: &mut String) {
    out.push_str("<footer>\n");
    if !source.is_empty() {
        let _ = writeln!(out, "<p>Measured on <bdi>{}</bdi></p>", escape_whole(source));
    }
    if !command.is_empty() {
        let _ = writeln!(out, "<p>Made by <code><bdi>{}</bdi></code></p>", escape_whole(command));
    }
    out.push_str("</footer>\n");
}
