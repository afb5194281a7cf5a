//! Bits that keys, values and hidden states take at one error, transform by transform.

use candle_core::Tensor;
use telecine::{Codec, CodecId, Effort, Encoding, Role, Target};

use super::TOKENS;
use super::bases::Calibration;
use crate::Result;
use crate::args::Common;
use crate::candle::from_candle;
use crate::candle::kv_cache::{FIRST, Half};
use crate::klt::{Spectrum, set_chain, stored_bits};
use crate::model::untouched;
use crate::setup::Setup;

/// Normalised squared error of the whole tensor.
const NMSE: f64 = 0.02;
/// Tokens left out at the start of the window, sinks among them.
const SKIPPED: usize = 64;
/// Values of a chunk: each tensor is one.
const CHUNK: u64 = 1 << 21;
/// Layers whose keys and values are coded.
const LAYERS: [usize; 2] = [7, 22];
/// The layer behind which the residual stream is coded.
const HIDDEN: usize = 15;

/// Chains, and whether a basis of the first half of the tokens comes behind them.
const CHAINS: [(&str, &str, bool); 7] = [
    ("none", "none", false),
    ("centre", "centre", false),
    ("centre + dct 32", "centre+dct(32)", false),
    ("klt", "none", true),
    ("centre + klt", "centre", true),
    ("centre + dct 8 + klt", "centre+dct(8)", true),
    ("centre + dct 16 + klt", "centre+dct(16)", true),
];

/// Prints a Markdown table: bits per value with the basis shared out over so many tokens, and without it in brackets.
pub(in crate::commands) fn run(common: &Common) -> Result<()> {
    let windows = common.windows()?;
    let setup = Setup::open(&common.cache, &windows)?;
    let codec = Codec::new();
    let x265 = CodecId::parse("hvc1")?;
    let x265 = codec.registry().find(x265, Role::Encode, telecine::Pick::Auto).ok().map(|_| x265);
    let names: Vec<&str> = CHAINS.iter().map(|(name, ..)| *name).collect();
    println!("| state | tokens | x265, best | {} |", names.join(" | "));
    println!("|---|---:|{}", "---:|".repeat(CHAINS.len() + 1));
    for (name, rows) in states(&setup, setup.window(windows.first().copied().unwrap_or(0)))? {
        let (tokens, cols) = rows.dims2()?;
        let tensor = from_candle(&rows)?;
        let bits = |encoding: &Encoding| -> Result<f64> {
            Ok(codec.encode(&tensor.view()?, encoding)?.report.bits())
        };
        let video = match x265 {
            Some(id) => {
                let mut encoding = Encoding::new(Target::Nmse(NMSE));
                (encoding.codec, encoding.effort) = (Some(id), Effort::Best);
                set_chain(&mut encoding, "none", None)?;
                format!("{:.2}", bits(&encoding)?)
            }
            None => "not built".to_owned(),
        };
        let spectrum = Spectrum::of(&rows.narrow(0, 0, tokens / 2)?)?;
        let basis = spectrum.basis(spectrum.noise_at_nmse(NMSE))?;
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let once = stored_bits(&codec, &basis)? as f64 / (TOKENS * cols) as f64;
        let mut cells = Vec::new();
        for (_, chain, klt) in CHAINS {
            let mut encoding = Encoding::new(Target::Nmse(NMSE));
            (encoding.effort, encoding.keep_small) = (Effort::Best, false);
            encoding.chunk_values = CHUNK;
            set_chain(&mut encoding, chain, klt.then_some(&basis))?;
            let bits = bits(&encoding)?;
            cells.push(if klt { format!("{:.2} ({bits:.2})", bits + once) } else { format!("{bits:.2}") });
        }
        println!("| {name} | {tokens} | {video} | {} |", cells.join(" | "));
    }
    Ok(())
}

/// What is coded, `[tokens, channels]`, without the first tokens.
fn states(setup: &Setup, window: &[u32]) -> Result<Vec<(String, Tensor)>> {
    let mut out = Vec::new();
    for (before_rope, what) in [(true, "keys before RoPE"), (false, "keys after RoPE")] {
        let recorded = Calibration::of(setup, window, before_rope)?;
        for layer in LAYERS {
            out.push((format!("{what}, layer {layer}"), recorded.0[layer][Half::Keys as usize].clone()));
            if !before_rope {
                out.push((
                    format!("values, layer {layer}"),
                    recorded.0[layer][Half::Values as usize].clone(),
                ));
            }
        }
    }
    out.sort_by_key(|(name, _)| name.starts_with("values"));
    let behind =
        |rows: &Tensor, first: usize| rows.narrow(0, SKIPPED - first, rows.dim(0)? + first - SKIPPED);
    for (_, rows) in &mut out {
        *rows = behind(rows, FIRST)?;
    }
    let mut hidden = None;
    setup.model.forward(window, 0, None, &mut |layer, stream| {
        if layer == HIDDEN {
            hidden = Some(behind(&stream, 0)?);
        }
        untouched(layer, stream)
    })?;
    out.extend(hidden.map(|rows| (format!("hidden state, layer {HIDDEN}"), rows)));
    Ok(out)
}
