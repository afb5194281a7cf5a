//! The writer's choice of a layout: candidates are measured with the models that would code them, on a sample of large maps.

use std::iter::once_with;

use super::layout::{LOG2_GROUP, Layout, Mode, Template};
use super::sample::Sample;
use super::walk::{ENDLESS, Script, above};

/// Values of the sample on which sizes of groups are compared.
const SMALL_SAMPLE: usize = 1 << 14;
/// Values of the sample on which templates are compared, at most.
const SAMPLE: usize = 1 << 17;
/// Rows narrower than this have no modes, which would take more time than values.
const NARROWEST: usize = 8;
/// Rows narrower than this are also tried joined to at least [`WIDE`] values.
const NARROW: usize = 64;
/// The width to which narrow rows and short periods are joined.
const WIDE: usize = 256;
/// The longest period that is looked for.
const PERIODS: usize = 1024;
/// Values in which periods are looked for.
const WINDOW: usize = 4096;
/// Bits that the template of gaps may cost more than another, besides 1/32: its time goes with the values that stand out.
const PATIENCE: i64 = 128;
/// Bits of 2^20 values below which no better layout is looked for.
const CHEAP: i64 = 1 << 13;

/// A layout, the modes of its rows and its cost.
pub(super) struct Choice {
    pub(super) layout: Layout,
    pub(super) modes: Vec<Mode>,
    /// Bits of 2^20 values.
    cost: i64,
}

/// Chooses the layout of a map of at least one class.
pub(super) fn choose(classes: &[u8], cols: usize, count: u8) -> Choice {
    let modal = (0..count).rev().max_by_key(|&class| occurrences(classes, class)).unwrap_or(0);
    let of_width = |width| {
        cheapest(
            classes,
            Layout { template: Template::Gaps, modal, log2_group: 0, width, rows: false, count },
        )
    };
    let wide = |period: usize| Some(period * WIDE.div_ceil(period)).filter(|&width| width <= classes.len());
    let joined = if cols < NARROW { wide(cols) } else { None };
    // One column has no neighbours.
    let mut best = of_width(joined.filter(|_| cols == 1).unwrap_or(cols));
    for other in once_with(|| joined).chain(once_with(|| period(classes, cols).and_then(wide))) {
        if best.cost > CHEAP
            && let Some(width) = other
        {
            let found = of_width(width);
            if found.cost < best.cost {
                best = found;
            }
        }
    }
    best
}

/// Chooses the cheapest layout with the width of `base`.
fn cheapest(classes: &[u8], base: Layout) -> Choice {
    let width = base.width;
    let size = SAMPLE.min(classes.len() / 8).max(SMALL_SAMPLE);
    let all = if width < NARROWEST { Vec::new() } else { modes(classes, width) };
    let whole = !all.is_empty() && explicit(&all) * width <= size;
    let sample = if whole { Sample::whole(classes, width) } else { Sample::of(classes, width, size) };
    let of_sample = if all.is_empty() || whole { all.clone() } else { modes(&sample.map, sample.width) };
    let values = sample.map.len();
    // Where most rows have modes, templates that look at each value are too slow without them.
    let both: &[bool] = if all.is_empty() { &[false] } else { &[true, false] };
    let mostly = 4 * explicit(&of_sample) < of_sample.len();
    let mut best = (i64::MAX, base);
    let mut offer = |template, log2_group, rows| {
        let modal = if template == Template::Neighbours { 0 } else { base.modal };
        let layout = Layout { template, modal, log2_group, rows, ..base };
        let bits = sample.measure(&layout, &of_sample);
        let cost = if template == Template::Gaps { bits - bits / 32 - PATIENCE } else { bits };
        if cost < best.0 {
            best = (cost, layout);
        }
        best.0
    };
    let mut bits = 0;
    for &rows in both {
        if 8 * (values - occurrences(&sample.map, base.modal)) <= values {
            bits = offer(Template::Gaps, 0, rows);
        }
        if rows || !mostly {
            bits = offer(Template::Neighbours, 0, rows);
        }
    }
    if (bits << 20) / values as i64 > CHEAP {
        let (template, log2_group) = group(&sample, &base);
        for &rows in both.iter().filter(|&&rows| rows || !mostly) {
            bits = offer(template, log2_group, rows);
        }
    }
    let layout = best.1;
    Choice { layout, modes: all, cost: (bits << 20) / values as i64 }
}

/// The direction and size of groups that fit best, judged by a small sample.
fn group(sample: &Sample, layout: &Layout) -> (Template, u8) {
    let small = Sample::of(&sample.map, sample.width, SMALL_SAMPLE);
    let along = (0..=LOG2_GROUP).map(|log2_group| (Template::RowGroups, log2_group));
    let down = (1..LOG2_GROUP).map(|log2_group| (Template::ColumnGroups, log2_group));
    let cost = |&(template, log2_group): &(Template, u8)| {
        small.measure(&Layout { template, log2_group, ..*layout }, &[])
    };
    along.chain(down).min_by_key(cost).unwrap_or((Template::RowGroups, 0))
}

/// Rows that are explicit.
fn explicit(modes: &[Mode]) -> usize {
    modes.iter().filter(|&&mode| mode == Mode::Explicit).count()
}

/// Values of a class.
fn occurrences(classes: &[u8], class: u8) -> usize {
    // Counters of a byte let compilers make vectors of the loop.
    let count = |block: &[u8]| block.iter().map(|&c| u8::from(c == class)).sum::<u8>();
    classes.chunks(255).map(|block| usize::from(count(block))).sum()
}

/// A period of the values up to [`PERIODS`] under which far fewer values differ than under a period of a row.
fn period(classes: &[u8], cols: usize) -> Option<usize> {
    let window = WINDOW.min(classes.len() / 2);
    let start = (classes.len() - window) / 2;
    let differ = |period: usize| {
        let later = classes.get(start + period..)?;
        let pairs = classes[start..].chunks(255).zip(later.chunks(255)).take(window / 255);
        let differing = |(a, b): (&[u8], &[u8])| a.iter().zip(b).map(|(a, b)| u8::from(a != b)).sum::<u8>();
        Some(pairs.map(|pair| usize::from(differing(pair))).sum::<usize>())
    };
    let of_rows = differ(cols).unwrap_or(window);
    let (differing, period) =
        (2..=PERIODS.min(window)).filter_map(|period| Some((differ(period)?, period))).min()?;
    (16 * differing < window && 2 * differing < of_rows).then_some(period)
}

/// Writes down the decisions that a layout leaves, without rows that are skipped.
pub(super) fn script<'a>(
    classes: &[u8],
    layout: &Layout,
    modes: &'a [Mode],
    skips: impl Fn(usize) -> bool,
) -> Script<'a> {
    let modes = if layout.rows { modes } else { &[] };
    let mut gaps = Vec::new();
    if layout.template == Template::Gaps {
        let mut gap = 0u32;
        let explicit = |index: usize| modes.get(index).is_none_or(|&mode| mode == Mode::Explicit);
        for (_, row) in
            classes.chunks(layout.width).enumerate().filter(|&(index, _)| explicit(index) && !skips(index))
        {
            let mut rest = row;
            while let Some(place) = first_other(rest, layout.modal) {
                gaps.push(gap + length(place));
                rest = &rest[place + 1..];
                gap = 0;
            }
            gap += length(rest.len());
        }
        gaps.push(ENDLESS);
    }
    Script { modes, gaps }
}

/// The place of the first class other than `modal`.
fn first_other(classes: &[u8], modal: u8) -> Option<usize> {
    const BLOCK: usize = 64;
    let differs = |block: &[u8]| block.iter().fold(0, |all, &class| all | (class ^ modal)) != 0;
    let block = classes.chunks(BLOCK).position(differs)? * BLOCK;
    Some(block + classes[block..].iter().position(|&class| class != modal)?)
}

/// A length as a gap; maps have fewer values than gaps can say.
fn length(values: usize) -> u32 {
    u32::try_from(values).unwrap_or(ENDLESS)
}

/// The modes of all rows: explicit where no other fits.
pub(super) fn modes(classes: &[u8], width: usize) -> Vec<Mode> {
    let mut explicit: Option<usize> = None;
    let mut modes = Vec::with_capacity(classes.len().div_ceil(width));
    for start in (0..classes.len()).step_by(width) {
        let (before, rest) = classes.split_at(start);
        let row = &rest[..width.min(rest.len())];
        let (first, second) = (above(before, width, 1), above(before, width, 2));
        let end = row.len() - 1;
        // Rows that are too short are moved copies of one another by chance.
        let moves = row.len() >= 8 && !first.is_empty();
        let mode = if row[1..] == row[..end] {
            Mode::Uniform
        } else if first.starts_with(row) {
            Mode::Above
        } else if moves && row[1..] == first[..end] {
            Mode::Right
        } else if moves && first[1..].starts_with(&row[..end]) {
            Mode::Left
        } else if explicit.is_some_and(|place| before[place..].starts_with(row)) {
            Mode::Last
        } else if second.starts_with(row) {
            Mode::Second
        } else {
            explicit = Some(start);
            Mode::Explicit
        };
        modes.push(mode);
    }
    modes
}
