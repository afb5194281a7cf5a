//! What stands before the projections: how much each column of a weight is worth, and how columns go together.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Device, Module, Tensor};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use telecine::Importance;

use crate::files::write_whole;
use crate::model::{Linear, untouched, weight_name};
use crate::setup::{Setup, WINDOW};
use crate::{Error, Result};

/// Statistics of the inputs of one or more projections.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// `Σ x xᵀ / tokens`, `[columns, columns]`.
    pub products: Tensor,
    /// Mean of `|x|` by column.
    pub magnitudes: Vec<f32>,
}

impl Inputs {
    /// Mean squares by column: what the errors of a weight's columns count.
    ///
    /// # Errors
    /// What the runtime refuses.
    pub fn squares(&self) -> Result<Vec<f32>> {
        let cols = self.products.dim(0)?;
        let all: Vec<f32> = self.products.flatten_all()?.to_vec1()?;
        Ok((0..cols).map(|at| all[at * (cols + 1)]).collect())
    }
}

#[derive(Debug, Default)]
struct Sums {
    products: Option<Tensor>,
    magnitudes: Option<Tensor>,
    tokens: usize,
}

/// A linear layer that adds up what it is given.
struct Watching {
    inner: Linear,
    sums: Arc<Mutex<Sums>>,
}

impl Module for Watching {
    fn forward(&self, input: &Tensor) -> candle_core::Result<Tensor> {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        let products = input.t()?.contiguous()?.matmul(input)?;
        let magnitudes = input.abs()?.sum(0)?;
        sums.products = Some(match &sums.products {
            Some(before) => (before + products)?,
            None => products,
        });
        sums.magnitudes = Some(match &sums.magnitudes {
            Some(before) => (before + magnitudes)?,
            None => magnitudes,
        });
        sums.tokens += input.dim(0)?;
        drop(sums);
        self.inner.forward(input)
    }
}

/// What sensitivities are measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Text that the model comes up with itself: no data is needed.
    OwnText,
    /// The validation text.
    Text,
}

/// Tokens that sensitivities are measured on.
const TOKENS: usize = 512;

/// The projections whose input the projection of this index shares: the first of those with the same.
const fn source(index: usize) -> usize {
    match index {
        0..=2 => 0,
        4 | 5 => 4,
        other => other,
    }
}

/// What the file holds; made and written when it is missing.
fn kept<T: Serialize + DeserializeOwned>(path: &Path, make: &mut dyn FnMut() -> Result<T>) -> Result<T> {
    let about = |error: serde_json::Error| Error::input(format!("{}: {error}", path.display()));
    if !path.exists() {
        write_whole(path, &serde_json::to_string_pretty(&make()?).map_err(about)?)?;
    }
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    serde_json::from_str(&text).map_err(about)
}

impl Setup {
    /// Statistics of every projection's inputs on some text, a window at a time, by the projection's name.
    ///
    /// # Errors
    /// What the runtime refuses.
    pub fn calibrate(&self, tokens: &[u32]) -> Result<HashMap<String, Arc<Inputs>>> {
        let mut model = self.model.clone();
        let mut watched = Vec::new();
        for layer in &mut model.layers {
            for index in [0, 3, 4, 6] {
                let sums = Arc::new(Mutex::new(Sums::default()));
                let inner = layer.projections[index].clone();
                layer.projections[index] = Arc::new(Watching { inner, sums: sums.clone() });
                watched.push(sums);
            }
        }
        for window in tokens.chunks(WINDOW) {
            model.forward(window, 0, None, &mut untouched)?;
        }
        let mut out = HashMap::new();
        let mut watched = watched.into_iter();
        for layer in 0..self.config.num_hidden_layers {
            let mut inputs: HashMap<usize, Arc<Inputs>> = HashMap::new();
            for (index, sums) in [0, 3, 4, 6].into_iter().zip(&mut watched) {
                let sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
                let (Some(products), Some(magnitudes)) = (&sums.products, &sums.magnitudes) else { continue };
                #[expect(clippy::cast_precision_loss, reason = "a mean")]
                let mean = 1.0 / sums.tokens as f64;
                let magnitudes = (magnitudes * mean)?.to_vec1()?;
                inputs.insert(index, Arc::new(Inputs { products: (products * mean)?, magnitudes }));
            }
            for (index, (part, ..)) in self.config.projections().into_iter().enumerate() {
                if let Some(inputs) = inputs.get(&source(index)) {
                    out.insert(weight_name(layer, part), inputs.clone());
                }
            }
        }
        Ok(out)
    }

    /// Mean squares of the inputs' columns on some text, as importances by the projection's name.
    ///
    /// # Errors
    /// What the runtime refuses.
    pub fn importances_of_text(&self, tokens: &[u32]) -> Result<HashMap<String, Arc<Importance>>> {
        let inputs = self.calibrate(tokens)?;
        inputs
            .iter()
            .map(|(name, inputs)| Ok((name.clone(), Arc::new(Importance::new(&inputs.squares()?)?))))
            .collect()
    }

    /// Text for calibration: not the test text.
    ///
    /// # Errors
    /// [`Error::Call`] where the validation text has fewer windows.
    pub fn calibration_text(&self, windows: usize) -> Result<&[u32]> {
        self.validation
            .get(..windows * WINDOW)
            .ok_or_else(|| Error::call(format!("the validation text has fewer than {windows} windows")))
    }

    /// Text that the model came up with, kept in a file.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Input`] for a file that holds something else; what the runtime refuses.
    pub fn kept_own_text(&self) -> Result<Vec<u32>> {
        kept(&self.folder.join("own-text.json"), &mut || self.own_tokens(TOKENS, 20_261_128))
    }

    /// Windows of text that the model came up with, one after the other, kept in a file: as much as calibration takes of
    /// the validation text.
    ///
    /// # Errors
    /// As [`Setup::kept_own_text`].
    pub fn kept_own_windows(&self, windows: usize) -> Result<Vec<u32>> {
        kept(&self.folder.join(format!("own-text-{windows}.json")), &mut || {
            let seeds = (1..=windows as u64).into_par_iter().map(|window| 20_261_128 + window);
            let each: Vec<_> = seeds.map(|seed| self.own_tokens(WINDOW, seed)).collect::<Result<_>>()?;
            Ok(each.concat())
        })
    }

    /// Sensitivities of the projections, kept in a file: measured on text that the model came up with itself, or on the
    /// validation text.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Input`] for a file that holds something else; what measuring them brings.
    pub fn kept_sensitivities(&self, basis: Basis) -> Result<BTreeMap<String, f64>> {
        let path = self.folder.join(match basis {
            Basis::OwnText => "sensitivity-own.json",
            Basis::Text => "sensitivity-text.json",
        });
        kept(&path, &mut || {
            let own;
            let tokens = match basis {
                Basis::OwnText => {
                    own = self.kept_own_text()?;
                    &own[..]
                }
                Basis::Text => &self.validation[..TOKENS],
            };
            self.sensitivities(tokens, &mut |name, cost| eprintln!("telecine-eval: {name}: {cost:.4}"))
        })
    }

    /// Sensitivities of keys and values by layer, measured on the model's own text and kept in a file.
    ///
    /// # Errors
    /// As [`Setup::kept_sensitivities`].
    pub fn kept_cache_sensitivities(&self) -> Result<Vec<[f64; 2]>> {
        let path = self.folder.join("sensitivity-cache.json");
        kept(&path, &mut || self.cache_sensitivities(&self.kept_own_text()?))
    }

    /// Importances that follow from the weights alone, were the inputs of a layer white noise: those of the columns of
    /// down- and output projections, by the projection's name. The columns of the others are then all alike.
    ///
    /// # Errors
    /// What the runtime refuses.
    pub fn importances_of_weights(&self) -> Result<HashMap<String, Arc<Importance>>> {
        let (hidden, dim) = (self.config.hidden_size, self.config.head_dim());
        let mut rng = SmallRng::seed_from_u64(20_261_127);
        let noise: Vec<f32> = (0..WINDOW * hidden).map(|_| StandardNormal.sample(&mut rng)).collect();
        let noise = Tensor::from_vec(noise, (WINDOW, hidden), &Device::Cpu)?;
        let mut out = HashMap::new();
        for layer in 0..self.config.num_hidden_layers {
            let through = |part: &str| -> Result<Tensor> {
                Ok(noise.matmul(&self.weights[&weight_name(layer, part)].t()?.contiguous()?)?)
            };
            let inner = (through("mlp.gate_proj")?.silu()? * through("mlp.up_proj")?)?;
            let squares: Vec<f32> = inner.sqr()?.mean(0)?.to_vec1()?;
            out.insert(weight_name(layer, "mlp.down_proj"), Arc::new(Importance::new(&squares)?));
            // A head of queries sees the values of its group's head.
            let values: Vec<f32> = through("self_attn.v_proj")?.sqr()?.mean(0)?.to_vec1()?;
            let group = hidden / values.len();
            let squares: Vec<f32> = (0..hidden).map(|at| values[at / dim / group * dim + at % dim]).collect();
            out.insert(weight_name(layer, "self_attn.o_proj"), Arc::new(Importance::new(&squares)?));
        }
        Ok(out)
    }
}
