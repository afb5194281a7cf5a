//! A figure of rate and distortion: error over bits, and the gap to Shannon's bound over bits.

use std::fmt::Write;
use std::ops::RangeInclusive;

use crate::{Line, Plot, Scale, bits, bound_nmse, bound_swatch, gap, number, signed, swatch};

/// Gaps that the second plot zooms into where any lie within, in bits per value.
const GAP_WINDOW: RangeInclusive<f64> = -3.0..=1.5;
const X_LABEL: &str = "bits per value, all bytes counted";

/// Two plots of the same curves, with a legend and a caption.
pub struct RateFigure {
    /// Unique on the page; prefix of the ids within.
    pub id: String,
    /// What was measured. Escaped already, as is every text here.
    pub name: String,
    /// The curves, in the order of the legend.
    pub curves: Vec<RateCurve>,
    /// Thin lines behind the curves: the style's number and the points as (bits, nmse).
    pub faint: Vec<(usize, Vec<(f64, f64)>)>,
    /// Sentences in front of the caption, each with a space behind it.
    pub caption: String,
}

/// One codec's curve.
pub struct RateCurve {
    /// Number of the codec; chooses colour, marker and dash.
    pub style: usize,
    /// Its name.
    pub label: String,
    /// Points as (bits per value, nmse), by growing bits; both are positive.
    pub points: Vec<(f64, f64)>,
    /// Mean gap to the bound in bits per value.
    pub gap: Option<f64>,
}

impl RateFigure {
    /// The figure as one element; a sentence where there is nothing to plot.
    pub fn render(&self) -> String {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        if points().next().is_none() {
            return "<p>There is no lossy measurement to plot.</p>\n".into();
        }
        let high = points().fold(0.0f64, |high, point| high.max(point.0));
        let x = Scale::linear(0.0, (high * 1.04).max(0.5), 6, false);
        let mut out = String::from("<figure>\n<div class=\"plots\">\n");
        out.push_str(&self.error_plot(x.clone()).render());
        let (plot, beyond) = self.gap_plot(x);
        out.push_str(&plot.render());
        out.push_str("</div>\n<ul class=\"legend\">");
        for curve in &self.curves {
            // Writing to a String cannot fail.
            let _ = write!(out, "<li>{}<bdi>{}</bdi></li>", swatch(curve.style), curve.label);
        }
        let _ = writeln!(out, "<li>{}Shannon’s bound (Gaussian)</li></ul>", bound_swatch());
        let _ = write!(
            out,
            "<figcaption>{}First plot: nearer to the lower left is better. Second: the same points as bits above the \
             bound. ",
            self.caption
        );
        if !beyond.is_empty() {
            let _ = write!(out, "Outside of the second plot: {}. ", beyond.join(", "));
        }
        out.push_str("</figcaption>\n</figure>\n");
        out
    }

    fn error_plot(&self, x: Scale) -> Plot {
        let errors = self.curves.iter().flat_map(|curve| &curve.points).map(|point| point.1);
        let (low, high) = errors.fold((f64::INFINITY, 1.0f64), |(l, h), e| (l.min(e), h.max(e)));
        let y = Scale::log(low, high);
        let end = x.high().min(-0.5 * y.low().log2());
        Plot {
            id: format!("{}-e", self.id),
            title: format!("Error over bits per value: {}", self.name),
            description: self.describe(),
            x_label: X_LABEL.into(),
            y_label: "nmse, log scale (lower is better)".into(),
            bound: Some([(0.0, 1.0), (end, bound_nmse(end))]),
            faint: self.runs(&x, &y, |point| point),
            curves: self.lines(Some),
            x,
            y,
        }
    }

    /// The gap plot, and what lies outside of it in words.
    fn gap_plot(&self, x: Scale) -> (Plot, Vec<String>) {
        let gaps: Vec<f64> = self.curves.iter().flat_map(|c| &c.points).map(|&(b, e)| gap(b, e)).collect();
        let window =
            if gaps.iter().any(|g| GAP_WINDOW.contains(g)) { GAP_WINDOW } else { f64::MIN..=f64::MAX };
        let shown = gaps.iter().copied().filter(|g| window.contains(g));
        let (low, high) = shown.fold((0.0f64, 0.1f64), |(l, h), g| (l.min(g), h.max(g)));
        // Room below the bound for its name.
        let y = Scale::linear(low.min(-0.1 * high), high, 6, true);
        let mut beyond = Vec::new();
        for curve in &self.curves {
            let out: Vec<(f64, f64)> = curve.points.iter().map(|&(b, e)| (b, gap(b, e))).collect();
            let out: Vec<_> = out.into_iter().filter(|(_, gap)| !window.contains(gap)).collect();
            beyond.extend(outside(&curve.label, &out));
        }
        let place = |(b, e)| {
            let gap = gap(b, e);
            window.contains(&gap).then_some((b, gap))
        };
        let plot = Plot {
            id: format!("{}-g", self.id),
            title: format!("Gap to Shannon’s bound over bits per value: {}", self.name),
            description: self.describe(),
            x_label: X_LABEL.into(),
            y_label: "bits above the bound (lower is better)".into(),
            bound: Some([(0.0, 0.0), (x.high(), 0.0)]),
            faint: self.runs(&x, &y, |(b, e)| (b, gap(b, e))),
            curves: self.lines(place),
            x,
            y,
        };
        (plot, beyond)
    }

    /// Runs of the thin lines inside of the axes; a line is broken where it leaves them.
    fn runs(
        &self,
        x: &Scale,
        y: &Scale,
        place: impl Fn((f64, f64)) -> (f64, f64),
    ) -> Vec<(usize, Vec<(f64, f64)>)> {
        let inside = |p: &(f64, f64)| p.0 <= x.high() && (y.low()..=y.high()).contains(&p.1);
        let mut out = Vec::new();
        for (style, points) in &self.faint {
            let places: Vec<(f64, f64)> = points.iter().map(|point| place(*point)).collect();
            let runs = places.split(|p| !inside(p)).filter(|run| run.len() > 1);
            out.extend(runs.map(|run| (*style, run.to_vec())));
        }
        out
    }

    fn lines(&self, place: impl Fn((f64, f64)) -> Option<(f64, f64)>) -> Vec<Line> {
        let line = |curve: &RateCurve| {
            let tooltip = |(b, e): (f64, f64)| {
                let (bits, nmse, gap) = (bits(b), number(e), signed(gap(b, e)));
                format!("{}: {bits} bits, nmse {nmse}, gap {gap}", curve.label)
            };
            let points = curve.points.iter().filter_map(|&point| Some((place(point)?, tooltip(point))));
            Line { style: curve.style, points: points.collect() }
        };
        self.curves.iter().map(line).collect()
    }

    /// The curves in words, for those who do not see them.
    fn describe(&self) -> String {
        let mut parts = Vec::new();
        for curve in &self.curves {
            let (Some(first), Some(last), Some(gap)) = (curve.points.first(), curve.points.last(), curve.gap)
            else {
                continue;
            };
            parts.push(format!(
                "{}: {} to {} bits per value, nmse {} to {}, mean gap to the bound {} bits",
                curve.label,
                bits(first.0),
                bits(last.0),
                number(first.1),
                number(last.1),
                signed(gap)
            ));
        }
        parts.join(". ")
    }
}

/// The points of a curve that lie outside of a plot, as (bits, gap), in words.
fn outside(label: &str, points: &[(f64, f64)]) -> Option<String> {
    let text = match points {
        [] => return None,
        [(at, gap)] => format!("<bdi>{label}</bdi> at {} bits ({})", bits(*at), signed(*gap)),
        [(from, _), .., (to, _)] => {
            let gaps = points.iter().map(|(_, gap)| *gap);
            let (low, high) = gaps.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), g| (l.min(g), h.max(g)));
            let (n, from, to) = (points.len(), bits(*from), bits(*to));
            let at = if from == to { format!("of {from} bits") } else { format!("from {from} to {to} bits") };
            format!("<bdi>{label}</bdi> at {n} points {at} ({} to {})", signed(low), signed(high))
        }
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_balanced;

    #[test]
    fn two_plots_with_a_legend_or_a_sentence() {
        let curve = |points| RateCurve { style: 0, label: "native".into(), points, gap: Some(0.1) };
        let figure = |points| RateFigure {
            id: "f".into(),
            name: "N(0,1)".into(),
            curves: vec![curve(points)],
            faint: vec![(0, vec![(1.0, 0.3), (2.0, 0.08), (900.0, 0.02), (3.0, 0.02)])],
            caption: String::new(),
        };
        let html = figure(vec![(1.0, 0.28), (3.0, 0.018), (20.0, 1e-9)]).render();
        assert_balanced(&html);
        assert_eq!(html.matches("<svg class=\"plot\"").count(), 2);
        assert!(html.contains("Outside of the second plot: <bdi>native</bdi> at 20.00 bits"), "{html}");
        assert!(figure(Vec::new()).render().starts_with("<p>"));
    }
}
