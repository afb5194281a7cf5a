//! The reference model, the tokens and what the reference makes of them, made from the packages when they are missing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use crate::model::{Cache, Llama, untouched};
use crate::quality::{Quality, Reference, ReferenceWriter, Score};
use crate::source::{TEST_TEXT_TOKENS, Weight, Weights, read_gguf, read_text, rotate, tokenizer};
use crate::{Config, Error, Result};

/// Tokens of a window.
pub const WINDOW: usize = 2048;
/// The windows of the test text that are scored unless others are asked for.
pub const WINDOWS: [usize; 4] = [10, 40, 80, 120];

/// Everything that the tables start from.
pub struct Setup {
    /// Where it lies.
    pub folder: PathBuf,
    /// Sizes of the model.
    pub config: Config,
    /// The reference model's weights by name.
    pub weights: HashMap<String, Tensor>,
    /// The reference model.
    pub model: Llama,
    /// Tokens of the test text.
    pub test: Vec<u32>,
    /// Tokens of the validation text, for calibration only.
    pub validation: Vec<u32>,
    /// The windows to score.
    pub windows: Vec<usize>,
    reference: Option<Reference>,
}

/// Says what takes long, on stderr.
fn say(text: &str) {
    eprintln!("telecine-eval: {text}");
}

fn tensor_file(weights: &Weights) -> Result<HashMap<String, Tensor>> {
    let tensor = |weight: &Weight| -> Result<Tensor> {
        let shape = if weight.rows == 1 { vec![weight.cols] } else { vec![weight.rows, weight.cols] };
        Ok(Tensor::from_vec(weight.values.clone(), shape, &Device::Cpu)?)
    };
    weights.tensors.iter().map(|(name, weight)| Ok((name.clone(), tensor(weight)?))).collect()
}

fn model(config: &Config, weights: &HashMap<String, Tensor>) -> Result<Llama> {
    Llama::load(config, &VarBuilder::from_tensors(weights.clone(), DType::F32, &Device::Cpu))
}

/// How far the rotated model's logits may be from the original's, relative to their root mean square.
const ROTATION_TOLERANCE: f64 = 1e-4;

/// Makes the reference model and the tokens out of the packages' files in `cache`.
fn prepare(cache: &Path, folder: &Path) -> Result<()> {
    let gguf = cache.join("smollm2-135m-instruct.q4_1.gguf");
    if !gguf.exists() {
        return Err(Error::call(format!("{} is missing: run scripts/fetch-smollm2", gguf.display())));
    }
    say("making the reference model (once)");
    let (mut weights, content) = read_gguf(&gguf)?;
    let tokenizer = tokenizer(&content)?;
    let encode = |name: &str| -> Result<(String, Vec<u32>)> {
        let text = read_text(&cache.join(name))?;
        let encoding = tokenizer.encode_fast(text.as_str(), false);
        let ids = encoding.map_err(|error| Error::input(format!("{name}: {error}")))?.get_ids().to_vec();
        Ok((text, ids))
    };
    let (text, test) = encode("wikitext-2-test.parquet")?;
    let back =
        tokenizer.decode(&test, false).map_err(|error| Error::input(format!("the tokenizer: {error}")))?;
    if back != text || test.len() != TEST_TEXT_TOKENS {
        return Err(Error::input(format!(
            "the tokenizer makes {} tokens of the test text, not {TEST_TEXT_TOKENS}, or they do not give it back",
            test.len()
        )));
    }
    let (_, validation) = encode("wikitext-2-validation.parquet")?;

    let sample = &test[..256];
    let original =
        model(&weights.config, &tensor_file(&weights)?)?.forward(sample, 0, None, &mut untouched)?;
    rotate(&mut weights);
    let tensors = tensor_file(&weights)?;
    let turned = model(&weights.config, &tensors)?.forward(sample, 0, None, &mut untouched)?;
    let energy =
        |tensor: &Tensor| -> Result<f64> { Ok(f64::from(tensor.sqr()?.mean_all()?.to_scalar::<f32>()?)) };
    let error = (energy(&(&turned - &original)?)? / energy(&original)?).sqrt();
    if error.is_nan() || error > ROTATION_TOLERANCE {
        return Err(Error::input(format!("the rotated model's logits are off by {error:.1e} of their size")));
    }
    say(&format!("the rotated model gives the original's logits to {error:.1e} of their size"));

    let scratch = folder.with_extension("part");
    std::fs::create_dir_all(&scratch).map_err(|error| Error::io(&scratch, error))?;
    candle_core::safetensors::save(&tensors, scratch.join("model.safetensors"))?;
    let tokens = [("test", &test), ("validation", &validation)];
    let tokens = tokens.map(|(name, ids)| Ok((name, Tensor::new(ids.as_slice(), &Device::Cpu)?)));
    let tokens = tokens.into_iter().collect::<Result<HashMap<_, _>>>()?;
    candle_core::safetensors::save(&tokens, scratch.join("tokens.safetensors"))?;
    let path = scratch.join("config.json");
    std::fs::write(&path, hugging_face_config(&weights.config)?).map_err(|error| Error::io(&path, error))?;
    std::fs::rename(&scratch, folder).map_err(|error| Error::io(folder, error))
}

/// What `transformers` needs to load the same folder.
fn hugging_face_config(config: &Config) -> Result<String> {
    let about = |error: serde_json::Error| Error::input(format!("config.json: {error}"));
    let mut json = serde_json::to_value(config).map_err(about)?;
    json["architectures"] = serde_json::json!(["LlamaForCausalLM"]);
    json["model_type"] = "llama".into();
    json["hidden_act"] = "silu".into();
    json["tie_word_embeddings"] = false.into();
    json["torch_dtype"] = "float32".into();
    serde_json::to_string_pretty(&json).map_err(about)
}

/// The sizes of the reference model in `folder`.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] for sizes that are none or do not fit.
pub fn read_config(folder: &Path) -> Result<Config> {
    let path = folder.join("config.json");
    let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
    let config: Config =
        serde_json::from_str(&text).map_err(|error| Error::input(format!("{}: {error}", path.display())))?;
    config.check()?;
    Ok(config)
}

/// The tokens in `folder`, of the test text and of the validation text.
///
/// # Errors
/// [`Error::Runtime`]; [`Error::Input`] where one is missing.
pub fn read_tokens(folder: &Path) -> Result<[Vec<u32>; 2]> {
    let tokens = candle_core::safetensors::load(folder.join("tokens.safetensors"), &Device::Cpu)?;
    let ids = |name: &str| -> Result<Vec<u32>> {
        let tensor =
            tokens.get(name).ok_or_else(|| Error::input(format!("tokens.safetensors has no {name}")))?;
        Ok(tensor.to_vec1()?)
    };
    Ok([ids("test")?, ids("validation")?])
}

impl Setup {
    /// Opens the reference in `cache`, making it when it is missing.
    ///
    /// # Errors
    /// [`Error::Call`] for windows that the text does not have, or when the packages were not fetched; what reading,
    /// checking and writing them brings.
    pub fn open(cache: &Path, windows: &[usize]) -> Result<Self> {
        let folder = cache.join("smollm2");
        if !folder.exists() {
            prepare(cache, &folder)?;
        }
        let config = read_config(&folder)?;
        let weights = candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu)?;
        let [test, validation] = read_tokens(&folder)?;
        let most = test.len() / WINDOW;
        if let Some(window) = windows.iter().find(|&&window| window >= most) {
            return Err(Error::call(format!("window {window}: the test text has windows 0 to {}", most - 1)));
        }
        let model = model(&config, &weights)?;
        Ok(Self {
            folder,
            config,
            weights,
            model,
            test,
            validation,
            windows: windows.to_vec(),
            reference: None,
        })
    }

    /// Tokens of a window of the test text.
    pub fn window(&self, window: usize) -> &[u32] {
        &self.test[window * WINDOW..][..WINDOW]
    }

    /// What the reference makes of the windows; computed when it is missing.
    fn reference(&mut self) -> Result<&Reference> {
        if self.reference.is_none() {
            let names: Vec<String> = self.windows.iter().map(ToString::to_string).collect();
            let path = self.folder.join(format!("reference-{}.logp", names.join("-")));
            let rows = self.windows.len() * (WINDOW - 1);
            if !path.exists() {
                say(&format!("the reference on {} windows (once)", names.len()));
                let mut writer = ReferenceWriter::create(&path, rows, self.config.vocab_size)?;
                for &window in &self.windows {
                    writer.window(&self.model.forward(self.window(window), 0, None, &mut untouched)?)?;
                }
                writer.finish()?;
            }
            self.reference = Some(Reference::open(&path, rows, self.config.vocab_size)?);
        }
        self.reference.as_ref().ok_or_else(|| Error::call("no reference"))
    }

    /// What a model makes of the windows.
    ///
    /// # Errors
    /// As [`Llama::forward`].
    pub fn quality(&mut self, model: &Llama) -> Result<Quality> {
        self.quality_with(&mut |tokens| model.forward(tokens, 0, None, &mut untouched))
    }

    /// What a model makes of the windows when it takes them in steps of `step` tokens through a cache, which `renew`
    /// empties.
    ///
    /// # Errors
    /// As [`Llama::forward`].
    pub fn quality_through<C: Cache>(
        &mut self,
        model: &Llama,
        step: usize,
        cache: &mut C,
        renew: &mut dyn FnMut(&mut C),
    ) -> Result<Quality> {
        self.quality_with(&mut |tokens| {
            renew(cache);
            let mut logits = Vec::new();
            for (index, part) in tokens.chunks(step).enumerate() {
                logits.push(model.forward(part, index * step, Some(cache), &mut untouched)?);
            }
            Ok(Tensor::cat(&logits, 0)?)
        })
    }

    /// Scores the logits that `forward` gives for each window.
    ///
    /// # Errors
    /// What `forward` returns.
    pub fn quality_with(&mut self, forward: &mut dyn FnMut(&[u32]) -> Result<Tensor>) -> Result<Quality> {
        self.reference()?;
        let mut score = Score::default();
        for (index, &window) in self.windows.iter().enumerate() {
            let tokens = self.window(window);
            let logits = forward(tokens)?;
            let reference = self.reference.as_ref().ok_or_else(|| Error::call("no reference"))?;
            score.window(&logits, tokens, reference, index * (WINDOW - 1))?;
        }
        Ok(score.quality())
    }
}

/// Seconds since `start`, for tables.
pub fn seconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}
