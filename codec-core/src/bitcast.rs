//! Lossless planes: the bits of values as samples.
//!
//! One-byte dtypes make one plane of 8 bits; wider ones a plane of 16 bits per two bytes, the most significant first, or a plane of 8
//! bits per byte for backends whose samples are no deeper.
//! The bits of floats of 16 bits and more are rotated left by one first: the exponent, which says much, then lies in
//! bytes of its own, and the sign, which says nothing, behind the mantissa.

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

/// Number of planes and their depth for a backend that takes these depths: planes of bytes where it has no 16 bits.
pub(crate) fn planes_within(dtype: DType, depths: &[u8]) -> (u32, u8) {
    let (wide, depth) = planes(dtype);
    if depth == 8 || depths.contains(&depth) { (wide, depth) } else { (2 * wide, 8) }
}

/// Number of planes of a depth; `None` where the dtype makes none of that depth.
pub(crate) fn planes_of(dtype: DType, depth: u8) -> Option<u32> {
    match (planes(dtype), depth) {
        ((count, of), depth) if of == depth => Some(count),
        ((count, _), 8) => Some(2 * count),
        _ => None,
    }
}

/// The bits by which values are rotated.
fn rotation(dtype: DType) -> u32 {
    u32::from(dtype.is_float() && dtype.size() > 1)
}

/// Appends the samples of one plane of a depth, in the order of the values.
pub(crate) fn split(dtype: DType, bytes: &[u8], (plane, depth): (usize, u8), samples: &mut Vec<u16>) {
    if dtype.size() == 1 || depth > 8 {
        return split_wide(dtype, bytes, plane, samples);
    }
    let start = samples.len();
    split_wide(dtype, bytes, plane / 2, samples);
    let shift = if plane.is_multiple_of(2) { 8 } else { 0 };
    samples[start..].iter_mut().for_each(|sample| *sample = *sample >> shift & 0xff);
}

/// Appends the samples of one plane of 16 bits, or of 8 where the dtype has no more.
#[expect(clippy::cast_possible_truncation, reason = "16 bits of each value")]
fn split_wide(dtype: DType, bytes: &[u8], plane: usize, samples: &mut Vec<u16>) {
    let (size, left) = (dtype.size(), rotation(dtype));
    let shift = 16 * (size / 2).saturating_sub(plane + 1);
    match size {
        1 => samples.extend(bytes.iter().map(|&byte| u16::from(byte))),
        2 => {
            let values = bytes.as_chunks().0.iter();
            samples.extend(values.map(|bytes| u16::from_le_bytes(*bytes).rotate_left(left)));
        }
        4 => {
            let values = bytes.as_chunks().0.iter();
            samples
                .extend(values.map(|bytes| (u32::from_le_bytes(*bytes).rotate_left(left) >> shift) as u16));
        }
        _ => {
            let values = bytes.as_chunks().0.iter();
            samples
                .extend(values.map(|bytes| (u64::from_le_bytes(*bytes).rotate_left(left) >> shift) as u16));
        }
    }
}

/// Writes the samples of all planes, first to last, back into the values' bytes.
pub(crate) fn join(dtype: DType, planes: &[&[u16]], bytes: &mut [u8]) {
    let left = rotation(dtype);
    if dtype.size() > 1 && planes.len() == dtype.size() {
        let pair = |pair: &[&[u16]]| -> Vec<u16> {
            pair[0].iter().zip(pair[1]).map(|(high, low)| high << 8 | low & 0xff).collect()
        };
        let wide: Vec<Vec<u16>> = planes.chunks_exact(2).map(pair).collect();
        return join(dtype, &wide.iter().map(Vec::as_slice).collect::<Vec<_>>(), bytes);
    }
    match *planes {
        [plane] if dtype.size() == 1 => {
            for (byte, sample) in bytes.iter_mut().zip(plane) {
                *byte = sample.to_le_bytes()[0];
            }
        }
        [plane] => {
            for (bytes, sample) in bytes.as_chunks_mut().0.iter_mut().zip(plane) {
                *bytes = sample.rotate_right(left).to_le_bytes();
            }
        }
        [high, low] => {
            for ((bytes, &high), &low) in bytes.as_chunks_mut().0.iter_mut().zip(high).zip(low) {
                *bytes = (u32::from(high) << 16 | u32::from(low)).rotate_right(left).to_le_bytes();
            }
        }
        _ => {
            for (at, bytes) in bytes.as_chunks_mut().0.iter_mut().enumerate() {
                let value = planes.iter().fold(0u64, |value, plane| value << 16 | u64::from(plane[at]));
                *bytes = value.rotate_right(left).to_le_bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_comes_back_from_its_planes() {
        let bytes: Vec<u8> = (0..=255).collect();
        for &dtype in DType::ALL {
            for depths in [&[8, 16][..], &[8, 10]] {
                let (planes, depth) = planes_within(dtype, depths);
                assert!(depths.contains(&depth) && planes_of(dtype, depth) == Some(planes));
                let mut all = Vec::new();
                for plane in 0..planes as usize {
                    let mut samples = Vec::new();
                    split(dtype, &bytes, (plane, depth), &mut samples);
                    assert_eq!(samples.len(), 256 / dtype.size());
                    assert!(samples.iter().all(|&s| u32::from(s) < 1 << depth));
                    all.push(samples);
                }
                let mut back = vec![0; bytes.len()];
                join(dtype, &all.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut back);
                assert_eq!(back, bytes, "{dtype}");
            }
            assert_eq!(planes_of(dtype, 12), None);
        }
    }

    #[test]
    fn the_first_plane_of_f32_is_its_bf16_half_with_the_sign_behind() {
        let mut samples = Vec::new();
        for value in [1.5f32, -1.5] {
            split(DType::F32, &value.to_le_bytes(), (0, 16), &mut samples);
        }
        assert_eq!(samples, [0x7f80, 0x7f80]);
        split(DType::F32, &(-1.5f32).to_le_bytes(), (1, 16), &mut samples);
        split(DType::Bf16, &half::bf16::from_f32(-1.5).to_le_bytes(), (0, 16), &mut samples);
        assert_eq!(samples[2..], [1, 0x7f81]);
    }
}
