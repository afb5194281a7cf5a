//! The figure of a group of tensors.

use telecine_report::{RateCurve, RateFigure, escape};

use super::summary::{Codec, Group, Series, group};

/// Most thin lines of single tensors that a plot stays readable with.
const MOST_FAINT: usize = 24;

/// The figure of a group with legend and caption; a sentence where there is nothing to plot.
pub(super) fn figure(id: &str, group: &Group<'_>, codecs: &[Codec]) -> String {
    let faint = faint(group, codecs);
    let mut caption = String::new();
    if group.tensors.len() > 1 {
        let n = group.tensors.len();
        let thin = if faint.is_empty() { "" } else { "; thin lines are single tensors" };
        caption =
            format!("Each curve is the mean over {n} tensors, weighted by their number of values{thin}. ");
    }
    let curve = |series: &Series| RateCurve {
        style: series.codec,
        label: escape(&codecs[series.codec].label()),
        points: places(series),
        gap: series.gap,
    };
    let curves = group.series.iter().map(curve).collect();
    RateFigure { id: id.into(), name: escape(group.name), curves, faint, caption }.render()
}

fn places(series: &Series) -> Vec<(f64, f64)> {
    series.points.iter().map(|mean| (mean.bits, mean.nmse)).collect()
}

/// The curves of single tensors, unless those are too many.
fn faint(whole: &Group<'_>, codecs: &[Codec]) -> Vec<(usize, Vec<(f64, f64)>)> {
    let lines = whole.tensors.len() * whole.series.len();
    if whole.tensors.len() < 2 || lines > MOST_FAINT {
        return Vec::new();
    }
    let parts = whole.tensors.iter().flat_map(|t| group(&t.name, vec![*t], codecs, 0.01).series);
    parts.map(|series| (series.codec, places(&series))).collect()
}
