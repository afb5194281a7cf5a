//! From values to planes of samples: the grid that a step and a backend ask for.

use super::side::Numbers;
use super::values::Values;
use crate::affine::Affine;
use crate::grid::{Grid, Spread};
use crate::levels::Levels;
use crate::{Backend, Capabilities, Chain, DType, Quality, Result};

/// How values are to be quantised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Quantiser {
    /// A quantiser step in the tensor's units.
    Step(f64),
    /// The same step, with which values are quantised before the backend: for values that neighbours or repetitions foretell,
    /// which lossless coding finds.
    Levels(f64),
    /// Every value within this bound; the quantiser aims at `share` of it, and what misses the bound is kept exactly.
    Bound { max_abs: f64, share: f64 },
}

impl Quantiser {
    /// The step in the tensor's units, and whether values are quantised with it before the backend, which then codes the
    /// levels losslessly.
    fn step(self, chain: &Chain, dtype: DType, capabilities: &Capabilities) -> (f64, bool) {
        match self {
            Self::Step(step) => (step, !capabilities.lossy),
            Self::Levels(step) => (step, true),
            // A uniform quantiser meets a bound with the widest step there is: twice the bound. Behind a transform
            // nothing meets it by construction, and the codec's own quantiser is the better one.
            Self::Bound { max_abs, share } if chain.is_empty() && capabilities.lossless => {
                let widest = if dtype.is_float() { 2.0 * max_abs } else { 2.0 * max_abs.floor() + 1.0 };
                ((widest * share).min(f64::MAX), true)
            }
            Self::Bound { max_abs, share } => (max_abs * share, !capabilities.lossy),
        }
    }
}

/// What the samples of a chunk stand for, and how the backend is to code them.
pub(super) struct Quantised {
    pub(super) numbers: Numbers,
    pub(super) affine: Option<Affine>,
    pub(super) planes: u32,
    pub(super) depth: u8,
    pub(super) quality: Quality,
}

/// Samples of a step below which the rounding to samples would add more to the error than the backend's own quantiser saves:
/// levels of the step itself take its place.
const LEAST_SAMPLES: f32 = 2.0;
/// The same for encoders that keep to steps loosely, and have errors of their own beside that.
const LEAST_OF_LOOSE: f32 = 3.0;

/// Steps from here on, 2^1019, leave no value.
const COARSEST: f64 = f64::MAX / 32.0;

/// Quantises the values of a chunk: fills `samples`, plane after plane, and appends the transforms' parameters to `side`.
///
/// `None` where the step is so fine that the values' bits are no more, or finer than a codec without a lossless mode has any.
///
/// # Errors
/// As [`Chain::forward`].
pub(super) fn quantise(
    values: &mut Values,
    (dtype, bytes, (rows, cols)): (DType, &[u8], (usize, usize)),
    backend: &dyn Backend,
    chain: &Chain,
    quantiser: Quantiser,
    samples: &mut Vec<u16>,
    side: &mut Vec<u8>,
) -> Result<Option<Quantised>> {
    let capabilities = &backend.info().capabilities;
    let (wanted, here) = quantiser.step(chain, dtype, capabilities);
    values.read(dtype, bytes, wanted);
    let affine = values.affine;
    let step = affine.map_or(wanted, |affine| affine.step(wanted));
    // The coarsest that f64 holds is none too coarse for its largest values: it stands for one beyond.
    let step = if wanted >= COARSEST { f64::INFINITY } else { step };
    // Beyond these a step leaves either every value alone or none, with values of up to 1e18.
    #[expect(clippy::cast_possible_truncation, reason = "within the range of f32")]
    let narrow_step = step.clamp(1e-36, 1e36) as f32;
    chain.forward(&mut values.narrow, rows, cols, narrow_step, side)?;
    let spread = Spread::of(&values.narrow);
    let deepest = capabilities.depths.last().copied().unwrap_or(16);
    samples.clear();
    let grid = if here {
        Grid::at_step(&spread, narrow_step, capabilities.depths)
            .map(|(grid, depth)| (grid, depth, Quality::Lossless))
    } else {
        let has = |step: f32| backend.step_at_most(deepest, step);
        let grid = Grid::for_step(&spread, narrow_step, deepest, has);
        // Neither the samples nor the backend's steps are as fine as this one.
        let least = if capabilities.loose_steps { LEAST_OF_LOOSE } else { LEAST_SAMPLES };
        let least = backend.step_at_most(deepest, f32::MIN_POSITIVE).max(least);
        let coarse = spread.samples(narrow_step, deepest) < least;
        (!coarse).then(|| (grid, deepest, Quality::Step(narrow_step / grid.scale)))
    };
    if let Some((grid, depth, quality)) =
        grid.filter(|(grid, ..)| step >= 1e-36 && grid.scale.is_finite() && grid.offset.is_finite())
    {
        grid.quantise(&values.narrow, depth, samples);
        return Ok(Some(Quantised { numbers: Numbers::Grid(grid), affine, planes: 1, depth, quality }));
    }
    if !capabilities.lossless {
        return Ok(None);
    }
    // Without a transform nothing is rounded to f32 on the way.
    let (affine, step) = if chain.is_empty() { (None, wanted) } else { (affine, step) };
    let wide = if chain.is_empty() {
        let mut wide = Vec::with_capacity(rows * cols);
        dtype.read_f64(bytes, &mut wide);
        values.kept.iter().for_each(|&at| wide[at as usize] = values.centre);
        wide
    } else {
        values.narrow.iter().map(|&value| f64::from(value)).collect()
    };
    let Some(levels) = Levels::of(&wide, step).filter(|levels| usize::from(levels.bits) <= 8 * dtype.size())
    else {
        return Ok(None);
    };
    let quantised = levels.quantise(&wide);
    let planes = levels.planes(deepest);
    for plane in 0..planes {
        levels.split(&quantised, (plane, deepest), samples);
    }
    let numbers = Numbers::Levels(levels);
    Ok(Some(Quantised { numbers, affine, planes, depth: deepest, quality: Quality::Lossless }))
}
