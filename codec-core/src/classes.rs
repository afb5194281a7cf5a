//! Values that are stored as classes: exact zeros, a fill value, NaN, ±Inf. A chunk names their bits once and codes where
//! they are as a mask; the other values of the chunk are coded on a grid or as bits.
//!
//! Layout: one byte (bits 0–2: the number of patterns, 1 to 7; bit 3: classed values are padded over, see [`Classes::shape`];
//! the other bits are 0); the patterns, little-endian in the tensor's dtype; the [mask](crate::mask).

use crate::{Error, Result, mask};

/// The classes of a chunk's values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Classes {
    /// The value of each class but class 0, one after the other.
    patterns: Vec<u8>,
    /// The class of each value; 0 for one that is coded.
    map: Vec<u8>,
    /// Whether the places of classed values are coded as well, with any value: rows and columns then stay whole.
    padded: bool,
}

/// Classes beside that of coded values, at most.
pub(crate) const MOST_PATTERNS: usize = 7;

const PADDED: u8 = 8;

impl Classes {
    /// Classes of these patterns, at most seven.
    pub(crate) fn new(patterns: Vec<u8>, map: Vec<u8>, padded: bool) -> Self {
        Self { patterns, map, padded }
    }

    /// The class of each value.
    pub(crate) fn map(&self) -> &[u8] {
        &self.map
    }

    /// Whether classed values are padded over.
    pub(crate) fn is_padded(&self) -> bool {
        self.padded
    }

    /// The same classes, padded over or not.
    pub(crate) fn with_padding(self, padded: bool) -> Self {
        Self { padded, ..self }
    }

    /// Number of values that are coded, without padding.
    pub(crate) fn coded(&self) -> usize {
        self.map.iter().filter(|&&class| class == 0).count()
    }

    /// Rows and columns of the matrix that is coded, for a chunk of `rows` × `cols`: the chunk's own where classed values
    /// are padded over. Else the coded values in their order: as rows, where each row with any has as many, and else as
    /// one column.
    pub(crate) fn shape(&self, (rows, cols): (usize, usize)) -> (usize, usize) {
        if self.padded {
            return (rows, cols);
        }
        let of_row = |row: &[u8]| row.iter().filter(|&&class| class == 0).count();
        let (mut count, mut width, mut even) = (0, 0, true);
        for coded in self.map.chunks_exact(cols.max(1)).map(of_row).filter(|&coded| coded > 0) {
            even &= count == 0 || coded == width;
            width = coded;
            count += 1;
        }
        if even && count > 0 { (count, width) } else { (self.coded(), 1) }
    }

    /// The values that are coded, from those of the chunk; places that are padded over hold theirs still.
    pub(crate) fn gather(&self, bytes: &[u8], size: usize) -> Vec<u8> {
        if self.padded {
            return bytes.to_vec();
        }
        let mut coded = Vec::with_capacity(bytes.len());
        for (value, _) in bytes.chunks_exact(size).zip(&self.map).filter(|(_, class)| **class == 0) {
            coded.extend_from_slice(value);
        }
        coded
    }

    /// Fills `out` with the chunk's values from those that were coded.
    pub(crate) fn scatter(&self, coded: &[u8], size: usize, out: &mut [u8]) {
        let mut coded = coded.chunks_exact(size);
        for (slot, &class) in out.chunks_exact_mut(size).zip(&self.map) {
            let value = if class == 0 || self.padded { coded.next() } else { None };
            let value = match class {
                0 => value.unwrap_or(&[]),
                class => &self.patterns[usize::from(class - 1) * size..usize::from(class) * size],
            };
            slot[..value.len()].copy_from_slice(value);
        }
    }

    /// Appends the classes of a chunk whose rows have `cols` values of `size` bytes.
    #[expect(clippy::cast_possible_truncation, reason = "at most seven")]
    pub(crate) fn write(&self, cols: usize, size: usize, side: &mut Vec<u8>) {
        let count = (self.patterns.len() / size) as u8;
        side.push(count | if self.padded { PADDED } else { 0 });
        side.extend_from_slice(&self.patterns);
        mask::write(&self.map, cols, count + 1, side);
    }

    /// Takes the classes of a chunk of `rows` × `cols` values of `size` bytes off the front of `side`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for what no writer makes.
    pub(crate) fn read(side: &mut &[u8], size: usize, (rows, cols): (usize, usize)) -> Result<Self> {
        let short = || Error::corrupt("side information ends within the classes");
        let (&head, rest) = side.split_first().ok_or_else(short)?;
        let count = usize::from(head & 7);
        if head & !(7 | PADDED) != 0 || count == 0 {
            return Err(Error::corrupt(format!("classes begin with {head:#04x}")));
        }
        let (patterns, rest) = rest.split_at_checked(count * size).ok_or_else(short)?;
        *side = rest;
        let mut map = vec![0; rows * cols];
        mask::read(side, cols, (head & 7) + 1, &mut map)?;
        Ok(Self { patterns: patterns.to_vec(), map, padded: head & PADDED != 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes as values: 0 is class 1, 9 is class 2.
    fn classes(values: &[u8], padded: bool) -> Classes {
        let class = |value: &u8| match value {
            0 => 1,
            9 => 2,
            _ => 0,
        };
        Classes::new(vec![0, 9], values.iter().map(class).collect(), padded)
    }

    #[test]
    fn values_come_back_from_what_is_coded_of_them() {
        let values: Vec<u8> = (0..600u32).map(|at| (at * at % 11) as u8).collect();
        for padded in [false, true] {
            let classes = classes(&values, padded);
            let mut side = Vec::new();
            classes.write(20, 1, &mut side);
            let mut rest = side.as_slice();
            let read = Classes::read(&mut rest, 1, (30, 20)).unwrap();
            assert!(read == classes && rest.is_empty());
            let mut out = vec![7; 600];
            read.scatter(&classes.gather(&values, 1), 1, &mut out);
            assert_eq!(out, values);
            for len in 0..side.len() {
                if let Ok(cut) = Classes::read(&mut &side[..len], 1, (30, 20)) {
                    assert_eq!(cut.map.len(), 600);
                }
            }
        }
    }

    #[test]
    fn rows_of_as_many_coded_values_stay_rows() {
        // Rows of zeros are left out; every other row has two of four.
        let two_of_four = [1, 0, 0, 2, 0, 0, 0, 0, 0, 3, 4, 0];
        assert_eq!(classes(&two_of_four, false).shape((3, 4)), (2, 2));
        assert_eq!(classes(&two_of_four, true).shape((3, 4)), (3, 4));
        assert_eq!(classes(&[1, 0, 1, 1], false).shape((2, 2)), (3, 1));
        assert_eq!(classes(&[0, 9, 0, 9], false).shape((2, 2)), (0, 1));
    }

    #[test]
    fn what_no_writer_makes_is_corrupt() {
        for head in [0u8, 0x10, 0x80] {
            assert!(matches!(
                Classes::read(&mut [head, 0, 0, 0].as_slice(), 1, (1, 1)),
                Err(Error::Corrupt(_))
            ));
        }
        assert!(matches!(Classes::read(&mut [2u8, 0].as_slice(), 1, (1, 1)), Err(Error::Corrupt(_))));
    }
}
