//! The arithmetic behind the page: tensors grouped by kind, means over them, and gaps to Shannon's bound.
//!
//! Every mean over tensors is weighted by their number of values. Errors are averaged in decibels, that is as the
//! logarithm of nmse, so that a codec on the bound for every tensor is on it for their mean too, and the gap of a
//! mean is the mean of the gaps.

use super::data::{Point, SweepData, TensorCurve};
use super::rate::{Weighted, is_lossy, is_valid, line};
use std::collections::{BTreeMap, HashMap};
use telecine_report::{bits_at, gap};

/// A codec as the page tells them apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Codec {
    pub(super) codec: String,
    pub(super) backend: String,
}

impl Codec {
    /// The backend, with the codec id where that says more.
    pub(super) fn label(&self) -> String {
        if self.codec == self.backend {
            self.backend.clone()
        } else {
            format!("{} ({})", self.backend, self.codec)
        }
    }
}

/// Tensors that are plotted together.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    pub(super) tensors: Vec<&'a TensorCurve>,
    pub(super) values: u64,
    /// In the order of the page's codecs; those that measured none of these tensors are left out.
    pub(super) series: Vec<Series>,
}

/// One codec's means over the tensors of a group.
#[derive(Debug)]
pub(super) struct Series {
    /// Index among the page's codecs.
    pub(super) codec: usize,
    /// One per target, by growing bits; only those with an error.
    pub(super) points: Vec<Mean>,
    /// Targets at which tensors came back exactly.
    pub(super) lossless: Vec<Mean>,
    /// Measurements with impossible numbers, left out of everything else.
    pub(super) invalid: usize,
    /// Tensors with at least one usable measurement.
    pub(super) tensors: usize,
    /// Mean gap to the bound over tensors and targets, in bits per value.
    pub(super) gap: Option<f64>,
    /// Bits at the page's reference nmse, and the number of tensors whose curve reaches it.
    pub(super) reference: Option<(f64, usize)>,
    /// Values encoded and decoded per second over all measurements.
    pub(super) speed: Speed,
}

/// A mean over the tensors of a group at one target.
#[derive(Clone, Debug)]
pub(super) struct Mean {
    pub(super) target: f64,
    pub(super) bits: f64,
    /// 0 in the lossless list, positive elsewhere.
    pub(super) nmse: f64,
    /// The largest of all.
    pub(super) max_abs_error: f64,
    pub(super) tensors: usize,
    pub(super) speed: Speed,
    /// Transform chains, the most used first, with the number of tensors.
    pub(super) transforms: Vec<(String, usize)>,
}

impl Mean {
    pub(super) fn gap(&self) -> f64 {
        gap(self.bits, self.nmse)
    }
}

/// Values per second, where seconds were measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Speed {
    pub(super) encode: Option<f64>,
    pub(super) decode: Option<f64>,
}

/// Every codec of a sweep, in order of first appearance.
pub(super) fn codecs(data: &SweepData) -> Vec<Codec> {
    let mut list: Vec<Codec> = Vec::new();
    for curve in data.tensors.iter().flat_map(|t| &t.curves) {
        if !list.iter().any(|c| c.codec == curve.codec && c.backend == curve.backend) {
            list.push(Codec { codec: curve.codec.clone(), backend: curve.backend.clone() });
        }
    }
    list
}

/// Tensors by kind, kinds in order of first appearance.
pub(super) fn kinds<'a>(data: &'a SweepData, codecs: &[Codec], reference: f64) -> Vec<Group<'a>> {
    let mut at: HashMap<&str, usize> = HashMap::new();
    let mut kinds: Vec<(&str, Vec<&TensorCurve>)> = Vec::new();
    for tensor in &data.tensors {
        let i = *at.entry(&tensor.kind).or_insert(kinds.len());
        if i == kinds.len() {
            kinds.push((&tensor.kind, Vec::new()));
        }
        kinds[i].1.push(tensor);
    }
    kinds.into_iter().map(|(name, tensors)| group(name, tensors, codecs, reference)).collect()
}

/// Means over some tensors.
pub(super) fn group<'a>(
    name: &'a str,
    tensors: Vec<&'a TensorCurve>,
    codecs: &[Codec],
    reference: f64,
) -> Group<'a> {
    let values = tensors.iter().fold(0u64, |sum, t| sum.saturating_add(t.values));
    let all = codecs.iter().enumerate().map(|(i, codec)| series(i, codec, &tensors, reference));
    let series = all.filter(|s| s.tensors + s.invalid > 0).collect();
    Group { name, tensors, values, series }
}

/// The nmse at which codecs are compared: 0.01, unless more curves reach another round one.
pub(super) fn reference_nmse(data: &SweepData) -> f64 {
    let curves: Vec<Vec<(f64, f64)>> =
        data.tensors.iter().flat_map(|t| &t.curves).map(|c| line(c.points.iter())).collect();
    let reached = |nmse: f64| curves.iter().filter(|c| bits_at(c, nmse).is_some()).count();
    let candidates = [0.01, 0.02, 0.005, 0.05, 0.002, 0.1, 0.001, 0.2, 1e-4, 1e-5, 1e-6];
    // max_by_key keeps the last of equals; the first candidates are the preferred ones.
    candidates.into_iter().rev().max_by_key(|nmse| reached(*nmse)).unwrap_or(0.01)
}

fn points<'a>(tensor: &'a TensorCurve, codec: &Codec) -> impl Iterator<Item = &'a Point> {
    let ours = |c: &&super::data::Curve| c.codec == codec.codec && c.backend == codec.backend;
    tensor.curves.iter().filter(ours).flat_map(|c| &c.points).collect::<Vec<_>>().into_iter()
}

fn series(index: usize, codec: &Codec, tensors: &[&TensorCurve], reference: f64) -> Series {
    let mut samples: Vec<(u64, &Point)> = Vec::new();
    let (mut invalid, mut measured) = (0, 0);
    let mut at_reference = Weighted::default();
    for tensor in tensors {
        let before = samples.len();
        for point in points(tensor, codec) {
            if is_valid(point) {
                samples.push((tensor.values.max(1), point));
            } else {
                invalid += 1;
            }
        }
        measured += usize::from(samples.len() > before);
        let line = line(samples[before..].iter().map(|(_, p)| *p));
        if let Some(bits) = bits_at(&line, reference) {
            at_reference.add(tensor.values.max(1), bits);
        }
    }
    let mut gaps = Weighted::default();
    for (weight, p) in samples.iter().filter(|(_, p)| is_lossy(p)) {
        gaps.add(*weight, gap(p.bits, p.nmse));
    }
    samples.sort_by(|(_, a), (_, b)| a.target_bits.total_cmp(&b.target_bits));
    let (lossy, exact): (Vec<_>, Vec<_>) = samples.iter().partition(|(_, p)| is_lossy(p));
    Series {
        codec: index,
        points: means(&lossy),
        lossless: means(&exact),
        invalid,
        tensors: measured,
        gap: gaps.mean(),
        reference: at_reference.mean().map(|bits| (bits, at_reference.count)),
        speed: speed(&samples),
    }
}

/// One mean per target of samples sorted by target, by growing bits.
fn means(samples: &[(u64, &Point)]) -> Vec<Mean> {
    let same_target =
        |a: &(u64, &Point), b: &(u64, &Point)| a.1.target_bits.total_cmp(&b.1.target_bits).is_eq();
    let mut list: Vec<Mean> = samples.chunk_by(same_target).map(mean).collect();
    list.sort_by(|a, b| a.bits.total_cmp(&b.bits));
    list
}

fn mean(samples: &[(u64, &Point)]) -> Mean {
    let (mut bits, mut log_nmse) = (Weighted::default(), Weighted::default());
    let mut transforms: BTreeMap<&str, usize> = BTreeMap::new();
    let mut max_abs_error = 0.0f64;
    for (weight, point) in samples {
        bits.add(*weight, point.bits);
        log_nmse.add(*weight, point.nmse.log2());
        *transforms.entry(&point.transform).or_default() += 1;
        if max_abs_error.is_nan() || point.max_abs_error.is_nan() {
            max_abs_error = f64::NAN;
        } else {
            max_abs_error = max_abs_error.max(point.max_abs_error);
        }
    }
    let mut transforms: Vec<(String, usize)> =
        transforms.into_iter().map(|(t, n)| (t.to_owned(), n)).collect();
    transforms.sort_by_key(|(_, used)| std::cmp::Reverse(*used));
    Mean {
        target: samples.first().map_or(f64::NAN, |(_, p)| p.target_bits),
        bits: bits.mean().unwrap_or(f64::NAN),
        nmse: log_nmse.mean().map_or(f64::NAN, f64::exp2),
        max_abs_error,
        tensors: samples.len(),
        speed: speed(samples),
        transforms,
    }
}

fn speed(samples: &[(u64, &Point)]) -> Speed {
    let rate = |seconds: fn(&Point) -> f64| {
        let (mut values, mut total) = (0.0, 0.0);
        for (weight, point) in samples {
            let s = seconds(point);
            if s.is_finite() && s > 0.0 {
                values += *weight as f64;
                total += s;
            }
        }
        (total > 0.0).then(|| values / total)
    };
    Speed { encode: rate(|p| p.encode_seconds), decode: rate(|p| p.decode_seconds) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{point, sweep, tensor};
    use super::*;
    use telecine_report::bound_nmse;

    #[test]
    fn a_codec_on_the_bound_of_every_tensor_is_on_the_bound_of_their_mean() {
        let on_bound = |bits: f64| point(bits, bits, bound_nmse(bits));
        let tilted = |bits: f64, by: f64| point(bits, bits + by, bound_nmse(bits + by));
        let data = sweep(vec![
            tensor("a", "k", 1000, vec![("x", vec![on_bound(2.0), on_bound(3.0)])]),
            tensor("b", "k", 9000, vec![("x", vec![tilted(2.0, 0.3), tilted(3.0, 0.4)])]),
        ]);
        let kinds = kinds(&data, &codecs(&data), 0.03);
        let series = &kinds[0].series[0];
        assert_eq!(series.points.len(), 2);
        assert!((series.points[0].bits - 2.27).abs() < 1e-12);
        assert!(series.points.iter().all(|p| p.gap().abs() < 1e-9));
        assert!(series.gap.unwrap().abs() < 1e-9);
    }

    #[test]
    fn means_are_weighted_by_values() {
        let data = sweep(vec![
            tensor("a", "k", 1, vec![("x", vec![point(2.0, 1.0, 0.5)])]),
            tensor("b", "k", 3, vec![("x", vec![point(2.0, 3.0, 0.5)])]),
        ]);
        let kinds = kinds(&data, &codecs(&data), 0.01);
        assert!((kinds[0].series[0].points[0].bits - 2.5).abs() < 1e-12);
        assert_eq!(kinds[0].series[0].points[0].tensors, 2);
        assert_eq!(kinds[0].values, 4);
    }

    #[test]
    fn lossless_and_broken_measurements_stay_out_of_the_means() {
        let nan = point(3.0, f64::NAN, 0.1);
        let endless = point(4.0, 4.0, f64::INFINITY);
        let data = sweep(vec![tensor(
            "a",
            "k",
            10,
            vec![("x", vec![point(2.0, 2.0, 0.1), nan, endless, point(8.0, 13.0, 0.0)])],
        )]);
        let kinds = kinds(&data, &codecs(&data), 0.01);
        let series = &kinds[0].series[0];
        assert_eq!((series.points.len(), series.lossless.len(), series.invalid), (1, 1, 2));
        assert_eq!(series.lossless[0].bits, 13.0);
        assert!(series.gap.unwrap().is_finite());
    }

    #[test]
    fn the_reference_is_one_percent_unless_the_curves_end_before() {
        let curve = |bits: &[f64]| bits.iter().map(|b| point(*b, *b, bound_nmse(*b))).collect::<Vec<_>>();
        let wide = sweep(vec![tensor("a", "k", 10, vec![("x", curve(&[1.0, 5.0]))])]);
        assert_eq!(reference_nmse(&wide), 0.01);
        let low = sweep(vec![tensor("a", "k", 10, vec![("x", curve(&[1.0, 2.5]))])]);
        assert_eq!(reference_nmse(&low), 0.05);
    }
}
