//! The side information of a chunk: what the decoder needs besides the packet.
//!
//! Layout: one byte of flags (bit 0: samples lie on a grid, else they are the values' bits; bit 1: folded tiling;
//! the other bits are 0); with a grid, the [`Grid`] and the transforms' parameters; then the list of exact values.

use crate::grid::Grid;
use crate::tile::Layout;
use crate::{Error, Result};

const ON_GRID: u8 = 1;
const FOLDED: u8 = 2;

/// The fixed part of the side information.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Head {
    pub(super) layout: Layout,
    /// `None` where the samples are the values' bits.
    pub(super) grid: Option<Grid>,
}

impl Head {
    pub(super) fn write(&self, side: &mut Vec<u8>) {
        let folded = if self.layout == Layout::Folded { FOLDED } else { 0 };
        side.push(folded | if self.grid.is_some() { ON_GRID } else { 0 });
        if let Some(grid) = &self.grid {
            grid.write(side);
        }
    }

    pub(super) fn read(side: &mut &[u8]) -> Result<Self> {
        let (&flags, rest) =
            side.split_first().ok_or_else(|| Error::corrupt("a chunk has no side information"))?;
        *side = rest;
        if flags & !(ON_GRID | FOLDED) != 0 {
            return Err(Error::corrupt(format!("side information has unknown flags {flags:#04x}")));
        }
        let layout = if flags & FOLDED == 0 { Layout::Rows } else { Layout::Folded };
        let grid = if flags & ON_GRID == 0 { None } else { Some(Grid::read(side)?) };
        Ok(Self { layout, grid })
    }
}
