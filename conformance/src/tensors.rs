//! Test tensors: every dtype, shape class and memory layout.

use rand::{Rng, SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, StandardNormal};
use telecine_core::{DType, Result, Tensor};

/// One shape of each class: scalars, single values, nothing, vectors, matrices, long rows and columns, heads, kernels.
pub(crate) const SHAPES: [&[u64]; 11] = [
    &[],
    &[1],
    &[0],
    &[3, 0, 2],
    &[777],
    &[37, 29],
    &[1, 900],
    &[900, 1],
    &[3, 24, 20],
    &[7, 5, 3, 3],
    &[2, 1, 130, 4],
];

/// How the values of a tensor lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Row after row, without gaps.
    RowMajor,
    /// The first dimension runs fastest.
    ColumnMajor,
    /// From the last value to the first: strides are negative.
    Reversed,
    /// Every third value, behind two that are not the tensor's.
    Gaps,
    /// One slice that stands for all along the first dimension: its stride is 0.
    Broadcast,
}

impl Layout {
    pub(crate) const ALL: [Self; 5] =
        [Self::RowMajor, Self::ColumnMajor, Self::Reversed, Self::Gaps, Self::Broadcast];
}

/// A tensor with the memory that it lies in.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    dtype: DType,
    shape: Vec<u64>,
    /// `None` where values lie row after row.
    strides: Option<Vec<i64>>,
    start: u64,
    bytes: Vec<u8>,
}

impl Held {
    /// A tensor whose memory holds what `fill` writes.
    pub(crate) fn new(
        dtype: DType,
        shape: &[u64],
        layout: Layout,
        fill: impl FnOnce(DType, usize) -> Vec<u8>,
    ) -> Self {
        let count: u64 = shape.iter().product();
        let row_major = |shape: &[u64]| -> Vec<i64> {
            let after = |axis: usize| shape[axis + 1..].iter().product::<u64>().cast_signed();
            (0..shape.len()).map(after).collect()
        };
        let column_major = || -> Vec<i64> {
            (0..shape.len()).map(|at| shape[..at].iter().product::<u64>().cast_signed()).collect()
        };
        let (strides, start, held) = match layout {
            Layout::RowMajor => (None, 0, count),
            Layout::ColumnMajor => (Some(column_major()), 0, count),
            Layout::Reversed => {
                (Some(row_major(shape).iter().map(|s| -s).collect()), count.saturating_sub(1), count)
            }
            Layout::Gaps => (Some(row_major(shape).iter().map(|s| 3 * s).collect()), 2, 3 * count + 2),
            Layout::Broadcast => {
                let mut strides = row_major(shape);
                if let Some(first) = strides.first_mut() {
                    *first = 0;
                }
                (Some(strides), 0, shape.iter().skip(1).product())
            }
        };
        let held = usize::try_from(held).unwrap_or(usize::MAX);
        Self { dtype, shape: shape.to_vec(), strides, start, bytes: fill(dtype, held) }
    }

    /// Gaussian values of a deviation that suits the dtype.
    pub(crate) fn gaussian(dtype: DType, shape: &[u64], layout: Layout, seed: u64) -> Self {
        Self::new(dtype, shape, layout, |dtype, count| gaussian(dtype, count, seed))
    }

    /// Random bits, whatever values they stand for.
    pub(crate) fn bits(dtype: DType, shape: &[u64], layout: Layout, seed: u64) -> Self {
        Self::new(dtype, shape, layout, |dtype, count| {
            let mut bytes = vec![0; count * dtype.size()];
            SmallRng::seed_from_u64(seed).fill_bytes(&mut bytes);
            if dtype == DType::Bool {
                bytes.iter_mut().for_each(|byte| *byte &= 1);
            }
            bytes
        })
    }

    /// The tensor.
    pub(crate) fn tensor(&self) -> Result<Tensor<'_>> {
        match &self.strides {
            None => Tensor::new(self.dtype, &self.shape, &self.bytes),
            Some(strides) => Tensor::strided(self.dtype, &self.shape, strides, self.start, &self.bytes),
        }
    }
}

/// The deviation of the test values of a dtype.
pub(crate) fn deviation(dtype: DType) -> f32 {
    if dtype.is_float() || dtype == DType::Bool { 1.0 } else { 30.0 }
}

/// Gaussian values; unsigned ones lie around four deviations, so that few are cut off.
fn gaussian(dtype: DType, count: usize, seed: u64) -> Vec<u8> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let unsigned = matches!(dtype, DType::U8 | DType::U16 | DType::U32 | DType::U64);
    let (scale, centre) = (deviation(dtype), if unsigned { 4.0 } else { 0.0 });
    let values: Vec<f32> = (0..count)
        .map(|_| {
            let value: f32 = StandardNormal.sample(&mut rng);
            (value + centre) * scale
        })
        .collect();
    let mut bytes = vec![0; count * dtype.size()];
    dtype.write_f32(&values, &mut bytes);
    bytes
}

/// The bits of values that arithmetic would not keep: NaNs with payloads, infinities, −0, subnormals, the largest.
pub(crate) fn special(dtype: DType) -> Vec<Vec<u8>> {
    let (bits, size): (&[u64], usize) = match dtype {
        DType::F64 => (
            &[
                0x7ff8_0000_dead_beef,
                0xfff0_0000_0000_0001,
                0x7ff0_0000_0000_0000,
                0xfff0_0000_0000_0000,
                0x8000_0000_0000_0000,
                1,
                0x7fef_ffff_ffff_ffff,
            ],
            8,
        ),
        DType::F32 => (
            &[0x7fc0_beef, 0xff80_0001, 0x7f80_0000, 0xff80_0000, 0x8000_0000, 1, 0x7f7f_ffff, 0xffff_ffff],
            4,
        ),
        DType::F16 => (&[0x7e01, 0xfc01, 0x7c00, 0xfc00, 0x8000, 1, 0x7bff, 0xffff], 2),
        DType::Bf16 => (&[0x7fc1, 0xff81, 0x7f80, 0xff80, 0x8000, 1, 0x7f7f, 0xffff], 2),
        DType::F8E4M3 => (&[0x7f, 0xff, 0x80, 0x01, 0x7e], 1),
        DType::F8E5M2 => (&[0x7d, 0xff, 0x7c, 0xfc, 0x80, 0x01, 0x7b], 1),
        _ => (&[], 1),
    };
    bits.iter().map(|bits| bits.to_le_bytes()[..size].to_vec()).collect()
}
