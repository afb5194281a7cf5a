//! The KV cache: what the model does when it looks back at compressed keys and values.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::Tensor;
use telecine::{Basis, Chain, Codec, Effort, Encoding, Target, TensorBuf, TransformChoice};

use crate::Result;
use crate::args::TableArgs;
use crate::candle::CompressedCache;
use crate::candle::kv_cache::{Block, BlockCoder, DecodedOnce, FIRST, Form, Half, LAST};
use crate::klt::{BASIS_BITS, basis};
use crate::model::{Cache, PlainCache, untouched};
use crate::rows::{Coded, Rows};
use crate::setup::{Setup, WINDOW, seconds};

/// Total bits per value of the table, at [`TOKENS`] tokens.
const BITS: [f64; 5] = [1.0, 1.5, 2.0, 2.9, 4.0];
/// Tokens at which bases and exactly kept tokens are shared out.
const TOKENS: usize = 32_768;
/// Tokens of one pass; what came before is compressed.
const STEP: usize = 128;
/// Windows of the validation text that bases are taken from.
const CALIBRATION: usize = 2;

/// One way to code the cache.
struct Way {
    series: &'static str,
    before_rope: bool,
    chain: Option<&'static str>,
    klt: bool,
    block: usize,
    effort: Effort,
}

const WAYS: [Way; 9] = [
    Way::after("none, after RoPE", Some("none")),
    Way::after("hadamard, after RoPE", Some("hadamard(64)")),
    Way::after("centre, after RoPE", Some("centre")),
    Way::after("centre + dct, after RoPE", Some("centre+dct(32)")),
    Way::after("auto, after RoPE", None),
    Way { klt: true, ..Way::after("centre + KLT, after RoPE", Some("centre")) },
    Way { klt: true, before_rope: true, ..Way::after("centre + KLT, before RoPE", Some("centre")) },
    Way {
        klt: true,
        before_rope: true,
        block: 512,
        ..Way::after("centre + KLT, before RoPE, blocks of 512", Some("centre"))
    },
    Way {
        klt: true,
        before_rope: true,
        effort: Effort::Best,
        ..Way::after("centre + KLT, before RoPE, best effort", Some("centre"))
    },
];

impl Way {
    const fn after(series: &'static str, chain: Option<&'static str>) -> Self {
        Self { series, before_rope: false, chain, klt: false, block: 128, effort: Effort::Balanced }
    }
}

/// Codes blocks at a rate of their own, and adds up their errors.
struct Coder {
    codec: Arc<Codec>,
    encodings: Vec<[Encoding; 2]>,
    before_rope: bool,
    bits_once: u64,
    /// Squared errors and squares.
    errors: Mutex<(f64, f64)>,
}

impl BlockCoder for Coder {
    fn code(&self, layer: usize, half: Half, block: &TensorBuf) -> Result<Block> {
        let encoded = self.codec.encode(&block.view()?, &self.encodings[layer][half as usize])?;
        let energy: f64 = block.to_f32().iter().map(|value| f64::from(*value).powi(2)).sum();
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.0 += encoded.report.nmse * energy;
        errors.1 += energy;
        drop(errors);
        Ok(Block { bits: 8 * encoded.report.bytes, form: Form::Encoded(encoded) })
    }

    fn takes_keys_before_rope(&self) -> bool {
        self.before_rope
    }

    fn bits_once(&self) -> u64 {
        self.bits_once
    }
}

/// Keeps what goes into the cache of a window of text.
#[derive(Default)]
struct Recorder {
    before_rope: bool,
    inner: PlainCache,
    /// By layer, rows of tokens with the heads side by side.
    rows: Vec<[Vec<Tensor>; 2]>,
}

impl Cache for Recorder {
    fn takes_keys_before_rope(&self) -> bool {
        self.before_rope
    }

    fn append(&mut self, layer: usize, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)> {
        if self.rows.len() <= layer {
            self.rows.resize_with(layer + 1, Default::default);
        }
        for (half, tensor) in [keys, values].into_iter().enumerate() {
            let (heads, tokens, dim) = tensor.dims3()?;
            let rows = tensor.transpose(0, 1)?.contiguous()?.reshape((tokens, heads * dim))?;
            self.rows[layer][half].push(rows.narrow(0, FIRST, tokens - FIRST)?);
        }
        self.inner.append(layer, keys, values)
    }
}

/// By layer: the bases of keys and values.
fn bases(setup: &Setup, before_rope: bool) -> Result<Vec<[Arc<Basis>; 2]>> {
    let mut rows: Vec<[Vec<Tensor>; 2]> = Vec::new();
    for window in setup.validation.chunks_exact(WINDOW).take(CALIBRATION) {
        let mut recorder = Recorder { before_rope, ..Recorder::default() };
        setup.model.forward(window, 0, Some(&mut recorder), &mut untouched)?;
        rows.resize_with(recorder.rows.len(), Default::default);
        for (all, new) in rows.iter_mut().zip(recorder.rows) {
            all.iter_mut().zip(new).for_each(|(all, new)| all.extend(new));
        }
    }
    let both = |[keys, values]: &[Vec<Tensor>; 2]| -> Result<[Arc<Basis>; 2]> {
        Ok([basis(&Tensor::cat(keys, 0)?)?, basis(&Tensor::cat(values, 0)?)?])
    };
    rows.iter().map(both).collect()
}

#[expect(clippy::cast_precision_loss, reason = "ratios")]
pub(super) fn run(args: &TableArgs) -> Result<()> {
    let windows = args.common.windows()?;
    let mut rows = Rows::open("cache", &windows, args.common.json.as_deref(), args.only.as_deref())?;
    let mut setup = Setup::open(&args.common.cache, &windows)?;
    let codec = Arc::new(Codec::new());
    let layers = setup.config.num_hidden_layers;
    let mut known: [Option<Vec<[Arc<Basis>; 2]>>; 2] = [None, None];
    for way in &WAYS {
        for bits in BITS {
            let setting = format!("{bits} bits");
            if !rows.wants(way.series, &setting) {
                continue;
            }
            let kept = &mut known[usize::from(way.before_rope)];
            if way.klt && kept.is_none() {
                *kept = Some(bases(&setup, way.before_rope)?);
            }
            let bases = kept.as_ref().filter(|_| way.klt);
            let values = (2 * layers * TOKENS * setup.config.kv_width()) as f64;
            let cells = |basis: &Arc<Basis>| (basis.cols() * basis.cols()) as u64;
            let bits_once = BASIS_BITS * bases.into_iter().flatten().flatten().map(cells).sum::<u64>();
            // What is left for blocks beside the bases and the tokens that are kept as bf16.
            let exact = (FIRST + LAST) as f64 / TOKENS as f64;
            let left = (bits - bits_once as f64 / values - 16.0 * exact) / (1.0 - exact);
            let encoding = |basis: Option<&Arc<Basis>>| -> Result<Encoding> {
                let mut encoding = Encoding::new(Target::Bits(left));
                (encoding.effort, encoding.keep_small) = (way.effort, false);
                if let Some(chain) = way.chain {
                    let mut chain = chain.to_owned();
                    if let Some(basis) = basis {
                        chain = format!("{chain}+klt({:016x})", basis.id());
                        encoding.bases = vec![basis.clone()];
                    }
                    let find = |id: u64| basis.filter(|basis| basis.id() == id).cloned();
                    encoding.transform = TransformChoice::Chain(Chain::parse(&chain, &find)?);
                }
                Ok(encoding)
            };
            let encodings: Vec<[Encoding; 2]> = (0..layers)
                .map(|layer| {
                    let of = |half: usize| encoding(bases.map(|bases| &bases[layer][half]));
                    Ok([of(0)?, of(1)?])
                })
                .collect::<Result<_>>()?;
            rows.measure(way.series, &setting, &mut || {
                let start = std::time::Instant::now();
                let coder = Coder {
                    codec: codec.clone(),
                    encodings: encodings.clone(),
                    before_rope: way.before_rope,
                    bits_once,
                    errors: Mutex::new((0.0, 0.0)),
                };
                let once = DecodedOnce { coder, codec: codec.clone() };
                let mut cache = CompressedCache::new(once, codec.clone(), layers, way.block)?;
                let (mut coded_bits, mut coded_values) = (0, 0);
                let model = setup.model.clone();
                let mut renew = |cache: &mut CompressedCache<DecodedOnce<Coder>>| {
                    let bytes = cache.bytes();
                    coded_bits += bytes.compressed_bits;
                    coded_values += bytes.compressed_values;
                    cache.reset();
                };
                let quality = setup.quality_through(&model, STEP, &mut cache, &mut renew)?;
                renew(&mut cache);
                let each = coded_bits as f64 / coded_values as f64;
                let total = each * (1.0 - exact) + 16.0 * exact + bits_once as f64 / values;
                let (error, energy) =
                    *cache.coder().coder.errors.lock().unwrap_or_else(PoisonError::into_inner);
                let note = format!("{each:.3} in blocks, the rest at {TOKENS} tokens");
                let coded = Coded { bits: total, nmse: error / energy, seconds: seconds(start), note };
                Ok((coded, quality))
            })?;
        }
    }
    Ok(())
}
