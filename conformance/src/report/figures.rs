//! Rate–distortion figures.

use telecine_report::{RateCurve, RateFigure, escape};

use super::{BackendReport, Curve, Report};

/// The figure of some backends' curves; a backend has the same colour in each.
pub(super) fn figure(id: &str, backends: &[&BackendReport], report: &Report) -> String {
    let style =
        |name: &str| report.backends.iter().position(|backend| backend.name == name).unwrap_or_default();
    let curve = |backend: &&BackendReport| RateCurve {
        style: style(&backend.name),
        label: escape(&backend.name),
        points: places(&backend.curve),
        gap: mean_gap(&backend.curve),
    };
    let name = match backends {
        [only] => format!("N(0,1) by {}", escape(&only.name)),
        _ => "N(0,1) by each backend".to_owned(),
    };
    let caption =
        "Values from N(0,1) at steps of 0.06 to 2.4 deviations. What has no lossy mode codes values that \
                   were quantised before it. "
            .to_owned();
    RateFigure {
        id: id.into(),
        name,
        curves: backends.iter().map(curve).collect(),
        faint: Vec::new(),
        caption,
    }
    .render()
}

/// Points by growing bits; a point without error has no place.
fn places(curve: &Curve) -> Vec<(f64, f64)> {
    let mut places: Vec<_> = curve.points.iter().map(|p| (p.bits, p.nmse)).filter(|p| p.1 > 0.0).collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    places
}

/// The mean distance from Shannon's bound in bits per value.
pub(super) fn mean_gap(curve: &Curve) -> Option<f64> {
    let gaps: Vec<f64> = curve.points.iter().filter(|p| p.nmse > 0.0).map(|p| p.gap).collect();
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    (!gaps.is_empty()).then(|| gaps.iter().sum::<f64>() / gaps.len() as f64)
}
