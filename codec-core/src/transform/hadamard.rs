//! Randomised Hadamard: random signs, then an orthonormal Walsh–Hadamard transform of blocks of each row.
//!
//! A row is cut into blocks of the given power of two; what remains of it into smaller powers of two. Spreading each
//! value over a block makes outliers vanish (used on language models by QuaRot, arXiv 2404.00456). The sign of column
//! `c` is bit 63 of SplitMix64 seeded with `seed` and advanced `c + 1` times. No side bytes.

use multiversion::multiversion;

/// Transforms every row.
pub(super) fn forward(values: &mut [f32], cols: usize, block: usize, seed: u64) {
    let signs = signs(cols, seed);
    for row in values.chunks_exact_mut(cols) {
        for (value, sign) in row.iter_mut().zip(&signs) {
            *value *= sign;
        }
        blocks(row, block, walsh_hadamard);
    }
}

/// Undoes [`forward`]: the transform is its own inverse, the signs come last.
pub(super) fn inverse(values: &mut [f32], cols: usize, block: usize, seed: u64) {
    let signs = signs(cols, seed);
    for row in values.chunks_exact_mut(cols) {
        blocks(row, block, walsh_hadamard);
        for (value, sign) in row.iter_mut().zip(&signs) {
            *value *= sign;
        }
    }
}

fn signs(cols: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let sign = |_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        if (z ^ (z >> 31)) >> 63 == 1 { -1.0 } else { 1.0 }
    };
    (0..cols).map(sign).collect()
}

fn blocks(mut row: &mut [f32], block: usize, apply: impl Fn(&mut [f32])) {
    let mut size = block;
    while !row.is_empty() {
        while size > row.len() {
            size /= 2;
        }
        let (head, rest) = row.split_at_mut(size);
        apply(head);
        row = rest;
    }
}

/// In place, in natural order, O(n log n); `data` has a power of two of values.
///
/// Stage after stage of sums and differences, at distances of 1, 2, 4 and so on; what is done together below gives the
/// same values.
#[multiversion(targets("x86_64+avx2"))]
fn walsh_hadamard(data: &mut [f32]) {
    let len = data.len();
    #[expect(clippy::cast_precision_loss, reason = "a power of two")]
    let norm = 1.0 / (len as f32).sqrt();
    let mut half = 1;
    if len >= 4 {
        for [a, b, c, d] in data.as_chunks_mut().0 {
            (*a, *b, *c, *d) = two_stages(*a, *b, *c, *d);
        }
        half = 4;
    }
    if len >= 16 {
        for near in data.as_chunks_mut::<16>().0 {
            for at in 0..4 {
                let [a, b, c, d] = [at, at + 4, at + 8, at + 12];
                (near[a], near[b], near[c], near[d]) = two_stages(near[a], near[b], near[c], near[d]);
            }
        }
        half = 16;
    }
    while 4 * half <= len {
        for four in data.chunks_exact_mut(4 * half) {
            let (first, last) = four.split_at_mut(2 * half);
            let ((a, b), (c, d)) = (first.split_at_mut(half), last.split_at_mut(half));
            for ((a, b), (c, d)) in a.iter_mut().zip(b).zip(c.iter_mut().zip(d)) {
                (*a, *b, *c, *d) = two_stages(*a, *b, *c, *d);
            }
        }
        half *= 4;
    }
    while half < len {
        for pair in data.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    data.iter_mut().for_each(|value| *value *= norm);
}

/// Two stages of four values at equal distances.
#[inline(always)]
fn two_stages(a: f32, b: f32, c: f32, d: f32) -> (f32, f32, f32, f32) {
    let (ab, a_b, cd, c_d) = (a + b, a - b, c + d, c - d);
    (ab + cd, a_b + c_d, ab - cd, a_b - c_d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_the_matrix_of_signs() {
        for (n, one) in
            [1usize, 2, 8, 16, 32, 64, 128].into_iter().flat_map(|n| (0..n).map(move |one| (n, one)))
        {
            let mut data = vec![0.0; n];
            data[one] = 1.0;
            walsh_hadamard(&mut data);
            for (k, value) in data.iter().enumerate() {
                let sign = if (one & k).count_ones() % 2 == 0 { 1.0 } else { -1.0 };
                assert_eq!(*value, 1.0 / (n as f32).sqrt() * sign);
            }
        }
    }

    #[test]
    fn an_outlier_spreads_over_its_block() {
        let mut row = vec![0.0; 300];
        row[10] = 160.0;
        forward(&mut row, 300, 256, 3);
        assert!(row[..256].iter().all(|v| v.abs() == 10.0) && row[256..].iter().all(|v| *v == 0.0));
    }

    #[test]
    fn seeds_differ_and_repeat() {
        assert_eq!(signs(64, 1), signs(64, 1));
        assert_ne!(signs(64, 1), signs(64, 2));
        let negative = signs(4096, 5).iter().filter(|s| **s < 0.0).count();
        assert!((1900..2200).contains(&negative));
    }
}
