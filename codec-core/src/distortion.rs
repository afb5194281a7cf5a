//! Measured error between original and decoded values.

use multiversion::multiversion;

use crate::affine::times_power;
use crate::lanes::{LANES, pairs_in_lanes};
use crate::{DType, Importance};

/// Sums from which the error measures of any set of values follow; sets add up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Distortion {
    /// Sum of squared errors of the finite values, over `4^exponent`.
    pub squared_error: f64,
    /// Sum of squares of the finite original values, over `4^exponent`.
    pub energy: f64,
    /// 0 unless sums of squares of `f64` values would leave the range of `f64`.
    pub exponent: i16,
    /// Largest absolute error of the finite values.
    pub max_abs_error: f64,
}

impl Distortion {
    /// Measures decoded against original values of one dtype, both little-endian.
    ///
    /// Values that are NaN or infinite on either side are left out.
    pub fn measure(dtype: DType, original: &[u8], decoded: &[u8]) -> Self {
        let sums = match dtype {
            DType::F32 => sums_of_finite(original, decoded, f32::from_le_bytes),
            DType::Bf16 => sums_of_finite(original, decoded, |b: [u8; 2]| {
                f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)
            }),
            _ => Self { squared_error: f64::NAN, ..Self::default() },
        };
        // Squares of `f32` do not leave the range of `f64`.
        if sums.squared_error.is_finite() && sums.energy.is_finite() {
            return sums;
        }
        Self::within_range(|exponent| {
            let mut sums = Self { exponent, ..Self::default() };
            for_each(dtype, original, decoded, |_, error, value| sums.add(error, value, 1.0));
            sums
        })
    }

    /// The sums at the exponent at which squares stay within the range of `f64`.
    fn within_range(measure: impl Fn(i16) -> Self) -> Self {
        let sums = measure(0);
        let finite = sums.squared_error.is_finite() && sums.energy.is_finite();
        let (largest, smallest) = (2f64.powi(500), 2f64.powi(-450));
        if finite
            && (sums.energy > smallest * smallest
                || sums.energy + sums.squared_error == 0.0 && sums.max_abs_error == 0.0)
        {
            return sums;
        }
        if !finite || sums.max_abs_error > largest { measure(600) } else { measure(-700) }
    }

    /// As [`Distortion::measure`], with the squares of a value multiplied by its column's weight, of mean 1.
    ///
    /// The values are whole rows of a tensor's [matrix view](crate::MatrixShape).
    pub fn measure_weighted(dtype: DType, original: &[u8], decoded: &[u8], importance: &Importance) -> Self {
        let weights = importance.weights();
        Self::within_range(|exponent| {
            let mut sums = Self { exponent, ..Self::default() };
            for_each(dtype, original, decoded, |at, error, value| {
                sums.add(error, value, f64::from(weights[at % weights.len()]));
            });
            sums
        })
    }

    /// As [`Distortion::measure`] or, with importance, [`Distortion::measure_weighted`], without the values at some positions:
    /// those listed, which ascend, and those of a class.
    pub(crate) fn measure_but(
        dtype: DType,
        original: &[u8],
        decoded: &[u8],
        importance: Option<&Importance>,
        (listed, map): (&[u32], Option<&[u8]>),
    ) -> Self {
        Self::within_range(|exponent| {
            let mut listed = listed.iter().peekable();
            let mut sums = Self { exponent, ..Self::default() };
            for_each(dtype, original, decoded, |at, error, value| {
                while listed.next_if(|&&next| (next as usize) < at).is_some() {}
                let is_listed = listed.peek().is_some_and(|&&next| next as usize == at);
                if is_listed || map.is_some_and(|map| map[at] != 0) {
                    return;
                }
                let weights = importance.map(Importance::weights);
                let weight = weights.map_or(1.0, |weights| weights[at % weights.len()]);
                sums.add(error, value, f64::from(weight));
            });
            sums
        })
    }

    #[inline(always)]
    fn add(&mut self, error: f64, value: f64, weight: f64) {
        self.max_abs_error = self.max_abs_error.max(error);
        let (mut error, mut value) = (error, value);
        if self.exponent != 0 {
            (error, value) = (times_power(error, -self.exponent), times_power(value, -self.exponent));
        }
        self.squared_error += weight * (error * error);
        self.energy += weight * (value * value);
    }

    /// Adds another set's sums.
    pub fn merge(&mut self, other: &Self) {
        let mut other = *other;
        if self.exponent != other.exponent {
            // A set without energy says nothing of the range.
            let is_empty = |sums: &Self| sums.energy == 0.0 && sums.squared_error == 0.0;
            let exponent = if is_empty(self) {
                other.exponent
            } else if is_empty(&other) {
                self.exponent
            } else {
                self.exponent.max(other.exponent)
            };
            self.move_to(exponent);
            other.move_to(exponent);
        }
        self.squared_error += other.squared_error;
        self.energy += other.energy;
        self.max_abs_error = self.max_abs_error.max(other.max_abs_error);
    }

    /// The same sums over another power of 4.
    fn move_to(&mut self, exponent: i16) {
        let factor = self.exponent - exponent;
        for sum in [&mut self.squared_error, &mut self.energy] {
            *sum = times_power(times_power(*sum, factor), factor);
        }
        self.exponent = exponent;
    }

    /// The root of the mean squared error over so many values, in their units.
    pub fn root_mean_square(&self, values: f64) -> f64 {
        times_power((self.squared_error / values.max(1.0)).sqrt(), self.exponent)
    }

    /// The root of the mean square of so many original values, in their units.
    pub(crate) fn root_mean_energy(&self, values: f64) -> f64 {
        times_power((self.energy / values.max(1.0)).sqrt(), self.exponent)
    }

    /// The sum of squares of the original values in their units: infinite or 0 where that is beyond the range of `f64`.
    pub(crate) fn plain_energy(&self) -> f64 {
        times_power(times_power(self.energy, self.exponent), self.exponent)
    }

    /// `Σ(x−x̂)² / Σx²`; 0 where there is no error.
    pub fn nmse(&self) -> f64 {
        if self.squared_error == 0.0 { 0.0 } else { self.squared_error / self.energy }
    }
}

/// The sums over values that `to` reads, several side by side, because each waits for itself; sums that are not finite
/// where any value is not.
#[multiversion(targets("x86_64+avx2"))]
fn sums_of_finite<const N: usize>(
    original: &[u8],
    decoded: &[u8],
    to: impl Fn([u8; N]) -> f32,
) -> Distortion {
    let (mut squared_errors, mut energies, mut most) = ([0f64; LANES], [0f64; LANES], [0f64; LANES]);
    let (original, decoded) = (original.as_chunks::<N>().0, decoded.as_chunks::<N>().0);
    // Zeros add nothing.
    pairs_in_lanes(original, decoded, [0; N], |original, decoded| {
        let (mut values, mut errors) = ([0f64; LANES], [0f64; LANES]);
        for lane in 0..LANES {
            values[lane] = f64::from(to(original[lane]));
        }
        for lane in 0..LANES {
            errors[lane] = (values[lane] - f64::from(to(decoded[lane]))).abs();
        }
        for lane in 0..LANES {
            squared_errors[lane] += errors[lane] * errors[lane];
        }
        for lane in 0..LANES {
            energies[lane] += values[lane] * values[lane];
        }
        for lane in 0..LANES {
            most[lane] = if errors[lane] > most[lane] { errors[lane] } else { most[lane] };
        }
    });
    Distortion {
        squared_error: squared_errors.iter().sum(),
        energy: energies.iter().sum(),
        max_abs_error: most.into_iter().fold(0.0, f64::max),
        exponent: 0,
    }
}

/// Visits the place, error and original value (or its magnitude) of every pair of finite values.
fn for_each(dtype: DType, original: &[u8], decoded: &[u8], mut visit: impl FnMut(usize, f64, f64)) {
    let size = dtype.size();
    if dtype.fits_f32() {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        // Blocks keep both sides in the cache.
        let blocks = original.chunks(BLOCK * size).zip(decoded.chunks(BLOCK * size));
        for (block, (original, decoded)) in blocks.enumerate() {
            a.clear();
            b.clear();
            dtype.read_f32(original, &mut a);
            dtype.read_f32(decoded, &mut b);
            for (at, (&a, &b)) in (block * BLOCK..).zip(a.iter().zip(&b)) {
                if a.is_finite() && b.is_finite() {
                    visit(at, (f64::from(a) - f64::from(b)).abs(), f64::from(a));
                }
            }
        }
        return;
    }
    for (at, (original, decoded)) in original.chunks_exact(size).zip(decoded.chunks_exact(size)).enumerate() {
        if let Some((error, magnitude)) = dtype.distance(original, decoded) {
            visit(at, error, magnitude);
        }
    }
}

/// Values of a block.
const BLOCK: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_measured_in_every_dtype() {
        for &dtype in DType::ALL {
            let mut original = vec![0; 3 * dtype.size()];
            let mut decoded = original.clone();
            dtype.write_f32(&[1.0, 0.0, 1.0], &mut original);
            dtype.write_f32(&[1.0, 1.0, 1.0], &mut decoded);
            let d = Distortion::measure(dtype, &original, &decoded);
            assert_eq!(
                (d.squared_error, d.energy, d.max_abs_error, d.nmse()),
                (1.0, 2.0, 1.0, 0.5),
                "{dtype}"
            );
        }
    }

    #[test]
    fn values_at_either_end_of_f64_are_measured() {
        let bytes = |values: [f64; 3]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
        let mut all = Distortion::default();
        for scale in [1e300, 1e-170, 1e-300, 1.0] {
            let d = Distortion::measure(
                DType::F64,
                &bytes([scale, 2.0 * scale, 0.0]),
                &bytes([scale, 1.9 * scale, 0.0]),
            );
            assert!((d.nmse() - 0.002).abs() < 1e-9, "{scale}: {d:?}");
            assert!((d.root_mean_square(1.0) / scale - 0.1).abs() < 1e-9, "{scale}");
            all.merge(&d);
        }
        assert!((all.nmse() - 0.002).abs() < 1e-9, "{all:?}");
    }

    #[test]
    fn values_that_are_not_finite_are_left_out() {
        let original: Vec<u8> = [f32::NAN, f32::INFINITY, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let d = Distortion::measure(DType::F32, &original, &original);
        assert_eq!((d.energy, d.nmse()), (4.0, 0.0));
    }

    #[test]
    fn weights_go_by_column_in_every_dtype() {
        let importance = Importance::new(&[3.0, 0.0, 1.0, 4.0]).unwrap();
        for &dtype in DType::ALL {
            // More rows than a block of values.
            let mut original = vec![0; 4 * 2000 * dtype.size()];
            let mut decoded = original.clone();
            let values: Vec<f32> = (0..8000).map(|at| f32::from(u8::from(at % 4 < 2))).collect();
            dtype.write_f32(&values, &mut original);
            dtype.write_f32(&values.iter().map(|value| 1.0 - value).collect::<Vec<_>>(), &mut decoded);
            let d = Distortion::measure_weighted(dtype, &original, &decoded, &importance);
            assert_eq!((d.squared_error, d.energy), (2000.0 * 4.0, 2000.0 * 1.5), "{dtype}");
        }
    }
}
