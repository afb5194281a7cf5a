//! Lossless planes: the bits of values as samples.
//!
//! One-byte dtypes make one plane of 8 bits; wider ones a plane of 16 bits per two bytes, the most significant first.
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

/// The bits by which values are rotated.
fn rotation(dtype: DType) -> u32 {
    u32::from(dtype.is_float() && dtype.size() > 1)
}

/// Appends the samples of one plane, in the order of the values.
#[expect(clippy::cast_possible_truncation, reason = "16 bits of each value")]
pub(crate) fn split(dtype: DType, bytes: &[u8], plane: usize, samples: &mut Vec<u16>) {
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
            let (planes, depth) = planes(dtype);
            let mut all = Vec::new();
            for plane in 0..planes as usize {
                let mut samples = Vec::new();
                split(dtype, &bytes, plane, &mut samples);
                assert_eq!(samples.len(), 256 / dtype.size());
                assert!(samples.iter().all(|&s| u32::from(s) < 1 << depth));
                all.push(samples);
            }
            let mut back = vec![0; bytes.len()];
            join(dtype, &all.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut back);
            assert_eq!(back, bytes, "{dtype}");
        }
    }

    #[test]
    fn the_first_plane_of_f32_is_its_bf16_half_with_the_sign_behind() {
        let mut samples = Vec::new();
        for value in [1.5f32, -1.5] {
            split(DType::F32, &value.to_le_bytes(), 0, &mut samples);
        }
        assert_eq!(samples, [0x7f80, 0x7f80]);
        split(DType::F32, &(-1.5f32).to_le_bytes(), 1, &mut samples);
        split(DType::Bf16, &half::bf16::from_f32(-1.5).to_le_bytes(), 0, &mut samples);
        assert_eq!(samples[2..], [1, 0x7f81]);
    }
}
