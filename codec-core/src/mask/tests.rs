//! Maps read back, by the oracle as well, and damage is found.

#![expect(clippy::cast_possible_truncation, reason = "small numbers")]

use super::layout::Template;
use super::oracle::Oracle;
use super::*;
use proptest::prelude::*;

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 32) as usize * end) >> 32
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        ((self.next() >> 11) as f64) < share * (1u64 << 53) as f64
    }
}

/// A map from a function of row and column.
pub(super) fn map(rows: usize, cols: usize, mut class: impl FnMut(usize, usize) -> u8) -> Vec<u8> {
    (0..rows * cols).map(|i| class(i / cols, i % cols)).collect()
}

/// Bytes that a map takes, once it has been read back.
pub(super) fn bytes(classes: &[u8], cols: usize, count: u8) -> usize {
    let mut side = vec![7];
    write(classes, cols, count, &mut side);
    let length = side.len() - 1;
    side.extend([1, 2, 3]);
    let mut found = vec![0xee; classes.len()];
    let mut rest = &side[1..];
    read(&mut rest, cols, count, &mut found).unwrap();
    assert!(found == classes);
    assert_eq!(rest, [1, 2, 3]);
    length
}

/// Small maps of every kind, with their columns and classes.
fn kinds() -> Vec<(Vec<u8>, usize, u8)> {
    let mut random = Random(9);
    vec![
        (map(40, 50, |_, _| random.chance(0.01).into()), 50, 2),
        (map(40, 50, |_, _| random.below(5) as u8), 50, 5),
        (map(40, 50, |r, c| if c > r { 2 } else { random.chance(0.1).into() }), 50, 3),
        (map(40, 50, |r, c| ((r * 50 + c) % 7 == 0).into()), 50, 2),
        (map(64, 64, |r, c| ((r / 8 + c / 8) % 2) as u8), 64, 2),
        (map(64, 16, |r, _| (r % 3) as u8), 16, 3),
        (map(777, 1, |_, _| random.chance(0.3).into()), 1, 2),
        (map(1, 777, |_, c| (c / 100) as u8), 777, 8),
        (vec![3], 1, 4),
    ]
}

/// Every layout of a width, with and without modes.
fn layouts(width: usize, count: u8) -> Vec<Layout> {
    let templates = [
        (Template::Gaps, 0),
        (Template::Neighbours, 0),
        (Template::RowGroups, 0),
        (Template::RowGroups, 2),
        (Template::RowGroups, 5),
        (Template::ColumnGroups, 1),
        (Template::ColumnGroups, 5),
    ];
    let mut layouts = Vec::new();
    for (template, log2_group) in templates {
        for rows in [false, true] {
            let modal = if template == Template::Neighbours { 0 } else { count - 1 };
            layouts.push(Layout { template, modal, log2_group, width, rows, count });
        }
    }
    layouts
}

/// Checks that what each layout writes is read, by the oracle too.
fn check_layouts(classes: &[u8], cols: usize, width: usize, count: u8) {
    for layout in layouts(width, count) {
        let body = body(classes, cols, &layout, &plan::modes(classes, width));
        assert!(Oracle::read(&body, cols, count, classes.len()) == classes, "the oracle differs: {layout:?}");
        let mut side = Vec::new();
        varint::write(body.len() as u64, &mut side);
        side.extend_from_slice(&body);
        let mut found = vec![0xee; classes.len()];
        read(&mut side.as_slice(), cols, count, &mut found).unwrap();
        assert!(found == classes, "{layout:?}");
    }
}

#[test]
fn every_layout_is_read_by_the_oracle() {
    for (classes, cols, count) in kinds() {
        for width in [cols, 1, 13, 256, classes.len()] {
            if width <= classes.len() {
                check_layouts(&classes, cols, width, count);
            }
        }
    }
    let far = map(1, 300_000, |_, c| (c == 200_000).into());
    check_layouts(&far, 300_000, 300_000, 2);
}

#[test]
fn an_empty_map_is_one_byte() {
    assert_eq!(bytes(&[], 3, 2), 1);
    assert!(matches!(read(&mut [1, 0].as_slice(), 3, 2, &mut []), Err(Error::Corrupt(_))));
}

/// Reads what may be damaged: a map of classes that there are, or a typed error.
fn read_damaged(side: &[u8], cols: usize, count: u8, values: usize) -> Option<Vec<u8>> {
    let mut found = vec![0; values];
    match read(&mut &side[..], cols, count, &mut found) {
        Ok(()) => {
            assert!(found.iter().all(|&class| class < count));
            Some(found)
        }
        Err(Error::Corrupt(_)) => None,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn damage_is_found_or_gives_a_map() {
    let (mut read_back, mut tried) = (0, 0);
    for (classes, cols, count) in kinds() {
        for layout in layouts(cols, count) {
            let good = body(&classes, cols, &layout, &plan::modes(&classes, cols));
            let stated = |body: &[u8]| {
                let mut side = Vec::new();
                varint::write(body.len() as u64, &mut side);
                side.extend_from_slice(body);
                side
            };
            let side = stated(&good);
            for end in 0..side.len() {
                assert!(read_damaged(&side[..end], cols, count, classes.len()).is_none(), "cut at {end}");
            }
            for end in 0..good.len() {
                let found = read_damaged(&stated(&good[..end]), cols, count, classes.len());
                // A shorter stream may be that of another map (or of other modes), but then exactly that.
                if let (Some(found), false) = (found, layout.rows) {
                    assert!(body(&found, cols, &layout, &[]) == good[..end], "{end} of {} bytes", good.len());
                }
            }
            for tail in [&[0][..], &[1], &[0; 9], &[255; 20]] {
                let found = read_damaged(&stated(&[&good, tail].concat()), cols, count, classes.len());
                assert!(found.as_ref() != Some(&classes), "{tail:?} behind the map is left over");
                assert!(found.is_none() || tail.len() < 9);
            }
            for bit in (0..8 * side.len()).step_by(3) {
                let mut flipped = side.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let found = read_damaged(&flipped, cols, count, classes.len());
                tried += 1;
                read_back += usize::from(found.as_ref() == Some(&classes));
            }
        }
    }
    println!("{read_back} of {tried} flips gave the same map");
    assert!(100 * read_back < tried);
}

proptest! {
    #[test]
    fn maps_read_back(seed: u64, rows in 1usize..60, cols in 1usize..60, count in 2u8..=8, kind in 0usize..5) {
        let mut random = Random(seed);
        let share = [0.0, 0.01, 0.2, 0.8, 1.0][random.below(5)];
        let mut last = 0;
        let classes = map(rows, cols, |r, c| {
            let drawn = random.below(count.into()) as u8;
            match kind {
                0 => if random.chance(share) { drawn } else { 0 },
                1 => { if random.chance(share * 0.1) { last = drawn; } last }
                2 => ((r / 5) as u8).min(count - 1),
                3 => ((c * 3 + r) % usize::from(count)) as u8,
                _ => if random.chance(share) { ((r + c) % 2) as u8 } else { 1 },
            }
        });
        bytes(&classes, cols, count);
        check_layouts(&classes, cols, 1 + random.below(classes.len()), count);
    }

    #[test]
    fn any_bytes_give_a_map_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        cols in 1usize..40,
        rows in 1usize..40,
        count in 2u8..=8,
    ) {
        let mut side = vec![bytes.len() as u8];
        side.extend(bytes);
        read_damaged(&side, cols, count, rows * cols);
    }
}
