//! Tables as one HTML page with plots, and as Markdown.

use std::fmt::Write;

use telecine_report::{Line, Plot, Scale, bits, bits_at, dash, escape, number, swatch, table};

use crate::rows::{Document, Row};

/// What a table is about.
struct About {
    title: &'static str,
    text: &'static str,
    /// The series that others are held against.
    yardstick: &'static str,
}

fn about(name: &str) -> About {
    let (yardstick, title, text) = match name {
        "weights" => (
            "native balanced",
            "Weights",
            "All projections of all layers go through a codec; embedding, head and norms stay. Bits count the whole \
             file, or a rival's indices, scales and code books.",
        ),
        "allocation" => (
            "even",
            "Allocation",
            "The same bits, spread over the projections in several ways; native throughout.",
        ),
        "cache" => (
            "none, after RoPE",
            "KV cache",
            "Keys and values of all but the first 4 and the last 128 tokens are compressed, 128 tokens at a time, and \
             the model reads them back at every step of 128 tokens. Bits count exact tokens and bases, shared out \
             over 32,768 tokens.",
        ),
        "activations" => (
            "none",
            "Activations",
            "The residual stream is compressed where it goes from one of 4 stages of a pipeline to the next.",
        ),
        _ => ("", "Table", ""),
    };
    About { title, text, yardstick }
}

/// By series, in the order of their names: rows by growing bits.
fn series(document: &Document) -> Vec<(&str, Vec<&Row>)> {
    let mut out: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in &document.rows {
        match out.iter_mut().find(|(name, _)| *name == row.series) {
            Some((_, rows)) => rows.push(row),
            None => out.push((&row.series, vec![row])),
        }
    }
    out.iter_mut().for_each(|(_, rows)| rows.sort_by(|a, b| a.bits.total_cmp(&b.bits)));
    out.sort_by_key(|(name, _)| name.to_lowercase());
    out
}

/// The series that others are held against as (bits, log2 KL), without rows that diverge by nothing.
fn yardstick(document: &Document) -> Vec<(f64, f64)> {
    let name = about(&document.table).yardstick;
    let series = series(document).into_iter().filter(|(other, _)| *other == name);
    let rows = series.flat_map(|(_, rows)| rows).filter(|row| row.quality.divergence > 0.0);
    rows.map(|row| (row.bits, row.quality.divergence.log2())).collect()
}

/// Growth of perplexity over the reference's, in per cent.
fn growth(row: &Row) -> f64 {
    100.0 * (row.quality.perplexity / row.quality.reference - 1.0)
}

/// One HTML page that needs nothing beside itself.
pub fn html(documents: &[Document], model: &str) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "<header>\n<h1>A language model after compression</h1>\n<p class=\"sub\">{model}</p>\n</header>\n<main>\n"
    );
    for document in documents {
        let About { title, text, .. } = about(&document.table);
        let id = escape(&document.table);
        let _ = write!(
            out,
            "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n<p>{text}</p>\n{}{}</section>\n",
            figure(document),
            rows(document)
        );
    }
    out.push_str(
        "<p class=\"note\"><b>KL</b> is the mean divergence from the reference model's predictions in nats per token: \
         0 where nothing changed. <b>Perplexity</b> is given over the reference's. <b>Same token</b> is the share of \
         places where the most likely next token stays the same.</p>\n</main>\n",
    );
    telecine_report::page("A language model after compression", "", &out)
}

fn figure(document: &Document) -> String {
    let series = series(document);
    let kl = |row: &Row| row.quality.divergence;
    let mut out = String::from("<figure>\n<div class=\"plots\">\n");
    out += &plot(document, &series, "d", "KL, nats per token, log scale", kl);
    out += &plot(document, &series, "p", "perplexity above the reference, %, log scale", growth);
    out += "</div>\n<ul class=\"legend\">";
    for (style, (name, _)) in series.iter().enumerate() {
        let _ = write!(out, "<li>{}<bdi>{}</bdi></li>", swatch(style), escape(name));
    }
    out += "</ul>\n<figcaption>Nearer to the lower left is better. Points that are no worse than the reference are not \
            on the second plot.</figcaption>\n</figure>\n";
    out
}

fn plot(
    document: &Document,
    series: &[(&str, Vec<&Row>)],
    suffix: &str,
    y_label: &str,
    y: impl Fn(&Row) -> f64,
) -> String {
    let place = |row: &Row| Some((row.bits, y(row))).filter(|(_, y)| y.is_finite() && *y > 1e-4);
    let places = || series.iter().flat_map(|(_, rows)| rows).filter_map(|row| place(row));
    let (low, high) = places().fold((f64::INFINITY, 0.0f64), |(l, h), (_, y)| (l.min(y), h.max(y)));
    if high == 0.0 {
        return String::new();
    }
    let widest = places().fold(0.0f64, |widest, (bits, _)| widest.max(bits));
    let line = |(style, (name, rows)): (usize, &(&str, Vec<&Row>))| {
        let tooltip = |row: &Row| {
            format!(
                "{}, {}: {} bits, KL {}, perplexity {} %",
                escape(name),
                escape(&row.setting),
                bits(row.bits),
                number(row.quality.divergence),
                number(growth(row))
            )
        };
        let points = rows.iter().filter_map(|row| Some((place(row)?, tooltip(row))));
        Line { style, points: points.collect() }
    };
    let words = series.iter().map(|(name, rows)| format!("{}: {} points", escape(name), rows.len()));
    let plot = Plot {
        id: format!("{}-{suffix}", escape(&document.table)),
        title: format!("{}: {y_label}, over bits per value", about(&document.table).title),
        description: words.collect::<Vec<_>>().join(". "),
        x_label: "bits per value, all bytes counted".into(),
        y_label: y_label.into(),
        x: Scale::linear(0.0, widest * 1.04, 6, false),
        y: Scale::log(low, high),
        bound: None,
        faint: Vec::new(),
        curves: series.iter().enumerate().map(line).collect(),
    };
    plot.render()
}

const HEAD: [&str; 8] =
    ["way", "setting", "bits", "nmse", "perplexity", "over reference", "KL", "same token"];

/// The columns of a table; the last says what the yardstick needs for the same divergence.
fn head(document: &Document) -> Vec<String> {
    let needs = format!("bits of “{}” at this KL", about(&document.table).yardstick);
    HEAD.map(String::from).into_iter().chain([needs]).collect()
}

fn cells(row: &Row, yardstick: &[(f64, f64)]) -> [String; 7] {
    [
        bits(row.bits),
        number(row.nmse),
        format!("{:.3}", row.quality.perplexity),
        format!("{:.4}", row.quality.perplexity / row.quality.reference),
        format!("{:.4}", row.quality.divergence),
        format!("{:.1} %", 100.0 * row.quality.same_top),
        bits_at(yardstick, row.quality.divergence).map_or_else(dash, bits),
    ]
}

fn rows(document: &Document) -> String {
    let yardstick = yardstick(document);
    let mut body = String::new();
    for (style, (name, rows)) in series(document).into_iter().enumerate() {
        for row in rows {
            let _ = write!(
                body,
                "<tr><th scope=\"row\">{}<bdi>{}</bdi></th><td>{}</td>",
                swatch(style),
                escape(name),
                escape(&row.setting)
            );
            for cell in cells(row, &yardstick) {
                let _ = write!(body, "<td>{cell}</td>");
            }
            body.push_str("</tr>\n");
        }
    }
    table(about(&document.table).title, "", &head(document), &body)
}

/// One table as Markdown.
pub fn markdown(document: &Document) -> String {
    let mut out = format!("| {} |\n|---|---|{}\n", head(document).join(" | "), "---:|".repeat(7));
    let yardstick = yardstick(document);
    for (name, rows) in series(document) {
        for row in rows {
            let _ = writeln!(out, "| {name} | {} | {} |", row.setting, cells(row, &yardstick).join(" | "));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::Quality;

    fn document() -> Document {
        let row = |series: &str, bits: f64, perplexity: f64| Row {
            series: series.into(),
            setting: format!("{bits} bits"),
            bits,
            nmse: 0.01,
            quality: Quality {
                perplexity,
                reference: 20.0,
                divergence: perplexity / 20.0 - 0.9,
                ..Quality::default()
            },
            coding_seconds: 1.0,
            note: String::new(),
        };
        let rows = vec![row("a<b", 4.0, 21.0), row("other", 3.0, 19.0), row("a<b", 2.0, 40.0)];
        Document { table: "weights".into(), windows: vec![1], rows }
    }

    #[test]
    fn a_page_has_plots_and_every_row() {
        let html = html(&[document()], "a model");
        telecine_report::testing::assert_balanced(&html);
        assert_eq!(html.matches("<svg class=\"plot\"").count(), 2);
        assert_eq!(html.matches("<tr><th scope=\"row\">").count(), 3);
        assert!(html.contains("a&lt;b") && !html.contains("a<b"));
    }

    #[test]
    fn markdown_lists_series_by_bits() {
        let text = markdown(&document());
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert!(lines[0].starts_with("| a<b | 2 bits") && lines[1].starts_with("| a<b | 4 bits"), "{text}");
        assert!(lines[1].contains("| 1.0500 |"), "{text}");
    }

    /// Between a finite logarithm and an infinite one there is nothing to read.
    #[test]
    fn no_divergence_is_no_point_of_the_yardstick() {
        let mut document = document();
        document.rows.iter_mut().for_each(|row| row.series = "native balanced".into());
        for (row, divergence) in document.rows.iter_mut().zip([0.0, 0.1, 1.0]) {
            row.quality.divergence = divergence;
        }
        assert!(!markdown(&document).contains("NaN"), "{}", markdown(&document));
        assert_eq!(bits_at(&yardstick(&document), 0.0), None);
    }

    #[test]
    fn the_yardstick_is_read_between_its_points() {
        let mut document = document();
        document.rows.iter_mut().for_each(|row| row.series = "native balanced".into());
        for (row, divergence) in document.rows.iter_mut().zip([0.01, 0.1, 1.0]) {
            row.quality.divergence = divergence;
        }
        let yardstick = yardstick(&document);
        let at = |divergence: f64| bits_at(&yardstick, divergence);
        assert!((at(0.1f64.sqrt()).unwrap() - 2.5).abs() < 1e-9);
        assert_eq!((at(0.1), at(1.01), at(0.009)), (Some(3.0), None, None));
        assert!(markdown(&document).lines().nth(3).unwrap().ends_with("| 3.00 |"), "{}", markdown(&document));
    }
}
