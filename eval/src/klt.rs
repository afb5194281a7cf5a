//! Bases for rows, calibrated on text: the eigenvectors of their covariance.

use std::sync::Arc;

use candle_core::Tensor;
use nalgebra::DMatrix;
use telecine::{Basis, Chain, Codec, Encoding, Target, TransformChoice};

use crate::Result;

/// Vectors along which the variance is below this share of the noise are left to chance.
const KEPT: f64 = 0.25;
/// Rounding of directions may add this share of the noise.
const ROUNDING: f64 = 0.01;

/// Where the variance of rows lies: the eigenvectors of their covariance, largest variance first.
#[derive(Debug, Clone)]
pub struct Spectrum {
    cols: usize,
    /// One after the other.
    vectors: Vec<f64>,
    variances: Vec<f64>,
    /// Mean square of a row, its mean included.
    energy: f64,
}

impl Spectrum {
    /// Of rows `[rows, columns]`.
    ///
    /// # Errors
    /// What the runtime refuses.
    pub fn of(rows: &Tensor) -> Result<Self> {
        let (count, cols) = rows.dims2()?;
        let centred = rows.broadcast_sub(&rows.mean_keepdim(0)?)?;
        let covariance: Vec<f32> = centred.t()?.contiguous()?.matmul(&centred)?.flatten_all()?.to_vec1()?;
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let count = count as f64;
        let energy = f64::from(rows.sqr()?.sum_all()?.to_scalar::<f32>()?) / count;
        let matrix =
            DMatrix::from_row_iterator(cols, cols, covariance.into_iter().map(|v| f64::from(v) / count));
        let eigen = matrix.symmetric_eigen();
        let mut order: Vec<usize> = (0..cols).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
        let vectors =
            order.iter().flat_map(|&at| eigen.eigenvectors.column(at).iter().copied().collect::<Vec<_>>());
        let variances = order.iter().map(|&at| eigen.eigenvalues[at].max(0.0)).collect();
        Ok(Self { cols, vectors: vectors.collect(), variances, energy })
    }

    /// The noise of each coefficient at so many bits per value (reverse water-filling).
    pub fn noise_at_bits(&self, bits: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let rate = |noise: f64| {
            let bits = self.variances.iter().map(|variance| 0.5 * (variance / noise).max(1.0).log2());
            bits.sum::<f64>() / self.cols as f64
        };
        self.level(|noise| rate(noise) < bits)
    }

    /// The noise of each coefficient at this error relative to the rows' energy.
    pub fn noise_at_nmse(&self, nmse: f64) -> f64 {
        let error = |noise: f64| self.variances.iter().map(|variance| variance.min(noise)).sum::<f64>();
        self.level(|noise| error(noise) > nmse * self.energy)
    }

    /// The level from which on `too_high` holds.
    fn level(&self, too_high: impl Fn(f64) -> bool) -> f64 {
        let most = self.variances.first().copied().unwrap_or(0.0).max(f64::MIN_POSITIVE);
        let (mut low, mut high) = (most.log2() - 80.0, most.log2());
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if too_high(middle.exp2()) { high = middle } else { low = middle }
        }
        low.exp2()
    }

    /// The Karhunen–Loève basis for coding with so much noise in each coefficient: vectors that carry less are left out,
    /// and the others rounded so that they leak little beside it.
    ///
    /// # Errors
    /// Directions of which the codec makes no basis.
    pub fn basis(&self, noise: f64) -> Result<Arc<Basis>> {
        let kept = self.variances.iter().filter(|variance| **variance > KEPT * noise).count().max(1);
        let vectors = self.vectors.chunks_exact(self.cols).zip(&self.variances).take(kept);
        #[expect(clippy::cast_precision_loss, reason = "a number of columns")]
        let finest = |variance: f64| (variance * self.cols as f64 / (12.0 * ROUNDING * noise)).sqrt();
        let directions = vectors.flat_map(|(vector, &variance)| {
            let largest = vector.iter().fold(0.0f64, |most, value| most.max(value.abs()));
            let scale = finest(variance).clamp(3.0 / largest, 127.0 / largest);
            #[expect(clippy::cast_possible_truncation, reason = "at most 127")]
            vector.iter().map(move |value| (value * scale).round() as i8)
        });
        Ok(Arc::new(Basis::of_directions(self.cols, directions.collect())?))
    }
}

/// Bits that a file holds a basis in.
///
/// # Errors
/// What the codec refuses.
pub fn stored_bits(codec: &Codec, basis: &Basis) -> Result<u64> {
    Ok(8 * codec.encode(&basis.stored()?.view()?, &Encoding::new(Target::Lossless))?.report.bytes)
}

/// Sets a chain of transforms, behind which comes the projection on a basis where there is one.
///
/// # Errors
/// What the chain's parser refuses.
pub fn set_chain(encoding: &mut Encoding, chain: &str, basis: Option<&Arc<Basis>>) -> Result<()> {
    let chain = match basis {
        Some(basis) if chain == "none" => format!("klt({:016x})", basis.id()),
        Some(basis) => format!("{chain}+klt({:016x})", basis.id()),
        None => chain.to_owned(),
    };
    let find = |id: u64| basis.filter(|basis| basis.id() == id).cloned();
    encoding.transform = TransformChoice::Chain(Chain::parse(&chain, &find)?);
    encoding.bases = basis.into_iter().cloned().collect();
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that fails says where")]
    use super::*;
    use candle_core::Device;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn the_first_vector_lies_along_the_largest_variance() {
        // Rows along (3, 4) / 5, and a little across it.
        let rows: Vec<f32> = (0..200)
            .flat_map(|at| {
                let (along, across) = ((at % 17) as f32 - 8.0, (at % 5) as f32 * 0.1 - 0.2);
                [0.6 * along - 0.8 * across + 1.0, 0.8 * along + 0.6 * across - 2.0]
            })
            .collect();
        let spectrum = Spectrum::of(&Tensor::from_vec(rows, (200, 2), &Device::Cpu).unwrap()).unwrap();
        let basis = spectrum.basis(spectrum.noise_at_bits(4.0)).unwrap();
        let first = [basis.values()[0], basis.values()[2]];
        let along = (first[0] * 0.6 + first[1] * 0.8).abs();
        assert!(along > 0.998, "{first:?}");
    }

    /// Rows of variances 4⁰, 4⁻¹, 4⁻² … along random directions.
    fn spectrum(cols: usize) -> Spectrum {
        let mut rng = SmallRng::seed_from_u64(1);
        let mut normal =
            |count: usize| -> Vec<f32> { (0..count).map(|_| StandardNormal.sample(&mut rng)).collect() };
        let tensor = |values: Vec<f32>, rows| Tensor::from_vec(values, (rows, cols), &Device::Cpu).unwrap();
        let mix = Spectrum::of(&tensor(normal(4 * cols * cols), 4 * cols)).unwrap().vectors;
        let mix = tensor(mix.into_iter().map(|value| value as f32).collect(), cols);
        let scale: Vec<f32> = (0..cols).map(|at| 0.5f32.powi(i32::try_from(at).unwrap())).collect();
        let rows = tensor(normal(1000 * cols), 1000).broadcast_mul(&tensor(scale, 1)).unwrap();
        Spectrum::of(&rows.matmul(&mix).unwrap()).unwrap()
    }

    #[test]
    fn noise_is_that_of_reverse_water_filling() {
        let spectrum = spectrum(16);
        // Variances 4⁰ … 4⁻¹⁵: at a noise of 4⁻⁴ those before it take 4 + 3 + 2 + 1 bits of 16 values.
        assert!((spectrum.noise_at_bits(10.0 / 16.0).log2() + 8.0).abs() < 0.4);
        let left = 4.0 * 4f64.powi(-4) + 4f64.powi(-4) / 3.0;
        assert!((spectrum.noise_at_nmse(left / (4.0 / 3.0)).log2() + 8.0).abs() < 0.6);
    }

    #[test]
    fn what_noise_hides_is_not_stored() {
        let (spectrum, codec) = (spectrum(16), Codec::new());
        let [coarse, fine] = [1.0, 3.0].map(|bits| spectrum.basis(spectrum.noise_at_bits(bits)).unwrap());
        let count = |basis: &Basis| basis.directions().unwrap().len() / 16;
        assert!(count(&coarse) < count(&fine) && count(&fine) <= 16);
        assert!(stored_bits(&codec, &coarse).unwrap() < stored_bits(&codec, &fine).unwrap());
        // The stored vectors are nearly the eigenvectors.
        for (at, vector) in spectrum.vectors.chunks_exact(16).take(2).enumerate() {
            let along: f64 = vector
                .iter()
                .zip(fine.values()[at..].iter().step_by(16))
                .map(|(a, b)| a * f64::from(*b))
                .sum();
            assert!(along.abs() > 0.999, "{at}: {along}");
        }
    }
}
