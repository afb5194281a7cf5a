//! The walk over a map's rows, the same for writing, reading and measuring.

use super::layout::{Layout, Mode, Template};
use super::range::{Bit, Coder, symbol};
use crate::{Error, Result};

/// The symbol of a gap for "none up to the map's end".
const NONE: usize = 31;
/// The gap that stands for "none up to the map's end".
pub(super) const ENDLESS: u32 = u32::MAX;

/// The decisions of a writer that are not those of its layout; a reader's are empty.
#[derive(Debug, Default)]
pub(super) struct Script<'a> {
    /// The mode of each row, where rows have modes.
    pub(super) modes: &'a [Mode],
    /// The gaps before values that are not of the modal class, ended by [`ENDLESS`], where the template is that of gaps.
    pub(super) gaps: Vec<u32>,
}

/// The adaptive models of a map.
#[derive(Debug)]
struct Models {
    /// A row's mode, by the mode of the row before.
    modes: [[Bit; 8]; 8],
    /// The class of a uniform row and the one at the edge of a shifted row, by mode and the last such class.
    edges: [[[Bit; 8]; 8]; 8],
    /// "The same as the value before", by neighbours.
    same: [Bit; 256],
    /// The other class, by two neighbours or by the last one.
    other: [[Bit; 8]; 64],
    /// "Of the modal class", by place in the group and number of those in the group before that are not.
    modal: [Bit; 32 * 32],
    /// The length of a gap, by whether the gap before was 0.
    lengths: [[Bit; 32]; 2],
    /// The two bits behind the leading one, by length.
    leading: [[Bit; 4]; 32],
}

impl Models {
    fn new() -> Box<Self> {
        let bit = Bit::default();
        Box::new(Self {
            modes: [[bit; 8]; 8],
            edges: [[[bit; 8]; 8]; 8],
            same: [bit; 256],
            other: [[bit; 8]; 64],
            modal: [bit; 32 * 32],
            lengths: [[bit; 32]; 2],
            leading: [[bit; 4]; 32],
        })
    }
}

/// Codes all classes of a map, but for rows that a measurement `skips`. With a coder that reads, they are filled in.
///
/// `check` runs after each row.
///
/// # Errors
///
/// Those of `check`, and [`Error::Corrupt`] for modes and classes that there are none of.
pub(super) fn walk<C: Coder>(
    coder: &mut C,
    layout: &Layout,
    script: &Script<'_>,
    classes: &mut [u8],
    skips: impl Fn(usize) -> bool,
    check: impl Fn(&C) -> Result<()>,
) -> Result<()> {
    let mut models = Models::new();
    let (mut mode, mut explicit, mut edge) = (Mode::Explicit, None, 0);
    let mut gaps = Gaps { next: None, zero: false, script: script.gaps.iter(), last: 0 };
    // Gaps without modes know no rows, unless some are skipped.
    let flat = layout.template == Template::Gaps && !layout.rows && !skips(0);
    let width = if flat { classes.len() } else { layout.width };
    for (index, start) in (0..classes.len()).step_by(width).enumerate().filter(|&(index, _)| !skips(index)) {
        let length = width.min(classes.len() - start);
        let (before, rest) = classes.split_at_mut(start);
        let row = &mut rest[..length];
        if layout.rows {
            let chosen = script.modes.get(index).map_or(0, |&mode| mode as usize);
            let coded = symbol(coder, &mut models.modes[mode as usize], 3, chosen);
            mode = *Mode::ALL
                .get(coded)
                .ok_or_else(|| Error::corrupt("a row of a map of classes has no such mode"))?;
            if let Some(place) = mode.edge(length) {
                let tree = &mut models.edges[mode as usize][edge];
                edge = class(coder, tree, layout.count, row[place])?.into();
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "below 8")]
        match mode {
            Mode::Explicit => {
                match layout.template {
                    Template::Gaps => gaps.row(coder, layout, &mut models, row)?,
                    Template::Neighbours => neighbours(coder, layout, &mut models, row, before)?,
                    Template::RowGroups => row_groups(coder, layout, &mut models, row)?,
                    Template::ColumnGroups => column_groups(coder, layout, &mut models, row, before, index)?,
                }
                explicit = Some(start);
            }
            _ if C::READS => mode.apply(row, before, width, explicit, edge as u8),
            _ => {}
        }
        check(coder)?;
    }
    if gaps.next.is_some_and(|gap| gap != ENDLESS) {
        return Err(Error::corrupt("a gap of a map of classes goes beyond its end"));
    }
    Ok(())
}

/// Codes a class with all its bits.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "below 8")]
fn class<C: Coder>(coder: &mut C, tree: &mut [Bit; 8], count: u8, value: u8) -> Result<u8> {
    let bits = (count - 1).ilog2() + 1;
    let class = symbol(coder, tree, bits, value.into()) as u8;
    if class >= count {
        return Err(Error::corrupt(format!("class {class} of {count} in a map of classes")));
    }
    Ok(class)
}

/// Codes a class known not to be `unlike`, which says all where there are two.
#[inline(always)]
fn other<C: Coder>(coder: &mut C, tree: &mut [Bit; 8], count: u8, value: u8, unlike: u8) -> Result<u8> {
    if count == 2 {
        return Ok(1 - unlike);
    }
    let class = class(coder, tree, count, value)?;
    if C::READS && class == unlike {
        return Err(Error::corrupt("a class of a map of classes is the one that it differs from"));
    }
    Ok(class)
}

/// The row `distance` rows above the one that starts behind `before`, or nothing.
pub(super) fn above(before: &[u8], width: usize, distance: usize) -> &[u8] {
    before.len().checked_sub(width * distance).map_or(&[], |start| &before[start..start + width])
}

/// Codes a row by the neighbours of each value.
fn neighbours<C: Coder>(
    coder: &mut C,
    layout: &Layout,
    models: &mut Models,
    row: &mut [u8],
    before: &[u8],
) -> Result<()> {
    let (above, second) = (above(before, layout.width, 1), above(before, layout.width, 2));
    let at = |row: &[u8], i: usize| row.get(i).copied().unwrap_or(0);
    let mut north = at(above, 0);
    let (mut west, mut west_west, mut north_west) = (north, north, north);
    for (i, value) in row.iter_mut().enumerate() {
        let north_east = at(above, i + 1);
        let equal = |neighbour: u8| usize::from(neighbour == west);
        let context = equal(west_west)
            | equal(north_west) << 1
            | equal(north) << 2
            | equal(north_east) << 3
            | equal(at(second, i)) << 4
            | usize::from(west) << 5;
        let mut found = west;
        if coder.bit(*value != west, &mut models.same[context]) {
            let tree = &mut models.other[usize::from(west) << 3 | usize::from(north)];
            found = other(coder, tree, layout.count, *value, west)?;
        }
        if C::READS {
            *value = found;
        }
        (west_west, west) = (west, found);
        (north_west, north) = (north, north_east);
    }
    Ok(())
}

/// Codes a value by its place in a group and the number of those before it in the group that are not of the modal class.
#[inline(always)]
fn in_group<C: Coder>(
    coder: &mut C,
    layout: &Layout,
    models: &mut Models,
    value: &mut u8,
    place: usize,
    set: usize,
) -> Result<bool> {
    let differs = coder.bit(*value != layout.modal, &mut models.modal[place << 5 | set]);
    let mut found = layout.modal;
    if differs {
        found = other(coder, &mut models.other[0], layout.count, *value, layout.modal)?;
    }
    if C::READS {
        *value = found;
    }
    Ok(differs)
}

/// Codes a row in groups along it.
fn row_groups<C: Coder>(coder: &mut C, layout: &Layout, models: &mut Models, row: &mut [u8]) -> Result<()> {
    for group in row.chunks_mut(1 << layout.log2_group) {
        let mut set = 0;
        for (place, value) in group.iter_mut().enumerate() {
            set += usize::from(in_group(coder, layout, models, value, place, set)?);
        }
    }
    Ok(())
}

/// Codes a row as one of groups that go down the columns.
fn column_groups<C: Coder>(
    coder: &mut C,
    layout: &Layout,
    models: &mut Models,
    row: &mut [u8],
    before: &[u8],
    index: usize,
) -> Result<()> {
    let place = index & ((1 << layout.log2_group) - 1);
    let group = &before[before.len() - place * layout.width..];
    for (i, value) in row.iter_mut().enumerate() {
        let set = group.iter().skip(i).step_by(layout.width).filter(|&&class| class != layout.modal).count();
        in_group(coder, layout, models, value, place, set)?;
    }
    Ok(())
}

/// The state of the template of gaps, which go on from one explicit row to the next.
struct Gaps<'a> {
    /// The number of values of the modal class before the next other one, if it has been coded.
    next: Option<u32>,
    /// True if the last gap was 0.
    zero: bool,
    /// A writer's gaps to come.
    script: std::slice::Iter<'a, u32>,
    /// The last class that was not the modal one.
    last: u8,
}

impl Gaps<'_> {
    fn row<C: Coder>(
        &mut self,
        coder: &mut C,
        layout: &Layout,
        models: &mut Models,
        row: &mut [u8],
    ) -> Result<()> {
        let mut i = 0;
        while i < row.len() {
            let gap = match self.next {
                Some(gap) => gap,
                None => self.gap(coder, models),
            };
            let step = (gap as usize).min(row.len() - i);
            if C::READS {
                row[i..i + step].fill(layout.modal);
            }
            i += step;
            #[expect(clippy::cast_possible_truncation, reason = "no more than the gap")]
            if i < row.len() {
                let tree = &mut models.other[usize::from(self.last)];
                self.last = other(coder, tree, layout.count, row[i], layout.modal)?;
                row[i] = self.last;
                i += 1;
                self.next = None;
            } else {
                self.next = Some(if gap == ENDLESS { gap } else { gap - step as u32 });
            }
        }
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "up to 31 bits")]
    fn gap<C: Coder>(&mut self, coder: &mut C, models: &mut Models) -> u32 {
        let gap = self.script.next().copied().unwrap_or(ENDLESS);
        let wanted = if gap == ENDLESS { NONE } else { (gap + 1).ilog2() as usize };
        let length = symbol(coder, &mut models.lengths[usize::from(self.zero)], 5, wanted);
        if length == NONE {
            return ENDLESS;
        }
        let (bits, gap) = (length as u32, gap.wrapping_add(1));
        let leading = bits.min(2);
        let mut rest = bits - leading;
        let first = gap >> rest & ((1 << leading) - 1);
        let mut value =
            1 << leading | symbol(coder, &mut models.leading[length], leading, first as usize) as u32;
        while rest > 0 {
            let part = rest.min(16);
            rest -= part;
            value = value << part | coder.raw(gap >> rest & ((1 << part) - 1), part);
        }
        self.zero = value == 1;
        value - 1
    }
}
