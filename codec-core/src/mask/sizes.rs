//! Maps of the kinds that tensors have take few bits.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]

use super::tests::{Random, bytes, map};

/// Checks and prints what a map takes.
fn takes_at_most(limit: usize, what: &str, classes: &[u8], cols: usize, count: u8) {
    let taken = bytes(classes, cols, count);
    println!(
        "{what}: {taken} bytes of {limit}, {:.5} bits a value",
        taken as f64 * 8.0 / classes.len() as f64
    );
    assert!(taken <= limit, "{what} takes {taken} bytes, more than {limit}");
}

fn entropy(shares: &[f64]) -> f64 {
    shares.iter().filter(|&&share| share > 0.0).map(|share| -share * share.log2()).sum()
}

#[test]
fn scattered_values_take_their_entropy() {
    let mut random = Random(1);
    for share in [1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 0.5, 0.9, 0.999] {
        for cols in [1, 7, 512, 1 << 18] {
            let classes = map((1 << 18) / cols, cols, |_, _| random.chance(share).into());
            let set = classes.iter().filter(|&&class| class == 1).count() as f64 / classes.len() as f64;
            let limit = entropy(&[set, 1.0 - set]) * classes.len() as f64 / 8.0;
            takes_at_most(
                (limit * 1.03) as usize + 16,
                &format!("scattered {share} in {cols}"),
                &classes,
                cols,
                2,
            );
        }
    }
}

#[test]
fn contiguous_masks_take_little() {
    let rectangle = map(512, 512, |r, c| ((100..200).contains(&r) && (50..250).contains(&c)).into());
    takes_at_most(40, "rectangle", &rectangle, 512, 2);
    let large = map(16384, 1024, |r, c| ((5100..5200).contains(&r) && (50..250).contains(&c)).into());
    takes_at_most(60, "rectangle in 2^24", &large, 1024, 2);
    takes_at_most(40, "triangle", &map(512, 512, |r, c| (c > r).into()), 512, 2);
    takes_at_most(40, "triangle below", &map(512, 512, |r, c| (c < r).into()), 512, 2);
    takes_at_most(150, "triangles", &map(4096, 512, |r, c| (c > r % 512).into()), 512, 2);
    takes_at_most(60, "band", &map(512, 512, |r, c| (c > r || c + 64 < r).into()), 512, 2);
    takes_at_most(40, "antidiagonal", &map(512, 512, |r, c| (c + r > 600).into()), 512, 2);
    takes_at_most(
        600,
        "disc",
        &map(512, 512, |r, c| (r.abs_diff(256).pow(2) + c.abs_diff(256).pow(2) < 40000).into()),
        512,
        2,
    );
    takes_at_most(8, "nothing", &[0; 1 << 18], 512, 2);
    takes_at_most(8, "nothing in one row", &[0; 1 << 18], 1 << 18, 2);
    takes_at_most(8, "nothing in one column", &[0; 1 << 18], 1, 2);
    takes_at_most(8, "all of class 5", &[5; 1 << 18], 512, 6);
}

#[test]
fn rows_columns_and_blocks_take_little() {
    let mut random = Random(2);
    let rows: Vec<bool> = (0..32000).map(|_| random.chance(0.5)).collect();
    takes_at_most(4100, "rows at random", &map(32000, 512, |r, _| rows[r].into()), 512, 2);
    let few: Vec<bool> = (0..32000).map(|_| random.chance(0.0005)).collect();
    takes_at_most(60, "few rows", &map(32000, 512, |r, _| few[r].into()), 512, 2);
    takes_at_most(24, "half of the rows", &map(32000, 512, |r, _| (r > 12345).into()), 512, 2);
    let columns: Vec<bool> = (0..512).map(|_| random.chance(0.5)).collect();
    takes_at_most(90, "columns at random", &map(4096, 512, |_, c| columns[c].into()), 512, 2);
    takes_at_most(4200, "rows and columns", &map(32000, 512, |r, c| (rows[r] || columns[c]).into()), 512, 2);
    let blocks: Vec<bool> = (0..64 * 64).map(|_| random.chance(0.3)).collect();
    let classes = map(2048, 2048, |r, c| blocks[r / 32 * 64 + c / 32].into());
    takes_at_most(classes.len() / 800, "blocks", &classes, 2048, 2);
    let blocks16 = map(512, 512, |r, c| blocks[r / 16 * 64 + c / 16].into());
    takes_at_most(512 * 512 / 200, "blocks of 16", &blocks16, 512, 2);
    let lengths: Vec<usize> = (0..4096).map(|_| random.below(512)).collect();
    takes_at_most(
        4096 * 10 / 8,
        "rows of random lengths",
        &map(4096, 512, |r, c| (c >= lengths[r]).into()),
        512,
        2,
    );
}

/// Exactly `n` of each `m` values are set.
fn pruned(random: &mut Random, n: usize, m: usize, values: usize) -> Vec<u8> {
    let mut classes = vec![0; values];
    for group in classes.chunks_mut(m) {
        for _ in 0..n {
            while std::mem::replace(&mut group[random.below(m)], 1) == 1
                && group.iter().filter(|&&c| c == 1).count() < n
            {}
        }
        while group.iter().filter(|&&c| c == 1).count() < n {
            group[random.below(m)] = 1;
        }
    }
    classes
}

#[test]
fn pruned_groups_take_their_entropy() {
    let mut random = Random(3);
    for (n, m, choices) in
        [(2, 4, 6.0f64), (1, 4, 4.0), (3, 4, 4.0), (4, 8, 70.0), (2, 8, 28.0), (1, 2, 2.0), (2, 16, 120.0)]
    {
        let classes = pruned(&mut random, n, m, 512 * 512);
        let limit = choices.log2() / m as f64 * classes.len() as f64 / 8.0 * 1.02;
        takes_at_most(limit as usize, &format!("{n}:{m}"), &classes, 512, 2);
        takes_at_most(limit as usize, &format!("{n}:{m} of one row"), &classes, 512 * 512, 2);
        let turned = map(512, 512, |r, c| classes[c * 512 + r]);
        takes_at_most(limit as usize, &format!("{n}:{m} down the columns"), &turned, 512, 2);
        let inverted: Vec<u8> = classes.iter().map(|&class| 1 - class).collect();
        takes_at_most(limit as usize, &format!("{n}:{m} inverted"), &inverted, 512, 2);
    }
    let mut holed = pruned(&mut random, 2, 4, 512 * 512);
    holed[512 * 100..512 * 130].fill(1);
    takes_at_most(21500, "2:4 with whole rows", &holed, 512, 2);
}

#[test]
fn correlated_and_periodic_masks_take_little() {
    let mut random = Random(4);
    let mut row: Vec<u8> = (0..512).map(|_| random.chance(0.5).into()).collect();
    let mut classes = Vec::new();
    for _ in 0..512 {
        row.iter_mut().filter(|_| random.chance(0.01)).for_each(|class| *class ^= 1);
        classes.extend_from_slice(&row);
    }
    takes_at_most((512.0 * 512.0 / 8.0 * 0.0808 * 1.15) as usize, "like the row above", &classes, 512, 2);
    takes_at_most(40, "checkerboard", &map(512, 512, |r, c| ((r + c) % 2) as u8), 512, 2);
    takes_at_most(150, "checkerboard of 8", &map(512, 512, |r, c| ((r / 8 + c / 8) % 2) as u8), 512, 2);
    takes_at_most(80, "period 5", &map(512, 512, |_, c| (c % 5 == 0).into()), 512, 2);
    takes_at_most(80, "period 3 over all", &map(512, 512, |r, c| ((r * 512 + c) % 3 == 0).into()), 512, 2);
    let pattern: Vec<u8> = (0..97).map(|_| random.chance(0.5).into()).collect();
    takes_at_most(80, "period 97 over all", &map(512, 512, |r, c| pattern[(r * 512 + c) % 97]), 512, 2);
    takes_at_most(80, "period 97 in one column", &map(512 * 512, 1, |r, _| pattern[r % 97]), 1, 2);
    takes_at_most(80, "period 97 in one row", &map(1, 512 * 512, |_, c| pattern[c % 97]), 512 * 512, 2);
    let diagonals = map(512, 512, |r, c| pattern[(c + 512 - r) % 97]);
    takes_at_most(200, "diagonals", &diagonals, 512, 2);
    let noisy = map(512, 512, |r, c| pattern[(r * 512 + c) % 97] ^ u8::from(random.chance(0.01)));
    takes_at_most((512.0 * 512.0 / 8.0 * 0.17) as usize, "noisy period", &noisy, 512, 2);
    let thin = map(1 << 16, 4, |r, c| (r / 100 % 2 == 1 && c > 0).into());
    takes_at_most(1000, "boxes", &thin, 4, 2);
}

#[test]
fn classes_mix() {
    let mut random = Random(5);
    let shares = [0.9, 0.06, 0.03, 0.005, 0.005];
    let scattered = map(512, 512, |_, _| {
        let mut place = random.below(1000) as f64 / 1000.0;
        shares
            .iter()
            .position(|share| {
                place -= share;
                place < 0.0
            })
            .unwrap_or(0) as u8
    });
    takes_at_most(
        (entropy(&shares) * 512.0 * 64.0 * 1.03) as usize + 16,
        "five classes scattered",
        &scattered,
        512,
        5,
    );
    let shapes = map(512, 512, |r, c| match (r, c) {
        (100..200, 50..250) => 1,
        (_, 300..310) => 3,
        (400.., _) => 2,
        _ if c > r => 4,
        _ => 0,
    });
    takes_at_most(150, "five classes in shapes", &shapes, 512, 5);
    let sparse = map(512, 512, |r, c| if random.chance(0.001) { 2 } else { (c > r).into() });
    takes_at_most(
        (512.0 * 64.0 * 0.0114 * 1.2) as usize + 80,
        "a triangle with scattered values",
        &sparse,
        512,
        3,
    );
    let even = map(512, 512, |_, _| random.below(8) as u8);
    takes_at_most(512 * 64 * 3 * 101 / 100, "eight classes scattered", &even, 512, 8);
}
