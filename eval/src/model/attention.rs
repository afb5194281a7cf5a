//! Causal attention of groups of query heads, a block of queries at a time.

use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops::softmax_last_dim;

use crate::Result;

/// Queries of a block: their scores stay in the second-level cache's reach, and a block never looks beyond its end.
const BLOCK: usize = 256;

/// Attends `queries` `[heads, tokens, dim]` to `keys` and `values` `[kv heads, all tokens, dim]`; the queries are those
/// of the last tokens. Returns `[heads, tokens, dim]`.
pub(super) fn attend(queries: &Tensor, keys: &Tensor, values: &Tensor) -> Result<Tensor> {
    let (heads, tokens, dim) = queries.dims3()?;
    let (kv_heads, all, _) = keys.dims3()?;
    let group = heads / kv_heads;
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let queries = (queries / (dim as f64).sqrt())?;
    let mut blocks = Vec::new();
    for start in (0..tokens).step_by(BLOCK) {
        let count = BLOCK.min(tokens - start);
        let seen = all - tokens + start + count;
        let query = queries.narrow(1, start, count)?.contiguous()?.reshape((kv_heads, group * count, dim))?;
        let key = keys.narrow(1, 0, seen)?.transpose(1, 2)?.contiguous()?;
        let scores = query.matmul(&key)?.reshape((kv_heads, group, count, seen))?;
        let scores = scores.broadcast_add(&mask(count, seen)?)?;
        let shares = softmax_last_dim(&scores)?.reshape((kv_heads, group * count, seen))?;
        let attended = shares.matmul(&values.narrow(1, 0, seen)?.contiguous()?)?;
        blocks.push(attended.reshape((heads, count, dim))?);
    }
    Ok(Tensor::cat(&blocks, 1)?)
}

/// 0 where a query may look, −∞ where a token comes after it.
fn mask(queries: usize, seen: usize) -> Result<Tensor> {
    let before = seen - queries;
    let values: Vec<f32> = (0..queries)
        .flat_map(|query| {
            (0..seen).map(move |token| if token <= before + query { 0.0 } else { f32::NEG_INFINITY })
        })
        .collect();
    Ok(Tensor::from_vec(values, (queries, seen), &Device::Cpu)?)
}

/// Cosines and sines of the rotary embedding for tokens `0..positions`, `[positions, dim / 2]` each.
pub(super) fn rotary(dim: usize, base: f64, positions: usize) -> Result<(Tensor, Tensor)> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "angles, rounded to f32 last"
    )]
    let table = |function: fn(f64) -> f64| -> Result<Tensor> {
        let values: Vec<f32> = (0..positions)
            .flat_map(|position| {
                (0..dim / 2).map(move |pair| {
                    let frequency = base.powf(-2.0 * pair as f64 / dim as f64);
                    function(position as f64 * frequency) as f32
                })
            })
            .collect();
        Ok(Tensor::from_vec(values, (positions, dim / 2), &Device::Cpu)?)
    };
    Ok((table(f64::cos)?, table(f64::sin)?))
}

/// Divides rows by their root mean square, in f32, and multiplies them by gains.
pub(super) fn rms_norm(values: &Tensor, gains: &Tensor, epsilon: f64) -> Result<Tensor> {
    let square = values.to_dtype(DType::F32)?.sqr()?.mean_keepdim(D::Minus1)?;
    Ok(values.broadcast_div(&(square + epsilon)?.sqrt()?)?.broadcast_mul(gains)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One query after another, in f64.
    #[test]
    fn blocks_attend_as_single_queries_do() {
        let noise = |shape: (usize, usize, usize)| Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap();
        let (queries, keys, values) = (noise((4, 300, 8)), noise((2, 330, 8)), noise((2, 330, 8)));
        let found = attend(&queries, &keys, &values).unwrap().to_vec3::<f32>().unwrap();
        let [q, k, v] = [queries, keys, values].map(|tensor| tensor.to_vec3::<f32>().unwrap());
        for (head, token) in [(0, 0), (3, 255), (1, 256), (2, 299)] {
            let kv = head / 2;
            let scores: Vec<f64> = (0..=token + 30)
                .map(|at| q[head][token].iter().zip(&k[kv][at]).map(|(a, b)| f64::from(a * b)).sum::<f64>())
                .map(|score| (score / 8f64.sqrt()).exp())
                .collect();
            let total: f64 = scores.iter().sum();
            for dim in 0..8 {
                let wanted: f64 =
                    scores.iter().enumerate().map(|(at, s)| s / total * f64::from(v[kv][at][dim])).sum();
                assert!((f64::from(found[head][token][dim]) - wanted).abs() < 1e-5);
            }
        }
    }
}
