//! The page of `telecine ablate`.

use std::fmt::Write;

use telecine_report::{
    Line, Plot, Scale, bits, breakable, count, counted, dash, escape, number, signed, swatch, table,
};

use super::chart::figure;
use super::summary::{codecs, kinds};
use super::{SweepData, page};
use crate::ablation::{Ablation, Cell, Measured, PAPER, Stage};

const STYLE: &str = "td.no{color:var(--dim);cursor:help}";

/// One HTML page that needs nothing beside itself.
pub(crate) fn render(data: &Ablation) -> String {
    let title = "Video codecs on tensors, taken apart";
    let mut out = format!("<header>\n<h1>{title}</h1>\n");
    let values: u64 = data.stacks.iter().map(|stack| stack.curves.values).sum();
    let kinds = counted(data.stacks.len(), "kind");
    let nmse = number(data.nmse);
    let _ = write!(
        out,
        "<p class=\"sub\">{kinds} of tensor · {} values · nmse {nmse}</p>\n</header>\n<main>\n",
        count(values)
    );
    findings(data, &mut out);
    stages(data, &mut out);
    front_ends(data, &mut out);
    curves(data, &mut out);
    out.push_str("</main>\n");
    page::footer(&data.source, &data.command, &mut out);
    telecine_report::page(title, STYLE, &out)
}

fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The paper's findings, and what became of them.
fn findings(data: &Ablation, out: &mut String) {
    out.push_str("<section aria-labelledby=\"findings\">\n<h2 id=\"findings\">The paper’s findings</h2>\n");
    let mut body = String::new();
    for verdict in &data.verdicts {
        let (low, high) = verdict.range;
        let (all, agreeing) = verdict.stacks;
        let _ = writeln!(
            body,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{} to {}</td><td>{agreeing} of {all}</td>\
             <td>{}</td></tr>",
            verdict.stage.name(),
            escape(&verdict.backend),
            signed(verdict.paper),
            signed(verdict.here),
            signed(low),
            signed(high),
            verdict.outcome,
        );
    }
    let names = [
        "With this added",
        "Encoder",
        "Paper, bits",
        "Here, mean",
        "Here, all",
        "Kinds that agree",
        "The finding",
    ];
    out.push_str(&table("What each tool changes, in bits per value", "wide", &head(&names), &body));
    let bound = -0.5 * data.nmse.log2();
    let reached = |stack: &&Measured| {
        let mut cells = stack.encoders.iter().map(|encoder| encoder.with_all_tools());
        cells.any(|cell| cell.bits().is_some_and(|bits| bits <= PAPER[Stage::Partitioning as usize]))
    };
    let _ = write!(
        out,
        "<p class=\"note\">The paper is VcLLM (arXiv 2407.00467), which takes an encoder apart on the K-projections of \
         LLaMA-2-7B at an error of 0.01: {} bits. A finding <b>reproduces</b> where the mean change is in the paper’s \
         direction and at least half as large; a kind of tensor agrees by the same rule. Its last figure without \
         inter prediction, {} bits, is reached by {} of {} kinds here: at nmse {} a Gaussian of any coder needs {} \
         bits, so fewer take structure that a codec can use.</p>\n</section>\n",
        PAPER.map(|bits| format!("{bits:.1}")).join(" → "),
        PAPER[Stage::Partitioning as usize],
        data.stacks.iter().filter(reached).count(),
        data.stacks.len(),
        number(data.nmse),
        bits(bound),
    );
}

/// Bits per value stage by stage.
fn stages(data: &Ablation, out: &mut String) {
    out.push_str("<section aria-labelledby=\"stages\">\n<h2 id=\"stages\">Stage by stage</h2>\n");
    out.push_str(&stage_plot(data));
    let mut names = vec!["Tensors", "Encoder"];
    names.extend(Stage::ALL.iter().map(|stage| stage.name()));
    names.extend(["Order-0 entropy", "native"]);
    let mut body = String::new();
    for stack in &data.stacks {
        for (index, encoder) in stack.encoders.iter().enumerate() {
            let cells: String = encoder.cells.iter().map(cell).collect();
            let native = stack.front_ends.iter().find(|front_end| front_end.backend == "native");
            let _ = writeln!(
                body,
                "<tr><th scope=\"row\">{}</th><td>{}</td>{cells}<td>{}</td>{}</tr>",
                if index == 0 { breakable(&stack.name) } else { String::new() },
                escape(&encoder.backend),
                bits(stack.entropy),
                native.map_or_else(|| format!("<td>{}</td>", dash()), |front_end| cell(&front_end.auto)),
            );
        }
    }
    let caption =
        format!("Bits per value at nmse {}, each stage with everything before it", number(data.nmse));
    out.push_str(&table(&caption, "", &head(&names), &body));
    out.push_str(
        "<p class=\"note\">Samples are the paper’s: each row on an 8-bit grid from its least value to its largest, whose \
         two half-precision numbers are counted. The first two stages are lossless for these samples; entropy coding \
         has as few other tools on as the codec’s switches allow, and noise that grows is stored as it is. The others are coded at two settings around the \
         error and mixed, which is measured on what the decoder returns. Planes of one group are the same matrix of \
         several layers, or parts of one tensor. A dash is a tool that the encoder has no switch for, or an error \
         that it can’t reach: its tooltip says which. <b>native</b> is Telecine’s own codec behind its own front \
         end.</p>\n</section>\n",
    );
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Bits(value) => format!("<td>{}</td>", bits(*value)),
        Cell::Missing(reason) => format!("<td class=\"no\" title=\"{}\">{}</td>", escape(reason), dash()),
    }
}

/// Means over the kinds of tensor, with the paper's figures beside them.
fn stage_plot(data: &Ablation) -> String {
    let mut names: Vec<&str> = Vec::new();
    for encoder in data.stacks.iter().flat_map(|stack| &stack.encoders) {
        if !names.contains(&encoder.backend.as_str()) {
            names.push(&encoder.backend);
        }
    }
    let mean = |name: &str, stage: usize| {
        let all =
            data.stacks.iter().flat_map(|stack| &stack.encoders).filter(|encoder| encoder.backend == name);
        let values: Option<Vec<f64>> = all.map(|encoder| encoder.cells[stage].bits()).collect();
        values.filter(|values| !values.is_empty()).map(|v| v.iter().sum::<f64>() / v.len() as f64)
    };
    let line = |style: usize, label: &str, values: Vec<Option<f64>>| {
        let places = values.into_iter().enumerate().filter_map(|(at, value)| Some((at as f64, value?)));
        let point = |(at, value): (f64, f64)| ((at, value), format!("{label}: {} bits", bits(value)));
        Line { style, points: places.map(point).collect() }
    };
    let mut curves = vec![line(0, "the paper, LLaMA-2-7B", PAPER.map(Some).to_vec())];
    let mut legend = format!("<li>{}the paper, LLaMA-2-7B</li>", swatch(0));
    for (index, name) in names.iter().enumerate() {
        let values = (0..Stage::ALL.len()).map(|stage| mean(name, stage)).collect();
        curves.push(line(index + 1, &escape(name), values));
        let _ = write!(legend, "<li>{}<bdi>{}</bdi></li>", swatch(index + 1), escape(name));
    }
    let x = Scale::named(&["8 bit", "entropy", "transform", "prediction", "partition", "inter"]);
    let bound = -0.5 * data.nmse.log2();
    let plot = Plot {
        id: "stages-plot".into(),
        title: "Bits per value stage by stage".into(),
        description: "The same figures as in the table below, as means over all kinds of tensor.".into(),
        x_label: "with this added".into(),
        y_label: "bits per value".into(),
        bound: Some([(x.low(), bound), (x.high(), bound)]),
        faint: Vec::new(),
        curves,
        y: Scale::linear(0.0, 8.5, 9, false),
        x,
    };
    format!(
        "<figure>\n<div class=\"plots\">\n{}</div>\n<ul class=\"legend\">{legend}</ul>\n<figcaption>Means over all kinds \
         of tensor; a point is missing where an encoder has no figure for some of them.</figcaption>\n</figure>\n",
        plot.render()
    )
}

/// The paper's front end against ours.
fn front_ends(data: &Ablation, out: &mut String) {
    out.push_str(
        "<section aria-labelledby=\"front\">\n<h2 id=\"front\">Front ends and the Hadamard transform</h2>\n",
    );
    let mut body = String::new();
    for stack in &data.stacks {
        for (index, front_end) in stack.front_ends.iter().enumerate() {
            let _ = writeln!(
                body,
                "<tr><th scope=\"row\">{}</th><td>{}</td>{}{}{}{}</tr>",
                if index == 0 { breakable(&stack.name) } else { String::new() },
                escape(&front_end.backend),
                cell(&front_end.row_wise),
                cell(&front_end.ours),
                cell(&front_end.hadamard),
                cell(&front_end.auto),
            );
        }
    }
    let names = [
        "Tensors",
        "Encoder",
        "8-bit rows (paper)",
        "Ours, no transform",
        "Ours, Hadamard",
        "Ours, automatic",
    ];
    let caption = format!("Bits per value at nmse {}", number(data.nmse));
    out.push_str(&table(&caption, "", &head(&names), &body));
    out.push_str(
        "<p class=\"note\">Ours gives a chunk one grid, as deep as the codec takes, chooses it so that the codec has a \
         setting for the very step, and stores exactly what lies beyond it. Automatic takes the transform that measures \
         cheapest: none, Hadamard, centring or a DCT over rows.</p>\n</section>\n",
    );
}

/// Rate and distortion of all codecs, with and without the Hadamard transform.
fn curves(data: &Ablation, out: &mut String) {
    let sweep = SweepData {
        tensors: data.stacks.iter().map(|stack| stack.curves.clone()).collect(),
        ..SweepData::default()
    };
    let codecs = codecs(&sweep);
    out.push_str("<section aria-labelledby=\"curves\">\n<h2 id=\"curves\">Side by side</h2>\n</section>\n");
    for (index, kind) in kinds(&sweep, &codecs, data.nmse).iter().enumerate() {
        let _ = writeln!(out, "<section class=\"kind\">\n<h2><bdi>{}</bdi></h2>", breakable(kind.name));
        out.push_str(&figure(&format!("curve-{index}"), kind, &codecs));
        let mut body = String::new();
        for series in &kind.series {
            let gaps: String =
                series.points.iter().map(|mean| format!("<td>{}</td>", signed(mean.gap()))).collect();
            let label = escape(&codecs[series.codec].label());
            let _ = writeln!(
                body,
                "<tr><th scope=\"row\">{}<bdi>{label}</bdi></th>{gaps}</tr>",
                swatch(series.codec)
            );
        }
        let targets = kind.series.iter().max_by_key(|series| series.points.len());
        let mut names = head(&["Codec"]);
        names
            .extend(targets.iter().flat_map(|s| &s.points).map(|mean| format!("{} bits", bits(mean.target))));
        out.push_str(&table("Bits above Shannon’s Gaussian bound", "", &names, &body));
        out.push_str("</section>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ablation::{EncoderStages, FrontEnd, verdicts};
    use crate::report::{Curve, Point, TensorCurve};
    use telecine_report::testing::assert_balanced;

    fn measured(name: &str) -> Measured {
        let bits = [8.0, 7.5, 4.0, 3.9, 3.8].map(Cell::Bits);
        let mut cells = bits.to_vec();
        cells.push(Cell::Missing("it \"predicts\" no plane <b>".into()));
        let point = Point { target_bits: 3.0, bits: 3.0, nmse: 0.02, ..Point::default() };
        let curve =
            |codec: &str| Curve { codec: codec.into(), backend: codec.into(), points: vec![point.clone()] };
        Measured {
            name: name.into(),
            shape: [4, 64, 64],
            entropy: 7.0,
            encoders: vec![EncoderStages { backend: "x265".into(), codec: "hvc1".into(), cells }],
            front_ends: vec![FrontEnd {
                codec: "tns1".into(),
                backend: "native".into(),
                row_wise: Cell::Bits(3.6),
                ours: Cell::Bits(3.4),
                hadamard: Cell::Bits(3.5),
                auto: Cell::Bits(3.3),
            }],
            curves: TensorCurve {
                name: name.into(),
                kind: name.into(),
                values: 1 << 14,
                curves: vec![curve("hvc1"), curve("tns1")],
                ..TensorCurve::default()
            },
        }
    }

    #[test]
    fn the_page_is_well_formed_and_names_are_escaped() {
        let stacks = vec![measured("layers.*.<script>"), measured("k")];
        let verdicts = verdicts(&stacks);
        let data =
            Ablation { source: "a.st".into(), command: "telecine".into(), nmse: 0.01, stacks, verdicts };
        let html = render(&data);
        assert_balanced(&html);
        assert!(!html.contains("<script>"));
        assert!(html.contains("the same way, less than half as much"));
        assert!(html.contains("reached by 0 of 2 kinds"), "{html}");
    }
}
