//! Finding the quantiser step that meets a target: a one-dimensional root search in log2(step).

use super::encode::SLACK;
use super::sample::Measure;

/// What a search aims at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Goal {
    /// Bits per value.
    Bits(f64),
    /// Normalised mean squared error, not to be exceeded.
    Nmse(f64),
}

/// How far below a bits target is near enough.
const BITS_UNDER: f64 = 0.004;
/// How far below an nmse target is near enough.
const NMSE_UNDER: f64 = 0.025;

impl Goal {
    /// The measured quantity in a scale on which it is about linear in log2(step): bits, or log2(nmse).
    pub(super) fn value(&self, measure: &Measure) -> f64 {
        match self {
            Self::Bits(_) => measure.bits(),
            Self::Nmse(_) => measure.distortion.nmse().max(1e-60).log2(),
        }
    }

    /// The wanted value on that scale; for an error slightly below the limit.
    pub(super) fn wanted(&self) -> f64 {
        match *self {
            Self::Bits(bits) => bits * (1.0 - BITS_UNDER / 2.0),
            Self::Nmse(nmse) => (nmse * (1.0 - NMSE_UNDER / 2.0)).log2(),
        }
    }

    /// The change of the value with log2(step) at high rates: 6.02 dB per bit.
    pub(super) fn slope(&self) -> f64 {
        match self {
            Self::Bits(_) => -1.0,
            Self::Nmse(_) => 2.0,
        }
    }

    /// Whether a full encode is near enough.
    pub(super) fn accepts(&self, measure: &Measure) -> bool {
        match *self {
            // Where nothing is lost, more bits gain nothing.
            Self::Bits(bits) => {
                let is_near = measure.bits() >= bits * (1.0 - BITS_UNDER);
                self.permits(measure) && (is_near || measure.distortion.squared_error == 0.0)
            }
            Self::Nmse(nmse) => (1.0 - NMSE_UNDER..=1.0).contains(&(measure.distortion.nmse() / nmse)),
        }
    }

    /// Whether an encode that is permitted leaves little of the target unused.
    pub(super) fn is_served(&self, measure: &Measure) -> bool {
        match *self {
            Self::Bits(bits) => measure.bits() >= 0.98 * bits,
            Self::Nmse(nmse) => measure.distortion.nmse() >= 0.8 * nmse,
        }
    }

    /// True where bits are used up, or no more of them are of use.
    pub(super) fn is_used(&self, measure: &Measure) -> bool {
        matches!(self, Self::Nmse(_)) || self.is_served(measure) || measure.distortion.squared_error == 0.0
    }

    /// Whether a full encode keeps the promise that comes with the target.
    pub(super) fn permits(&self, measure: &Measure) -> bool {
        match *self {
            Self::Bits(bits) => measure.bytes <= bits * measure.values / 8.0 + SLACK,
            Self::Nmse(nmse) => measure.distortion.nmse() <= nmse,
        }
    }

    /// Whether `a` uses the target better than `b`; both are permitted.
    pub(super) fn prefers(&self, a: &Measure, b: &Measure) -> bool {
        match self {
            Self::Bits(_) => a.distortion.root_mean_square(1.0) < b.distortion.root_mean_square(1.0),
            Self::Nmse(_) => a.bits() < b.bits(),
        }
    }
}

/// The measured points of one search, and where to measure next.
#[derive(Debug, Clone)]
pub(super) struct Search {
    goal: Goal,
    /// log2(step) and the goal's value, in the order of measurement.
    points: Vec<(f64, f64)>,
    slope: f64,
    range: (f64, f64),
}

/// The farthest that one guess goes beyond what was measured, in octaves.
const STRIDE: f64 = 4.0;
/// A difference of values, in bits, and the distance of steps, in octaves, within which it is a jump that no step lies in.
const JUMP: f64 = 0.2;
const NARROW: f64 = 0.02;

impl Search {
    pub(super) fn new(goal: Goal, slope: f64, range: (f64, f64)) -> Self {
        Self { goal, points: Vec::new(), slope, range }
    }

    pub(super) fn add(&mut self, x: f64, measure: &Measure) {
        self.points.push((x, self.goal.value(measure)));
    }

    /// Number of measurements.
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// How far the last measurement is from the wanted value, on the goal's scale.
    pub(super) fn miss(&self) -> f64 {
        self.points.last().map_or(f64::INFINITY, |&(_, value)| (value - self.goal.wanted()).abs())
    }

    /// The slope between the two points that lie nearest to the wanted value, if it makes sense.
    pub(super) fn local_slope(&self) -> f64 {
        let mut points = self.points.clone();
        points.sort_by(|a, b| (a.1 - self.goal.wanted()).abs().total_cmp(&(b.1 - self.goal.wanted()).abs()));
        match points.as_slice() {
            [a, b, ..] if (a.0 - b.0).abs() > 1e-6 => {
                let measured = (a.1 - b.1) / (a.0 - b.0);
                let ideal = self.goal.slope();
                // Low rates flatten the curve; a wrong sign or a cliff is noise.
                if (0.05..4.0).contains(&(measured / ideal)) { measured } else { self.slope }
            }
            _ => self.slope,
        }
    }

    /// Where to measure next; `None` when that would be where it was measured already.
    pub(super) fn next(&self) -> Option<f64> {
        let wanted = self.goal.wanted();
        let &(x, value) = self.points.last()?;
        // Positive where the step is too large.
        let excess = |value: f64| (value - wanted) * self.goal.slope().signum();
        let fine = self.points.iter().filter(|p| excess(p.1) <= 0.0).max_by(|a, b| a.0.total_cmp(&b.0));
        let coarse = self.points.iter().filter(|p| excess(p.1) > 0.0).min_by(|a, b| a.0.total_cmp(&b.0));
        let guess = match (fine, coarse) {
            // Between them lies a jump: no step does better.
            (Some(f), Some(c)) if (0.0..NARROW).contains(&(c.0 - f.0)) && (f.1 - c.1).abs() > JUMP => {
                return None;
            }
            (Some(f), Some(c)) if f.0 < c.0 => {
                let t = excess(f.1) / (excess(f.1) - excess(c.1));
                f.0 + (c.0 - f.0) * t.clamp(0.02, 0.98)
            }
            _ => {
                let newton = (wanted - value) / self.local_slope();
                // All on one side: where the curve is flat its slope leads nowhere, so strides double.
                let last = self.points.iter().rev().nth(1).filter(|p| {
                    let flat = 0.2 * (self.goal.slope() * (p.0 - x)).abs();
                    (p.1 - value).abs() < flat
                });
                let stride = last.map_or(0.0, |p| 2.0 * (p.0 - x).abs());
                x + newton.signum() * newton.abs().max(stride).min(STRIDE)
            }
        };
        let guess = guess.clamp(self.range.0, self.range.1);
        self.points.iter().all(|p| (p.0 - guess).abs() > 1e-5).then_some(guess)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Distortion;

    /// A source of variance 1 under a coder 0.1 bit above the Gaussian bound.
    fn gaussian(x: f64) -> Measure {
        let d = (2f64.powf(2.0 * x) / 12.0).min(1.0);
        let bits = (0.5 * (1.0 / d).log2()).max(0.0) + 0.1 * (1.0 - d);
        Measure {
            values: 1000.0,
            bytes: bits * 125.0,
            distortion: Distortion { squared_error: d, energy: 1.0, ..Distortion::default() },
        }
    }

    #[test]
    fn targets_of_every_size_are_met_within_eight_measurements() {
        for bits in [0.05, 0.3, 1.0, 2.88, 4.0, 9.0] {
            let goal = Goal::Bits(bits);
            assert!(measurements(goal, |m| goal.accepts(m)) <= 8, "{bits} bits");
        }
        for nmse in [0.9, 0.3, 0.02, 1e-4, 1e-7] {
            let goal = Goal::Nmse(nmse);
            assert!(measurements(goal, |m| goal.accepts(m)) <= 8, "nmse {nmse}");
        }
    }

    fn measurements(goal: Goal, accepts: impl Fn(&Measure) -> bool) -> usize {
        let mut search = Search::new(goal, goal.slope(), (-30.0, 10.0));
        let mut x = 0.0;
        for count in 1..100 {
            let measure = gaussian(x);
            if accepts(&measure) {
                return count;
            }
            search.add(x, &measure);
            x = search.next().unwrap();
        }
        100
    }

    #[test]
    fn a_start_far_on_the_flat_side_is_left_in_long_strides() {
        let goal = Goal::Bits(3.0);
        let mut search = Search::new(goal, goal.slope(), (-30.0, 20.0));
        let mut x = 14.0;
        let mut count = 0;
        while !goal.accepts(&gaussian(x)) {
            search.add(x, &gaussian(x));
            x = search.next().unwrap();
            count += 1;
        }
        assert!(count <= 12, "{count}");
    }

    #[test]
    fn a_target_out_of_range_ends_the_search() {
        let mut search = Search::new(Goal::Bits(50.0), -1.0, (-3.0, 3.0));
        search.add(0.0, &gaussian(0.0));
        search.add(-3.0, &gaussian(-3.0));
        assert_eq!(search.next(), None);
    }
}
