//! Activations between the stages of a pipeline: the residual stream, compressed where it goes from device to device.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use half::bf16;
use telecine::{Basis, Codec, Encoding, Target, TensorBuf};

use crate::Result;
use crate::args::TableArgs;
use crate::candle::{from_candle, to_candle};
use crate::klt::{Spectrum, set_chain, stored_bits};
use crate::rivals::{Grid, Matrix, Quantised, fp8, on_tokens, rtn};
use crate::rows::{Coded, Rows};
use crate::setup::{Setup, WINDOW, seconds};

/// Total bits per value of the table.
const BITS: [f64; 6] = [2.0, 2.5, 3.0, 3.5, 4.0, 6.0];
/// Stages of the pipeline.
const STAGES: usize = 4;
/// Rows of more than this times the median energy are kept as bf16: attention sinks, wherever they stand.
const SINK: f32 = 25.0;
/// Tokens over which bases are shared out.
const TOKENS: usize = 32_768;

/// What becomes of tokens, `[tokens, hidden_size]`, behind the stage of this index, and their bits.
type Code<'c> = dyn Fn(usize, &TensorBuf) -> Result<(TensorBuf, u64)> + 'c;

/// What one stage hands to the next.
struct Link<'l> {
    code: &'l Code<'l>,
    isolate: bool,
}

/// Bits, values, squared error and squares of what was coded.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    bits: u64,
    values: u64,
    error: f64,
    energy: f64,
}

impl Link<'_> {
    fn pass(&self, stage: usize, stream: &Tensor, tally: &mut Tally) -> Result<Tensor> {
        let (rows, cols) = stream.dims2()?;
        let buffer = from_candle(stream)?;
        let values = buffer.to_f32();
        let energies: Vec<f32> =
            values.chunks_exact(cols).map(|row| row.iter().map(|v| v * v).sum::<f32>()).collect();
        let mut sorted = energies.clone();
        sorted.sort_by(f32::total_cmp);
        let limit = if self.isolate { SINK * sorted[rows / 2] } else { f32::INFINITY };
        let mut rest = Vec::with_capacity(values.len());
        for (row, energy) in values.chunks_exact(cols).zip(&energies) {
            if *energy <= limit {
                rest.extend_from_slice(row);
            }
        }
        let kept = rest.len() / cols;
        let rest = TensorBuf::from_f32(&[kept as u64, cols as u64], &rest)?;
        let (decoded, bits) = (self.code)(stage, &rest)?;
        let decoded = decoded.to_f32();
        let mut decoded = decoded.chunks_exact(cols);
        let mut back = Vec::with_capacity(values.len());
        for (row, energy) in values.chunks_exact(cols).zip(&energies) {
            if *energy <= limit {
                back.extend_from_slice(decoded.next().unwrap_or(row));
            } else {
                back.extend(row.iter().map(|value| bf16::from_f32(*value).to_f32()));
            }
        }
        // One bit for each row says which kind it is.
        let exact = (rows - kept) as u64 * (16 * cols) as u64;
        tally.bits += bits + exact + if self.isolate { rows as u64 } else { 0 };
        tally.values += (rows * cols) as u64;
        for (value, other) in values.iter().zip(&back) {
            tally.error += f64::from(value - other).powi(2);
            tally.energy += f64::from(*value).powi(2);
        }
        to_candle(&TensorBuf::from_f32(&[rows as u64, cols as u64], &back)?, &Device::Cpu)
    }
}

/// The layers behind which a stage ends.
fn ends(layers: usize) -> Vec<usize> {
    (1..STAGES).map(|stage| stage * layers / STAGES - 1).collect()
}

/// By end of a stage: where the variance of what goes over it lies.
fn spectra(setup: &Setup, ends: &[usize]) -> Result<Vec<Spectrum>> {
    let mut seen: Vec<Option<Tensor>> = vec![None; ends.len()];
    let window = setup.validation.chunks_exact(WINDOW).next().unwrap_or(&setup.validation);
    setup.model.forward(window, 0, None, &mut |layer, stream| {
        if let Some(at) = ends.iter().position(|end| *end == layer) {
            // The first token is a sink.
            seen[at] = Some(stream.narrow(0, 1, stream.dim(0)? - 1)?);
        }
        Ok(stream)
    })?;
    seen.iter().flatten().map(Spectrum::of).collect()
}

pub(super) fn run(args: &TableArgs) -> Result<()> {
    let windows = args.common.windows()?;
    let mut rows = Rows::open("activations", &windows, args.common.json.as_deref(), args.only.as_deref())?;
    let mut setup = Setup::open(&args.common.cache, &windows)?;
    telecine_rows(&mut setup, &mut rows)?;
    rivals(&mut setup, &mut rows)
}

#[expect(clippy::cast_precision_loss, reason = "ratios")]
fn telecine_rows(setup: &mut Setup, rows: &mut Rows) -> Result<()> {
    let codec = Codec::new();
    let spectra = spectra(setup, &ends(setup.config.num_hidden_layers))?;
    let values = (spectra.len() * TOKENS * setup.config.hidden_size) as f64;
    let ways = [
        ("none, sinks inside", Some("none"), false, false),
        ("none", Some("none"), true, false),
        ("hadamard", Some("hadamard"), true, false),
        ("auto", None, true, false),
        ("centre + KLT", Some("centre"), true, true),
    ];
    for (series, chain, isolate, klt) in ways {
        for bits in BITS {
            let setting = format!("{bits} bits");
            if !rows.wants(series, &setting) {
                continue;
            }
            let basis = |spectrum: &Spectrum| -> Result<Option<Arc<Basis>>> {
                klt.then(|| spectrum.basis(spectrum.noise_at_bits(bits))).transpose()
            };
            let bases = spectra.iter().map(basis).collect::<Result<Vec<_>>>()?;
            let stored =
                bases.iter().flatten().map(|basis| stored_bits(&codec, basis)).sum::<Result<u64>>()?;
            let once = stored as f64 / values;
            let encoding = |basis: &Option<Arc<Basis>>| -> Result<Encoding> {
                let mut encoding = Encoding::new(Target::Bits(bits - once));
                if let Some(chain) = chain {
                    set_chain(&mut encoding, chain, basis.as_ref())?;
                }
                Ok(encoding)
            };
            let encodings: Vec<Encoding> = bases.iter().map(encoding).collect::<Result<_>>()?;
            let code = |stage: usize, tokens: &TensorBuf| -> Result<(TensorBuf, u64)> {
                let encoded = codec.encode(&tokens.view()?, &encodings[stage])?;
                Ok((codec.decode(&encoded)?, 8 * encoded.report.bytes))
            };
            measure(setup, rows, (series, &setting), &Link { code: &code, isolate }, once)?;
        }
    }
    Ok(())
}

/// Rounding by token and by groups, and 8-bit floats.
fn rivals(setup: &mut Setup, rows: &mut Rows) -> Result<()> {
    type Plain = Box<dyn Fn(&Matrix<'_>) -> Result<Quantised>>;
    let mut ways: Vec<(&str, String, Plain)> = Vec::new();
    for bits in [2, 3, 4, 6] {
        let setting = format!("{bits} bits");
        ways.push(("RTN by token", setting.clone(), Box::new(move |m| rtn(m, &Grid::by_row(bits)))));
        ways.push(("RTN groups of 32", setting, Box::new(move |m| rtn(m, &Grid::new(bits, 32)))));
    }
    ways.push(("fp8 E4M3", "8 bits".to_owned(), Box::new(fp8)));
    for (series, setting, plain) in ways {
        let code = |_: usize, tokens: &TensorBuf| on_tokens(tokens, &plain);
        measure(setup, rows, (series, &setting), &Link { code: &code, isolate: true }, 0.0)?;
    }
    Ok(())
}

/// Scores the model with such links between its stages; `once` are the bits per value of what is sent once.
#[expect(clippy::cast_precision_loss, reason = "ratios")]
fn measure(
    setup: &mut Setup,
    rows: &mut Rows,
    (series, setting): (&str, &str),
    link: &Link<'_>,
    once: f64,
) -> Result<()> {
    let ends = ends(setup.config.num_hidden_layers);
    rows.measure(series, setting, &mut || {
        let start = std::time::Instant::now();
        let mut tally = Tally::default();
        let model = setup.model.clone();
        let quality = setup.quality_with(&mut |tokens| {
            model.forward(tokens, 0, None, &mut |layer, stream| match ends
                .iter()
                .position(|end| *end == layer)
            {
                Some(stage) => link.pass(stage, &stream, &mut tally),
                None => Ok(stream),
            })
        })?;
        let bits = tally.bits as f64 / tally.values as f64 + once;
        let note = if once > 0.0 { format!("the basis at {TOKENS} tokens") } else { String::new() };
        let nmse = tally.error / tally.energy;
        Ok((Coded { bits, nmse, seconds: seconds(start), note }, quality))
    })
}
