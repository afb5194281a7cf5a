//! Values for vectors: the same for ever, on every machine.

use telecine::{DType, GroupSpec, Limits, TensorBuf};

/// A generator (xorshift).
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// About normal, of variance 1: a sum of bytes, so no library's functions have a say.
    pub(crate) fn normal(&mut self) -> f32 {
        self.next().to_le_bytes().iter().map(|&byte| f32::from(byte.cast_signed())).sum::<f32>() / 209.0
    }
}

/// An `f32` tensor of normal values, with `shape` giving each value its size by row and column.
pub(crate) fn normal(shape: &[u64], seed: u64, change: impl Fn(usize, usize, f32) -> f32) -> TensorBuf {
    let cols = *shape.last().unwrap_or(&1) as usize;
    let mut noise = Noise::new(seed);
    let count = shape.iter().product::<u64>() as usize;
    let values: Vec<f32> = (0..count).map(|at| change(at / cols, at % cols, noise.normal())).collect();
    TensorBuf::from_f32(shape, &values).unwrap()
}

/// A tensor of any dtype with any bits, but that of a bool.
pub(crate) fn bits(dtype: DType, shape: &[u64], seed: u64) -> TensorBuf {
    let mut noise = Noise::new(seed);
    let count = shape.iter().product::<u64>() as usize * dtype.size();
    let mask = if dtype == DType::Bool { 1 } else { 0xff };
    let bytes = (0..count).map(|_| (noise.next() >> 32) as u8 & mask).collect();
    TensorBuf { dtype, shape: shape.to_vec(), bytes }
}

/// Samples around the middle, held within the depth.
pub(crate) fn samples(frames: u32, height: u32, width: u32, depth: u8) -> (GroupSpec, Vec<u16>) {
    let spec = GroupSpec::new(frames, height, width, depth, &Limits::default()).unwrap();
    let mut noise = Noise::new(u64::from(depth));
    let (mid, max) = (f32::from(spec.mid_sample()), f32::from(spec.max_sample()));
    let sample = |_| (mid + mid / 4.0 * noise.normal()).clamp(0.0, max) as u16;
    let samples = (0..spec.samples()).map(sample).collect();
    (spec, samples)
}
