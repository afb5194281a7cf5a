//! The KV cache: what the model does when it looks back at compressed keys and values.

use std::sync::Arc;

use telecine::{Basis, Codec, Effort, Encoding, Target, TensorBuf};

use self::bases::Calibration;
use self::coder::Coder;
use crate::args::TableArgs;
use crate::candle::CompressedCache;
use crate::candle::kv_cache::{BlockCoder, FIRST, Half, LAST};
use crate::klt::{Spectrum, set_chain, stored_bits};
use crate::rows::{Coded, Rows};
use crate::setup::{Setup, seconds};
use crate::{Config, Error, Result};

mod bases;
mod coder;
mod rivals;
pub(super) mod states;

/// Total bits per value of the table, at [`TOKENS`] tokens.
const BITS: [f64; 5] = [1.0, 1.5, 2.0, 2.9, 4.0];
/// Where the ways that answer a question beside it are measured: the rates of the two floors.
const FLOORS: [f64; 2] = [2.0, 2.9];
/// Tokens at which bases and exactly kept tokens are shared out.
const TOKENS: usize = 32_768;
/// The least bits per value of keys or values, where bits are spread.
const LEAST: f64 = 0.25;
/// Tokens of one pass; what came before is compressed.
const STEP: usize = 128;

/// One way to code the cache.
struct Way {
    series: &'static str,
    before_rope: bool,
    chain: Option<&'static str>,
    klt: bool,
    /// Bits go where sensitivities and measured errors say, instead of the same to all.
    spread: bool,
    block: usize,
    effort: Effort,
    bits: &'static [f64],
}

const WAYS: [Way; 11] = [
    Way::after("none, after RoPE", Some("none")),
    Way::after("hadamard, after RoPE", Some("hadamard(64)")),
    Way { bits: &FLOORS, ..Way::after("centre, after RoPE", Some("centre")) },
    Way::after("centre + dct, after RoPE", Some("centre+dct(32)")),
    Way::after("auto, after RoPE", None),
    Way { klt: true, bits: &FLOORS, ..Way::after("centre + KLT, after RoPE", Some("centre")) },
    Way { klt: true, before_rope: true, ..Way::after("centre + KLT, before RoPE", Some("centre")) },
    Way {
        klt: true,
        before_rope: true,
        block: 512,
        bits: &FLOORS,
        ..Way::after("centre + KLT, before RoPE, blocks of 512", Some("centre"))
    },
    Way {
        klt: true,
        before_rope: true,
        effort: Effort::Best,
        bits: &FLOORS,
        ..Way::after("centre + KLT, before RoPE, best effort", Some("centre"))
    },
    Way {
        klt: true,
        before_rope: true,
        spread: true,
        ..Way::after("centre + KLT, before RoPE, spread", Some("centre"))
    },
    Way { spread: true, bits: &FLOORS, ..Way::after("auto, after RoPE, spread", None) },
];

impl Way {
    const fn after(series: &'static str, chain: Option<&'static str>) -> Self {
        Self {
            series,
            before_rope: false,
            chain,
            klt: false,
            spread: false,
            block: 128,
            effort: Effort::Balanced,
            bits: &BITS,
        }
    }
}

pub(super) fn run(args: &TableArgs) -> Result<()> {
    let windows = args.common.windows()?;
    let mut rows = Rows::open("cache", &windows, args.common.json.as_deref(), args.only.as_deref())?;
    let mut setup = Setup::open(&args.common.cache, &windows)?;
    telecine_rows(&mut setup, &mut rows)?;
    rivals::rows(&mut setup, &mut rows)
}

fn telecine_rows(setup: &mut Setup, rows: &mut Rows) -> Result<()> {
    let codec = Codec::new();
    let mut known: [Option<Known>; 2] = [None, None];
    for way in &WAYS {
        for &bits in way.bits {
            let setting = format!("{bits} bits");
            if !rows.wants(way.series, &setting) {
                continue;
            }
            let kept = &mut known[usize::from(way.before_rope)];
            if kept.is_none() && (way.klt || way.spread) {
                let calibration = Calibration::new(setup, way.before_rope)?;
                *kept = Some(Known { spectra: calibration.spectra()?, calibration });
            }
            let bases = kept.as_ref().filter(|_| way.klt).map(|known| known.bases(bits)).transpose()?;
            let bases = bases.as_ref();
            let all = bases.into_iter().flatten().flatten();
            let bits_once = all.map(|basis| stored_bits(&codec, basis)).sum::<Result<u64>>()?;
            let mut encodings = way.encodings(setup, bases, within_blocks(bits, bits_once, &setup.config))?;
            if let Some(known) = kept.as_ref().filter(|_| way.spread) {
                let costs = setup.kept_cache_sensitivities()?;
                let cost = |layer: usize, half: Half| costs[layer][half as usize];
                let offsets = known.calibration.offsets(&codec, &encodings, way.block, &cost)?;
                spread(&mut encodings, &offsets);
            }
            let code = |layer: usize, half: Half, block: &TensorBuf| -> Result<(TensorBuf, u64)> {
                let encoded = codec.encode(&block.view()?, &encodings[layer][half as usize])?;
                Ok((codec.decode(&encoded)?, 8 * encoded.report.bytes))
            };
            let coder = Coder::new(&code, way.before_rope, bits_once);
            measure(setup, rows, way.series, &setting, way.block, coder)?;
        }
    }
    Ok(())
}

/// Adds offsets to targets; what would fall below the least rate takes from the others.
fn spread(encodings: &mut [[Encoding; 2]], offsets: &[[f64; 2]]) {
    let bits = |encoding: &Encoding| if let Target::Bits(bits) = encoding.target { bits } else { 0.0 };
    let all: Vec<f64> = encodings.iter().flatten().map(bits).collect();
    let offsets: Vec<f64> = offsets.iter().flatten().copied().collect();
    let sum = |shift: f64| -> f64 {
        all.iter().zip(&offsets).map(|(bits, offset)| (bits + offset + shift).max(LEAST)).sum()
    };
    let total: f64 = all.iter().sum();
    let (mut low, mut high) = (-32.0, 0.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if sum(middle) > total { high = middle } else { low = middle }
    }
    let places = encodings.iter_mut().flatten().zip(all.iter().zip(&offsets));
    places.for_each(|(encoding, (bits, offset))| {
        encoding.target = Target::Bits((bits + offset + low).max(LEAST));
    });
}

/// The calibration and what follows from it.
struct Known {
    calibration: Calibration,
    spectra: Vec<[Spectrum; 2]>,
}

impl Known {
    /// By layer: the bases of keys and values for so many bits per value.
    fn bases(&self, bits: f64) -> Result<Vec<[Arc<Basis>; 2]>> {
        let basis = |spectrum: &Spectrum| spectrum.basis(spectrum.noise_at_bits(bits));
        self.spectra.iter().map(|[keys, values]| Ok([basis(keys)?, basis(values)?])).collect()
    }
}

impl Way {
    /// By layer: how blocks of keys and values are coded, at so many bits.
    fn encodings(
        &self,
        setup: &Setup,
        bases: Option<&Vec<[Arc<Basis>; 2]>>,
        bits: f64,
    ) -> Result<Vec<[Encoding; 2]>> {
        let encoding = |basis: Option<&Arc<Basis>>| -> Result<Encoding> {
            let mut encoding = Encoding::new(Target::Bits(bits));
            (encoding.effort, encoding.keep_small) = (self.effort, false);
            if let Some(chain) = self.chain {
                set_chain(&mut encoding, chain, basis)?;
            }
            Ok(encoding)
        };
        let layers = 0..setup.config.num_hidden_layers;
        let halves = layers.map(|layer| {
            let of = |half: usize| encoding(bases.map(|bases| &bases[layer][half]));
            Ok([of(0)?, of(1)?])
        });
        halves.collect()
    }
}

/// Share of the tokens that are kept as bf16.
#[expect(clippy::cast_precision_loss, reason = "a ratio")]
const EXACT: f64 = (FIRST + LAST) as f64 / TOKENS as f64;

/// Values of the whole cache.
#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn values(config: &Config) -> f64 {
    (2 * config.num_hidden_layers * TOKENS * config.kv_width()) as f64
}

/// What is left for blocks beside the bases and the tokens that are kept as bf16.
#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn within_blocks(bits: f64, bits_once: u64, config: &Config) -> f64 {
    (bits - bits_once as f64 / values(config) - 16.0 * EXACT) / (1.0 - EXACT)
}

/// Scores the model on a cache that codes in this way.
#[expect(clippy::cast_precision_loss, reason = "ratios")]
fn measure(
    setup: &mut Setup,
    rows: &mut Rows,
    series: &str,
    setting: &str,
    block: usize,
    coder: Coder<'_>,
) -> Result<()> {
    let (layers, values) = (setup.config.num_hidden_layers, values(&setup.config));
    let mut coder = Some(coder);
    rows.measure(series, setting, &mut || {
        let start = std::time::Instant::now();
        let coder = coder.take().ok_or_else(|| Error::call("a row is measured once"))?;
        let mut cache = CompressedCache::new(coder, Arc::new(Codec::new()), layers, block)?;
        let (mut coded_bits, mut coded_values) = (0, 0);
        let model = setup.model.clone();
        let mut renew = |cache: &mut CompressedCache<Coder<'_>>| {
            let bytes = cache.bytes();
            coded_bits += bytes.compressed_bits;
            coded_values += bytes.compressed_values;
            cache.reset();
        };
        let quality = setup.quality_through(&model, STEP, &mut cache, &mut renew)?;
        renew(&mut cache);
        let each = coded_bits as f64 / coded_values as f64;
        let bits = each * (1.0 - EXACT) + 16.0 * EXACT + cache.coder().bits_once() as f64 / values;
        let note = format!("{each:.3} in blocks, the rest at {TOKENS} tokens");
        let coded = Coded { bits, nmse: cache.coder().nmse(), seconds: seconds(start), note };
        Ok((coded, quality))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreading_keeps_the_sum_and_the_least() {
        let encoding = || Encoding::new(Target::Bits(1.0));
        let mut encodings = vec![[encoding(), encoding()], [encoding(), encoding()]];
        spread(&mut encodings, &[[-2.0, 0.5], [0.5, 1.0]]);
        let bits: Vec<f64> = encodings
            .iter()
            .flatten()
            .map(|encoding| if let Target::Bits(bits) = encoding.target { bits } else { f64::NAN })
            .collect();
        assert!((bits.iter().sum::<f64>() - 4.0).abs() < 1e-9, "{bits:?}");
        assert!((bits[0] - LEAST).abs() < 1e-9 && (bits[3] - bits[1] - 0.5).abs() < 1e-9, "{bits:?}");
    }
}
