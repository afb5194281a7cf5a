//! A sound backend with hooks, by which it is broken.

use std::fmt;
use std::sync::Arc;

use telecine_core::{
    Backend, BackendInfo, Decoder, EncodeOptions, Encoder, Error, GroupSpec, Quality, Result, Unavailable,
};

use crate::uniform::Uniform;

/// What a hook is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) spec: GroupSpec,
    pub(crate) options: EncodeOptions,
    /// Calls of this encoder or decoder, this one included.
    pub(crate) calls: u64,
    /// Those of them that failed.
    pub(crate) failures: u64,
}

type Made = dyn Fn(&Call) + Send + Sync;
type Before = dyn Fn(&Call, &[u16], &mut Vec<u16>, &mut Quality) -> Result<()> + Send + Sync;
type Pad = dyn Fn(&Call, &[u16], Quality) -> usize + Send + Sync;
type Failed = dyn Fn(&Call, &[u8], &mut [u16], Error) -> Result<()> + Send + Sync;
type Given = dyn Fn(&Call, &[u8]) -> Vec<u8> + Send + Sync;
type Back = dyn Fn(&Call, &[u8], &mut [u16]) + Send + Sync;

/// Where a fault is.
#[derive(Default)]
struct Hooks {
    made: Option<Box<Made>>,
    before: Option<Box<Before>>,
    refused: Option<Box<Made>>,
    pad: Option<Box<Pad>>,
    given: Option<Box<Given>>,
    failed: Option<Box<Failed>>,
    back: Option<Box<Back>>,
    steps: Option<fn(u8, f32) -> f32>,
    probe: Option<fn()>,
}

/// A backend with one fault, and the rule that must see it.
#[derive(Clone)]
pub(crate) struct Broken {
    /// The row of the table of kinds to which it belongs.
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    pub(crate) rule: &'static str,
    hooks: Arc<Hooks>,
    sound: Arc<dyn Backend>,
    info: BackendInfo,
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broken({})", self.name)
    }
}

macro_rules! hooks {
    ($($(#[$doc:meta])* $hook:ident: [$($call:tt)+];)*) => {
        $($(#[$doc])*
        pub(crate) fn $hook(mut self, hook: impl $($call)+ + Send + Sync + 'static) -> Self {
            // Nobody else has it before the backend is finished.
            Arc::get_mut(&mut self.hooks).unwrap().$hook = Some(Box::new(hook));
            self
        })*
    };
}

impl Broken {
    pub(crate) fn new(kind: &'static str, name: &'static str, rule: &'static str) -> Self {
        let sound = Uniform::backend();
        let mut info = sound.info().clone();
        info.name = "broken";
        Self { kind, name, rule, hooks: Arc::default(), sound, info }
    }

    /// The same fault in another sound backend.
    pub(crate) fn of(self, sound: Arc<dyn Backend>) -> Self {
        let mut info = sound.info().clone();
        info.name = "broken";
        Self { sound, info, ..self }
    }

    hooks! {
        /// When an encoder or a decoder is made.
        made: [Fn(&Call)];
        /// Before samples are encoded: what came, what is encoded instead, and how.
        before: [Fn(&Call, &[u16], &mut Vec<u16>, &mut Quality) -> Result<()>];
        /// When an encode failed.
        refused: [Fn(&Call)];
        /// Bytes that a packet is made longer by.
        pad: [Fn(&Call, &[u16], Quality) -> usize];
        /// Before a packet is decoded: what is decoded instead.
        given: [Fn(&Call, &[u8]) -> Vec<u8>];
        /// When a decode failed.
        failed: [Fn(&Call, &[u8], &mut [u16], Error) -> Result<()>];
        /// When a packet is decoded.
        back: [Fn(&Call, &[u8], &mut [u16])];
    }

    /// The steps that it says it has.
    pub(crate) fn steps(mut self, steps: fn(u8, f32) -> f32) -> Self {
        Arc::get_mut(&mut self.hooks).unwrap().steps = Some(steps);
        self
    }

    /// In the probe.
    pub(crate) fn probe(mut self, probe: fn()) -> Self {
        Arc::get_mut(&mut self.hooks).unwrap().probe = Some(probe);
        self
    }
}

impl Backend for Broken {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn probe(&self) -> Result<(), Unavailable> {
        if let Some(probe) = self.hooks.probe {
            probe();
        }
        Ok(())
    }

    fn step_at_most(&self, depth: u8, step: f32) -> f32 {
        self.hooks.steps.map_or(step, |steps| steps(depth, step))
    }

    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        let call = Call { spec, options: *options, calls: 0, failures: 0 };
        let sound = self.sound.encoder(spec, options)?;
        if let Some(made) = &self.hooks.made {
            made(&call);
        }
        Ok(Box::new(BrokenEncoder { call, hooks: self.hooks.clone(), sound }))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        let call = Call { spec, options: EncodeOptions::default(), calls: 0, failures: 0 };
        let sound = self.sound.decoder(spec)?;
        if let Some(made) = &self.hooks.made {
            made(&call);
        }
        Ok(Box::new(BrokenDecoder { call, hooks: self.hooks.clone(), sound }))
    }
}

struct BrokenEncoder {
    call: Call,
    hooks: Arc<Hooks>,
    sound: Box<dyn Encoder>,
}

impl Encoder for BrokenEncoder {
    fn encode(&mut self, samples: &[u16], mut quality: Quality, packet: &mut Vec<u8>) -> Result<()> {
        self.call.calls += 1;
        let mut instead = samples.to_vec();
        if samples.len() == self.call.spec.samples()
            && let Some(before) = &self.hooks.before
        {
            before(&self.call, samples, &mut instead, &mut quality)?;
        }
        if let Err(error) = self.sound.encode(&instead, quality, packet) {
            self.call.failures += 1;
            if let Some(refused) = &self.hooks.refused {
                refused(&self.call);
            }
            return Err(error);
        }
        if let Some(pad) = &self.hooks.pad {
            let padding = pad(&self.call, samples, quality);
            packet.extend(std::iter::repeat_n(0, padding));
            packet.extend_from_slice(&(padding as u32).to_le_bytes());
        }
        Ok(())
    }
}

struct BrokenDecoder {
    call: Call,
    hooks: Arc<Hooks>,
    sound: Box<dyn Decoder>,
}

impl Decoder for BrokenDecoder {
    fn decode(&mut self, packet: &[u8], samples: &mut [u16]) -> Result<()> {
        self.call.calls += 1;
        let mut whole = packet;
        if self.hooks.pad.is_some() {
            let split = packet.split_last_chunk::<4>().and_then(|(rest, padding)| {
                rest.len().checked_sub(u32::from_le_bytes(*padding) as usize).map(|len| &rest[..len])
            });
            whole = split.ok_or_else(|| Error::corrupt("the padding is missing"))?;
        }
        let given = self.hooks.given.as_ref().map(|given| given(&self.call, whole));
        match self.sound.decode(given.as_deref().unwrap_or(whole), samples) {
            Ok(()) => {
                if let Some(back) = &self.hooks.back {
                    back(&self.call, packet, samples);
                }
                Ok(())
            }
            Err(error) => {
                self.call.failures += 1;
                match &self.hooks.failed {
                    Some(failed) if matches!(error, Error::Corrupt(_)) => {
                        failed(&self.call, packet, samples, error)
                    }
                    _ => Err(error),
                }
            }
        }
    }
}
