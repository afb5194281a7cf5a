//! The quantiser steps that a codec has.

use std::sync::LazyLock;

use crate::av1_steps::AC;

/// The settings of a quantiser with their steps in sample units, both ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct Ladder {
    rungs: Vec<(i32, f32)>,
}

/// 2^(n/6) for n from 0 to 5, so that no machine's `exp2` shows in the output.
const SIXTHS: [f32; 6] = [1.0, 1.122_462, 1.259_921, std::f32::consts::SQRT_2, 1.587_401, 1.781_797];

impl Ladder {
    /// A ladder of these settings and steps, both ascending, times a factor that makes their mean squared errors
    /// step²/12.
    pub fn new(rungs: impl IntoIterator<Item = (i32, f32)>, factor: f32) -> Self {
        Self { rungs: rungs.into_iter().map(|(setting, step)| (setting, step * factor)).collect() }
    }

    /// HEVC and AVC: the step of a quantisation parameter that counts from 0 at the finest, `2^((qp − 4) / 6)`
    /// (H.265 section 8.6.3, H.264 section 8.5.9).
    pub fn qp_step(qp: i32) -> f32 {
        let sixths = qp - 4;
        let fraction = SIXTHS[usize::try_from(sixths.rem_euclid(6)).unwrap_or(0)];
        fraction * 2f32.powi(sixths.div_euclid(6))
    }

    /// AV1: the step of each `base_q_idx` from 1 to 255 at a depth of 8, 10 or 12 bits: an eighth of the
    /// specification's table (section 7.12.2), as its transforms scale by 8.
    pub fn av1(depth: u8) -> &'static [f32; 255] {
        static STEPS: LazyLock<[[f32; 255]; 3]> =
            LazyLock::new(|| AC.map(|table| std::array::from_fn(|at| f32::from(table[at + 1]) / 8.0)));
        &STEPS[usize::from((depth.saturating_sub(8) / 2).min(2))]
    }

    /// The setting whose step is nearest to `step` in ratio.
    pub fn nearest(&self, step: f32) -> i32 {
        let distance = |rung: &&(i32, f32)| (rung.1 / step).ln().abs();
        let nearest = self.rungs.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.map_or(0, |rung| rung.0)
    }

    /// The largest step at or below `step`, or the smallest of all.
    pub fn at_most(&self, step: f32) -> f32 {
        let below = self.rungs.iter().rev().find(|rung| rung.1 <= step);
        below.or(self.rungs.first()).map_or(step, |rung| rung.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qp_step_doubles_every_six() {
        for (qp, step) in
            [(4, 1.0), (10, 2.0), (40, 64.0), (-2, 0.5), (7, std::f32::consts::SQRT_2), (0, 0.629_960_5)]
        {
            assert!((Ladder::qp_step(qp) / step - 1.0).abs() < 1e-6, "{qp}");
        }
    }

    #[test]
    fn what_a_ladder_has_it_names_and_finds() {
        let ladder = Ladder::new((0..52).map(|qp| (qp, Ladder::qp_step(qp))), 1.1);
        for qp in 0..52 {
            let step = ladder.at_most(Ladder::qp_step(qp) * 1.11);
            assert_eq!(ladder.nearest(step), qp);
        }
        assert_eq!(ladder.at_most(0.1), Ladder::qp_step(0) * 1.1);
        assert_eq!(ladder.nearest(1e9), 51);
        assert_eq!(ladder.nearest(1e-9), 0);
    }

    #[test]
    fn steps_of_av1_ascend_and_grow_with_the_depth() {
        for depth in [8, 10, 12] {
            assert!(Ladder::av1(depth).is_sorted_by(|a, b| a < b));
        }
        assert_eq!(Ladder::av1(8)[254], 1828.0 / 8.0);
        assert_eq!(Ladder::av1(12)[254], 29_247.0 / 8.0);
    }
}
