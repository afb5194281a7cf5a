//! Randomised Hadamard: random signs, then an orthonormal Walsh–Hadamard transform of blocks of each row.
//!
//! A row is cut into blocks of the given power of two; what remains of it into smaller powers of two. Spreading each
//! value over a block makes outliers vanish (used on language models by QuaRot, arXiv 2404.00456). The sign of column
//! `c` is bit 63 of SplitMix64 seeded with `seed` and advanced `c + 1` times. No side bytes.

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
fn walsh_hadamard(data: &mut [f32]) {
    let mut half = 1;
    while half < data.len() {
        for pair in data.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    #[expect(clippy::cast_precision_loss, reason = "a power of two")]
    let norm = 1.0 / (data.len() as f32).sqrt();
    data.iter_mut().for_each(|value| *value *= norm);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_the_matrix_of_signs() {
        let n = 16usize;
        for one in 0..n {
            let mut data = vec![0.0; n];
            data[one] = 1.0;
            walsh_hadamard(&mut data);
            for (k, value) in data.iter().enumerate() {
                let sign = if (one & k).count_ones() % 2 == 0 { 1.0 } else { -1.0 };
                assert_eq!(*value, 0.25 * sign);
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
