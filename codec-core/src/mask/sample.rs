//! The part of a map on which a writer measures layouts.

use super::layout::{Layout, Mode};
use super::meter::Meter;
use super::plan::script;

use super::walk::walk;

/// Consecutive rows of a sample.
const BAND: usize = 64;
/// Rows at the start of a band that are not measured, because the rows above them are not theirs: the largest group down the columns.
const LEAD: usize = 16;
/// Bands at least.
const BANDS: usize = 4;

/// A map, or bands of rows from all over it.
pub(super) struct Sample {
    pub(super) map: Vec<u8>,
    pub(super) width: usize,
    /// True if the map is made of bands.
    banded: bool,
}

impl Sample {
    /// All of a map.
    pub(super) fn whole(classes: &[u8], width: usize) -> Self {
        Self { map: classes.to_vec(), width, banded: false }
    }

    /// About `size` values, or all if there are not many more.
    pub(super) fn of(classes: &[u8], width: usize, size: usize) -> Self {
        let rows = classes.len() / width;
        if classes.len() <= 2 * size {
            return Self::whole(classes, width);
        }
        if rows <= 2 * BAND {
            let cols = width.min(size / rows);
            let map = classes.chunks_exact(width).flat_map(|row| &row[(width - cols) / 2..][..cols]).copied();
            return Self { map: map.collect(), width: cols, banded: false };
        }
        let cols = width.min(size / (BAND * BANDS));
        let bands = (size / (cols * BAND)).min(rows / BAND);
        let mut map = Vec::with_capacity(bands * BAND * cols);
        for band in 0..bands {
            // Multiples of the golden ratio: bands coincide with no period of the map. Groups stay whole.
            let place = |free: usize| free * (band * 633 % 1024) / 1024;
            let first = (rows * band / bands + place(rows / bands - BAND)) / BAND * BAND;
            let column = place(width - cols) / BAND * BAND;
            for row in first..first + BAND {
                map.extend_from_slice(&classes[row * width + column..][..cols]);
            }
        }
        Self { map, width: cols, banded: true }
    }

    /// True for a row that is context only.
    pub(super) fn skips(&self, row: usize) -> bool {
        self.banded && row % BAND < LEAD
    }

    /// The bits that the sample takes with a layout of the map that it is from.
    pub(super) fn measure(&self, layout: &Layout, modes: &[Mode]) -> i64 {
        let layout = Layout { width: self.width, ..*layout };
        let script = script(&self.map, &layout, modes, |row| self.skips(row));
        let mut meter = Meter::default();
        // Measuring meets no damage.
        match walk(&mut meter, &layout, &script, &mut self.map.clone(), |row| self.skips(row), |_| Ok(())) {
            Ok(()) => meter.bits(),
            Err(_) => i64::MAX,
        }
    }
}
