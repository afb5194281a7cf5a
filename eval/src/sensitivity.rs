//! What an error in each projection costs the model, measured by noise on one after the other.

use std::collections::BTreeMap;

use candle_core::{D, DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_nn::ops::log_softmax;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use crate::candle::kv_cache::FIRST;
use crate::model::{Cache, Llama, PlainCache, untouched};
use crate::setup::Setup;
use crate::{Error, Result};

/// Normalised error of the noise: small enough for the cost to grow with it, large enough to stand out from rounding.
const NOISE: f64 = 0.01;
/// Logits of this many tokens are compared at a time: they are as wide as the vocabulary.
const ROWS: usize = 256;

/// A cache with noise on the keys (0) or the values (1) of one layer.
struct NoisyCache {
    inner: PlainCache,
    layer: usize,
    half: usize,
}

impl Cache for NoisyCache {
    fn append(&mut self, layer: usize, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)> {
        let mut pair = [keys.clone(), values.clone()];
        if layer == self.layer {
            let exact = &pair[self.half];
            let (heads, tokens, dim) = exact.dims3()?;
            let first = FIRST.min(tokens);
            let noise = Tensor::cat(
                &[
                    Tensor::zeros((heads, first, dim), DType::F32, &Device::Cpu)?,
                    gaussian(
                        &exact.narrow(1, first, tokens - first)?,
                        &mut SmallRng::seed_from_u64(20_261_129),
                    )?,
                ],
                1,
            )?;
            pair[self.half] = (exact + noise)?;
        }
        let [keys, values] = pair;
        self.inner.append(layer, &keys, &values)
    }
}

/// Noise of a tensor's shape, of [`NOISE`] times its power.
fn gaussian(tensor: &Tensor, rng: &mut SmallRng) -> Result<Tensor> {
    let power = f64::from(tensor.sqr()?.mean_all()?.to_scalar::<f32>()?);
    #[expect(clippy::cast_possible_truncation, reason = "a deviation")]
    let deviation = (power * NOISE).sqrt() as f32;
    let noise: Vec<f32> = (0..tensor.elem_count())
        .map(|_| -> f32 { StandardNormal.sample(rng) })
        .map(|value| value * deviation)
        .collect();
    Ok(Tensor::from_vec(noise, tensor.shape(), &Device::Cpu)?)
}

impl Setup {
    /// Divergence from the reference in nats per token, over the normalised error of each projection alone, and of
    /// embedding and head.
    ///
    /// # Errors
    /// What the runtime refuses.
    pub fn sensitivities(
        &self,
        tokens: &[u32],
        said: &mut dyn FnMut(&str, f64),
    ) -> Result<BTreeMap<String, f64>> {
        let reference = self.model.forward(tokens, 0, None, &mut untouched)?;
        let mut rng = SmallRng::seed_from_u64(20_261_126);
        let mut out = BTreeMap::new();
        let ends = ["model.embed_tokens.weight", "lm_head.weight"].map(str::to_owned);
        for name in ends.into_iter().chain(self.projections()) {
            let weight = &self.weights[&name];
            let noisy = (weight + gaussian(weight, &mut rng)?)?;
            let mut weights = self.weights.clone();
            weights.insert(name.clone(), noisy);
            let vars = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
            let model = Llama::load(&self.config, &vars)?;
            let cost = divergence(&reference, &model.forward(tokens, 0, None, &mut untouched)?)? / NOISE;
            said(&name, cost);
            out.insert(name, cost);
        }
        Ok(out)
    }

    /// Divergence from the reference in nats per token, over the normalised error of the keys, and of the values, of each
    /// layer alone; the first tokens stay exact.
    ///
    /// # Errors
    /// What the runtime refuses.
    pub fn cache_sensitivities(&self, tokens: &[u32]) -> Result<Vec<[f64; 2]>> {
        let reference = self.model.forward(tokens, 0, None, &mut untouched)?;
        let mut out = Vec::new();
        for layer in 0..self.config.num_hidden_layers {
            let mut pair = [0.0; 2];
            for (half, cost) in pair.iter_mut().enumerate() {
                let mut cache = NoisyCache { inner: PlainCache::default(), layer, half };
                let logits = self.model.forward(tokens, 0, Some(&mut cache), &mut untouched)?;
                *cost = divergence(&reference, &logits)? / NOISE;
            }
            out.push(pair);
        }
        Ok(out)
    }

    /// Tokens that the model itself comes up with, drawn from its own distribution behind a random first one: what it
    /// takes for text, without any text.
    ///
    /// # Errors
    /// What the runtime refuses.
    pub fn own_tokens(&self, count: usize, seed: u64) -> Result<Vec<u32>> {
        let mut rng = SmallRng::seed_from_u64(seed);
        let size = u32::try_from(self.config.vocab_size).map_err(|_| Error::input("too many tokens"))?;
        let mut tokens = vec![rng.random_range(0..size)];
        let mut cache = PlainCache::default();
        while tokens.len() < count {
            let last = tokens.len() - 1;
            let logits = self.model.forward(&tokens[last..], last, Some(&mut cache), &mut untouched)?;
            let shares: Vec<f32> = candle_nn::ops::softmax_last_dim(&logits)?.squeeze(0)?.to_vec1()?;
            let mut left: f32 = rng.random();
            let drawn = shares.iter().position(|share| {
                left -= share;
                left < 0.0
            });
            // Rounding may leave a little beyond the last token.
            tokens.push(u32::try_from(drawn.unwrap_or(0)).map_err(|_| Error::input("too many tokens"))?);
        }
        Ok(tokens)
    }
}

/// Mean Kullback–Leibler divergence of logits from the reference's, in nats per token.
///
/// # Errors
/// What the runtime refuses.
pub fn divergence(reference: &Tensor, logits: &Tensor) -> Result<f64> {
    let (rows, mut sum) = (reference.dim(0)?, 0f64);
    for start in (0..rows).step_by(ROWS) {
        let count = ROWS.min(rows - start);
        let p = log_softmax(&reference.narrow(0, start, count)?, D::Minus1)?;
        let q = log_softmax(&logits.narrow(0, start, count)?, D::Minus1)?;
        let each = (p.exp()? * (p - q)?)?.sum(D::Minus1)?;
        sum += each.to_vec1::<f32>()?.into_iter().map(f64::from).sum::<f64>();
    }
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    Ok(sum / rows as f64)
}
