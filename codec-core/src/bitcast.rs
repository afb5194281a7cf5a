//! Lossless planes: the bits of values as samples, without a change.
//!
//! One-byte dtypes make one plane of 8 bits; wider ones a plane of 16 bits per two bytes, the most significant first.

use crate::DType;

/// Number of planes and their depth.
pub(crate) fn planes(dtype: DType) -> (u32, u8) {
    match dtype.size() {
        1 => (1, 8),
        2 => (1, 16),
        4 => (2, 16),
        _ => (4, 16),
    }
}

/// The samples of one plane, in the order of the values.
pub(crate) fn split(bytes: &[u8], size: usize, plane: usize, samples: &mut Vec<u16>) {
    if size == 1 {
        samples.extend(bytes.iter().map(|&byte| u16::from(byte)));
        return;
    }
    let at = size - 2 * (plane + 1);
    samples.extend(bytes.chunks_exact(size).map(|value| u16::from_le_bytes([value[at], value[at + 1]])));
}

/// Writes the samples of one plane back into the values' bytes.
pub(crate) fn join(samples: &[u16], size: usize, plane: usize, bytes: &mut [u8]) {
    if size == 1 {
        for (byte, sample) in bytes.iter_mut().zip(samples) {
            *byte = sample.to_le_bytes()[0];
        }
        return;
    }
    let at = size - 2 * (plane + 1);
    for (value, sample) in bytes.chunks_exact_mut(size).zip(samples) {
        value[at..at + 2].copy_from_slice(&sample.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_comes_back_from_its_planes() {
        let bytes: Vec<u8> = (0..=255).collect();
        for &dtype in DType::ALL {
            let (planes, depth) = planes(dtype);
            let mut back = vec![0; bytes.len()];
            for plane in 0..planes as usize {
                let mut samples = Vec::new();
                split(&bytes, dtype.size(), plane, &mut samples);
                assert_eq!(samples.len(), 256 / dtype.size());
                assert!(samples.iter().all(|&s| u32::from(s) < 1 << depth));
                join(&samples, dtype.size(), plane, &mut back);
            }
            assert_eq!(back, bytes, "{dtype}");
        }
    }

    #[test]
    fn the_first_plane_of_f32_is_its_bf16_half() {
        let mut samples = Vec::new();
        split(&1.5f32.to_le_bytes(), 4, 0, &mut samples);
        assert_eq!(samples, [half::bf16::from_f32(1.5).to_bits()]);
    }
}
