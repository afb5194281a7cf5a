//! The tables of the page: codecs, kinds, measurements of a kind, single tensors.

use std::fmt::Write;

use telecine_report::{bits, breakable, count, counted, dash, escape, number, signed, swatch, table, target};

use super::summary::{Codec, Group, Mean, Series, Speed, group};

fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

fn codec_name(codec: &Codec, style: usize) -> String {
    format!("{}<bdi>{}</bdi>", swatch(style), escape(&codec.label()))
}

fn speed_cells(speed: Speed) -> String {
    let cell = |rate: Option<f64>| rate.map_or_else(dash, |r| number(r / 1e6));
    format!("<td>{}</td><td>{}</td>", cell(speed.encode), cell(speed.decode))
}

/// One row per codec over all tensors, best first as `order` says.
pub(super) fn codecs(all: &Group<'_>, order: &[&Series], codecs: &[Codec], reference: f64) -> String {
    let original = original_bits(all);
    let total = all.tensors.len();
    let mut body = String::new();
    for series in order {
        let gap = series.gap.map_or_else(dash, signed);
        let (at, smaller) = match series.reference {
            None => (dash(), dash()),
            Some((b, reached)) => {
                let note = if reached < total {
                    format!(" <small>{reached} of {total}</small>")
                } else {
                    String::new()
                };
                let ratio = original.map_or_else(dash, |o| format!("{}×", number(o / b)));
                (format!("{}{note}", bits(b)), ratio)
            }
        };
        let _ = writeln!(
            body,
            "<tr><th scope=\"row\">{}</th><td>{gap}</td><td>{at}</td><td>{smaller}</td>{}\
             <td>{} of {total}</td></tr>",
            codec_name(&codecs[series.codec], series.codec),
            speed_cells(series.speed),
            series.tensors,
        );
    }
    let at = format!("Bits at nmse {}", target(reference));
    let names =
        ["Codec", "Mean gap, bits", &at, "Times smaller", "Encode, Mvalue/s", "Decode, Mvalue/s", "Tensors"];
    table("All tensors and targets, smallest gap first", "", &head(&names), &body)
}

/// Mean bits per value that the tensors' dtypes take; none where a dtype's name does not say.
fn original_bits(all: &Group<'_>) -> Option<f64> {
    let (mut total, mut values) = (0.0, 0.0);
    for tensor in &all.tensors {
        total += dtype_bits(&tensor.dtype)? * tensor.values as f64;
        values += tensor.values as f64;
    }
    (values > 0.0).then(|| total / values)
}

/// The first number in a dtype's name: 16 of `bf16`, 8 of `f8e4m3`.
fn dtype_bits(name: &str) -> Option<f64> {
    if name == "bool" {
        return Some(8.0);
    }
    let from = name.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let digits: String = from.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u16>().ok().filter(|n| *n > 0).map(f64::from)
}

/// The index: one row per kind with its link and each codec's mean gap, the smallest in bold.
pub(super) fn kinds(kinds: &[Group<'_>], codecs: &[Codec]) -> String {
    let mut names = head(&["Kind"]);
    names.extend(codecs.iter().enumerate().map(|(i, c)| codec_name(c, i)));
    let mut body = String::new();
    for (i, kind) in kinds.iter().enumerate() {
        let _ = write!(
            body,
            "<tr><th scope=\"row\"><a href=\"#kind-{i}\"><bdi>{}</bdi></a><br><small>{} · {} values</small></th>",
            kind_name(kind),
            counted(kind.tensors.len(), "tensor"),
            count(kind.values)
        );
        let best = kind.series.iter().filter_map(|s| s.gap).fold(f64::INFINITY, f64::min);
        for j in 0..codecs.len() {
            let gap = kind.series.iter().find(|s| s.codec == j).and_then(|s| s.gap);
            let _ = match gap {
                None => write!(body, "<td>{}</td>", dash()),
                Some(g) if signed(g) == signed(best) => write!(body, "<td><b>{}</b></td>", signed(g)),
                Some(g) => write!(body, "<td>{}</td>", signed(g)),
            };
        }
        body.push_str("</tr>\n");
    }
    table("Mean gap to Shannon’s bound in bits per value, by kind of tensor", "", &names, &body)
}

/// A kind's name for element content; words where it is empty.
pub(super) fn kind_name(kind: &Group<'_>) -> String {
    if kind.name.trim().is_empty() { "(no name)".into() } else { breakable(kind.name) }
}

/// One row per codec and target of a kind.
pub(super) fn measurements(kind: &Group<'_>, codecs: &[Codec]) -> String {
    let total = kind.tensors.len();
    let mut body = String::new();
    for series in &kind.series {
        let rows: Vec<&Mean> = series.points.iter().chain(&series.lossless).collect();
        for (i, mean) in rows.iter().enumerate() {
            body.push_str(if i == 0 { "<tr class=\"first\">" } else { "<tr>" });
            if i == 0 {
                let name = codec_name(&codecs[series.codec], series.codec);
                let _ = write!(body, "<th scope=\"rowgroup\" rowspan=\"{}\">{name}</th>", rows.len());
            }
            body.push_str(&measurement(mean, total));
        }
    }
    if body.is_empty() {
        return String::new();
    }
    let names = [
        "Codec",
        "Target",
        "Bits",
        "nmse",
        "Gap",
        "Largest error",
        "Encode, Mvalue/s",
        "Decode, Mvalue/s",
        "Transform",
    ];
    let caption = format!("Measurements of {}", escape(kind.name));
    table(&caption, "wide", &head(&names), &body)
}

fn measurement(mean: &Mean, total: usize) -> String {
    let some = if mean.tensors < total {
        format!(" <small>{} of {total}</small>", mean.tensors)
    } else {
        String::new()
    };
    let (error, gap) =
        if mean.nmse > 0.0 { (number(mean.nmse), signed(mean.gap())) } else { ("lossless".into(), dash()) };
    format!(
        "<td>{}{some}</td><td>{}</td><td>{error}</td><td>{gap}</td><td>{}</td>{}<td class=\"text\">{}</td></tr>\n",
        target(mean.target),
        bits(mean.bits),
        number(mean.max_abs_error),
        speed_cells(mean.speed),
        transforms(mean),
    )
}

/// The chains in use, the three most frequent by name.
fn transforms(mean: &Mean) -> String {
    let named = |t: &str| if t.is_empty() { dash() } else { format!("<bdi>{}</bdi>", escape(t)) };
    if let [(only, _)] = mean.transforms.as_slice() {
        return named(only);
    }
    let mut parts: Vec<String> =
        mean.transforms.iter().take(3).map(|(t, n)| format!("{}&nbsp;({n})", named(t))).collect();
    if mean.transforms.len() > 3 {
        parts.push(format!("{} more", mean.transforms.len() - 3));
    }
    parts.join(", ")
}

/// One row per tensor and codec, with every point in short.
pub(super) fn tensors(kinds: &[Group<'_>], codecs: &[Codec], reference: f64) -> String {
    let mut body = String::new();
    for tensor in kinds.iter().flat_map(|k| &k.tensors) {
        let shape: Vec<String> = tensor.shape.iter().take(9).map(u64::to_string).collect();
        let more = if tensor.shape.len() > 9 { "×…" } else { "" };
        let series = group(&tensor.name, vec![*tensor], codecs, reference).series;
        let rows = series.len().max(1);
        let _ = write!(
            body,
            "<tr class=\"first\"><th scope=\"rowgroup\" rowspan=\"{rows}\"><bdi>{}</bdi><br>\
             <small>{} {}{more}, std {}</small></th>",
            breakable(&tensor.name),
            escape(&tensor.dtype),
            if shape.is_empty() { "scalar".into() } else { shape.join("×") },
            number(tensor.std),
        );
        for (i, one) in series.iter().enumerate() {
            body.push_str(if i == 0 { "" } else { "<tr>" });
            let all = one.points.iter().chain(&one.lossless);
            let points: Vec<String> = all
                .map(|p| {
                    format!(
                        "<span>{} → {}</span>",
                        bits(p.bits),
                        if p.nmse > 0.0 { number(p.nmse) } else { "lossless".into() }
                    )
                })
                .collect();
            let _ = writeln!(
                body,
                "<td class=\"text\">{}</td><td>{}</td><td>{}</td><td class=\"points\">{}</td></tr>",
                codec_name(&codecs[one.codec], one.codec),
                one.gap.map_or_else(dash, signed),
                one.reference.map_or_else(dash, |(b, _)| bits(b)),
                points.join(", ")
            );
        }
        if series.is_empty() {
            body.push_str("<td class=\"text\" colspan=\"4\">not measured</td></tr>\n");
        }
    }
    let at = format!("Bits at nmse {}", target(reference));
    let names = ["Tensor", "Codec", "Mean gap", &at, "Bits → nmse"];
    table("Every tensor", "wide tensors", &head(&names), &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_of_a_dtype_is_read_from_its_name() {
        let cases = [
            ("f32", Some(32.0)),
            ("bf16", Some(16.0)),
            ("f8e4m3", Some(8.0)),
            ("bool", Some(8.0)),
            ("?", None),
        ];
        for (name, width) in cases {
            assert_eq!(dtype_bits(name), width, "{name}");
        }
    }
}
