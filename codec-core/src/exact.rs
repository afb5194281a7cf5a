//! The sparse list of values that a chunk keeps exactly: NaN, ±Inf, outliers, and what misses a maximum error.
//!
//! Layout: number of entries (varint); for each the distance from the position after the one before (varint); then
//! the values in the same order, little-endian in the tensor's dtype. An empty list takes no bytes.

use crate::{Error, Result, varint};

/// Appends the values of `original` at `positions` (ascending, without repeats), each `size` bytes.
pub(crate) fn write(positions: &[u32], original: &[u8], size: usize, side: &mut Vec<u8>) {
    if positions.is_empty() {
        return;
    }
    varint::write(positions.len() as u64, side);
    let mut next = 0;
    for &position in positions {
        varint::write(u64::from(position - next), side);
        next = position + 1;
    }
    for &position in positions {
        let start = position as usize * size;
        side.extend_from_slice(&original[start..start + size]);
    }
}

/// Puts the listed values in their places in `out`; `side` must end where the list does.
pub(crate) fn apply(mut side: &[u8], size: usize, out: &mut [u8]) -> Result<()> {
    if side.is_empty() {
        return Ok(());
    }
    let values = (out.len() / size) as u64;
    let count = varint::read(&mut side)?;
    if count == 0 || count > values {
        return Err(Error::corrupt(format!("{count} exact values in a chunk of {values}")));
    }
    let mut positions = side;
    for _ in 0..count {
        varint::read(&mut side)?;
    }
    if side.len() as u64 != count * size as u64 {
        return Err(Error::corrupt(format!(
            "{} bytes hold {count} exact values of {size} bytes",
            side.len()
        )));
    }
    let mut next = 0u64;
    for value in side.chunks_exact(size) {
        let position = next.saturating_add(varint::read(&mut positions)?);
        if position >= values {
            return Err(Error::corrupt(format!("exact value at {position} in a chunk of {values}")));
        }
        #[expect(clippy::cast_possible_truncation, reason = "below the number of values in `out`")]
        let start = position as usize * size;
        out[start..start + size].copy_from_slice(value);
        next = position + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_values_return_to_their_places() {
        let original: Vec<u8> = (0..200).collect();
        let mut side = Vec::new();
        write(&[0, 1, 50, 99], &original, 2, &mut side);
        let mut out = vec![0; 200];
        apply(&side, 2, &mut out).unwrap();
        for position in 0..100 {
            let kept = [0, 1, 50, 99].contains(&position);
            let wanted = if kept { &original[position * 2..position * 2 + 2] } else { &[0, 0] };
            assert_eq!(&out[position * 2..position * 2 + 2], wanted);
        }
    }

    #[test]
    fn lists_that_lie_are_corrupt() {
        let mut side = Vec::new();
        write(&[3, 4], &[9; 32], 4, &mut side);
        for len in 1..side.len() {
            assert!(matches!(apply(&side[..len], 4, &mut [0; 32]), Err(Error::Corrupt(_))), "{len}");
        }
        assert!(matches!(apply(&side, 4, &mut [0; 16]), Err(Error::Corrupt(_))));
        assert!(matches!(apply(&[1, 200, 1, 7], 1, &mut [0; 100]), Err(Error::Corrupt(_))));
        assert!(matches!(apply(&[0], 1, &mut [0; 100]), Err(Error::Corrupt(_))));
    }
}
