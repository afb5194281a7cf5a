//! One codec with its tools switched on one after the other.

use serde::Serialize;
use telecine::{Backend, Codec, CoreError, Effort, EncodeOptions, GroupSpec, Pick, Quality, Role, Tools};

use super::measure::{Coded, at_error};
use super::{Samples, Stack};
use crate::failure::Result;

/// What is switched on, each with everything before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Stage {
    /// 8-bit samples as they are.
    Raw,
    /// Entropy coding, lossless, with as few other tools as the codec's switches allow.
    Entropy,
    /// Transform and quantisation, in blocks of 16 × 16 predicted by their neighbours' mean alone.
    Transform,
    /// Prediction of a block from its neighbours.
    Prediction,
    /// Blocks of several sizes.
    Partitioning,
    /// Prediction of planes from each other.
    Inter,
}

impl Stage {
    /// All, in order.
    pub(crate) const ALL: [Self; 6] =
        [Self::Raw, Self::Entropy, Self::Transform, Self::Prediction, Self::Partitioning, Self::Inter];

    /// Its name on the page.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "8-bit samples",
            Self::Entropy => "entropy coding",
            Self::Transform => "transform",
            Self::Prediction => "prediction",
            Self::Partitioning => "partitioning",
            Self::Inter => "inter",
        }
    }
}

/// Bits per value, or why there are none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cell {
    /// All bytes counted.
    Bits(f64),
    /// The reason.
    Missing(String),
}

impl Cell {
    /// The bits, where there are any.
    pub(crate) fn bits(&self) -> Option<f64> {
        match self {
            Self::Bits(bits) => Some(*bits),
            Self::Missing(_) => None,
        }
    }
}

/// The stages of one encoder.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EncoderStages {
    /// The encoder's name.
    pub(crate) backend: String,
    /// Its codec's id.
    pub(crate) codec: String,
    /// One cell for each of [`Stage::ALL`], at the run's error but for the first two, which are lossless.
    pub(crate) cells: Vec<Cell>,
}

impl EncoderStages {
    /// The cell with every tool, planes each by themselves.
    pub(crate) fn with_all_tools(&self) -> &Cell {
        &self.cells[Stage::Partitioning as usize]
    }
}

/// Measures every stage of one encoder on a stack's row-wise samples.
///
/// # Errors
/// What coding brings, other than that the encoder lacks a switch or a mode.
pub(crate) fn measure_stages(
    codec: &Codec,
    backend: &dyn Backend,
    stack: &Stack,
    samples: &Samples,
    effort: Effort,
    nmse: f64,
) -> Result<EncoderStages> {
    let info = backend.info();
    let decoder = codec.registry().find(info.codec, Role::Decode, Pick::Auto)?.backend;
    let coder = Coder { backend, decoder: &*decoder, spec: samples.spec, samples: &samples.samples };
    let bits = |bytes: usize| (bytes as u64 * 8 + samples.side_bits()) as f64 / stack.values.len() as f64;
    let options = EncodeOptions::with_effort(effort);
    // Luma alone comes in smaller planes, and lets no tool work on chroma.
    let luma = options.with_monochrome(true);
    let options = if backend.encoder(samples.spec, &luma).is_ok() { luma } else { options };
    let mut cells = vec![Cell::Bits(bits(samples.samples.len()))];
    cells.push(entropy(&coder, options)?.map_or_else(Cell::Missing, |bytes| Cell::Bits(bits(bytes))));
    let none = Tools { prediction: false, partitioning: false };
    for (tools, inter) in
        [(none, false), (Tools { prediction: true, ..none }, false), (Tools::ALL, false), (Tools::ALL, true)]
    {
        let options = options.with_tools(tools).with_inter(inter);
        if inter && !coder.predicts_planes(options)? {
            cells.push(Cell::Missing(format!("{} predicts no plane from another", info.name)));
            continue;
        }
        // A step's error, were it uniform in all rows: where the search begins.
        let first = (12.0 * nmse * stack.mean_square / samples.mean_square_step()).sqrt();
        let code = |step: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "a step")]
            let (packet, decoded) = match coder.code(options, Quality::Step(step as f32))? {
                Ok(coded) => coded,
                Err(reason) => return Ok(Err(reason)),
            };
            Ok(Ok(Coded { bits: bits(packet), nmse: samples.nmse(&decoded, stack) }))
        };
        cells.push(at_error(first, nmse, code)?.map_or_else(Cell::Missing, Cell::Bits));
    }
    Ok(EncoderStages { backend: info.name.into(), codec: info.codec.to_string(), cells })
}

/// Bytes of lossless coding, with as many tools switched off as can be.
fn entropy(coder: &Coder<'_>, options: EncodeOptions) -> Result<std::result::Result<usize, String>> {
    let mut outcome = Err(String::new());
    for (prediction, partitioning) in [(false, false), (true, false), (true, true)] {
        let options = options.with_tools(Tools { prediction, partitioning });
        outcome = coder.code(options, Quality::Lossless)?.map(|(bytes, _)| bytes);
        if outcome.is_ok() {
            break;
        }
    }
    Ok(outcome)
}

/// An encoder with the decoder that checks it, and what they code.
struct Coder<'c> {
    backend: &'c dyn Backend,
    decoder: &'c dyn Backend,
    spec: GroupSpec,
    samples: &'c [u16],
}

/// Bytes of a packet and the samples that come back, or why the encoder does not code so.
type Outcome = std::result::Result<(usize, Vec<u16>), String>;

impl Coder<'_> {
    fn code(&self, options: EncodeOptions, quality: Quality) -> Result<Outcome> {
        let mut packet = Vec::new();
        let encoded = self
            .backend
            .encoder(self.spec, &options)
            .and_then(|mut encoder| encoder.encode(self.samples, quality, &mut packet));
        match encoded {
            Ok(()) => {}
            Err(CoreError::Unsupported(reason)) => return Ok(Err(reason)),
            Err(error) => return Err(error.into()),
        }
        let mut decoded = vec![0; self.samples.len()];
        self.decoder.decoder(self.spec)?.decode(&packet, &mut decoded)?;
        Ok(Ok((packet.len(), decoded)))
    }

    /// Whether the option has any effect: planes that are all alike take fewer bytes with it.
    fn predicts_planes(&self, options: EncodeOptions) -> Result<bool> {
        let plane = self.samples.len() / (self.spec.frames as usize).max(1);
        let alike = self.samples[..plane].repeat(2);
        let mut spec = self.spec;
        spec.frames = 2;
        let coder = Coder { spec, samples: &alike, ..*self };
        let length = |inter: bool| -> Result<usize> {
            let coded = coder.code(options.with_inter(inter), Quality::Step(2.0))?;
            Ok(coded.map_or(usize::MAX, |(bytes, _)| bytes))
        };
        Ok(length(true)? < length(false)?)
    }
}
