//! Sound backends of unlike shapes: one direction only, narrow sizes, one kind of quality only.

use std::sync::Arc;

use telecine_core::{
    Backend, BackendInfo, Capabilities, Decoder, EncodeOptions, Encoder, Error, GroupSpec, Quality, Result,
    Unavailable, check_encode_input,
};
use telecine_native::Native;

/// The native backend, less able than it is.
#[derive(Debug)]
pub(crate) struct Shaped {
    sound: Native,
    info: BackendInfo,
}

impl Shaped {
    /// A backend with these directions and what is left of the capabilities.
    pub(crate) fn backend(
        name: &'static str,
        encodes: bool,
        decodes: bool,
        narrow: impl FnOnce(&mut Capabilities),
    ) -> Arc<dyn Backend> {
        let sound = Native::default();
        let mut info = sound.info().clone();
        (info.name, info.encodes, info.decodes) = (name, encodes, decodes);
        narrow(&mut info.capabilities);
        Arc::new(Self { sound, info })
    }
}

impl Backend for Shaped {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn probe(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        if !self.info.encodes {
            return Err(Error::unsupported("it only decodes"));
        }
        self.info.capabilities.check(self.info.name, &spec)?;
        let sound = self.sound.encoder(spec, options)?;
        Ok(Box::new(ShapedEncoder { spec, info: self.info.clone(), sound }))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        if !self.info.decodes {
            return Err(Error::unsupported("it only encodes"));
        }
        self.info.capabilities.check(self.info.name, &spec)?;
        self.sound.decoder(spec)
    }
}

struct ShapedEncoder {
    spec: GroupSpec,
    info: BackendInfo,
    sound: Box<dyn Encoder>,
}

impl Encoder for ShapedEncoder {
    fn encode(&mut self, samples: &[u16], quality: Quality, packet: &mut Vec<u8>) -> Result<()> {
        check_encode_input(&self.info, &self.spec, samples, quality)?;
        self.sound.encode(samples, quality, packet)
    }
}
