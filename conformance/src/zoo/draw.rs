//! Random values for specimens.

use rand::{Rng, RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use rand_distr::{Distribution, StandardNormal};
use telecine_core::DType;

use super::Specimen;
use super::numbers::{Numbers, is_signed, write};

/// A seeded source of values of one dtype.
pub(crate) struct Draw {
    pub(crate) dtype: DType,
    pub(crate) numbers: Numbers,
    rng: Xoshiro256PlusPlus,
}

/// Rows and columns of most specimens: 0.1 bits of each value are 153 bytes, twice what the headers of a chunk take.
pub(crate) const ROWS: usize = 96;
/// See [`ROWS`].
pub(crate) const COLS: usize = 128;

impl Draw {
    pub(crate) fn new(dtype: DType, seed: u64) -> Self {
        Self { dtype, numbers: Numbers::of(dtype), rng: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// One value from the normal distribution of deviation 1.
    pub(crate) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.rng)
    }

    /// One value from 0 to 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.rng.random()
    }

    /// Whether something of this probability happens.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// One integer below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.rng.random_range(0..end)
    }

    /// Random bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// The deviation of ordinary values of the dtype.
    pub(crate) fn unit(&self) -> f64 {
        match self.dtype {
            _ if self.dtype.is_float() => 1.0,
            DType::Bool => 1.0,
            DType::I8 | DType::U8 => 20.0,
            DType::I16 | DType::U16 => 2000.0,
            DType::I32 | DType::U32 => 1e5,
            _ => 1e9,
        }
    }

    /// One ordinary value of the dtype: Gaussian of deviation [`Draw::unit`], the magnitude where there is no sign.
    pub(crate) fn value(&mut self) -> f64 {
        let value = self.normal() * self.unit();
        if self.dtype.is_float() || is_signed(self.dtype) { value } else { value.abs() }
    }

    /// Ordinary values for the usual shape.
    pub(crate) fn values(&mut self) -> Vec<f64> {
        (0..ROWS * COLS).map(|_| self.value()).collect()
    }

    /// The usual shape, each value from its row and column.
    pub(crate) fn at_each(&mut self, mut value: impl FnMut(&mut Self, usize, usize) -> f64) -> Specimen {
        let mut values = Vec::with_capacity(ROWS * COLS);
        for row in 0..ROWS {
            for col in 0..COLS {
                values.push(value(self, row, col));
            }
        }
        self.specimen(values)
    }

    /// A specimen of the usual shape.
    pub(crate) fn specimen(&self, values: Vec<f64>) -> Specimen {
        self.shaped(&[ROWS as u64, COLS as u64], &values)
    }

    /// A specimen of this shape.
    pub(crate) fn shaped(&self, shape: &[u64], values: &[f64]) -> Specimen {
        Specimen::of(self.dtype, shape, write(self.dtype, values))
    }

    /// Ordinary values of any shape.
    pub(crate) fn gaussian(&mut self, shape: &[u64]) -> Specimen {
        let count: u64 = shape.iter().product();
        let values: Vec<f64> = (0..count).map(|_| self.value()).collect();
        self.shaped(shape, &values)
    }

    /// `None` for integers.
    pub(crate) fn float(&self) -> Option<()> {
        self.dtype.is_float().then_some(())
    }

    /// `None` for floats.
    pub(crate) fn integer(&self) -> Option<()> {
        (!self.dtype.is_float() && self.dtype != DType::Bool).then_some(())
    }

    /// `None` where the dtype has no room for this magnitude.
    pub(crate) fn holds(&self, magnitude: f64) -> Option<()> {
        (magnitude <= self.numbers.largest).then_some(())
    }
}
