//! Peak memory of a run that keeps its weights compressed, against one that has them as f32.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops::log_softmax;
use serde::{Deserialize, Serialize};
use telecine::{Codec, Encoding, Limits, Reader, Target, Writer};

use crate::args::{Keep, MemoryArgs};
use crate::candle::{CompressedEmbedding, CompressedLinear, from_candle, open_vars};
use crate::model::{Linear, Llama, PlainCache, untouched};
use crate::setup::{Setup, WINDOW, read_config, read_tokens};
use crate::{Config, Error, Result};

/// Tokens of one pass.
const STEP: usize = 128;

/// What one run took.
#[derive(Debug, Serialize, Deserialize)]
struct Run {
    keep: Keep,
    /// Largest resident set of the process, in bytes.
    peak: u64,
    /// Of one window of the test text.
    perplexity: f64,
    seconds: f64,
}

pub(super) fn run(args: &MemoryArgs) -> Result<()> {
    if let Some(keep) = args.keep {
        return print_json(&child(&args.cache, keep)?);
    }
    pack(&args.cache, args.bits)?;
    let runs = [Keep::F32, Keep::Compressed].map(|keep| in_a_process(&args.cache, keep));
    let [f32, compressed] = runs;
    let (f32, compressed) = (f32?, compressed?);
    if args.json {
        return print_json(&[f32, compressed]);
    }
    #[expect(clippy::cast_precision_loss, reason = "sizes for people")]
    for run in [&f32, &compressed] {
        println!(
            "{:<12} peak {:>7.1} MB, perplexity {:.3}, {:.1} s",
            run.keep.name(),
            run.peak as f64 / 1e6,
            run.perplexity,
            run.seconds
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    let ratio = compressed.peak as f64 / f32.peak as f64;
    println!("{:.2} of the peak at {} bits per value", ratio, args.bits);
    Ok(())
}

fn print_json(value: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(value).map_err(|error| Error::input(error.to_string()))?);
    Ok(())
}

/// Packs the whole reference model.
fn pack(cache: &Path, bits: f64) -> Result<()> {
    let setup = Setup::open(cache, &[0])?;
    let codec = Codec::new();
    let mut names: Vec<&String> = setup.weights.keys().collect();
    names.sort();
    let mut writer = Writer::create(&packed(cache), true, codec.registry())?;
    for name in names {
        let tensor = from_candle(&setup.weights[name])?;
        writer.add(name, &tensor.view()?, &Encoding::new(Target::Bits(bits)))?;
    }
    writer.finish()?;
    Ok(())
}

fn packed(cache: &Path) -> std::path::PathBuf {
    cache.join("smollm2").join("packed.arrow")
}

/// Memory that another run took does not count: each has a process of its own.
fn in_a_process(cache: &Path, keep: Keep) -> Result<Run> {
    let about = |error| Error::io(Path::new("telecine-eval"), error);
    let program = std::env::current_exe().map_err(about)?;
    let output = Command::new(program)
        .args(["memory", "--keep", keep.name(), "--cache"])
        .arg(cache)
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(about)?;
    if !output.status.success() {
        return Err(Error::call(format!("the run that keeps {} ended with {}", keep.name(), output.status)));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::input(format!("what the run said: {error}")))
}

fn child(cache: &Path, keep: Keep) -> Result<Run> {
    let start = std::time::Instant::now();
    let folder = cache.join("smollm2");
    let config = read_config(&folder)?;
    let [tokens, _] = read_tokens(&folder)?;
    let codec = Arc::new(Codec::new());
    let model = load(&config, &packed(cache), keep, &codec)?;
    let tokens = &tokens[..WINDOW];
    let mut kept = PlainCache::default();
    let mut sum = 0.0;
    for (index, part) in tokens.chunks(STEP).enumerate() {
        let logits = model.forward(part, index * STEP, Some(&mut kept), &mut untouched)?;
        let next = &tokens[index * STEP + 1..(index * STEP + 1 + part.len()).min(tokens.len())];
        let logits = log_softmax(&logits.narrow(0, 0, next.len())?, D::Minus1)?;
        let next = Tensor::new(next, &Device::Cpu)?.unsqueeze(1)?;
        sum -= f64::from(logits.gather(&next, 1)?.sum_all()?.to_scalar::<f32>()?);
    }
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    let perplexity = (sum / (tokens.len() - 1) as f64).exp();
    Ok(Run { keep, peak: peak()?, perplexity, seconds: start.elapsed().as_secs_f64() })
}

fn load(config: &Config, path: &Path, keep: Keep, codec: &Arc<Codec>) -> Result<Llama> {
    let limits = Limits::default();
    let vars = open_vars(path, codec.registry(), &limits, DType::F32, &Device::Cpu)?;
    if keep == Keep::F32 {
        return Llama::load(config, &vars);
    }
    let reader = Reader::open(path, codec.registry(), &limits)?;
    let encoded = |name: &str| -> Result<Arc<telecine::Encoded>> { Ok(Arc::new(reader.encoded(name)?)) };
    let embedding = CompressedEmbedding::new(codec.clone(), encoded("model.embed_tokens.weight")?)?;
    let linear = |name: &str, rows: usize, cols: usize| -> Result<Linear> {
        let weight = encoded(name)?;
        if weight.meta.shape != [rows as u64, cols as u64] {
            return Err(Error::input(format!(
                "{name} has shape {:?}, not {rows} × {cols}",
                weight.meta.shape
            )));
        }
        Ok(Arc::new(CompressedLinear::new(codec.clone(), weight)?))
    };
    Llama::load_with(config, &vars, Arc::new(embedding), &linear)
}

/// The largest resident set of this process so far, in bytes.
fn peak() -> Result<u64> {
    let path = Path::new("/proc/self/status");
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let peak = line.and_then(|number| number.trim().parse::<u64>().ok());
    peak.map(|kilobytes| 1024 * kilobytes).ok_or_else(|| Error::input("/proc/self/status has no VmHWM"))
}
