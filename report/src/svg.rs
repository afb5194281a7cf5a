//! A plot as inline SVG: axes, curves with markers, and Shannon's bound.
//!
//! Colours come from the style sheet by class, so that the plot follows light, dark and print.

use super::scale::Scale;
use std::fmt::Write;

/// Size of the drawing and of the area within its axes, in user units.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 46.0;

/// Colours in the style sheet, from `s0` on.
const COLOURS: usize = 8;
/// Outlines of the markers, relative to their centre. Coprime with the colours, so 56 codecs look different.
const MARKERS: [&str; 7] = [
    "m-3.6,0a3.6,3.6 0 1,0 7.2,0a3.6,3.6 0 1,0-7.2,0z",
    "m-3.2,-3.2h6.4v6.4h-6.4z",
    "m0,-4.4l4.2,7.4h-8.4z",
    "m0,-4.6l4.6,4.6l-4.6,4.6l-4.6,-4.6z",
    "m0,4.4l4.2,-7.4h-8.4z",
    "m-1.3,-4h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7v-2.6h2.7z",
    "m0,-4.6l4.4,3.2l-1.7,5.1h-5.4l-1.7,-5.1z",
];
/// Dashes of the lines: solid for the first eight codecs.
const DASHES: [&str; 4] = ["", "2 3", "8 3", "8 3 2 3"];

/// A plot of curves over bits per value.
pub struct Plot {
    /// Unique on the page; prefix of the ids within.
    pub id: String,
    /// What the plot shows, for those who do not see it. Escaped already, as is every text here.
    pub title: String,
    /// The curves in words.
    pub description: String,
    /// What runs across.
    pub x_label: String,
    /// What runs up.
    pub y_label: String,
    /// The axis across.
    pub x: Scale,
    /// The axis up.
    pub y: Scale,
    /// Two ends of Shannon's bound in axis values, where there is one: it is straight on both kinds of plot.
    pub bound: Option<[(f64, f64); 2]>,
    /// Thin lines behind the curves: the style's number and the points.
    pub faint: Vec<(usize, Vec<(f64, f64)>)>,
    /// The curves, later ones over earlier ones.
    pub curves: Vec<Line>,
}

/// One codec's curve.
pub struct Line {
    /// Number of the codec; chooses colour, marker and dash.
    pub style: usize,
    /// In drawing order, each with its tooltip.
    pub points: Vec<((f64, f64), String)>,
}

impl Plot {
    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = WIDTH - LEFT - RIGHT;
        let down = HEIGHT - TOP - BOTTOM;
        (LEFT + across * self.x.position(x), TOP + down * (1.0 - self.y.position(y)))
    }

    /// The plot as one `<svg>` element.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let Self { id, title, description, .. } = self;
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{title}</title><desc id=\"{id}-d\">{description}</desc>"
        );
        self.draw_axes(&mut out);
        for (style, points) in &self.faint {
            let _ = write!(out, "<path class=\"faint s{}\" d=\"{}\"/>", style % COLOURS, self.path(points));
        }
        let bound = self.bound.map(|ends| ends.map(|end| self.place(end)));
        if let Some([(x0, y0), (x1, y1)]) = bound {
            let _ = write!(out, "<path class=\"bound\" d=\"M{x0:.1} {y0:.1}L{x1:.1} {y1:.1}\"/>");
        }
        for line in &self.curves {
            self.draw_line(line, &mut out);
        }
        if let Some(ends) = bound {
            name_bound(ends, &mut out);
        }
        out.push_str("</svg>\n");
        out
    }

    fn draw_axes(&self, out: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in self.y.ticks() {
            let (_, y) = self.place((self.x.low(), tick.value));
            let class = if tick.label.is_empty() { "minor" } else { "grid" };
            let _ = write!(out, "<path class=\"{class}\" d=\"M{LEFT} {y:.1}H{right}\"/>");
            if !tick.label.is_empty() {
                let (x, y) = (LEFT - 6.0, y + 4.0);
                let _ = write!(out, "<text class=\"end\" x=\"{x}\" y=\"{y:.1}\">{}</text>", tick.label);
            }
        }
        for tick in self.x.ticks() {
            let (x, _) = self.place((tick.value, self.y.low()));
            let _ = write!(out, "<path class=\"grid\" d=\"M{x:.1} {TOP}V{bottom}\"/>");
            let y = bottom + 15.0;
            let _ = write!(out, "<text class=\"mid\" x=\"{x:.1}\" y=\"{y}\">{}</text>", tick.label);
        }
        let _ = write!(out, "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>");
        let (x, y) = ((LEFT + right) / 2.0, HEIGHT - 10.0);
        let _ = write!(out, "<text class=\"mid\" x=\"{x}\" y=\"{y}\">{}</text>", self.x_label);
        let (x, y) = (12.0, (TOP + bottom) / 2.0);
        let label = &self.y_label;
        let _ = write!(out, "<text class=\"mid\" transform=\"translate({x} {y})rotate(-90)\">{label}</text>");
    }

    fn draw_line(&self, line: &Line, out: &mut String) {
        let places: Vec<(f64, f64)> = line.points.iter().map(|(p, _)| *p).collect();
        let (class, dash) = look(line.style);
        let _ = write!(out, "<g class=\"{class}\">");
        if places.len() > 1 {
            let _ = write!(out, "<path class=\"line\"{dash} d=\"{}\"/>", self.path(&places));
        }
        for (point, tooltip) in &line.points {
            let (x, y) = self.place(*point);
            let marker = MARKERS[line.style % MARKERS.len()];
            let _ = write!(
                out,
                "<path class=\"marker\" d=\"M{x:.1},{y:.1}{marker}\"><title>{tooltip}</title></path>"
            );
        }
        out.push_str("</g>");
    }

    fn path(&self, points: &[(f64, f64)]) -> String {
        let mut out = String::new();
        for (i, point) in points.iter().enumerate() {
            let (x, y) = self.place(*point);
            let command = if i == 0 { 'M' } else { 'L' };
            let _ = write!(out, "{command}{x:.1} {y:.1}");
        }
        out
    }
}

/// The bound's name along its line, below it: the side where a Gaussian source has no curve.
fn name_bound([(x0, y0), (x1, y1)]: [(f64, f64); 2], out: &mut String) {
    let angle = (y1 - y0).atan2(x1 - x0).to_degrees();
    // A level line leaves most room at its left end, at rates below the first point.
    let along = if y0 == y1 { 0.01 } else { 0.28 };
    let (x, y) = (x0 + along * (x1 - x0), y0 + along * (y1 - y0));
    let _ = write!(
        out,
        "<text class=\"name\" transform=\"translate({x:.1} {y:.1})rotate({angle:.1})\" dy=\"15\">\
         Shannon’s bound</text>"
    );
}

/// A sample of a codec's line and marker, for legends and tables.
pub fn swatch(style: usize) -> String {
    let (class, dash) = look(style);
    let marker = MARKERS[style % MARKERS.len()];
    format!(
        "<svg class=\"swatch\" viewBox=\"0 0 28 12\" aria-hidden=\"true\"><g class=\"{class}\">\
         <path class=\"line\"{dash} d=\"M1 6H27\"/><path class=\"marker\" d=\"M14,6{marker}\"/></g></svg>"
    )
}

/// The sample of the bound's line, for legends.
pub fn bound_swatch() -> &'static str {
    "<svg class=\"swatch\" viewBox=\"0 0 28 12\" aria-hidden=\"true\"><path class=\"bound\" d=\"M1 6H27\"/></svg>"
}

/// The class of a codec's colour, and the attribute of its dash.
fn look(style: usize) -> (String, String) {
    let dash = DASHES[style / COLOURS % DASHES.len()];
    let attribute = if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") };
    (format!("s{}", style % COLOURS), attribute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_balanced;
    use std::collections::HashSet;

    fn plot(points: &[(f64, f64)]) -> String {
        let points = points.iter().map(|p| (*p, "t".to_owned())).collect();
        Plot {
            id: "p".into(),
            title: "T".into(),
            description: "D".into(),
            x_label: "x".into(),
            y_label: "y".into(),
            x: Scale::linear(0.0, 5.0, 5, false),
            y: Scale::log(0.001, 1.0),
            bound: Some([(0.0, 1.0), (4.98, 0.001)]),
            faint: vec![(0, vec![(1.0, 0.5), (2.0, 0.1)])],
            curves: vec![Line { style: 9, points }],
        }
        .render()
    }

    #[test]
    fn the_drawing_is_well_formed() {
        assert_balanced(&plot(&[(1.0, 0.3), (2.0, 0.08)]));
        assert_balanced(&plot(&[]));
        assert_balanced(&swatch(100));
        assert_balanced(bound_swatch());
    }

    #[test]
    fn one_point_has_a_marker_and_no_line() {
        let svg = plot(&[(1.0, 0.3)]);
        assert_eq!(svg.matches("class=\"marker\"").count(), 1);
        assert_eq!(svg.matches("class=\"line\"").count(), 0);
    }

    #[test]
    fn corners_of_the_axes_are_corners_of_the_area() {
        let svg = plot(&[(0.0, 1.0), (5.0, 0.001)]);
        assert!(svg.contains("d=\"M64.0 10.0L410.0 274.0\""), "{svg}");
    }

    #[test]
    fn fifty_six_codecs_look_different() {
        let looks: HashSet<String> = (0..56).map(swatch).collect();
        assert_eq!(looks.len(), 56);
    }
}
