//! Axes: where values lie on a plot, and which of them are labelled.

/// A labelled position on an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where it lies on the axis.
    pub value: f64,
    /// Empty for a minor tick, which gets no grid line of its own weight and no label.
    pub label: String,
}

/// A linear or logarithmic axis over a range of finite numbers.
#[derive(Clone, Debug)]
pub struct Scale {
    low: f64,
    high: f64,
    log: bool,
    ticks: Vec<Tick>,
}

impl Scale {
    /// A linear axis over `low..=high` with at most about `most` labels, at 1, 2 or 5 times a power of ten.
    ///
    /// The range grows to whole ticks where `grow` says so.
    pub fn linear(low: f64, high: f64, most: usize, grow: bool) -> Self {
        let (mut low, mut high) = if high - low > 1e-9 * high.abs() { (low, high) } else { (low, low + 1.0) };
        let step = nice_step((high - low) / most as f64);
        if grow {
            low = (low / step - 1e-9).floor() * step;
            high = (high / step + 1e-9).ceil() * step;
        }
        let decimals = if step < 0.0995 { 2 } else { usize::from(step < 0.995) };
        let mut ticks = Vec::new();
        let mut i = (low / step - 1e-9).ceil();
        while i * step <= high + 1e-9 * step && ticks.len() <= 4 * most {
            let value = i * step;
            let label = format!("{:.decimals$}", value + 0.0).replace('-', "−");
            ticks.push(Tick { value, label });
            i += 1.0;
        }
        Self { low, high, log: false, ticks }
    }

    /// An axis of names, at 0, 1, 2 and so on, with room at both ends.
    pub fn named(names: &[&str]) -> Self {
        let tick = |(at, name): (usize, &&str)| Tick { value: at as f64, label: (*name).to_owned() };
        let ticks = names.iter().enumerate().map(tick).collect();
        Self { low: -0.4, high: names.len() as f64 - 0.6, log: false, ticks }
    }

    /// A logarithmic axis that covers the positive numbers `low..=high`, ends on a tick, and labels powers of ten.
    ///
    /// Over two decades or less 2 and 5 times a power are labelled as well; over more than ten, every so many powers.
    pub fn log(low: f64, high: f64) -> Self {
        let low = low.clamp(1e-300, 1e300);
        let high = high.clamp(low, 1e300);
        let (bottom, top) = (round_down(low), round_down(high * 0.999_999));
        let mut end = next(top);
        if end == bottom {
            end = next(end);
        }
        let decades = end.0 - bottom.0;
        let every = (decades / 9 + 1).max(1);
        let mut ticks = Vec::new();
        let mut at = bottom;
        while at <= end {
            let labelled = (at.1 == 1 && at.0.rem_euclid(every) == 0) || (at.1 != 1 && decades <= 2);
            if labelled || every == 1 {
                let label = if labelled { mark_label(at) } else { String::new() };
                ticks.push(Tick { value: value(at), label });
            }
            at = next(at);
        }
        Self { low: value(bottom), high: value(end), log: true, ticks }
    }

    /// Where a value lies, from 0 at the low end to 1 at the high end; outside of that range when out of the axis.
    pub fn position(&self, x: f64) -> f64 {
        if self.log {
            (x.log10() - self.low.log10()) / (self.high.log10() - self.low.log10())
        } else {
            (x - self.low) / (self.high - self.low)
        }
    }

    /// The low end.
    pub fn low(&self) -> f64 {
        self.low
    }

    /// The high end.
    pub fn high(&self) -> f64 {
        self.high
    }

    /// The labelled and minor positions, ascending.
    pub fn ticks(&self) -> &[Tick] {
        &self.ticks
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is at least `rough`.
fn nice_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|m| m * power)
        .into_iter()
        .find(|step| *step >= rough * 0.999_999)
        .unwrap_or(10.0 * power)
}

/// A mantissa of 1, 2 or 5 (second) with its power of ten (first): ordered like its value.
type Mark = (i32, u8);

fn value((power, mantissa): Mark) -> f64 {
    f64::from(mantissa) * 10f64.powi(power)
}

fn next((power, mantissa): Mark) -> Mark {
    match mantissa {
        1 => (power, 2),
        2 => (power, 5),
        _ => (power + 1, 1),
    }
}

/// The largest mark that is at most `x`, for a positive normal number.
fn round_down(x: f64) -> Mark {
    #[expect(clippy::cast_possible_truncation, reason = "the decimal exponent of an f64 lies within ±308")]
    let power = x.log10().floor() as i32;
    let fits = |m: &u8| value((power, *m)) <= x * (1.0 + 1e-9);
    [5, 2, 1].into_iter().find(fits).map_or((power - 1, 5), |m| (power, m))
}

fn mark_label((power, mantissa): Mark) -> String {
    let decimals = usize::try_from(-power).unwrap_or(0);
    match power {
        -3..=3 => format!("{:.decimals$}", value((power, mantissa))),
        _ => format!("{mantissa}e{power}").replace('-', "−"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<&str> {
        scale.ticks().iter().map(|t| t.label.as_str()).filter(|l| !l.is_empty()).collect()
    }

    #[test]
    fn a_log_axis_labels_powers_of_ten() {
        let scale = Scale::log(0.000_9, 1.0);
        assert_eq!(labels(&scale), ["0.001", "0.01", "0.1", "1"]);
        assert_eq!((scale.low(), scale.high()), (0.000_5, 1.0));
        assert_eq!(scale.ticks().len(), 11);
    }

    #[test]
    fn a_short_log_axis_labels_twos_and_fives_too() {
        assert_eq!(labels(&Scale::log(0.011, 0.3)), ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5"]);
    }

    #[test]
    fn a_very_long_log_axis_keeps_its_labels_few() {
        for low in [1e-12, 1e-60, 1e-300, 0.0] {
            let scale = Scale::log(low, 1.0);
            assert!((2..=11).contains(&labels(&scale).len()), "{low}: {:?}", labels(&scale));
        }
    }

    #[test]
    fn a_log_axis_covers_its_range_even_when_that_is_one_number() {
        for x in [1.0, 0.1, 0.02, 3e-7, 1e300] {
            let scale = Scale::log(x, x);
            assert!(scale.low() <= x * 1.000_001 && x <= scale.high() * 1.000_001, "{x}: {scale:?}");
            assert!(scale.low() < scale.high() && scale.high().is_finite());
            assert!((-0.01..=1.01).contains(&scale.position(x)));
        }
    }

    #[test]
    fn equal_ratios_are_equal_distances_on_a_log_axis() {
        let scale = Scale::log(0.001, 1.0);
        let step = scale.position(0.1) - scale.position(0.01);
        assert!((scale.position(1.0) - scale.position(0.1) - step).abs() < 1e-12);
        assert!((scale.position(1.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_linear_axis_has_round_ticks() {
        assert_eq!(labels(&Scale::linear(0.0, 5.3, 6, false)), ["0", "1", "2", "3", "4", "5"]);
        assert_eq!(
            labels(&Scale::linear(-0.07, 0.41, 5, true)),
            ["−0.1", "0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]
        );
    }

    #[test]
    fn a_linear_axis_of_one_number_has_a_range() {
        let scale = Scale::linear(3.0, 3.0, 5, true);
        assert!(scale.position(3.0).is_finite() && scale.ticks().len() >= 2);
    }
}
