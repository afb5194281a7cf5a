//! The header of a map: its template, its rows' width, and the modes of rows.

use crate::{Error, Result, varint};

/// The largest group, as a power of two.
pub(super) const LOG2_GROUP: u8 = 5;

/// The way in which explicit rows are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Template {
    /// Gaps between values that are not of the modal class.
    Gaps,
    /// Each value by the values around it.
    Neighbours,
    /// Each value by its place in a group along the row and the number of others in the group.
    RowGroups,
    /// The same, with groups down the columns.
    ColumnGroups,
}

/// The way in which one row is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// By the map's template.
    Explicit,
    /// A copy of the row above.
    Above,
    /// All of one class.
    Uniform,
    /// The row above, moved by one to the right.
    Right,
    /// The row above, moved by one to the left.
    Left,
    /// A copy of the row above the one above.
    Second,
    /// A copy of the last explicit row.
    Last,
}

impl Mode {
    pub(super) const ALL: [Self; 7] =
        [Self::Explicit, Self::Above, Self::Uniform, Self::Right, Self::Left, Self::Second, Self::Last];

    /// The place in a row of `length` values whose class goes with the mode.
    pub(super) fn edge(self, length: usize) -> Option<usize> {
        match self {
            Self::Uniform | Self::Right => Some(0),
            Self::Left => Some(length - 1),
            _ => None,
        }
    }

    /// Fills a row that is not explicit.
    pub(super) fn apply(
        self,
        row: &mut [u8],
        before: &[u8],
        width: usize,
        explicit: Option<usize>,
        edge: u8,
    ) {
        let end = row.len() - 1;
        match self {
            Self::Explicit => {}
            Self::Uniform => row.fill(edge),
            Self::Above => copy(row, super::walk::above(before, width, 1)),
            Self::Second => copy(row, super::walk::above(before, width, 2)),
            Self::Last => copy(row, explicit.map_or(&[], |start| &before[start..start + width])),
            Self::Right => {
                row[0] = edge;
                copy(&mut row[1..], super::walk::above(before, width, 1));
            }
            Self::Left => {
                copy(&mut row[..end], super::walk::above(before, width, 1).get(1..).unwrap_or_default());
                row[end] = edge;
            }
        }
    }
}

/// Copies the front of `source`, or class 0 where it has none.
fn copy(row: &mut [u8], source: &[u8]) {
    match source.get(..row.len()) {
        Some(source) => row.copy_from_slice(source),
        None => row.fill(0),
    }
}

/// The header of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) template: Template,
    /// The class that gaps and groups take for granted.
    pub(super) modal: u8,
    /// The size of groups, as a power of two.
    pub(super) log2_group: u8,
    /// Values in a row, the last one perhaps fewer.
    pub(super) width: usize,
    /// True if each row has a mode; all are explicit otherwise.
    pub(super) rows: bool,
    /// Classes.
    pub(super) count: u8,
}

impl Layout {
    pub(super) fn write(&self, cols: usize, out: &mut Vec<u8>) {
        out.push(self.template as u8 | self.modal << 2 | self.log2_group << 5);
        let width = if self.width == cols { 0 } else { self.width as u64 };
        varint::write(width << 1 | u64::from(self.rows), out);
    }

    /// Reads the header of a map of `total` classes, at least one.
    pub(super) fn read(bytes: &mut &[u8], cols: usize, count: u8, total: usize) -> Result<Self> {
        let (&first, rest) =
            bytes.split_first().ok_or_else(|| Error::corrupt("a map of classes has no header"))?;
        *bytes = rest;
        let shape = varint::read(bytes)?;
        let template = match first & 3 {
            0 => Template::Gaps,
            1 => Template::Neighbours,
            2 => Template::RowGroups,
            _ => Template::ColumnGroups,
        };
        let (modal, log2_group) = (first >> 2 & 7, first >> 5);
        let stated = usize::try_from(shape >> 1).unwrap_or(usize::MAX);
        let width = if stated == 0 { cols } else { stated };
        let grouped = matches!(template, Template::RowGroups | Template::ColumnGroups);
        if modal >= count
            || (modal > 0 && template == Template::Neighbours)
            || log2_group > if grouped { LOG2_GROUP } else { 0 }
            || stated == cols
            || width > total
        {
            return Err(Error::corrupt(format!(
                "a map of {total} classes has an impossible header {first:#04x}, {shape}"
            )));
        }
        Ok(Self { template, modal, log2_group, width, rows: shape & 1 == 1, count })
    }
}
