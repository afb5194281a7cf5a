//! Rounding to nearest on even grids, one for each group of a row's values.

use super::{Matrix, Quantised, nearest, squared_error, to_half};
use crate::{Error, Result};

/// How a group's values become whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Bits of a value, 2 to 8.
    pub bits: u32,
    /// Neighbouring values of a row that share a grid; the last group of a row may be shorter.
    pub group: usize,
    /// Where the grid lies.
    pub origin: Origin,
    /// Shrinks the range to where the group's squared error is the least, instead of covering all values.
    pub search: bool,
}

/// Where a grid lies. Its step is 16 bits in all cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// One of the levels is 0, and which one is stored with as many bits as a value has (GPTQ, AWQ).
    ZeroPoint,
    /// The lowest level is a 16-bit float (KIVI).
    Minimum,
    /// Level `2^(bits - 1)` is 0, and nothing is stored: there is one level more below it than above (GPTQ).
    Symmetric,
}

/// Quantises each group of each row to the nearest level of its grid.
///
/// # Errors
/// [`Error::Call`] for a grid that is none, a wrong shape and values that are not finite.
pub fn rtn(matrix: &Matrix<'_>, grid: &Grid) -> Result<Quantised> {
    grid.check()?;
    matrix.by_rows(|row, out| {
        for (values, out) in row.chunks(grid.group).zip(out.chunks_mut(grid.group)) {
            let levels = grid.fit(values);
            out.iter_mut().zip(values).for_each(|(out, &value)| *out = levels.round(value));
        }
        grid.count(row.len())
    })
}

impl Grid {
    /// Over groups of a row's values, from the least to the largest of each, with a zero point.
    pub const fn new(bits: u32, group: usize) -> Self {
        Self { bits, group, origin: Origin::ZeroPoint, search: false }
    }

    /// Over a whole row.
    pub const fn by_row(bits: u32) -> Self {
        Self::new(bits, usize::MAX)
    }

    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self { bits: 2..=8, group: 1.., .. } => Ok(()),
            Self { bits, group, .. } => Err(Error::call(format!(
                "no grid of {bits} bits over {group} values: 2 to 8 bits, 1 value or more"
            ))),
        }
    }

    /// Bits of a row.
    pub(super) fn count(&self, values: usize) -> u64 {
        let side = match self.origin {
            Origin::ZeroPoint => 16 + u64::from(self.bits),
            Origin::Minimum => 32,
            Origin::Symmetric => 16,
        };
        u64::from(self.bits) * values as u64 + side * values.div_ceil(self.group) as u64
    }

    /// The levels for a group.
    pub(super) fn fit(&self, values: &[f32]) -> Levels {
        let mut low = values.iter().copied().fold(f32::INFINITY, f32::min);
        let mut high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        match self.origin {
            Origin::ZeroPoint => (low, high) = (low.min(0.0), high.max(0.0)),
            Origin::Minimum => {}
            Origin::Symmetric => (low, high) = (-high.max(-low), high.max(-low)),
        }
        let widest = self.span(low, high, 1.0);
        if !self.search {
            return widest;
        }
        let shrunk = (0..=35u8).map(|step| self.span(low, high, 1.0 - 0.02 * f32::from(step)));
        let errors = shrunk.map(|levels| (squared_error(values, |value| levels.round(value)), levels));
        errors.reduce(|best, next| if next.0 < best.0 { next } else { best }).map_or(widest, |best| best.1)
    }

    /// Levels from the least to the largest value, both shrunk.
    fn span(&self, low: f32, high: f32, shrink: f32) -> Levels {
        let top = ((1u32 << self.bits) - 1) as f32;
        let (low, high) = match self.origin {
            // Shrinks towards the middle: 0 need not be within.
            Origin::Minimum => {
                let cut = (high - low) * (1.0 - shrink) * 0.5;
                (low + cut, high - cut)
            }
            _ => (low * shrink, high * shrink),
        };
        let step = to_half(((high - low) / top).max(0.0));
        let offset = match self.origin {
            _ if step == 0.0 && self.origin != Origin::Minimum => 0.0,
            Origin::ZeroPoint => -step * nearest((-low / step).clamp(0.0, top)),
            Origin::Minimum => to_half(low),
            Origin::Symmetric => -step * (1u32 << (self.bits - 1)) as f32,
        };
        Levels { step, offset, top }
    }
}

/// Levels `offset + n * step`, `n` from 0 to `top`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Levels {
    step: f32,
    offset: f32,
    top: f32,
}

impl Levels {
    /// The nearest level.
    #[inline(always)]
    pub(super) fn round(&self, value: f32) -> f32 {
        // A step of 0 makes this NaN or infinite; both leave `max` and `min` as a level.
        let index = ((value - self.offset) / self.step).max(0.0).min(self.top);
        self.offset + nearest(index) * self.step
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{gaussian, nmse, takes_any_shape};
    use super::*;

    fn grids(bits: u32, group: usize) -> impl Iterator<Item = Grid> {
        [Origin::ZeroPoint, Origin::Minimum, Origin::Symmetric]
            .into_iter()
            .flat_map(move |origin| [false, true].map(|search| Grid { bits, group, origin, search }))
    }

    #[test]
    fn a_row_by_hand() {
        let row = [-1.0, 0.2, 2.0, 0.7, 5.0];
        let matrix = Matrix { rows: 1, cols: 5, values: &row };
        // -1 to 2 in steps of 1, and 0 to 5 in steps of 5/3, which 16 bits hold as 1.667.
        let coded = rtn(&matrix, &Grid::new(2, 4)).unwrap();
        assert_eq!(coded.values, [-1.0, 0.0, 2.0, 1.0, 3.0 * to_half(5.0 / 3.0)]);
        assert_eq!(coded.bits, 5 * 2 + 2 * (16 + 2));
        let coded = rtn(&matrix, &Grid { origin: Origin::Minimum, ..Grid::new(2, 4) }).unwrap();
        assert_eq!(coded.values, [-1.0, 0.0, 2.0, 1.0, 5.0]);
        assert_eq!(coded.bits, 5 * 2 + 2 * 32);
        // -2 to 2 in steps of 4/3, of which -2, -1, 0, 1 are there.
        let coded = rtn(&matrix, &Grid { origin: Origin::Symmetric, ..Grid::new(2, 4) }).unwrap();
        let step = to_half(4.0 / 3.0);
        assert_eq!(coded.values[..4], [-step, 0.0, step, step]);
        assert_eq!(coded.bits, 5 * 2 + 2 * 16);
    }

    #[test]
    fn errors_on_gaussian_rows_are_those_of_their_steps() {
        // Rows of 576 span 6.2 deviations on average: (6.2 / 15)² / 12 = 0.0142.
        let plain = nmse(|matrix| rtn(matrix, &Grid::by_row(4)));
        assert!((0.013..0.0155).contains(&plain), "{plain}");
        // The best even grid of 16 levels leaves 0.01154 (Max 1960); a grid of its own does a row some good.
        let searched = nmse(|matrix| rtn(matrix, &Grid { search: true, ..Grid::by_row(4) }));
        assert!((0.0104..0.0117).contains(&searched), "{searched}");
        // That of 4 levels leaves 0.1188, where none of them has to be 0; the middle of a row's range is not quite 0.
        let grid = Grid { search: true, origin: Origin::Minimum, ..Grid::by_row(2) };
        let searched = nmse(|matrix| rtn(matrix, &grid));
        assert!((0.116..0.126).contains(&searched), "{searched}");
    }

    #[test]
    fn searching_more_bits_and_smaller_groups_never_cost_quality() {
        for bits in 2..8 {
            for grid in grids(bits, 64) {
                let error = nmse(|matrix| rtn(matrix, &grid));
                let finer = nmse(|matrix| rtn(matrix, &Grid { bits: bits + 1, ..grid }));
                let smaller = nmse(|matrix| rtn(matrix, &Grid { group: 16, ..grid }));
                let searched = nmse(|matrix| rtn(matrix, &Grid { search: true, ..grid }));
                assert!(finer < error && smaller < error && searched <= error, "{grid:?}");
            }
        }
    }

    #[test]
    fn what_lies_on_a_grid_comes_back() {
        let values: Vec<f32> = (0..32).map(|at| (at % 16) as f32 * 0.5 - 3.0).collect();
        let matrix = Matrix { rows: 2, cols: 16, values: &values };
        for grid in [Grid::by_row(4), Grid { origin: Origin::Minimum, ..Grid::by_row(4) }] {
            assert_eq!(rtn(&matrix, &grid).unwrap().values, values);
        }
    }

    #[test]
    fn a_group_far_from_zero_keeps_its_resolution_with_a_minimum() {
        let values: Vec<f32> = gaussian(64, 2).iter().map(|value| value * 0.01 + 8.0).collect();
        let matrix = Matrix { rows: 1, cols: 64, values: &values };
        let grid = Grid { origin: Origin::Minimum, ..Grid::by_row(4) };
        let coded = rtn(&matrix, &grid).unwrap();
        assert!(coded.nmse(&values) < 1e-5 / 64.0 * 3.0);
    }

    #[test]
    fn any_shape_and_scale_is_coded() {
        grids(3, 32).for_each(|grid| takes_any_shape(|matrix| rtn(matrix, &grid)));
        let matrix = Matrix { rows: 1, cols: 1, values: &[1.0] };
        for (bits, group) in [(1, 4), (9, 4), (4, 0)] {
            assert!(rtn(&matrix, &Grid::new(bits, group)).is_err());
        }
    }
}
