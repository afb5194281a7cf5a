//! Tiling: the values of a chunk, as one or more planes of samples, laid out within a backend's capabilities.

use crate::{Capabilities, Error, GroupSpec, Limits, Result};

/// Wanted width of a plane that takes values as they come.
const FOLD_WIDTH: u32 = 512;

/// Rows of the smallest block of the video codecs, whose transforms have 8 × 8 samples or 4 × 4.
const BLOCK_ROWS: usize = 8;

/// How the samples of a chunk lie in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Each row of the matrix is one row of a plane, padded on the right; rows go on in the next frame.
    Rows,
    /// The values fill whole plane rows one after the other, whatever their matrix rows; the rest is padding.
    Folded,
}

/// The layout and the size of the group for `planes` sample planes of a `rows` × `cols` matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tiling {
    pub(crate) spec: GroupSpec,
    pub(crate) layout: Layout,
    rows: usize,
    cols: usize,
    planes: u32,
}

impl Tiling {
    /// Chooses a tiling; rows of the matrix stay rows of the planes where the capabilities allow.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the backend takes no group of this size, [`Error::Limit`] when it would be too large.
    pub(crate) fn plan(
        (rows, cols): (usize, usize),
        (planes, depth): (u32, u8),
        backend: &str,
        capabilities: &Capabilities,
        limits: &Limits,
    ) -> Result<Self> {
        // Asked again: a device may have narrowed them since the backend was registered.
        capabilities.check_sound(backend)?;
        let too_large =
            |_| Error::unsupported(format!("a chunk of {rows} × {cols} values is too large to tile"));
        let (h, w) = (u32::try_from(rows).map_err(too_large)?, u32::try_from(cols).map_err(too_large)?);
        let values =
            h.checked_mul(w).ok_or_else(|| Error::unsupported("a chunk holds 2³² values or more"))?;
        // A plane that is much padding wastes the backend's time and bits.
        let padded = w.next_multiple_of(capabilities.align);
        let is_full = (padded - w) <= w / 16 && h >= *capabilities.height.start() / 16 * 15;
        let keeps_rows = capabilities.width.contains(&padded) && w > 1 && is_full;
        let (layout, height, width) = if keeps_rows {
            (Layout::Rows, h, padded)
        } else {
            let width = fold_width(values, capabilities);
            (Layout::Folded, values.div_ceil(width), width)
        };
        let most = capabilities.height.end() / capabilities.align * capabilities.align;
        let frames = height.div_ceil(most.max(1)).max(1);
        let height =
            height.div_ceil(frames).next_multiple_of(capabilities.align).max(*capabilities.height.start());
        let frames = frames.checked_mul(planes).ok_or_else(|| Error::unsupported("too many planes"))?;
        let spec = GroupSpec::new(frames, height, width, depth, limits)?;
        capabilities.check(backend, &spec)?;
        if is_mostly_padding(&spec, u64::from(values), planes) {
            return Err(Error::unsupported(format!(
                "{backend} codes {values} values in {spec:?} at least, which readers refuse as padding: make chunks larger"
            )));
        }
        Ok(Self { spec, layout, rows, cols, planes })
    }

    /// The tiling that a file states; checks that it holds the chunk.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it does not.
    pub(crate) fn stated(
        spec: GroupSpec,
        layout: Layout,
        (rows, cols): (usize, usize),
        planes: u32,
    ) -> Result<Self> {
        let tiling = Self { spec, layout, rows, cols, planes };
        let room = match layout {
            Layout::Rows => {
                spec.width as usize >= cols && tiling.frames_per_plane() * spec.height as usize >= rows
            }
            Layout::Folded => {
                tiling.frames_per_plane() * spec.height as usize * spec.width as usize >= rows * cols
            }
        };
        if !spec.frames.is_multiple_of(planes) || !room {
            return Err(Error::corrupt(format!(
                "{spec:?} does not hold {planes} planes of {rows} × {cols} samples"
            )));
        }
        Ok(tiling)
    }

    fn frames_per_plane(&self) -> usize {
        (self.spec.frames / self.planes) as usize
    }

    /// Samples of the group that one plane takes, padding included.
    fn plane_samples(&self) -> usize {
        self.spec.samples() / self.planes as usize
    }

    /// Whether the samples of a chunk fill the group exactly, in the same order.
    fn is_exact(&self) -> bool {
        self.plane_samples() == self.rows * self.cols
    }

    /// Appends one plane's samples to the group; every group is filled by its planes in order.
    pub(crate) fn place(&self, samples: &[u16], group: &mut Vec<u16>) {
        debug_assert_eq!(samples.len(), self.rows * self.cols);
        let (start, end) = (group.len(), group.len() + self.plane_samples());
        if self.is_exact() {
            group.extend_from_slice(samples);
            return;
        }
        let width = self.spec.width as usize;
        match self.layout {
            Layout::Rows => {
                for row in samples.chunks_exact(self.cols) {
                    group.extend_from_slice(row);
                    group.extend(std::iter::repeat_n(row[self.cols - 1], width - self.cols));
                }
            }
            Layout::Folded => {
                group.extend_from_slice(samples);
                let row_end = (start + samples.len().next_multiple_of(width)).min(end);
                let block_end = (start + width * BLOCK_ROWS).min(end);
                if row_end < block_end {
                    // Fewer rows than a block with room below: flat or repeated rows would let the codec lose these, by
                    // up to 4 times the error of a step. The values again and again keep it to 1.7 times.
                    while group.len() < block_end {
                        let count = samples.len().min(block_end - group.len());
                        group.extend_from_within(start..start + count);
                    }
                } else {
                    // The rest of the last row is flat: what a codec without prediction codes for next to nothing.
                    group.resize(row_end, self.spec.mid_sample());
                }
            }
        }
        // Rows below repeat the last one to the end of the smallest block: a flat rest of a block would let the codec lose
        // the few rows beside it. Below that flat rows are cheapest, by 0.1 to 0.4 bit per value of 4,000 to 20,000.
        let block_end = start + (group.len() - start).next_multiple_of(width * BLOCK_ROWS);
        while group.len() < block_end.min(end) {
            group.extend_from_within(group.len() - width..);
        }
        group.resize(end, self.spec.mid_sample());
    }

    /// Reads one plane's samples back from the group.
    pub(crate) fn take<'g>(&self, group: &'g [u16], plane: usize, scratch: &'g mut Vec<u16>) -> &'g [u16] {
        let start = plane * self.plane_samples();
        let group = &group[start..start + self.plane_samples()];
        let width = self.spec.width as usize;
        if self.layout == Layout::Folded || width == self.cols {
            return &group[..self.rows * self.cols];
        }
        scratch.clear();
        for row in group.chunks_exact(width).take(self.rows) {
            scratch.extend_from_slice(&row[..self.cols]);
        }
        scratch
    }
}

/// Whether a group is so much larger than its chunk that readers refuse it: padding of an honest chunk stays below its
/// samples, or the least size that a backend takes, and a group that is mostly padding is an attack on memory.
pub(crate) fn is_mostly_padding(spec: &GroupSpec, values: u64, planes: u32) -> bool {
    spec.samples() as u64 > 16 * values.saturating_mul(u64::from(planes)).max(1 << 16)
}

/// The width of a folded plane: what leaves no padding if there is such a width near the wanted one.
fn fold_width(values: u32, capabilities: &Capabilities) -> u32 {
    let (low, high) = (*capabilities.width.start(), *capabilities.width.end());
    let (least, align) = (*capabilities.height.start(), capabilities.align);
    if align == 1 && least == 1 && values <= FOLD_WIDTH.min(high) {
        return values.max(low);
    }
    // A plane has a least height, which few values fill only where it is narrow.
    let wanted = values.div_ceil(least).next_multiple_of(align).min(FOLD_WIDTH).max(low);
    let even = (wanted / 2..=wanted * 2)
        .filter(|w| {
            let fits = w.is_multiple_of(align) && (low..=high).contains(w);
            fits && values.is_multiple_of(*w) && values / w >= least
        })
        .min_by_key(|w| w.abs_diff(wanted));
    even.unwrap_or_else(|| wanted.clamp(low, high).next_multiple_of(align).min(high))
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "small numbers")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FREE: Capabilities = Capabilities::new(&[8, 16]).with_lossless().with_lossy(0.5);
    const VIDEO: Capabilities = Capabilities::new(&[8, 10, 12])
        .with_lossy(0.5)
        .with_sizes(64..=1024, 64..=256, 8)
        .with_max_frames(1 << 20);

    fn plan(rows: usize, cols: usize, planes: u32, capabilities: &Capabilities) -> Tiling {
        Tiling::plan((rows, cols), (planes, 8), "test", capabilities, &Limits::default()).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_placed_is_taken(rows in 1usize..400, cols in 1usize..700, planes in 1u32..=4, video in any::<bool>()) {
            let capabilities = if video { &VIDEO } else { &FREE };
            let tiling = plan(rows, cols, planes, capabilities);
            capabilities.check("test", &tiling.spec).unwrap();
            let stated = Tiling::stated(tiling.spec, tiling.layout, (rows, cols), planes).unwrap();
            prop_assert_eq!(stated, tiling);
            let plane = |p: u32| (0..rows * cols).map(|i| ((i * 7 + p as usize) % 251) as u16).collect::<Vec<_>>();
            let mut group = Vec::new();
            for p in 0..planes {
                tiling.place(&plane(p), &mut group);
            }
            prop_assert_eq!(group.len(), tiling.spec.samples());
            for p in 0..planes {
                let mut scratch = Vec::new();
                prop_assert_eq!(tiling.take(&group, p as usize, &mut scratch), plane(p));
            }
        }
    }

    #[test]
    fn a_backend_without_constraints_gets_the_matrix_as_it_is() {
        let tiling = plan(455, 576, 1, &FREE);
        assert_eq!((tiling.spec.height, tiling.spec.width, tiling.layout), (455, 576, Layout::Rows));
        let vector = plan(1 << 18, 1, 1, &FREE);
        assert_eq!((vector.spec.height, vector.spec.width), (512, 512));
        assert_eq!(plan(100, 1, 1, &FREE).spec.samples(), 100);
    }

    #[test]
    fn few_rows_of_many_columns_are_folded_where_a_plane_has_a_least_height() {
        let hevc = VIDEO.clone().with_sizes(144..=8192, 144..=8192, VIDEO.align);
        for ((rows, cols), (height, width, layout)) in [
            ((64, 4096), (512, 512, Layout::Folded)),
            ((16, 4096), (256, 256, Layout::Folded)),
            ((4, 4096), (144, 144, Layout::Folded)),
            ((1, 4096), (144, 144, Layout::Folded)),
            ((135, 1024), (144, 1024, Layout::Rows)),
            ((1000, 1000), (1000, 1000, Layout::Rows)),
            ((1000, 1001), (1000, 1008, Layout::Rows)),
        ] {
            let tiling = plan(rows, cols, 1, &hevc);
            let found = (tiling.spec.height, tiling.spec.width, tiling.layout);
            assert_eq!(found, (height, width, layout), "{rows} × {cols}");
        }
    }

    #[test]
    fn few_values_fill_the_least_height_of_a_narrow_plane_whose_padding_repeats_its_last_row() {
        let video = VIDEO.clone().with_sizes(16..=1024, 16..=1024, VIDEO.align);
        let tiling = plan(777, 1, 1, &video);
        assert_eq!((tiling.spec.height, tiling.spec.width, tiling.layout), (16, 56, Layout::Folded));
        let samples: Vec<u16> = (0..777).map(|at| at % 251).collect();
        let mut group = Vec::new();
        tiling.place(&samples, &mut group);
        assert_eq!(group[..777], samples);
        let rows: Vec<&[u16]> = group.chunks(56).collect();
        assert_eq!((rows[14], rows[15]), (rows[13], rows[13]));
        assert!(rows[13][49..].iter().all(|&sample| sample == tiling.spec.mid_sample()));
    }

    #[test]
    fn a_group_that_readers_refuse_is_not_made() {
        let plan = |least: u32| {
            let large = Capabilities::new(&[8]).with_lossless().with_sizes(least..=4096, least..=4096, 1);
            Tiling::plan((10, 1), (1, 8), "test", &large, &Limits::default())
        };
        assert!(plan(1024).is_ok());
        assert!(matches!(plan(1025), Err(Error::Unsupported(_))));
    }

    #[test]
    fn fewer_rows_than_a_block_are_repeated_to_its_end() {
        let tiling = plan(5, 50, 1, &VIDEO);
        assert_eq!((tiling.spec.height, tiling.spec.width, tiling.layout), (64, 64, Layout::Folded));
        let samples: Vec<u16> = (0..250).collect();
        let mut group = Vec::new();
        tiling.place(&samples, &mut group);
        assert!(group[..8 * 64].iter().zip(samples.iter().cycle()).all(|(placed, sample)| placed == sample));
        assert!(group[8 * 64..].iter().all(|&sample| sample == tiling.spec.mid_sample()));
    }

    #[test]
    fn rows_below_the_last_block_are_flat() {
        let video = VIDEO.clone().with_sizes(48..=4096, 16..=4096, 16);
        let tiling = plan(17, 64, 2, &video);
        assert_eq!((tiling.spec.frames, tiling.spec.height, tiling.spec.width), (2, 32, 64));
        let samples: Vec<u16> = (0..17 * 64).map(|at| at % 251).collect();
        let mut group = Vec::new();
        tiling.place(&samples, &mut group);
        tiling.place(&samples, &mut group);
        for plane in group.chunks(32 * 64) {
            let rows: Vec<&[u16]> = plane.chunks(64).collect();
            assert!((17..24).all(|row| rows[row] == rows[16]));
            assert!(
                rows[24..].iter().all(|row| row.iter().all(|&sample| sample == tiling.spec.mid_sample()))
            );
        }
    }

    #[test]
    fn a_group_too_small_for_the_chunk_is_corrupt() {
        let spec = GroupSpec::new(1, 4, 4, 8, &Limits::default()).unwrap();
        for (layout, rows, cols, planes) in [
            (Layout::Rows, 5, 4, 1),
            (Layout::Rows, 4, 5, 1),
            (Layout::Folded, 17, 1, 1),
            (Layout::Folded, 8, 1, 2),
        ] {
            let result = Tiling::stated(spec, layout, (rows, cols), planes);
            assert!(matches!(result, Err(Error::Corrupt(_))), "{layout:?} {rows} {cols} {planes}");
        }
    }
}
