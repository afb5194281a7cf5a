//! The same function in other coordinates: a model whose weights sit on no lattice.

use nalgebra::DMatrix;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::{Weight, Weights};
use crate::model::{Config, weight_name};

const SEED: u64 = 0x7e1e_c14e;

/// Folds the gains of the norms into the projections behind them, rotates the residual stream by a random orthogonal
/// matrix, and the values within each head by another.
///
/// A 4-bit file's weights stand at 16 places per block, which a codec could find; after this they stand anywhere. The
/// function is the same up to rounding: a root mean square does not change under rotation (SliceGPT, arXiv 2401.15024;
/// QuaRot, arXiv 2404.00456).
pub fn rotate(weights: &mut Weights) {
    let Weights { config, tensors } = weights;
    let turn = orthogonal(config.hidden_size, SEED);
    let gain =
        |tensors: &std::collections::BTreeMap<String, Weight>, name: &str| tensors[name].values.clone();
    let final_gain = gain(tensors, "model.norm.weight");
    let mut jobs: Vec<(String, Job)> = vec![
        ("model.embed_tokens.weight".into(), Job { reads: Some(None), ..Job::default() }),
        ("lm_head.weight".into(), Job { reads: Some(Some(final_gain)), ..Job::default() }),
    ];
    for layer in 0..config.num_hidden_layers {
        let attention = gain(tensors, &weight_name(layer, "input_layernorm"));
        let feed = gain(tensors, &weight_name(layer, "post_attention_layernorm"));
        let heads: Vec<DMatrix<f64>> = (0..config.num_key_value_heads)
            .map(|head| orthogonal(config.head_dim(), SEED + 1 + (layer * 1000 + head) as u64))
            .collect();
        for (part, ..) in config.projections() {
            let mut job = Job::default();
            match part {
                "self_attn.o_proj" => (job.writes, job.heads_in) = (true, heads.clone()),
                "mlp.down_proj" => job.writes = true,
                "self_attn.v_proj" => {
                    (job.reads, job.heads_out) = (Some(Some(attention.clone())), heads.clone());
                }
                "self_attn.q_proj" | "self_attn.k_proj" => job.reads = Some(Some(attention.clone())),
                _ => job.reads = Some(Some(feed.clone())),
            }
            jobs.push((weight_name(layer, part), job));
        }
    }
    let done: Vec<(String, Weight)> = jobs
        .into_par_iter()
        .map(|(name, job)| {
            let weight = job.apply(&tensors[&name], &turn, config);
            (name, weight)
        })
        .collect();
    tensors.extend(done);
    for (_, weight) in tensors.iter_mut().filter(|(name, _)| name.ends_with("norm.weight")) {
        weight.values.fill(1.0);
    }
}

/// What happens to one matrix.
#[derive(Default)]
struct Job {
    /// Its input is the residual stream, behind a norm with these gains.
    reads: Option<Option<Vec<f32>>>,
    /// Its output is added to the residual stream.
    writes: bool,
    /// Its output are values, which these turn, head by head.
    heads_out: Vec<DMatrix<f64>>,
    /// Its input are attended values, which these have turned.
    heads_in: Vec<DMatrix<f64>>,
}

impl Job {
    fn apply(&self, weight: &Weight, turn: &DMatrix<f64>, config: &Config) -> Weight {
        let wide = weight.values.iter().map(|&value| f64::from(value));
        let mut matrix = DMatrix::from_row_iterator(weight.rows, weight.cols, wide);
        let dim = config.head_dim();
        if let Some(gains) = &self.reads {
            for (column, &gain) in gains.iter().flatten().enumerate() {
                matrix.column_mut(column).scale_mut(f64::from(gain));
            }
            matrix *= turn;
        }
        if self.writes {
            matrix = turn.transpose() * matrix;
        }
        for (head, turn) in self.heads_out.iter().enumerate() {
            let turned = turn * matrix.rows(head * dim, dim);
            matrix.rows_mut(head * dim, dim).copy_from(&turned);
        }
        let group = config.num_attention_heads / config.num_key_value_heads;
        for (head, turn) in self.heads_in.iter().flat_map(|turn| std::iter::repeat_n(turn, group)).enumerate()
        {
            let turned = matrix.columns(head * dim, dim) * turn.transpose();
            matrix.columns_mut(head * dim, dim).copy_from(&turned);
        }
        #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
        let values = matrix.transpose().iter().map(|&value| value as f32).collect();
        Weight { rows: weight.rows, cols: weight.cols, values }
    }
}

/// A random orthogonal matrix, even over all of them: the Q of Gaussian noise, signs as its R's diagonal has them.
fn orthogonal(size: usize, seed: u64) -> DMatrix<f64> {
    let mut random = StdRng::seed_from_u64(seed);
    let noise = DMatrix::from_fn(size, size, |_, _| StandardNormal.sample(&mut random));
    let (mut q, r) = noise.qr().unpack();
    for column in 0..size {
        if r[(column, column)] < 0.0 {
            q.column_mut(column).neg_mut();
        }
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_orthogonal() {
        let q = orthogonal(48, 7);
        let error = (q.transpose() * &q - DMatrix::identity(48, 48)).abs().max();
        assert!(error < 1e-12, "{error}");
        assert_ne!(q, orthogonal(48, 8));
    }
}
