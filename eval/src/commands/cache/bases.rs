//! Bases of keys and values, and how far bits should differ among them, from text that is not the test text.

use candle_core::Tensor;
use telecine::{Codec, Encoding};

use crate::Result;
use crate::candle::from_candle;
use crate::candle::kv_cache::{FIRST, Half};
use crate::klt::Spectrum;
use crate::model::{Cache, PlainCache, untouched};
use crate::setup::{Setup, WINDOW};

/// Windows of the validation text that are looked at.
const WINDOWS: usize = 2;
/// One of so many blocks is coded to measure errors.
const PILOT: usize = 8;

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

/// What text leaves in the cache, by layer: rows of keys and of values.
pub(super) struct Calibration(pub(super) Vec<[Tensor; 2]>);

impl Calibration {
    /// From the validation text.
    pub(super) fn new(setup: &Setup, before_rope: bool) -> Result<Self> {
        Self::of(setup, setup.calibration_text(WINDOWS)?, before_rope)
    }

    /// From any text, a window at a time; the first tokens of each are left out.
    pub(super) fn of(setup: &Setup, tokens: &[u32], before_rope: bool) -> Result<Self> {
        let mut rows: Vec<[Vec<Tensor>; 2]> = Vec::new();
        for window in tokens.chunks(WINDOW) {
            let mut recorder = Recorder { before_rope, ..Recorder::default() };
            setup.model.forward(window, 0, Some(&mut recorder), &mut untouched)?;
            rows.resize_with(recorder.rows.len(), Default::default);
            for (all, new) in rows.iter_mut().zip(recorder.rows) {
                all.iter_mut().zip(new).for_each(|(all, new)| all.extend(new));
            }
        }
        let both = |[keys, values]: &[Vec<Tensor>; 2]| -> Result<[Tensor; 2]> {
            Ok([Tensor::cat(keys, 0)?, Tensor::cat(values, 0)?])
        };
        Ok(Self(rows.iter().map(both).collect::<Result<_>>()?))
    }

    /// By layer: where the variance of keys and of values lies.
    pub(super) fn spectra(&self) -> Result<Vec<[Spectrum; 2]>> {
        self.0.iter().map(|[keys, values]| Ok([Spectrum::of(keys)?, Spectrum::of(values)?])).collect()
    }

    /// Bits that each should get more or less than the mean for the least cost, where an error costs so much: at the
    /// rate of `encodings` the errors of the calibration's blocks are measured, and every further bit quarters them.
    pub(super) fn offsets(
        &self,
        codec: &Codec,
        encodings: &[[Encoding; 2]],
        block: usize,
        costs: &dyn Fn(usize, Half) -> f64,
    ) -> Result<Vec<[f64; 2]>> {
        let mut offsets = Vec::new();
        for (layer, (tensors, encodings)) in self.0.iter().zip(encodings).enumerate() {
            let mut pair = [0.0; 2];
            for (half, place) in [Half::Keys, Half::Values].into_iter().zip(&mut pair) {
                let rows = &tensors[half as usize];
                let (mut error, mut count) = (0.0, 0.0);
                for start in (0..rows.dim(0)?.saturating_sub(block)).step_by(PILOT * block) {
                    let rows = from_candle(&rows.narrow(0, start, block)?)?;
                    let report = codec.encode(&rows.view()?, &encodings[half as usize])?.report;
                    // What it would be at exactly 0 bits.
                    error += report.nmse.max(1e-12) * 4f64.powf(report.bits());
                    count += 1.0;
                }
                *place = 0.5 * (costs(layer, half) * error / f64::max(count, 1.0)).log2();
            }
            offsets.push(pair);
        }
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let mean = offsets.iter().flatten().sum::<f64>() / (2 * offsets.len()) as f64;
        offsets.iter_mut().flatten().for_each(|offset| *offset -= mean);
        Ok(offsets)
    }
}
