//! The order in which samples are coded: context by context, so that neighbours in the stream share their tables.
//!
//! Within a context, samples go column by column, and down a column by rows in ascending order of class, equal ones as
//! they lie; row by row where all columns are of one class. With one context, they go as they lie.

use std::ops::Range;

use crate::context::{Classes, context_of};
use crate::transpose::transpose;

/// Where the samples of a plane stand in coding order.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Where the samples of each context end.
    pub(crate) ends: Vec<usize>,
    /// How lines are laid out; none where samples go as they lie.
    lines: Option<Lines>,
}

/// Lines are columns, or rows: what goes after one another within a context.
#[derive(Debug)]
struct Lines {
    /// Where each row of the plane starts, in the order in which columns take them; none where lines are rows.
    rows: Option<Vec<usize>>,
    /// The class of each line.
    classes: Vec<i16>,
    /// Runs of equal class that every line is made of, and their lengths.
    runs: Vec<(i16, usize)>,
    /// Samples of a line.
    len: usize,
}

impl Order {
    /// The order for these classes.
    pub(crate) fn of(classes: &Classes, height: usize, width: usize) -> Self {
        if classes.contexts == 1 {
            return Self { ends: vec![height * width], lines: None };
        }
        let lines = if classes.cols.iter().all(|&class| class == classes.cols[0]) {
            let run = (classes.cols[0], width);
            Lines { rows: None, classes: classes.rows.clone(), runs: vec![run], len: width }
        } else {
            let mut rows: Vec<usize> = (0..height).collect();
            rows.sort_by_key(|&row| classes.rows[row]);
            let mut runs: Vec<(i16, usize)> = Vec::new();
            for &row in &rows {
                match runs.last_mut() {
                    Some((class, len)) if *class == classes.rows[row] => *len += 1,
                    _ => runs.push((classes.rows[row], 1)),
                }
            }
            let rows = rows.iter().map(|row| row * width).collect();
            Lines { rows: Some(rows), classes: classes.cols.clone(), runs, len: height }
        };
        let mut counts = vec![0; classes.contexts];
        for &line in &lines.classes {
            for &(run, len) in &lines.runs {
                counts[context_of(line, run, classes.contexts)] += len;
            }
        }
        let sums = counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        Self { ends: sums.collect(), lines: Some(lines) }
    }

    /// The samples of each context, in coding order.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let mut start = 0;
        self.ends.iter().map(move |&end| std::mem::replace(&mut start, end)..end)
    }

    /// Whether samples are coded as they lie.
    pub(crate) fn is_plain(&self) -> bool {
        self.lines.is_none()
    }

    /// Puts the samples of a plane into coding order.
    pub(crate) fn gather(&self, plane: &[u16], held: &mut Vec<u16>, coded: &mut Vec<u16>) {
        // Every sample is written: what stood there does not matter.
        coded.resize(plane.len(), 0);
        let Some(lines) = &self.lines else {
            coded.copy_from_slice(plane);
            return;
        };
        let Some(rows) = &lines.rows else {
            lines.pieces(&self.ends, |at, to, len| coded[to..to + len].copy_from_slice(&plane[at..at + len]));
            return;
        };
        if let Some(starts) = lines.whole(&self.ends) {
            transpose(plane, rows, coded, &starts);
            return;
        }
        held.resize(plane.len(), 0);
        transpose(plane, rows, held, &lines.side_by_side());
        lines.pieces(&self.ends, |at, to, len| coded[to..to + len].copy_from_slice(&held[at..at + len]));
    }

    /// Puts samples in coding order back into their plane.
    pub(crate) fn scatter(&self, coded: &[u16], held: &mut Vec<u16>, plane: &mut [u16]) {
        let Some(lines) = &self.lines else {
            plane.copy_from_slice(coded);
            return;
        };
        let Some(rows) = &lines.rows else {
            lines.pieces(&self.ends, |at, to, len| plane[at..at + len].copy_from_slice(&coded[to..to + len]));
            return;
        };
        if let Some(starts) = lines.whole(&self.ends) {
            transpose(coded, &starts, plane, rows);
            return;
        }
        held.resize(plane.len(), 0);
        lines.pieces(&self.ends, |at, to, len| held[at..at + len].copy_from_slice(&coded[to..to + len]));
        transpose(held, &lines.side_by_side(), plane, rows);
    }
}

impl Lines {
    /// Calls for each run of each line: where it starts with all lines side by side, where in coding order, and how
    /// long it is.
    fn pieces(&self, ends: &[usize], mut piece: impl FnMut(usize, usize, usize)) {
        let mut next: Vec<usize> = [0].into_iter().chain(ends.iter().copied()).take(ends.len()).collect();
        let mut at = 0;
        for &line in &self.classes {
            for &(run, len) in &self.runs {
                let next = &mut next[context_of(line, run, ends.len())];
                piece(at, *next, len);
                at += len;
                *next += len;
            }
        }
    }

    /// Where each line starts in coding order, if lines are not parted.
    fn whole(&self, ends: &[usize]) -> Option<Vec<usize>> {
        let mut starts = Vec::with_capacity(self.classes.len());
        (self.runs.len() == 1).then(|| {
            self.pieces(ends, |_, to, _| starts.push(to));
            starts
        })
    }

    /// Where each line starts, one after the other.
    fn side_by_side(&self) -> Vec<usize> {
        (0..self.classes.len()).map(|line| line * self.len).collect()
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "few samples")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The order by its definition: places of the plane, and the ends of contexts.
    fn sorted(classes: &Classes, height: usize, width: usize) -> (Vec<usize>, Vec<usize>) {
        let by_rows = classes.cols.iter().all(|&class| class == classes.cols[0]);
        let mut places: Vec<usize> = (0..height * width).collect();
        let of = |place: usize| {
            context_of(classes.rows[place / width], classes.cols[place % width], classes.contexts)
        };
        places.sort_by_key(|&place| {
            let (row, col) = (place / width, place % width);
            if by_rows { (of(place), row, 0, col) } else { (of(place), col, classes.rows[row].into(), row) }
        });
        let ends =
            (0..classes.contexts).map(|context| places.iter().filter(|&&place| of(place) <= context).count());
        let ends = ends.collect();
        (places, ends)
    }

    proptest! {
        #[test]
        fn samples_go_by_context_and_come_back(
            (height, width) in (1usize..40, 1usize..40),
            contexts in 2usize..25,
            spread in (0i16..9, 0i16..9),
            seed in any::<u64>(),
        ) {
            use rand::{RngExt, SeedableRng, rngs::SmallRng};
            let mut rng = SmallRng::seed_from_u64(seed);
            let mut line = |len, spread: i16| (0..len).map(|_| rng.random_range(-spread..=spread)).collect();
            let (rows, cols) = (line(height, spread.0), line(width, spread.1));
            let classes = Classes { contexts, rows, cols };
            let order = Order::of(&classes, height, width);
            let (places, ends) = sorted(&classes, height, width);
            prop_assert_eq!(&order.ends, &ends);
            let plane: Vec<u16> = (0u16..).take(height * width).collect();
            let (mut held, mut coded, mut back) = (Vec::new(), Vec::new(), vec![0; plane.len()]);
            order.gather(&plane, &mut held, &mut coded);
            prop_assert_eq!(&coded, &places.iter().map(|&place| place as u16).collect::<Vec<_>>());
            order.scatter(&coded, &mut held, &mut back);
            prop_assert_eq!(&back, &plane);
        }
    }
}
