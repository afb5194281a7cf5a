//! Which backends there are, and which one serves a codec here.

use std::sync::{Arc, OnceLock};

use crate::{Backend, BackendInfo, CodecId, Error, Result, Role, Unavailable};

/// How to choose among the backends of a codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pick<'a> {
    /// The first by tier that works here.
    #[default]
    Auto,
    /// The one of this name, or none.
    Exactly(&'a str),
}

/// A backend chosen by [`Registry::find`], with what was tried before it.
#[derive(Debug, Clone)]
pub struct Found {
    /// The chosen backend.
    pub backend: Arc<dyn Backend>,
    /// Why each backend of an earlier tier was passed over.
    pub passed_over: Vec<Unavailable>,
}

/// One line of [`Registry::list`].
#[derive(Debug, Clone)]
pub struct Listing<'a> {
    /// The backend's name.
    pub name: &'static str,
    /// The codec's id.
    pub codec: CodecId,
    /// What it is, unless it was left out of this build.
    pub info: Option<&'a BackendInfo>,
    /// Whether it works here, and why not.
    pub status: Result<(), Unavailable>,
}

#[derive(Debug)]
struct Entry {
    backend: Arc<dyn Backend>,
    /// A probe may open devices: it runs once.
    probed: OnceLock<Result<(), Unavailable>>,
}

impl Entry {
    fn status(&self) -> Result<(), Unavailable> {
        self.probed.get_or_init(|| self.backend.probe()).clone()
    }
}

/// A set of backends; a value, not a global.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Vec<Entry>,
    left_out: Vec<(&'static str, CodecId, &'static str)>,
}

impl Registry {
    /// A registry without backends.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a backend.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the name is taken.
    pub fn register(&mut self, backend: Arc<dyn Backend>) -> Result<()> {
        let name = backend.info().name;
        if self.entries.iter().any(|entry| entry.backend.info().name == name) {
            return Err(Error::invalid(format!("a backend named {name} is registered already")));
        }
        self.entries.push(Entry { backend, probed: OnceLock::new() });
        // Stable: within a tier, the order of registration decides.
        self.entries.sort_by_key(|entry| entry.backend.info().tier);
        Ok(())
    }

    /// Notes a backend that this build leaves out, so that messages can name the feature that brings it.
    pub fn note_left_out(&mut self, name: &'static str, codec: CodecId, feature: &'static str) {
        self.left_out.push((name, codec, feature));
    }

    /// Every registered backend in the order of tiers, without probing.
    pub fn backends(&self) -> impl Iterator<Item = &Arc<dyn Backend>> {
        self.entries.iter().map(|entry| &entry.backend)
    }

    /// Every backend, those left out included; probes each once.
    pub fn list(&self) -> Vec<Listing<'_>> {
        let registered = self.entries.iter().map(|entry| {
            // Asked first: some backends know what they can do only once the device was asked.
            let status = entry.status();
            let info = entry.backend.info();
            Listing { name: info.name, codec: info.codec, info: Some(info), status }
        });
        let left_out = self.left_out.iter().map(|&(name, codec, feature)| Listing {
            name,
            codec,
            info: None,
            status: Err(Unavailable::NotCompiled { backend: name, feature }),
        });
        registered.chain(left_out).collect()
    }

    /// The backend that serves a codec in one direction, on this machine, now.
    ///
    /// `Auto` falls back by tier and says what it passed over; `Exactly` never falls back.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with every candidate and the reason why it does not serve;
    /// [`Error::Invalid`] when `Exactly` names a backend of another codec or role, or none at all.
    pub fn find(&self, codec: CodecId, role: Role, pick: Pick<'_>) -> Result<Found> {
        match pick {
            Pick::Auto => self.find_auto(codec, role),
            Pick::Exactly(name) => self.find_exactly(name, codec, role),
        }
    }

    fn find_auto(&self, codec: CodecId, role: Role) -> Result<Found> {
        let mut passed_over = Vec::new();
        for entry in &self.entries {
            let info = entry.backend.info();
            if info.codec != codec || !info.serves(role) {
                continue;
            }
            match entry.status() {
                Ok(()) => return Ok(Found { backend: entry.backend.clone(), passed_over }),
                Err(reason) => passed_over.push(reason),
            }
        }
        let left_out = self.left_out.iter().filter(|(_, id, _)| *id == codec);
        passed_over
            .extend(left_out.map(|&(backend, _, feature)| Unavailable::NotCompiled { backend, feature }));
        let reason = match passed_over.as_slice() {
            [] => "no backend of this codec is known to this build".to_owned(),
            reasons => reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        };
        Err(Unavailable::NoBackend { codec: codec.to_string(), role: role.verb(), reason }.into())
    }

    fn find_exactly(&self, name: &str, codec: CodecId, role: Role) -> Result<Found> {
        if let Some(&(backend, _, feature)) = self.left_out.iter().find(|(left_out, _, _)| *left_out == name)
        {
            return Err(Unavailable::NotCompiled { backend, feature }.into());
        }
        let entry = self.entries.iter().find(|entry| entry.backend.info().name == name).ok_or_else(|| {
            let known: Vec<_> = self.entries.iter().map(|entry| entry.backend.info().name).collect();
            Error::invalid(format!("no backend is named {name}; there are {}", known.join(", ")))
        })?;
        let info = entry.backend.info();
        if info.codec != codec || !info.serves(role) {
            let verb = role.verb();
            return Err(Error::invalid(format!(
                "backend {name} does not {verb} codec {codec} (its codec is {})",
                info.codec
            )));
        }
        entry.status()?;
        Ok(Found { backend: entry.backend.clone(), passed_over: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Capabilities, Decoder, EncodeOptions, Encoder, GroupSpec, Tier};

    /// Knows its largest size once it was probed, as a backend in front of a device does.
    #[derive(Debug)]
    struct Device {
        documented: BackendInfo,
        asked: OnceLock<BackendInfo>,
    }

    impl Backend for Device {
        fn info(&self) -> &BackendInfo {
            self.asked.get().unwrap_or(&self.documented)
        }

        fn probe(&self) -> std::result::Result<(), Unavailable> {
            let mut info = self.documented.clone();
            info.capabilities.width = 144..=4096;
            self.asked.get_or_init(|| info);
            Ok(())
        }

        fn encoder(&self, _: GroupSpec, _: &EncodeOptions) -> Result<Box<dyn Encoder>> {
            Err(Error::unsupported("only probed"))
        }

        fn decoder(&self, _: GroupSpec) -> Result<Box<dyn Decoder>> {
            Err(Error::unsupported("only probed"))
        }
    }

    #[test]
    fn a_list_says_what_the_device_said() {
        let capabilities = Capabilities {
            lossless: true,
            lossy: true,
            excess: 0.0,
            depths: &[8],
            width: 64..=8192,
            height: 64..=8192,
            align: 2,
            max_frames: 1,
        };
        let (name, codec) = ("device", CodecId::HEVC);
        let documented =
            BackendInfo { name, codec, tier: Tier::Fallback, encodes: false, decodes: true, capabilities };
        let mut registry = Registry::new();
        registry.register(Arc::new(Device { documented, asked: OnceLock::new() })).unwrap();
        let listed = registry.list()[0].info.map(|info| info.capabilities.width.clone());
        assert_eq!(listed, Some(144..=4096));
    }
}
