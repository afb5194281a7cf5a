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
    /// One that was noted as left out is so no more.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the name is taken, or no group fits the capabilities.
    pub fn register(&mut self, backend: Arc<dyn Backend>) -> Result<()> {
        let name = backend.info().name;
        backend.info().capabilities.check_sound(name)?;
        if self.entries.iter().any(|entry| entry.backend.info().name == name) {
            return Err(Error::invalid(format!("a backend named {name} is registered already")));
        }
        self.left_out.retain(|(left_out, _, _)| *left_out != name);
        self.entries.push(Entry { backend, probed: OnceLock::new() });
        // Stable: within a tier, the order of registration decides.
        self.entries.sort_by_key(|entry| entry.backend.info().tier);
        Ok(())
    }

    /// Notes a backend that this build leaves out, so that messages can name the feature that brings it; one that is
    /// registered is not left out.
    pub fn note_left_out(&mut self, name: &'static str, codec: CodecId, feature: &'static str) {
        if self.named(name).is_none() {
            self.left_out.push((name, codec, feature));
        }
    }

    /// The codec of the backend of this name, of one that was left out too; without probing.
    pub fn named(&self, name: &str) -> Option<CodecId> {
        let registered = self.backends().map(|backend| backend.info()).map(|info| (info.name, info.codec));
        let left_out = self.left_out.iter().map(|&(left_out, codec, _)| (left_out, codec));
        registered.chain(left_out).find(|(known, _)| *known == name).map(|(_, codec)| codec)
    }

    /// The codecs that serve where the caller names none, best first and without probing: those that are encoded and
    /// decoded losslessly, or with a step, in the order of tiers and registration.
    ///
    /// Lossless ones take any chunk, as codecs of pictures do not, if there are such. Where no codec has a step, lossless
    /// ones serve: they code levels that are quantised before.
    pub(crate) fn defaults(&self, lossless: bool) -> Vec<CodecId> {
        let among = |fits: &dyn Fn(&BackendInfo) -> bool| {
            let mut codecs = Vec::new();
            for info in self.backends().map(|backend| backend.info()) {
                let decodes = |other: &BackendInfo| other.codec == info.codec && other.decodes;
                let new = info.encodes && fits(info) && !codecs.contains(&info.codec);
                if new && self.backends().any(|backend| decodes(backend.info())) {
                    codecs.push(info.codec);
                }
            }
            codecs
        };
        let choices: [&dyn Fn(&BackendInfo) -> bool; 3] = [
            &|info| !lossless && info.capabilities.lossy,
            &|info| info.capabilities.lossless && info.capabilities.takes_any_chunk(),
            &|info| info.capabilities.lossless,
        ];
        choices.into_iter().map(among).find(|codecs| !codecs.is_empty()).unwrap_or_default()
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
            // A registered name is in no list of what was left out.
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

    fn device(name: &'static str, role: Role) -> Arc<Device> {
        let capabilities = Capabilities::new(&[8])
            .with_lossless()
            .with_lossy(0.0)
            .with_sizes(64..=8192, 64..=8192, 2)
            .with_max_frames(1);
        let documented = BackendInfo::new(name, CodecId::HEVC, Tier::Fallback, capabilities).only(role);
        Arc::new(Device { documented, asked: OnceLock::new() })
    }

    #[test]
    fn a_backend_registered_under_a_left_out_name_is_not_left_out() {
        for noted_first in [true, false] {
            let mut registry = Registry::new();
            if noted_first {
                registry.note_left_out("x265", CodecId::HEVC, "ffmpeg");
            }
            registry.register(device("x265", Role::Encode)).unwrap();
            if !noted_first {
                registry.note_left_out("x265", CodecId::HEVC, "ffmpeg");
            }
            let found = registry.find(CodecId::HEVC, Role::Encode, Pick::Exactly("x265")).unwrap();
            assert_eq!(found.backend.info().name, "x265");
            assert_eq!(registry.list().len(), 1);
            assert_eq!(registry.named("x265"), Some(CodecId::HEVC));
        }
    }

    #[test]
    fn capabilities_that_no_group_fits_are_refused() {
        let changes: [fn(&mut Capabilities); 7] = [
            |c| c.align = 0,
            |c| c.max_frames = 0,
            |c| c.depths = &[],
            |c| c.depths = &[8, 17],
            |c| c.depths = &[16, 8],
            |c| c.width = std::ops::RangeInclusive::new(9, 8),
            |c| c.height = 0..=0,
        ];
        for change in changes {
            let mut device = device("device", Role::Encode);
            change(&mut Arc::get_mut(&mut device).unwrap().documented.capabilities);
            let error = Registry::new().register(device).unwrap_err();
            assert!(matches!(&error, Error::Invalid(message) if message.contains("device")), "{error}");
        }
    }

    #[test]
    fn a_name_is_looked_up_without_probing() {
        let device = device("device", Role::Encode);
        let mut registry = Registry::new();
        registry.register(device.clone()).unwrap();
        registry.note_left_out("nvenc", CodecId::AVC, "nvenc");
        assert_eq!(registry.named("device"), Some(CodecId::HEVC));
        assert_eq!((registry.named("nvenc"), registry.named("none")), (Some(CodecId::AVC), None));
        assert!(device.asked.get().is_none(), "probed");
    }

    #[test]
    fn a_list_says_what_the_device_said() {
        let mut registry = Registry::new();
        registry.register(device("device", Role::Decode)).unwrap();
        let listed = registry.list()[0].info.map(|info| info.capabilities.width.clone());
        assert_eq!(listed, Some(144..=4096));
    }
}
