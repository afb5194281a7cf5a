//! Borrowed and owned tensors over little-endian bytes.

use std::borrow::Cow;
use std::ops::Range;

use crate::{DType, Error, Limits, Result};

/// A borrowed view of a tensor: dtype, shape, strides and bytes.
///
/// Any rank including 0, any strides (zero and negative ones too), empty tensors.
#[derive(Debug, Clone)]
pub struct Tensor<'a> {
    dtype: DType,
    shape: Vec<u64>,
    /// `None` where values lie in row-major order without gaps.
    strides: Option<Vec<i64>>,
    /// Index of the first value, in values.
    start: u64,
    bytes: &'a [u8],
    len: u64,
}

/// The number of values of a shape.
///
/// # Errors
/// [`Error::Limit`] when there are more dimensions or values than `limits` allow.
pub fn count_values(shape: &[u64], limits: &Limits) -> Result<u64> {
    Limits::check("dimensions of a tensor", shape.len() as u64, limits.dimensions as u64)?;
    if shape.contains(&0) {
        return Ok(0);
    }
    let len = shape.iter().fold(1u64, |product, &n| product.saturating_mul(n));
    Limits::check("values of a tensor", len, limits.tensor_values)?;
    Ok(len)
}

impl<'a> Tensor<'a> {
    /// A tensor whose values lie in row-major order without gaps.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `bytes` is not exactly as long as dtype and shape ask; [`Error::Limit`] for a shape
    /// beyond the default [`Limits`].
    pub fn new(dtype: DType, shape: &[u64], bytes: &'a [u8]) -> Result<Self> {
        let len = count_values(shape, &Limits::default())?;
        let wanted = len.saturating_mul(dtype.size() as u64);
        if bytes.len() as u64 != wanted {
            return Err(Error::invalid(format!(
                "{dtype} tensor of shape {shape:?} takes {wanted} bytes, {} are given",
                bytes.len()
            )));
        }
        Ok(Self { dtype, shape: shape.to_vec(), strides: None, start: 0, bytes, len })
    }

    /// A tensor with explicit strides, in values, whose first value is the `start`-th of `bytes`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the number of strides differs from the number of dimensions, or an index would fall
    /// outside `bytes`; [`Error::Limit`] for a shape beyond the default [`Limits`].
    pub fn strided(
        dtype: DType,
        shape: &[u64],
        strides: &[i64],
        start: u64,
        bytes: &'a [u8],
    ) -> Result<Self> {
        let len = count_values(shape, &Limits::default())?;
        if strides.len() != shape.len() {
            return Err(Error::invalid(format!("{} strides for {} dimensions", strides.len(), shape.len())));
        }
        if len > 0 {
            let held = i128::from((bytes.len() / dtype.size()) as u64);
            let reach = |sign: i64| -> i128 {
                let along = shape.iter().zip(strides).filter(|(_, s)| s.signum() == sign);
                i128::from(start) + along.map(|(&n, &s)| i128::from(n - 1) * i128::from(s)).sum::<i128>()
            };
            if reach(-1) < 0 || reach(1) >= held {
                return Err(Error::invalid(format!(
                    "shape {shape:?} with strides {strides:?} from value {start} leaves the {held} values given"
                )));
            }
        }
        Ok(Self { dtype, shape: shape.to_vec(), strides: Some(strides.to_vec()), start, bytes, len })
    }

    /// The type of the values.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The length of each dimension, outermost first.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// The number of values.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes of the values of this range, in row-major order; borrowed where they lie so already.
    ///
    /// # Panics
    /// When the range ends beyond [`Tensor::len`].
    #[expect(clippy::cast_possible_truncation, reason = "the bytes exist in memory: their offsets fit usize")]
    pub fn read(&self, range: Range<u64>) -> Cow<'a, [u8]> {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {} values", self.len);
        let size = self.dtype.size();
        match &self.strides {
            None => Cow::Borrowed(&self.bytes[range.start as usize * size..range.end as usize * size]),
            Some(strides) => Cow::Owned(self.gather(strides, range, size)),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "`strided` has checked that every index is within `bytes`"
    )]
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "as above")]
    fn gather(&self, strides: &[i64], range: Range<u64>, size: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity((range.end - range.start) as usize * size);
        if range.is_empty() {
            return out;
        }
        let mut index = vec![0u64; self.shape.len()];
        let mut at = self.start as i64;
        let mut rest = range.start;
        for axis in (0..self.shape.len()).rev() {
            index[axis] = rest % self.shape[axis];
            rest /= self.shape[axis];
            at += index[axis] as i64 * strides[axis];
        }
        for _ in range {
            let offset = at as usize * size;
            out.extend_from_slice(&self.bytes[offset..offset + size]);
            for axis in (0..self.shape.len()).rev() {
                index[axis] += 1;
                at += strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= index[axis] as i64 * strides[axis];
                index[axis] = 0;
            }
        }
        out
    }

    /// An owned copy in row-major order.
    pub fn to_owned(&self) -> TensorBuf {
        TensorBuf { dtype: self.dtype, shape: self.shape.clone(), bytes: self.read(0..self.len).into_owned() }
    }
}

/// An owned tensor in row-major order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorBuf {
    /// The type of the values.
    pub dtype: DType,
    /// The length of each dimension, outermost first.
    pub shape: Vec<u64>,
    /// The values, little-endian.
    pub bytes: Vec<u8>,
}

impl TensorBuf {
    /// An `f32` tensor of these values.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the number of values does not fit the shape.
    pub fn from_f32(shape: &[u64], values: &[f32]) -> Result<Self> {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Tensor::new(DType::F32, shape, &bytes)?;
        Ok(Self { dtype: DType::F32, shape: shape.to_vec(), bytes })
    }

    /// The values as the nearest `f32`.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.bytes.len() / self.dtype.size());
        self.dtype.read_f32(&self.bytes, &mut values);
        values
    }

    /// A borrowed view.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the public fields were changed so that they no longer fit each other.
    pub fn view(&self) -> Result<Tensor<'_>> {
        Tensor::new(self.dtype, &self.shape, &self.bytes)
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "small numbers")]
mod tests {
    use super::*;

    fn bytes(n: u8) -> Vec<u8> {
        (0..n).collect()
    }

    #[test]
    fn strides_of_every_sign_read_in_logical_order() {
        let data = bytes(6);
        let read = |shape: &[u64], strides: &[i64], start| {
            let tensor = Tensor::strided(DType::U8, shape, strides, start, &data).unwrap();
            tensor.read(0..tensor.len()).into_owned()
        };
        assert_eq!(read(&[2, 3], &[3, 1], 0), [0, 1, 2, 3, 4, 5]);
        assert_eq!(read(&[3, 2], &[1, 3], 0), [0, 3, 1, 4, 2, 5]);
        assert_eq!(read(&[6], &[-1], 5), [5, 4, 3, 2, 1, 0]);
        assert_eq!(read(&[2, 2], &[0, 1], 3), [3, 4, 3, 4]);
        assert_eq!(read(&[0, 2], &[9, 9], 0), []);
    }

    #[test]
    fn a_range_of_a_strided_tensor_is_that_range_of_the_whole() {
        let data = bytes(24);
        let tensor = Tensor::strided(DType::U8, &[2, 3, 4], &[1, 8, 2], 0, &data).unwrap();
        let whole = tensor.read(0..24).into_owned();
        for start in 0..24 {
            for end in start..=24 {
                assert_eq!(&*tensor.read(start..end), &whole[start as usize..end as usize]);
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let data = bytes(6);
        assert!(matches!(Tensor::new(DType::U8, &[7], &data), Err(Error::Invalid(_))));
        assert!(matches!(Tensor::new(DType::U8, &[1 << 40, 1 << 40], &data), Err(Error::Limit { .. })));
        assert!(matches!(Tensor::strided(DType::U8, &[2, 3], &[3, 2], 0, &data), Err(Error::Invalid(_))));
        assert!(matches!(Tensor::strided(DType::U8, &[2], &[-1], 0, &data), Err(Error::Invalid(_))));
        assert!(matches!(Tensor::strided(DType::U8, &[2], &[i64::MAX], 9, &data), Err(Error::Invalid(_))));
        assert!(matches!(Tensor::strided(DType::U8, &[2], &[], 0, &data), Err(Error::Invalid(_))));
    }

    #[test]
    fn scalars_and_empty_tensors_are_tensors() {
        let scalar = Tensor::new(DType::F32, &[], &[0; 4]).unwrap();
        assert_eq!((scalar.len(), scalar.read(0..1).len()), (1, 4));
        let empty = Tensor::new(DType::F64, &[5, 0], &[]).unwrap();
        assert!(empty.is_empty() && empty.read(0..0).is_empty());
    }
}
