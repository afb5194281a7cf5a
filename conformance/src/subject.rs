//! The backend under test, with what it takes to test it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use telecine_core::{Backend, Effort, EncodeOptions, Error, GroupSpec, Limits, Quality, Registry, Result};

use crate::survey::{Pace, pace, survey};
use crate::{Absent, Failure};

/// A backend with the partner that does the direction which it lacks.
#[derive(Debug, Clone)]
pub struct Subject {
    backend: Arc<dyn Backend>,
    encoder: Option<Arc<dyn Backend>>,
    decoder: Option<Arc<dyn Backend>>,
    others: Vec<Arc<dyn Backend>>,
    variants: Vec<Variant>,
    quick: bool,
    state: Arc<State>,
}

/// What is learnt of a backend while rules run.
#[derive(Debug, Default)]
struct State {
    pace: OnceLock<Pace>,
    /// Whether a rule took too long.
    hangs: AtomicBool,
}

/// The process in which the rules of a backend run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A child process for each.
    Child,
    /// This process: there are no children, or the backend does not work in one, as those of devices that were opened
    /// before do not.
    Here,
}

/// The backend under test, made to work in another way that must not show, such as with other instructions.
#[derive(Debug, Clone)]
pub struct Variant {
    /// What is other about it, such as `AVX2`.
    pub name: String,
    /// The backend.
    pub backend: Arc<dyn Backend>,
}

impl Subject {
    /// The subject for a backend; `others` are the other backends of its codec that work here.
    pub fn new(backend: Arc<dyn Backend>, others: Vec<Arc<dyn Backend>>) -> Self {
        let info = backend.info();
        let partner =
            |serves: fn(&dyn Backend) -> bool| others.iter().find(|other| serves(&***other)).cloned();
        let encoder =
            if info.encodes { Some(backend.clone()) } else { partner(|other| other.info().encodes) };
        let decoder =
            if info.decodes { Some(backend.clone()) } else { partner(|other| other.info().decodes) };
        Self { backend, encoder, decoder, others, variants: Vec::new(), quick: false, state: Arc::default() }
    }

    /// Every backend of a registry that works here, each with the others of its codec.
    pub fn all(registry: &Registry) -> Vec<Self> {
        Self::survey(registry).0
    }

    /// The backends that work here, and those that do not.
    pub(crate) fn survey(registry: &Registry) -> (Vec<Self>, Vec<Absent>) {
        let (working, absent) = survey(registry);
        let subject = |backend: &Arc<dyn Backend>| {
            let info = backend.info();
            let peers = working
                .iter()
                .filter(|other| other.info().codec == info.codec && other.info().name != info.name);
            Self::new(backend.clone(), peers.cloned().collect())
        };
        (working.iter().map(subject).collect(), absent)
    }

    /// The subject with ways in which its backend works elsewhere, or could.
    #[must_use]
    pub fn with_variants(mut self, variants: Vec<Variant>) -> Self {
        self.variants = variants;
        self
    }

    /// The subject with fewer cases per rule, where rules have many.
    #[must_use]
    pub fn quick(mut self, quick: bool) -> Self {
        self.quick = quick;
        self
    }

    /// The backend under test.
    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// The backend's name.
    pub fn name(&self) -> &'static str {
        self.backend.info().name
    }

    /// The other backends of the codec.
    pub(crate) fn others(&self) -> impl Iterator<Item = &dyn Backend> {
        self.others.iter().map(|other| &**other)
    }

    /// The ways in which the backend must make the same packets and samples.
    pub(crate) fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// Puts a variant in the place of the backend.
    pub(crate) fn replace(&mut self, variant: &Variant) {
        for role in [&mut self.encoder, &mut self.decoder].into_iter().flatten() {
            if role.info().name == self.backend.info().name {
                *role = variant.backend.clone();
            }
        }
    }

    /// The process in which rules run.
    pub(crate) fn place(&self) -> Place {
        self.pace().place
    }

    /// Whether rules have a process each, so that its memory, threads and time can be counted.
    pub(crate) fn has_children(&self) -> std::result::Result<(), &'static str> {
        match self.place() {
            Place::Child => Ok(()),
            Place::Here => Err("it does not work in a child process, or there are none on this system"),
        }
    }

    fn pace(&self) -> &Pace {
        self.state.pace.get_or_init(|| pace(self))
    }

    /// Time that a rule may take: generous, by the pace of the backend; once a rule took too long, short.
    pub(crate) fn time_limit(&self) -> Duration {
        let limit = self.pace().time_limit;
        if self.state.hangs.load(Ordering::Relaxed) { limit / 6 } else { limit }
    }

    /// Notes that a rule took too long.
    pub(crate) fn note_too_long(&self) {
        self.state.hangs.store(true, Ordering::Relaxed);
    }

    /// The subject with its rules in this place and with this limit.
    #[cfg(test)]
    pub(crate) fn placed(self, place: Place, time_limit: Duration) -> Self {
        let state = State { pace: Pace { place, time_limit }.into(), hangs: AtomicBool::new(false) };
        Self { state: Arc::new(state), ..self }
    }

    /// Whether few cases are wanted.
    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    /// Whether both directions are there.
    pub(crate) fn is_complete(&self) -> std::result::Result<(), &'static str> {
        match (&self.encoder, &self.decoder) {
            (Some(_), Some(_)) => Ok(()),
            (None, _) => Err("nothing encodes this codec here"),
            (_, None) => Err("nothing decodes this codec here"),
        }
    }

    /// Whether lossless groups can be coded and read back.
    pub(crate) fn is_lossless(&self) -> std::result::Result<(), &'static str> {
        self.is_complete()?;
        let capable = self.encoder.as_ref().is_some_and(|encoder| encoder.info().capabilities.lossless);
        if capable { Ok(()) } else { Err("it has no lossless mode") }
    }

    /// Whether groups can be coded with a step and read back.
    pub(crate) fn is_lossy(&self) -> std::result::Result<(), &'static str> {
        self.is_complete()?;
        let capable = self.encoder.as_ref().is_some_and(|encoder| encoder.info().capabilities.lossy);
        if capable { Ok(()) } else { Err("it codes losslessly only") }
    }

    /// The backend that encodes: the one under test, or its partner.
    pub(crate) fn encoding(&self) -> Result<&dyn Backend> {
        self.encoder.as_deref().ok_or_else(|| Error::unsupported("nothing encodes this codec here"))
    }

    /// The backend that decodes: the one under test, or its partner.
    pub(crate) fn decoding(&self) -> Result<&dyn Backend> {
        self.decoder.as_deref().ok_or_else(|| Error::unsupported("nothing decodes this codec here"))
    }

    /// The qualities that the encoder takes, lossy ones with this step.
    pub(crate) fn qualities(&self, step: f32) -> Vec<Quality> {
        let lossless = self.is_lossless().is_ok().then_some(Quality::Lossless);
        let lossy = self.is_lossy().is_ok().then_some(Quality::Step(step));
        lossless.into_iter().chain(lossy).collect()
    }

    /// The largest step at or below this one that the encoder says it has.
    pub(crate) fn own_step(&self, depth: u8, step: f32) -> f32 {
        self.encoding().map_or(step, |backend| backend.step_at_most(depth, step))
    }

    /// The same, but three times the smallest step where the encoder keeps to steps loosely and this one is below.
    pub(crate) fn promised_step(&self, depth: u8, step: f32) -> f32 {
        let own = self.own_step(depth, step);
        self.loosely(own, own.max(3.0 * self.own_step(depth, f32::MIN_POSITIVE)))
    }

    /// A bound, or that of an encoder which keeps to steps loosely.
    pub(crate) fn loosely<T>(&self, strict: T, loose: T) -> T {
        let is_loose = self.encoding().is_ok_and(|backend| backend.info().capabilities.loose_steps);
        if is_loose { loose } else { strict }
    }

    /// Whether the smallest groups that the encoder takes are large, so that each takes long.
    pub(crate) fn has_large_groups(&self) -> bool {
        self.spec(1, 1, 1, 8).is_ok_and(|spec| spec.samples() >= 1024)
    }

    /// A registry in which nothing but this subject serves its codec.
    ///
    /// `raw` is there, too: where a codec has no lossless mode, the pipeline needs one for what must be exact.
    pub(crate) fn registry(&self) -> Result<Registry> {
        let mut registry = Registry::new();
        let ours = [&self.encoder, &self.decoder].into_iter().flatten().cloned();
        let mut wanted: Vec<Arc<dyn Backend>> = ours.collect();
        wanted.push(Arc::new(telecine_raw::Raw));
        for backend in wanted {
            if registry.backends().all(|there| there.info().name != backend.info().name) {
                registry.register(backend)?;
            }
        }
        Ok(registry)
    }

    /// A spec that the encoder takes, as near to the wanted one as its capabilities allow.
    pub(crate) fn spec(&self, frames: u32, height: u32, width: u32, depth: u8) -> Result<GroupSpec> {
        let capabilities = &self.encoding()?.info().capabilities;
        let fit = |wanted: u32, range: &std::ops::RangeInclusive<u32>| {
            let held = wanted.clamp(*range.start(), *range.end());
            held.next_multiple_of(capabilities.align)
                .min(range.end() / capabilities.align * capabilities.align)
        };
        let depth = capabilities.depths.iter().copied().min_by_key(|d| d.abs_diff(depth)).unwrap_or(depth);
        let (height, width) = (fit(height, &capabilities.height), fit(width, &capabilities.width));
        GroupSpec::new(frames.min(capabilities.max_frames), height, width, depth, &Limits::default())
    }

    /// Encodes with a fresh encoder.
    pub(crate) fn encode(&self, spec: GroupSpec, samples: &[u16], quality: Quality) -> Result<Vec<u8>> {
        self.encode_with(spec, samples, quality, Effort::Balanced)
    }

    /// Encodes with a fresh encoder at an effort.
    pub(crate) fn encode_with(
        &self,
        spec: GroupSpec,
        samples: &[u16],
        quality: Quality,
        effort: Effort,
    ) -> Result<Vec<u8>> {
        self.encode_as(spec, samples, quality, &EncodeOptions::with_effort(effort))
    }

    /// Encodes with a fresh encoder and options.
    pub(crate) fn encode_as(
        &self,
        spec: GroupSpec,
        samples: &[u16],
        quality: Quality,
        options: &EncodeOptions,
    ) -> Result<Vec<u8>> {
        let mut packet = Vec::new();
        let mut encoder = self.encoding()?.encoder(spec, options)?;
        encoder.encode(samples, quality, &mut packet)?;
        Ok(packet)
    }

    /// Decodes with a fresh decoder into a buffer full of junk.
    pub(crate) fn decode(&self, spec: GroupSpec, packet: &[u8]) -> Result<Vec<u16>> {
        let mut samples = vec![0x5aa5; spec.samples()];
        self.decoding()?.decoder(spec)?.decode(packet, &mut samples)?;
        Ok(samples)
    }

    /// Encodes and decodes.
    pub(crate) fn pass(
        &self,
        spec: GroupSpec,
        samples: &[u16],
        quality: Quality,
    ) -> std::result::Result<Vec<u16>, Failure> {
        Ok(self.decode(spec, &self.encode(spec, samples, quality)?)?)
    }
}
