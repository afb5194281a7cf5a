//! `.npy`: NumPy's array format, versions 1 to 3 (NEP 1 and `numpy.lib.format`).

use std::path::Path;

use telecine::{DType, Limits};

use super::{Entry, Place, byte_len};
use crate::failure::{Failure, Result};

/// What a header says.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub(super) dtype: DType,
    pub(super) fortran: bool,
    pub(super) shape: Vec<u64>,
    /// Bytes before the data.
    pub(super) len: usize,
}

/// A longer header is no array of numbers.
pub(super) const MAX_HEADER: usize = 1 << 20;

/// The one tensor of a file, which has the name of the file without its extension.
pub(super) fn entry(path: &Path, map: &[u8], limits: &Limits) -> Result<Entry> {
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("tensor");
    let header = header(path, map)?;
    let len = byte_len(path, name, header.dtype, &header.shape, limits)?;
    if map.len() - header.len != len {
        let message =
            format!("{} bytes of data where shape {:?} takes {len}", map.len() - header.len, header.shape);
        return Err(Failure::damaged(path, format!("{message}: truncated?")));
    }
    let place = Place::Plain { start: header.len, fortran: header.fortran };
    Ok(Entry { name: name.to_owned(), dtype: header.dtype, shape: header.shape, file: 0, place })
}

/// Reads the header at the front of `bytes`.
pub(super) fn header(path: &Path, bytes: &[u8]) -> Result<Header> {
    let damaged = |reason: &str| Failure::damaged(path, format!("npy header: {reason}"));
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(|| damaged("not a NumPy array"))?;
    let (len, start): (usize, usize) = match rest {
        [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), 10),
        [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 12),
        [1..=3, ..] | [] => return Err(damaged("it ends early")),
        [major, ..] => {
            return Err(Failure::damaged(
                path,
                format!("npy header: version {major} is newer than 3: update Telecine"),
            ));
        }
    };
    let text = bytes.get(start..start.saturating_add(len)).filter(|_| len <= MAX_HEADER);
    let text = text.ok_or_else(|| damaged("its length exceeds the file or 1 MiB"))?;
    let text = std::str::from_utf8(text).map_err(|_| damaged("it is not text"))?;
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    let body = text
        .trim()
        .strip_prefix('{')
        .and_then(|t| t.strip_suffix('}'))
        .ok_or_else(|| damaged("no dictionary"))?;
    let mut rest = body.trim();
    while !rest.is_empty() {
        let (key, after) = quoted(rest).ok_or_else(|| damaged("a key is not a string"))?;
        let after = after
            .trim_start()
            .strip_prefix(':')
            .ok_or_else(|| damaged("a key without a value"))?
            .trim_start();
        let (value, after) = value(after).ok_or_else(|| damaged("a value that does not end"))?;
        let slot = match key {
            "descr" => &mut descr,
            "fortran_order" => &mut fortran,
            "shape" => &mut shape,
            _ => return Err(damaged("an unknown key")),
        };
        if slot.replace(value).is_some() {
            return Err(damaged("a key comes twice"));
        }
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    let (Some(descr), Some(fortran), Some(shape)) = (descr, fortran, shape) else {
        return Err(damaged("one of descr, fortran_order, shape is missing"));
    };
    let fortran = match fortran {
        "True" => true,
        "False" => false,
        _ => return Err(damaged("fortran_order is neither True nor False")),
    };
    let shape = shape_of(shape).ok_or_else(|| damaged("the shape is not a tuple of numbers"))?;
    Ok(Header { dtype: dtype(path, descr)?, fortran, shape, len: start + len })
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| *c == '\'' || *c == '"')?;
    text[1..].split_once(quote)
}

/// A string, a parenthesised or bracketed group, or a word; and what follows.
fn value(text: &str) -> Option<(&str, &str)> {
    let close = match text.chars().next()? {
        '(' => ')',
        '[' => ']',
        quote @ ('\'' | '"') => {
            let end = text[1..].find(quote)? + 2;
            return Some(text.split_at(end));
        }
        _ => return Some(text.split_at(text.find(',').unwrap_or(text.len()))).map(|(a, b)| (a.trim(), b)),
    };
    Some(text.split_at(text.find(close)? + 1))
}

fn shape_of(text: &str) -> Option<Vec<u64>> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    // Python 2 wrote long integers with an L.
    let numbers = inner.split(',').map(|n| n.trim().trim_end_matches('L')).filter(|n| !n.is_empty());
    numbers.map(|n| n.parse().ok()).collect()
}

fn dtype(path: &Path, descr: &str) -> Result<DType> {
    let text = descr.trim_matches(|c| c == '\'' || c == '"');
    let known = match text.trim_start_matches(['<', '|', '=']) {
        "f8" => DType::F64,
        "f4" => DType::F32,
        "f2" => DType::F16,
        "i8" => DType::I64,
        "i4" => DType::I32,
        "i2" => DType::I16,
        "i1" => DType::I8,
        "u8" => DType::U64,
        "u4" => DType::U32,
        "u2" => DType::U16,
        "u1" => DType::U8,
        "b1" => DType::Bool,
        _ => {
            let remedy = if text.starts_with('>') {
                "save it little-endian"
            } else {
                "convert it to a plain number type"
            };
            let message =
                format!("{}: dtype {text} is not read; {remedy} first (numpy's astype)", path.display());
            return Err(Failure::usage(message));
        }
    };
    Ok(known)
}
