//! Masks: where a plane has one sample, its fill, and where others.
//!
//! Flags go row by row in blocks of 32: a block has only the fill, only others, or flags of its own, which are coded by
//! their neighbours. What is contiguous, in blocks or periodic costs next to nothing.

use telecine_core::Result;

use crate::plane::PlaneSpec;
use crate::range::{Coder, Flag};

/// Flags of a block.
const BLOCK: usize = 32;
/// States of a block.
const FILL: u8 = 0;
const OTHERS: u8 = 1;
const MIXED: u8 = 2;

/// Codes whether each sample differs from the fill; a writer passes it, a reader any flags of that number.
pub(crate) fn code(coder: &mut impl Coder, flags: &mut [bool], width: usize) -> Result<()> {
    let mut blocks = [[Flag::default(); 2]; 9];
    let mut models = [Flag::default(); 256];
    // States of the blocks of the row above.
    let mut states = vec![FILL; width.div_ceil(BLOCK)];
    let none = vec![false; width];
    for start in (0..flags.len()).step_by(width) {
        let (done, rest) = flags.split_at_mut(start);
        let above = if start == 0 { &none } else { &done[start - width..] };
        let row = &mut rest[..width];
        let mut left = FILL;
        for (block, state) in states.iter_mut().enumerate() {
            let range = block * BLOCK..width.min((block + 1) * BLOCK);
            let others = row[range.clone()].iter().filter(|&&flag| flag).count();
            let models_of_block = &mut blocks[usize::from(3 * *state + left)];
            let is_mixed = coder.flag(others > 0 && others < range.len(), &mut models_of_block[0])?;
            *state = if is_mixed {
                MIXED
            } else if coder.flag(others > 0, &mut models_of_block[1])? {
                OTHERS
            } else {
                FILL
            };
            left = *state;
            if *state == MIXED {
                for col in range {
                    let model = &mut models[neighbours(row, above, col)];
                    row[col] = coder.flag(row[col], model)?;
                }
            } else {
                row[range].fill(*state == OTHERS);
            }
        }
    }
    Ok(())
}

/// The flags of three samples to the left, of the one above and its neighbours, and the column modulo 4.
#[inline]
fn neighbours(row: &[bool], above: &[bool], col: usize) -> usize {
    let at = |line: &[bool], col: usize| usize::from(line.get(col).copied().unwrap_or(false));
    // Columns before the first wrap around to none.
    let left = |distance: usize| at(row, col.wrapping_sub(distance));
    left(1)
        | left(2) << 1
        | left(3) << 2
        | at(above, col) << 3
        | at(above, col.wrapping_sub(1)) << 4
        | at(above, col + 1) << 5
        | (col % 4) << 6
}

/// The plane of what the fill leaves: rows without any are left out; where the others have as many each they stay rows,
/// otherwise all samples make one.
pub(crate) fn rest(spec: &PlaneSpec, flags: &[bool]) -> PlaneSpec {
    let counts = flags.chunks_exact(spec.width).map(|row| row.iter().filter(|&&flag| flag).count());
    let counts: Vec<usize> = counts.filter(|&count| count > 0).collect();
    let (height, width) = match counts.first() {
        Some(&first) if counts.iter().all(|&count| count == first) => (counts.len(), first),
        _ => (1, counts.iter().sum()),
    };
    PlaneSpec { height, width, depth: spec.depth }
}
