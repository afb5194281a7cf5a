//! A zoo of tensors: one maker for each kind of content that a codec tuned on weights may not have met.
//!
//! Makers are named and seeded, and the same name, dtype and seed give the same bytes. Tests, fuzzers and third
//! parties draw from it:
//!
//! ```
//! use telecine_conformance::zoo;
//! use telecine_core::DType;
//!
//! let specimen = zoo::make("nan-triangle", DType::Bf16, 1).expect("bf16 has NaNs");
//! assert_eq!(specimen.tensor.bytes.len(), 96 * 128 * 2);
//! assert!(zoo::make("nan-triangle", DType::I8, 1).is_none());
//! ```

mod draw;
mod few;
mod integers;
mod masks;
mod measure;
mod numbers;
mod promises;
mod scales;
mod shapes;
mod sparse;
mod structured;
mod tails;
mod trial;

use telecine_core::{DType, TensorBuf};

use draw::Draw;
pub use promises::{PROMISES, Promise};
pub use trial::{Trial, Violation, targets};

/// A maker of one kind of tensor.
#[derive(Clone, Copy)]
pub struct Maker {
    /// A stable name, such as `nan-triangle`.
    pub name: &'static str,
    /// A phrase that says what the tensor holds.
    pub about: &'static str,
    make: fn(&mut Draw) -> Option<Specimen>,
}

impl std::fmt::Debug for Maker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Maker({})", self.name)
    }
}

/// A tensor of the zoo, with what tests need to know of it.
#[derive(Debug, Clone)]
pub struct Specimen {
    /// The name of its maker.
    pub name: &'static str,
    /// The tensor.
    pub tensor: TensorBuf,
    /// Values of a chunk to code it with.
    pub chunk_values: u64,
    /// Whether each value belongs to a mask (a NaN, an infinity, a fill value, a pruned zero); empty without a mask.
    pub mask: Vec<bool>,
    /// Positions of values that outweigh the rest together.
    pub outliers: Vec<usize>,
    /// Whether values are drawn from a continuous distribution of one scale, so that a quantiser's step predicts its
    /// error.
    pub is_continuous: bool,
}

impl Specimen {
    fn of(dtype: DType, shape: &[u64], bytes: Vec<u8>) -> Self {
        Self {
            name: "",
            tensor: TensorBuf { dtype, shape: shape.to_vec(), bytes },
            chunk_values: 1 << 18,
            mask: Vec::new(),
            outliers: Vec::new(),
            is_continuous: false,
        }
    }

    /// The specimen with a mask of the values that fit.
    fn masked(mut self, fits: impl Fn(f64) -> bool) -> Self {
        self.mask = self.values().into_iter().map(fits).collect();
        self
    }

    fn continuous(mut self) -> Self {
        self.is_continuous = self.tensor.dtype.is_float();
        self
    }

    fn in_chunks(mut self, values: u64) -> Self {
        self.chunk_values = values;
        self
    }

    /// The values as the nearest `f64`.
    pub fn values(&self) -> Vec<f64> {
        numbers::read(self.tensor.dtype, &self.tensor.bytes)
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.tensor.bytes.len() / self.tensor.dtype.size()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.tensor.bytes.is_empty()
    }
}

impl Maker {
    /// The tensor of a dtype, or `None` where the dtype cannot hold such content.
    pub fn make(&self, dtype: DType, seed: u64) -> Option<Specimen> {
        // FNV-1a, so that no two kinds share their random numbers.
        let hash = self
            .name
            .bytes()
            .chain(dtype.name().bytes())
            .chain(seed.to_le_bytes())
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
            });
        (self.make)(&mut Draw::new(dtype, hash)).map(|specimen| Specimen { name: self.name, ..specimen })
    }
}

/// The tensor that a maker makes; `None` for a name that no maker has, and where the dtype cannot hold such content.
pub fn make(name: &str, dtype: DType, seed: u64) -> Option<Specimen> {
    makers().find(|maker| maker.name == name)?.make(dtype, seed)
}

/// Every maker.
pub fn makers() -> impl Iterator<Item = Maker> {
    [
        structured::MAKERS,
        sparse::MAKERS,
        masks::MAKERS,
        few::MAKERS,
        scales::MAKERS,
        tails::MAKERS,
        integers::MAKERS,
        shapes::MAKERS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

const fn maker(name: &'static str, about: &'static str, make: fn(&mut Draw) -> Option<Specimen>) -> Maker {
    Maker { name, about, make }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn makers_are_many_distinct_and_repeatable() {
        let names: Vec<_> = makers().map(|maker| maker.name).collect();
        assert!(names.len() >= 90, "{}", names.len());
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        for maker in makers() {
            let mut made = 0;
            for &dtype in DType::ALL {
                let Some(specimen) = maker.make(dtype, 7) else { continue };
                made += 1;
                specimen.tensor.view().unwrap();
                assert_eq!(specimen.tensor, maker.make(dtype, 7).unwrap().tensor, "{} {dtype}", maker.name);
                assert!(specimen.mask.is_empty() || specimen.mask.len() == specimen.len());
                assert!(specimen.len() <= 1 << 16, "{}", maker.name);
            }
            assert!(made > 0, "{}", maker.name);
        }
    }

    #[test]
    fn every_dtype_has_its_animals() {
        for &dtype in DType::ALL {
            let count = makers().filter(|maker| maker.make(dtype, 0).is_some()).count();
            assert!(count >= if dtype.is_float() { 70 } else { 30 }, "{dtype}: {count}");
        }
    }
}
