//! Layers over devices, one after the other.

use clap::ValueEnum;
use serde::Serialize;
use telecine::{Encoding, Target};

use super::ModelConfig;

/// Tokens of each sequence that a cache keeps as they are: the first 4 and the last 128.
const EXACT_TOKENS: u64 = 132;
/// Bytes of a value that is not compressed: bf16.
const PLAIN: u64 = 2;
/// Memory of a worker that decodes a chunk, per value of the chunk; see `Limits::chunk_values`.
const WORKER_BYTES: u64 = 32;

/// Bits per value, all bytes counted.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Rates {
    /// Projections.
    pub(crate) weights: f64,
    /// Embedding and head.
    pub(crate) embedding: f64,
    /// Keys and values.
    pub(crate) kv: f64,
}

/// What is decoded at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Workspace {
    /// A chunk of 2¹⁸ values: products are taken chunk by chunk.
    Chunk,
    /// A whole projection, or a layer's whole keys and values.
    Tensor,
}

/// What is asked of the devices.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Demand {
    pub(crate) rates: Rates,
    /// Tokens of each sequence.
    pub(crate) context: u64,
    /// Sequences at the same time.
    pub(crate) batch: u64,
    /// Tokens that go through a layer at the same time.
    pub(crate) step: u64,
    pub(crate) workspace: Workspace,
    /// Chunks that are decoded at the same time.
    pub(crate) workers: u64,
}

/// What a device holds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Device {
    pub(crate) capacity: u64,
    pub(crate) first_layer: u64,
    pub(crate) layers: u64,
    pub(crate) weights: u64,
    pub(crate) kv: u64,
    pub(crate) activations: u64,
    pub(crate) workspace: u64,
}

impl Device {
    /// All bytes that it needs.
    pub(crate) fn needs(&self) -> u64 {
        self.weights + self.kv + self.activations + self.workspace
    }

    /// What it holds, part by part, what it needs and what it has, in bytes.
    pub(crate) fn sizes(&self) -> [u64; 6] {
        [self.weights, self.kv, self.activations, self.workspace, self.needs(), self.capacity]
    }

    /// Its load: 1 is full.
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    fn load(&self) -> f64 {
        self.needs() as f64 / self.capacity as f64
    }
}

/// Bytes of so many values at so many bits, rounded up.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes below 2^53"
)]
fn bytes(values: u64, bits: f64) -> u64 {
    (values as f64 * bits / 8.0).ceil() as u64
}

/// Most bytes that are planned: what f64 counts exactly.
const MOST_BYTES: u128 = 1 << 53;

impl Demand {
    /// Checks that all sizes, at any context that the model takes, stay within what is counted.
    ///
    /// # Errors
    /// The number of bytes, where it is too large.
    pub(crate) fn check(&self, config: &ModelConfig) -> Result<(), String> {
        let (weights, kv, token) = config.totals();
        // No rate is above 64 bits, which is 8 bytes; what is decoded at a time is a part of either, in bf16.
        let cache = kv * u128::from(config.most_tokens() + 1);
        let bytes = 10 * weights
            + 8 * cache * u128::from(self.batch)
            + 2 * cache
            + 2 * token * u128::from(self.step)
            + 4 * u128::from(self.batch) * u128::from(config.vocabulary())
            + u128::from(self.workers * WORKER_BYTES)
                * u128::from(Encoding::new(Target::Lossless).chunk_values);
        if bytes <= MOST_BYTES {
            return Ok(());
        }
        Err(format!("about {bytes} bytes at the longest context: {MOST_BYTES} are the most that is planned"))
    }

    fn layer_weights(&self, config: &ModelConfig) -> u64 {
        bytes(config.layer_values(), self.rates.weights) + PLAIN * config.norm_values()
    }

    fn layer_kv(&self, config: &ModelConfig) -> u64 {
        let exact = self.context.min(EXACT_TOKENS);
        let width = 2 * config.kv_width();
        self.batch * (bytes((self.context - exact) * width, self.rates.kv) + PLAIN * exact * width)
    }

    fn device(&self, config: &ModelConfig, capacity: u64, first_layer: u64, layers: u64) -> Device {
        let last = first_layer + layers == config.layers();
        let embedding = bytes(config.embedding_values(), self.rates.embedding);
        let mut weights = layers * self.layer_weights(config);
        let mut largest = 0;
        if layers > 0 {
            largest = config.largest_projection().max(2 * config.kv_width() * self.context);
        }
        if first_layer == 0 {
            weights += embedding;
        }
        let mut activations = PLAIN * self.step * config.token_values();
        if last {
            // A head that is the embedding is there once if both ends are on one device.
            weights += if config.tied() && first_layer == 0 { 0 } else { embedding };
            weights += PLAIN * config.norm_values() / 2;
            // Logits of the token to come, in f32.
            activations += 4 * self.batch * config.vocabulary();
            largest = largest.max(config.embedding_values());
        }
        let chunk = Encoding::new(Target::Lossless).chunk_values;
        let workers = self.workers * WORKER_BYTES * chunk;
        let workspace = match self.workspace {
            Workspace::Chunk => workers,
            Workspace::Tensor => workers + PLAIN * largest,
        };
        let kv = layers * self.layer_kv(config);
        Device { capacity, first_layer, layers, weights, kv, activations, workspace }
    }
}

/// Spreads the layers, in order, so that the fullest device is as empty as can be.
pub(crate) fn place(config: &ModelConfig, demand: &Demand, capacities: &[u64]) -> Vec<Device> {
    let mut best: Option<(f64, Vec<Device>)> = None;
    // Half of the interval goes with each step; 1 is full.
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        let placed = fill(config, demand, capacities, middle);
        let load = placed.iter().map(Device::load).fold(0.0, f64::max);
        if load <= middle {
            high = middle;
        } else {
            low = middle;
        }
        if best.as_ref().is_none_or(|best| load < best.0) {
            best = Some((load, placed));
        }
    }
    best.map(|best| best.1).unwrap_or_default()
}

/// Gives each device as many of the layers left as it takes up to a load; the last one, which holds the head, takes the
/// rest, one at least.
fn fill(config: &ModelConfig, demand: &Demand, capacities: &[u64], most: f64) -> Vec<Device> {
    let mut first = 0;
    let mut out = Vec::new();
    for (index, &capacity) in capacities.iter().enumerate() {
        let left = config.layers() - first;
        let with = |layers: u64| demand.device(config, capacity, first, layers);
        let last = index + 1 == capacities.len();
        let layers = if last { left } else { largest(left, |layers| with(layers).load() <= most) };
        out.push(with(layers));
        first += layers;
    }
    out
}

/// Whether all devices have room.
pub(crate) fn fits(devices: &[Device]) -> bool {
    devices.iter().all(|device| device.needs() <= device.capacity)
}

/// The longest context, in tokens, for which all devices have room; 0 for none.
pub(crate) fn most_context(config: &ModelConfig, demand: &Demand, capacities: &[u64]) -> u64 {
    largest(config.most_tokens() + 1, |context| {
        fits(&place(config, &Demand { context, ..*demand }, capacities))
    })
}

/// The largest number below `end` that holds, of those that hold up to some number; 0 for none.
fn largest(end: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, end.max(1));
    while low + 1 < high {
        let middle = low.midpoint(high);
        if holds(middle) { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::super::config::tests::llama_70b;
    use super::*;

    fn demand(workspace: Workspace) -> Demand {
        let rates = Rates { weights: 2.9, embedding: 2.9, kv: 2.9 };
        Demand { rates, context: 131_072, batch: 1, step: 512, workspace, workers: 4 }
    }

    /// The claim of arXiv 2407.00467: LLaMA-3-70B with 128k tokens on four devices of 8 GB.
    #[test]
    fn seventy_billion_values_on_four_devices_of_8_gb() {
        let config = llama_70b();
        let decimal = place(&config, &demand(Workspace::Chunk), &[8_000_000_000; 4]);
        assert!(!fits(&decimal), "33.4 GB of weights and cache are more than 32 GB");
        let total: u64 = decimal.iter().map(|device| device.weights + device.kv).sum();
        assert!((33_300_000_000..33_500_000_000).contains(&total), "{total}");
        assert_eq!(decimal.iter().map(|device| device.layers).sum::<u64>(), 80);
        // GiB leave 1 GB, too little for workspace at both ends; a few percent fewer tokens do.
        let gib = [8 << 30; 4];
        assert!(!fits(&place(&config, &demand(Workspace::Tensor), &gib)));
        let most = most_context(&config, &demand(Workspace::Chunk), &gib);
        assert!((110_000..131_072).contains(&most), "{most}");
        let at_most = Demand { context: most, ..demand(Workspace::Chunk) };
        assert!(fits(&place(&config, &at_most, &gib)));
        let beyond = Demand { context: most + 1, ..at_most };
        assert!(!fits(&place(&config, &beyond, &gib)));
    }

    #[test]
    fn sizes_beyond_what_is_counted_are_refused() {
        let config = llama_70b();
        assert!(demand(Workspace::Tensor).check(&config).is_ok());
        let crowd = Demand { batch: 65_535, ..demand(Workspace::Tensor) };
        assert!(crowd.check(&config).unwrap_err().contains("bytes"));
    }

    #[test]
    fn bits_are_bytes() {
        let config = llama_70b();
        let rates = Rates { weights: 16.0, embedding: 16.0, kv: 16.0 };
        let demand = Demand { rates, ..demand(Workspace::Chunk) };
        let placed = place(&config, &demand, &[1 << 40]);
        assert_eq!(placed[0].weights, 2 * 70_553_706_496);
        assert_eq!(placed[0].kv, 2 * 80 * 2 * 1024 * 131_072);
    }

    #[test]
    fn unequal_devices_take_unequal_shares() {
        let config = llama_70b();
        let placed = place(&config, &demand(Workspace::Chunk), &[24 << 30, 8 << 30, 8 << 30]);
        assert!(fits(&placed));
        assert!(placed[0].layers > 2 * placed[1].layers);
        let firsts: Vec<u64> = placed.iter().map(|device| device.first_layer).collect();
        assert_eq!(firsts, [0, placed[0].layers, placed[0].layers + placed[1].layers]);
    }

    #[test]
    fn what_fits_nowhere_is_still_placed() {
        let placed = place(&llama_70b(), &demand(Workspace::Chunk), &[1 << 20, 1 << 20]);
        assert_eq!(placed.iter().map(|device| device.layers).sum::<u64>(), 80);
        assert!((39..=41).contains(&placed[0].layers), "{}", placed[0].layers);
        assert_eq!(most_context(&llama_70b(), &demand(Workspace::Chunk), &[1 << 20]), 0);
    }
}
