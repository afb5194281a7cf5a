//! The backend under test, with what it takes to test it.

use telecine_core::{Backend, Effort, EncodeOptions, Error, GroupSpec, Limits, Quality, Result};

use crate::Failure;

/// A backend with the partner that does the direction which it lacks.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    backend: &'a dyn Backend,
    encoder: Option<&'a dyn Backend>,
    decoder: Option<&'a dyn Backend>,
    others: &'a [&'a dyn Backend],
}

impl<'a> Subject<'a> {
    /// The subject for a backend; `others` are the other backends of its codec that work here.
    pub fn new(backend: &'a dyn Backend, others: &'a [&'a dyn Backend]) -> Self {
        let info = backend.info();
        let partner = |serves: fn(&dyn Backend) -> bool| others.iter().copied().find(|other| serves(*other));
        let encoder = if info.encodes { Some(backend) } else { partner(|other| other.info().encodes) };
        let decoder = if info.decodes { Some(backend) } else { partner(|other| other.info().decodes) };
        Self { backend, encoder, decoder, others }
    }

    /// The backend under test.
    pub fn backend(&self) -> &'a dyn Backend {
        self.backend
    }

    /// The other backends of the codec.
    pub fn others(&self) -> &'a [&'a dyn Backend] {
        self.others
    }

    /// Whether both directions are there.
    pub(crate) fn is_complete(&self) -> std::result::Result<(), &'static str> {
        match (self.encoder, self.decoder) {
            (Some(_), Some(_)) => Ok(()),
            (None, _) => Err("nothing encodes this codec here"),
            (_, None) => Err("nothing decodes this codec here"),
        }
    }

    /// Whether lossless groups can be coded and read back.
    pub(crate) fn is_lossless(&self) -> std::result::Result<(), &'static str> {
        self.is_complete()?;
        let capable = self.encoder.is_some_and(|encoder| encoder.info().capabilities.lossless);
        if capable { Ok(()) } else { Err("it has no lossless mode") }
    }

    /// Whether groups can be coded with a step and read back.
    pub(crate) fn is_lossy(&self) -> std::result::Result<(), &'static str> {
        self.is_complete()?;
        let capable = self.encoder.is_some_and(|encoder| encoder.info().capabilities.lossy);
        if capable { Ok(()) } else { Err("it codes losslessly only") }
    }

    /// The backend that encodes: the one under test, or its partner.
    pub(crate) fn encoding(&self) -> Result<&'a dyn Backend> {
        self.encoder.ok_or_else(|| Error::unsupported("nothing encodes this codec here"))
    }

    /// The backend that decodes: the one under test, or its partner.
    pub(crate) fn decoding(&self) -> Result<&'a dyn Backend> {
        self.decoder.ok_or_else(|| Error::unsupported("nothing decodes this codec here"))
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
        let mut packet = Vec::new();
        let mut encoder = self.encoding()?.encoder(spec, &EncodeOptions::with_effort(effort))?;
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
