//! The entropy coder of maps of classes: which values of a matrix are exact zeros, fill values or not finite.
//!
//! A map starts with a layout (`layout`), which the writer chooses by measuring candidates (`plan`, `sample`, `meter`). Rows that are copies of others take a mode
//! each; values of the rest are coded by adaptive models (`walk`) with a binary range coder (`range`). The page `format/SPEC.md` has the format.

mod layout;
mod meter;
#[cfg(test)]
mod oracle;
mod plan;
mod range;
mod sample;
#[cfg(test)]
mod sizes;
#[cfg(test)]
mod tests;
mod walk;

use crate::{Error, Result, varint};
use layout::{Layout, Mode};
use range::{Reader, Writer};
use walk::{Script, walk};

/// Appends a map of classes, each below `count`, for a matrix of `cols` columns.
///
/// `count` is 2 to 8, and `classes` holds whole rows, fewer than 2^31 values.
pub(crate) fn write(classes: &[u8], cols: usize, count: u8, side: &mut Vec<u8>) {
    debug_assert!((2..=8).contains(&count) && classes.iter().all(|&class| class < count));
    if classes.is_empty() {
        return varint::write(0, side);
    }
    let plan::Choice { layout, modes, .. } = plan::choose(classes, cols, count);
    let body = body(classes, cols, &layout, &modes);
    varint::write(body.len() as u64, side);
    side.extend_from_slice(&body);
}

/// The bytes of a map with a layout, behind their number.
fn body(classes: &[u8], cols: usize, layout: &Layout, modes: &[Mode]) -> Vec<u8> {
    let script = plan::script(classes, layout, modes, |_| false);
    let mut header = Vec::new();
    layout.write(cols, &mut header);
    let mut writer = Writer::new(header);
    let done = walk(&mut writer, layout, &script, &mut classes.to_vec(), |_| false, |_| Ok(()));
    debug_assert!(done.is_ok(), "writing meets no damage");
    writer.finish()
}

/// Takes a map off the front of `side` and fills `classes` with it; `cols` and `count` are those of [`write`].
///
/// # Errors
///
/// [`Error::Corrupt`] for bytes that no writer makes.
pub(crate) fn read(side: &mut &[u8], cols: usize, count: u8, classes: &mut [u8]) -> Result<()> {
    let length = usize::try_from(varint::read(side)?).unwrap_or(usize::MAX);
    let (mut body, rest) = side
        .split_at_checked(length)
        .ok_or_else(|| Error::corrupt("side information ends within a map of classes"))?;
    *side = rest;
    if classes.is_empty() {
        return if length == 0 { Ok(()) } else { Err(Error::corrupt("a map of no classes has bytes")) };
    }
    let layout = Layout::read(&mut body, cols, count, classes.len())?;
    let mut reader = Reader::new(body);
    walk(&mut reader, &layout, &Script::default(), classes, |_| false, Reader::check)?;
    reader.finish()
}
