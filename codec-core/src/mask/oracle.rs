//! A slow reader of maps, written from the format's page: one value at a time, every model in a map by its name.

#![expect(clippy::cast_possible_truncation, reason = "small numbers")]

use std::collections::HashMap;

/// The name of a model: its use, and the numbers that the page tells it apart by.
type Name = (&'static str, usize, usize, usize);

#[derive(Default)]
pub(super) struct Oracle<'a> {
    bytes: &'a [u8],
    taken: usize,
    range: u128,
    code: u128,
    models: HashMap<Name, (u64, u64)>,
    gap: Option<usize>,
    last_gap: Option<usize>,
    last_other: u8,
}

impl<'a> Oracle<'a> {
    fn narrow(&mut self) {
        if self.range < 1 << 32 {
            self.range <<= 32;
            self.take(4);
        }
    }

    fn take(&mut self, bytes: usize) {
        for _ in 0..bytes {
            let byte = self.bytes.get(self.taken).copied().unwrap_or(0);
            self.code = self.code * 256 + u128::from(byte);
            self.taken += 1;
        }
    }

    fn bit(&mut self, name: Name) -> usize {
        let (zero, seen) = *self.models.entry(name).or_insert((1 << 31, 0));
        let bound = (self.range * u128::from(zero)) >> 32;
        let bit = self.code >= bound;
        if bit {
            self.code -= bound;
            self.range -= bound;
        } else {
            self.range = bound;
        }
        let target = if bit { 1 << 16 } else { (1u64 << 32) - 1 - (1 << 16) };
        let step = (target.abs_diff(zero) * (65536 / (seen + 2))) / 65536;
        let moved = if target > zero { zero + step } else { zero - step };
        self.models.insert(name, (moved, (seen + 1).min(1023)));
        self.narrow();
        bit.into()
    }

    fn tree(&mut self, bits: u32, (what, a, b, _): Name) -> usize {
        let node = (0..bits).fold(1, |node, _| 2 * node + self.bit((what, a, b, node)));
        node - (1 << bits)
    }

    fn class(&mut self, count: u8, name: Name) -> u8 {
        self.tree(usize::from(count).next_power_of_two().ilog2(), name) as u8
    }

    fn other(&mut self, count: u8, unlike: u8, tree: usize) -> u8 {
        if count == 2 { 1 - unlike } else { self.class(count, ("other", tree, 0, 0)) }
    }

    fn read_gap(&mut self) -> usize {
        let zero = usize::from(self.last_gap == Some(0));
        let length = self.tree(5, ("length", zero, 0, 0));
        if length == 31 {
            return usize::MAX;
        }
        let leading = length.min(2);
        let mut value = 1 << leading | self.tree(leading as u32, ("leading", length, 0, 0));
        let mut rest = length - leading;
        while rest > 0 {
            let bits = rest.min(16);
            let part = self.range >> bits;
            let raw = (self.code / part).min((1 << bits) - 1);
            self.code -= raw * part;
            self.range = part;
            self.narrow();
            value = (value << bits) | raw as usize;
            rest -= bits;
        }
        value - 1
    }

    /// Reads the map of `total` classes in `body`, which is undamaged.
    pub(super) fn read(body: &'a [u8], cols: usize, count: u8, total: usize) -> Vec<u8> {
        let (template, modal, log2_group) = (body[0] & 3, body[0] >> 2 & 7, body[0] >> 5);
        let (mut shape, mut place) = (0, 1);
        loop {
            shape |= usize::from(body[place] & 127) << (7 * (place - 1));
            place += 1;
            if body[place - 1] < 128 {
                break;
            }
        }
        let width = if shape >> 1 == 0 { cols } else { shape >> 1 };
        let mut oracle = Self { bytes: &body[place..], range: (1 << 64) - 1, ..Self::default() };
        oracle.take(8);
        let mut map: Vec<u8> = Vec::new();
        let (mut mode, mut edge, mut explicit) = (0, 0, None);
        while map.len() < total {
            let row = map.len() / width;
            let length = width.min(total - map.len());
            let at = |map: &[u8], up: usize, col: usize| {
                if up > row || col >= width { 0 } else { map[(row - up) * width + col] }
            };
            if shape & 1 == 1 {
                mode = oracle.tree(3, ("mode", mode, 0, 0));
                if (2..5).contains(&mode) {
                    edge = oracle.class(count, ("edge", mode, edge.into(), 0));
                }
            }
            for col in 0..length {
                let class = match mode {
                    0 if template == 0 => oracle.in_gaps(count, modal),
                    0 if template == 1 => {
                        let north = at(&map, 1, col);
                        let west = if col > 0 { at(&map, 0, col - 1) } else { north };
                        let beyond = if col > 1 { at(&map, 0, col - 2) } else { at(&map, 1, 0) };
                        let north_west = if col > 0 { at(&map, 1, col - 1) } else { north };
                        let around = [beyond, north_west, north, at(&map, 1, col + 1), at(&map, 2, col)];
                        let equal =
                            around.iter().rev().fold(0, |all, &class| 2 * all + usize::from(class == west));
                        match oracle.bit(("same", equal, west.into(), 0)) {
                            0 => west,
                            _ => oracle.other(count, west, usize::from(8 * west + north)),
                        }
                    }
                    0 => {
                        let size = 1 << log2_group;
                        let place = if template == 2 { col % size } else { row % size };
                        let before =
                            |back| if template == 2 { at(&map, 0, col - back) } else { at(&map, back, col) };
                        let set = (1..=place).filter(|&back| before(back) != modal).count();
                        match oracle.bit(("modal", place, set, 0)) {
                            0 => modal,
                            _ => oracle.other(count, modal, 0),
                        }
                    }
                    1 => at(&map, 1, col),
                    3 if col > 0 => at(&map, 1, col - 1),
                    4 if col + 1 < length => at(&map, 1, col + 1),
                    5 => at(&map, 2, col),
                    6 => explicit.map_or(0, |start: usize| map[start + col]),
                    _ => edge,
                };
                map.push(class);
            }
            if mode == 0 {
                explicit = Some(row * width);
            }
        }
        map
    }

    fn in_gaps(&mut self, count: u8, modal: u8) -> u8 {
        let gap = self.gap.take().unwrap_or_else(|| {
            let gap = self.read_gap();
            self.last_gap = Some(gap);
            gap
        });
        if gap > 0 {
            self.gap = Some(if gap == usize::MAX { gap } else { gap - 1 });
            return modal;
        }
        self.last_other = self.other(count, modal, self.last_other.into());
        self.last_other
    }
}
