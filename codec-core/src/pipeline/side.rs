//! The side information of a chunk: what the decoder needs besides the packet (`format/SPEC.md`, "Side information").
//!
//! Layout: a byte of flags; then the parts that the flags name, in the order of their bits: classes, range of values, grid or
//! levels, bounds; then the transforms' parameters and the list of exact values.

use crate::affine::Affine;
use crate::bounds::Bounds;
use crate::classes::Classes;
use crate::grid::Grid;
use crate::levels::Levels;
use crate::tile::Layout;
use crate::{DType, Error, Result};

const FOLDED: u8 = 1;
const CLASSES: u8 = 2;
const AFFINE: u8 = 4;
const GRID: u8 = 8;
const LEVELS: u8 = 16;
const BOUNDS: u8 = 32;

/// The numbers that samples stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Numbers {
    /// The values' bits.
    Bits,
    /// Points of a grid, one plane.
    Grid(Grid),
    /// Levels over several planes.
    Levels(Levels),
}

/// The side information but for the transforms' parameters and exact values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub(super) layout: Layout,
    pub(super) classes: Option<Classes>,
    pub(super) affine: Option<Affine>,
    pub(super) numbers: Numbers,
    pub(super) bounds: Option<Bounds>,
}

impl Head {
    /// Appends the side information of a chunk whose rows have `cols` values.
    pub(super) fn write(&self, dtype: DType, cols: usize, side: &mut Vec<u8>) {
        let numbers = match self.numbers {
            Numbers::Bits => 0,
            Numbers::Grid(_) => GRID,
            Numbers::Levels(_) => LEVELS,
        };
        let flag = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
        side.push(
            numbers
                | flag(self.layout == Layout::Folded, FOLDED)
                | flag(self.classes.is_some(), CLASSES)
                | flag(self.affine.is_some(), AFFINE)
                | flag(self.bounds.is_some(), BOUNDS),
        );
        if let Some(classes) = &self.classes {
            classes.write(cols, dtype.size(), side);
        }
        if let Some(affine) = &self.affine {
            affine.write(side);
        }
        match &self.numbers {
            Numbers::Bits => (),
            Numbers::Grid(grid) => grid.write(side),
            Numbers::Levels(levels) => levels.write(side),
        }
        if let Some(bounds) = &self.bounds {
            bounds.write(side);
        }
    }

    /// Takes the side information of a chunk of `rows` × `cols` values off the front of `side`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for what no writer makes.
    pub(super) fn read(side: &mut &[u8], dtype: DType, (rows, cols): (usize, usize)) -> Result<Self> {
        let (&flags, rest) =
            side.split_first().ok_or_else(|| Error::corrupt("a chunk has no side information"))?;
        *side = rest;
        let has = |flag: u8| flags & flag != 0;
        if has(!(FOLDED | CLASSES | AFFINE | GRID | LEVELS | BOUNDS)) {
            return Err(Error::corrupt(format!("side information has unknown flags {flags:#04x}")));
        }
        let layout = if has(FOLDED) { Layout::Folded } else { Layout::Rows };
        let classes =
            if has(CLASSES) { Some(Classes::read(side, dtype.size(), (rows, cols))?) } else { None };
        let affine = if has(AFFINE) { Some(Affine::read(side)?) } else { None };
        let numbers = match (has(GRID), has(LEVELS)) {
            (false, false) => Numbers::Bits,
            (true, false) => Numbers::Grid(Grid::read(side)?),
            (false, true) => Numbers::Levels(Levels::read(side)?),
            (true, true) => return Err(Error::corrupt("side information has a grid and levels")),
        };
        let bounds = if has(BOUNDS) { Some(Bounds::read(side, dtype)?) } else { None };
        if numbers == Numbers::Bits && (affine.is_some() || bounds.is_some()) {
            return Err(Error::corrupt("side information has a range for values that are stored as bits"));
        }
        Ok(Self { layout, classes, affine, numbers, bounds })
    }
}
