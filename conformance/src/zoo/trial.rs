//! A specimen's way through the pipeline, target by target.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use telecine_core::{
    Capabilities, CodecId, DType, Encoding, Error, Limits, MatrixShape, Pick, Registry, Role, SideEffects,
    Target, TensorMeta, TensorReport, decode_rows, encode,
};

use super::Specimen;
use super::measure::{Measured, count, finite_range, mask_bits, side_effects, size};

/// A promise that was found broken.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The id of the promise.
    pub promise: &'static str,
    /// The specimen's name.
    pub specimen: &'static str,
    /// Its dtype.
    pub dtype: DType,
    /// The target at which it was found.
    pub target: Target,
    /// A sentence that says what was wrong.
    pub message: String,
    /// Bits per value of what came out, where something did.
    pub bits: Option<f64>,
    /// Its normalised mean squared error.
    pub nmse: Option<f64>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { specimen, dtype, message, .. } = self;
        write!(f, "{specimen}, {dtype}, ")?;
        match self.target {
            Target::Nmse(value) => write!(f, "nmse={value:.3e}")?,
            Target::MaxAbs(value) => write!(f, "max-abs={value:.3e}")?,
            Target::Step(value) => write!(f, "step={value:.3e}")?,
            target => write!(f, "{target}")?,
        }
        write!(f, ": {message}")?;
        match (self.bits, self.nmse) {
            (Some(bits), Some(nmse)) => write!(f, " [{bits:.4} bits, nmse {nmse:.3e}]"),
            _ => Ok(()),
        }
    }
}

/// A specimen with the setting to code it by; remembers what it was coded to, so that promises share the work.
#[derive(Debug)]
pub struct Trial<'t> {
    pub(crate) specimen: &'t Specimen,
    pub(crate) values: Vec<f64>,
    targets: Vec<Target>,
    registry: &'t Registry,
    encoding: Encoding,
    done: HashMap<String, Outcome>,
    cases: u64,
    violations: Vec<Violation>,
    promise: &'static str,
}

/// The result of coding a specimen to one target.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// It came back.
    Coded(Arc<Passed>),
    /// The target was refused, as it may be where it is out of reach.
    Refused(String),
    /// An error that no valid call may cause, or a panic.
    Failed(String),
}

/// A specimen that was coded and came back.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) report: TensorReport,
    pub(crate) chunk_bytes: u64,
    pub(crate) chunk_values: u64,
    pub(crate) measured: Measured,
    pub(crate) side_effects: SideEffects,
    pub(crate) chunk_side_effects: SideEffects,
}

impl Passed {
    pub(crate) fn bytes(&self) -> u64 {
        self.chunk_bytes
    }
}

impl<'t> Trial<'t> {
    /// A trial of a specimen with a registry and a setting; target and size of chunks are set by the trial.
    pub fn new(specimen: &'t Specimen, registry: &'t Registry, encoding: &Encoding) -> Self {
        let mut encoding = encoding.clone();
        encoding.chunk_values = specimen.chunk_values;
        encoding.keep_small = false;
        let values = specimen.values();
        let (targets, done, violations) = (targets(specimen), HashMap::new(), Vec::new());
        Self { specimen, values, targets, registry, encoding, done, cases: 0, violations, promise: "" }
    }

    /// The trial with one in so many of the targets.
    #[must_use]
    pub fn every(mut self, stride: usize, first: usize) -> Self {
        self.targets = self.targets.into_iter().skip(first % stride).step_by(stride).collect();
        self
    }

    /// The targets to try, from the fewest bits on.
    pub(crate) fn targets(&self) -> Vec<Target> {
        self.targets.clone()
    }

    /// Checks a promise; the number of cases, and what was found broken.
    pub fn check(&mut self, promise: &super::Promise) -> (u64, Vec<Violation>) {
        (self.cases, self.promise) = (0, promise.id);
        self.violations.clear();
        (promise.check)(self);
        (self.cases, std::mem::take(&mut self.violations))
    }

    /// One case of a promise.
    pub(crate) fn case(
        &mut self,
        holds: bool,
        target: Target,
        passed: Option<&Passed>,
        message: impl FnOnce() -> String,
    ) {
        self.cases += 1;
        if !holds {
            self.violations.push(Violation {
                promise: self.promise,
                specimen: self.specimen.name,
                dtype: self.specimen.tensor.dtype,
                target,
                message: message(),
                bits: passed.map(|passed| passed.report.bits()),
                nmse: passed.map(|passed| passed.measured.nmse),
            });
        }
    }

    /// The specimen coded to a target.
    pub(crate) fn code(&mut self, target: Target) -> Outcome {
        self.code_with(target, false)
    }

    /// The specimen coded to a target, with its zeros kept where asked.
    pub(crate) fn code_with(&mut self, target: Target, keep_zeros: bool) -> Outcome {
        let key = format!("{target} {keep_zeros}");
        if let Some(outcome) = self.done.get(&key) {
            return outcome.clone();
        }
        let mut encoding = self.encoding.clone();
        (encoding.target, encoding.keep_zeros) = (target, keep_zeros);
        let outcome = self.pass(self.specimen, &encoding);
        self.done.insert(key, outcome.clone());
        outcome
    }

    /// The specimen coded to a target where that worked.
    pub(crate) fn coded(&mut self, target: Target) -> Option<Arc<Passed>> {
        match self.code(target) {
            Outcome::Coded(passed) => Some(passed),
            _ => None,
        }
    }

    /// The bytes of another specimen coded to a target with the same setting.
    pub(crate) fn bytes_of(&self, specimen: &Specimen, target: Target) -> Option<u64> {
        let mut encoding = self.encoding.clone();
        encoding.target = target;
        match self.pass(specimen, &encoding) {
            Outcome::Coded(passed) => Some(passed.bytes()),
            _ => None,
        }
    }

    /// The bytes of the specimen coded losslessly with another codec, where the registry has it.
    pub(crate) fn lossless_bytes(&self, codec: Option<CodecId>) -> Option<u64> {
        let mut encoding = Encoding::new(Target::Lossless);
        (encoding.codec, encoding.keep_small) = (codec, false);
        (encoding.chunk_values, encoding.effort) = (self.encoding.chunk_values, self.encoding.effort);
        match self.pass(self.specimen, &encoding) {
            Outcome::Coded(passed) => Some(passed.bytes()),
            _ => None,
        }
    }

    fn pass(&self, specimen: &Specimen, encoding: &Encoding) -> Outcome {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.try_pass(specimen, encoding)));
        match outcome {
            Ok(Ok(passed)) => Outcome::Coded(Arc::new(passed)),
            Ok(Err(error @ (Error::Unsupported(_) | Error::OutOfReach { .. }))) => {
                Outcome::Refused(error.to_string())
            }
            Ok(Err(error)) => Outcome::Failed(format!("{error:?}")),
            Err(panic) => {
                let message = panic.downcast_ref::<String>().map(String::as_str);
                let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
                Outcome::Failed(format!("panic: {}", message.unwrap_or("no message")))
            }
        }
    }

    fn try_pass(&self, specimen: &Specimen, encoding: &Encoding) -> Result<Passed, Error> {
        let original = &specimen.tensor;
        let tensor = original.view()?;
        let mut chunks = Vec::new();
        let report = encode(self.registry, &tensor, encoding, |chunk| {
            chunks.push(chunk);
            Ok::<(), Error>(())
        })?;
        let meta = TensorMeta::new(specimen.name, original.dtype, original.shape.clone());
        let rows = MatrixShape::of(&original.shape).rows;
        let back = decode_rows(self.registry, &meta, &chunks, 0..rows, &[], &Limits::default())?;
        let mut chunk_side_effects = SideEffects::default();
        let mut ranges = Vec::new();
        let mut start = 0;
        for chunk in &chunks {
            chunk_side_effects.merge(&chunk.side_effects);
            let end = start + usize::try_from(chunk.values).unwrap_or(usize::MAX);
            ranges.push(start..end);
            start = end;
        }
        Ok(Passed {
            report,
            chunk_bytes: chunks.iter().map(|chunk| chunk.bytes()).sum(),
            chunk_values: chunks.iter().map(|chunk| chunk.values).sum(),
            measured: Measured::new(original, &back),
            side_effects: side_effects(original, &back, &ranges),
            chunk_side_effects,
        })
    }

    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Number of chunks.
    pub(crate) fn chunks(&self) -> f64 {
        count(
            usize::try_from(
                MatrixShape::of(&self.specimen.tensor.shape).chunks(self.encoding.chunk_values).len(),
            )
            .unwrap_or(1)
            .max(1),
        )
    }

    /// The distance between the least and the largest finite value; see [`targets`].
    pub(crate) fn spread(&self) -> f64 {
        spread(&self.values)
    }

    /// Bytes that a mask of the values that fit takes, with a margin.
    pub(crate) fn mask_bytes(&self, fits: impl Fn(f64) -> bool) -> f64 {
        let cols = usize::try_from(MatrixShape::of(&self.specimen.tensor.shape).cols).unwrap_or(1).max(1);
        let mask: Vec<bool> = self.values.iter().map(|&value| fits(value)).collect();
        if mask.contains(&true) { 1.15 * mask_bits(&mask, cols) / 8.0 + 16.0 * self.chunks() } else { 0.0 }
    }

    /// A value far beyond the others that comes many times: what stands for missing values, and is kept exactly.
    fn fill(&self) -> Option<f64> {
        let mut finite: Vec<f64> = self.values.iter().copied().filter(|value| value.is_finite()).collect();
        finite.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
        let fill = *finite.last()?;
        let others = finite.iter().rposition(|value| *value != fill)?;
        let apart = fill.abs() > 16.0 * finite[others].abs() && finite.len() - others > 9;
        apart.then_some(fill)
    }

    /// Bytes below which a target may be refused: headers, and the values that are not finite.
    pub(crate) fn least_bytes(&self) -> f64 {
        let (width, values) = (self.specimen.tensor.dtype.size(), &self.values);
        let mut least = HEADER * self.chunks()
            + self.mask_bytes(f64::is_nan)
            + self.mask_bytes(|value| value == f64::INFINITY)
            + self.mask_bytes(|value| value == f64::NEG_INFINITY)
            + self.fill().map_or(0.0, |fill| self.mask_bytes(|value| value == fill));
        let bytes = self.specimen.tensor.bytes.chunks_exact(width);
        let mut payloads: Vec<_> =
            bytes.zip(values).filter(|(_, value)| value.is_nan()).map(|(bytes, _)| bytes).collect();
        let count_of_nan = payloads.len();
        payloads.sort_unstable();
        payloads.dedup();
        if payloads.len() > 4 {
            least += count(count_of_nan * width);
        }
        least.max(self.blank_bytes())
    }

    /// Bytes of a Gaussian tensor of this shape at a step so coarse that nothing is left of it: what the codec's own
    /// headers take.
    fn blank_bytes(&self) -> f64 {
        let codec = self.encoding.codec.unwrap_or(CodecId::NATIVE);
        if codec == CodecId::NATIVE || codec == CodecId::ZSTD {
            return 0.0;
        }
        let Some(gaussian) = super::make("gaussian", DType::F32, 0) else { return 0.0 };
        let bytes = gaussian.tensor.bytes.into_iter().cycle().take(4 * self.len()).collect();
        let other = Specimen {
            chunk_values: self.encoding.chunk_values,
            ..Specimen::of(DType::F32, &self.specimen.tensor.shape, bytes)
        };
        1.1 * size(self.bytes_of(&other, Target::Step(100.0)).unwrap_or(0)) + HEADER * self.chunks()
    }

    /// Declarations of the encoder of this setting.
    pub(crate) fn capabilities(&self) -> Option<Capabilities> {
        let codec = self.encoding.codec.unwrap_or(CodecId::NATIVE);
        let pick = self.encoding.backend.as_deref().map_or(Pick::Auto, Pick::Exactly);
        let found = self.registry.find(codec, Role::Encode, pick).ok()?;
        Some(found.backend.info().capabilities.clone())
    }

    /// True where the encoder takes samples of 16 bits.
    pub(crate) fn is_deep(&self) -> bool {
        self.capabilities().is_some_and(|capabilities| capabilities.depths.contains(&16))
    }

    /// Bits above Shannon's bound that the encoder of this setting declares, and the most bits per value up to which it does
    /// and its samples are deep enough for that; `None` where it codes losslessly only.
    pub(crate) fn excess(&self) -> Option<(f64, f64)> {
        let capabilities = self.capabilities().filter(|capabilities| capabilities.lossy)?;
        let deepest = capabilities.depths.last().copied().unwrap_or(16);
        // Values of several deviations on a grid of this depth leave as much less for the step.
        let deep = if deepest < 16 { f64::from(deepest) - 5.0 } else { f64::INFINITY };
        let most = if capabilities.loose_steps { deep.min(4.5) } else { deep };
        Some((f64::from(capabilities.excess), most))
    }
}

/// Bytes of a chunk's side information and of a packet that says nothing.
const HEADER: f64 = 128.0;

/// Every target that a specimen is tried with: bits, bytes and nmse of all sizes, steps and maximum errors by the range
/// of its values, and lossless.
pub fn targets(specimen: &Specimen) -> Vec<Target> {
    let mut targets = vec![Target::Lossless];
    targets.extend([0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 11.0, 14.0, 16.0].map(Target::Bits));
    targets.extend([1e-1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-12].map(Target::Nmse));
    let spread = spread(&specimen.values());
    let shares = (1..=7).map(|exponent| spread * 10f64.powi(-exponent)).filter(|share| *share > 0.0);
    targets.extend(shares.flat_map(|share| [Target::MaxAbs(share), Target::Step(share)]));
    let (raw, values) = (specimen.tensor.bytes.len() as u64, specimen.len() as u64);
    let mut caps = vec![raw, raw / 2, raw / 4, raw / 16, values / 8, 400, 100, 20, 1];
    caps.retain(|&cap| cap > 0);
    caps.sort_unstable();
    caps.dedup();
    targets.extend(caps.into_iter().map(Target::Bytes));
    targets
}

/// The distance between the least and the largest finite value; their size where they are one, and 1 where that is 0.
fn spread(values: &[f64]) -> f64 {
    let (low, high) = finite_range(values);
    match (high - low, high.abs()) {
        (spread, _) if spread > 0.0 => spread.min(f64::MAX),
        (_, size) if size > 0.0 => size,
        _ => 1.0,
    }
}
