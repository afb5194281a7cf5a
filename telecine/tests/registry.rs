//! Registries that are not the default one: codecs of others alone, and backends that are looked up by name.

#![allow(clippy::unwrap_used, reason = "a test that fails by panicking says where")]

use std::sync::Arc;

use telecine::{
    Backend, BackendInfo, Capabilities, Codec, CodecId, CoreError as Error, DType, Decoder, Distortion,
    EncodeOptions, Encoder, Encoding, GroupSpec, Registry, Target, TensorBuf, Tier, Unavailable,
    default_registry,
};
use telecine_native::Native;

/// The native codec under another id, alone in its registry.
#[derive(Debug)]
struct Foreign {
    sound: Native,
    info: BackendInfo,
}

impl Foreign {
    fn new(lossless: bool, lossy: bool) -> Self {
        let sound = Native::default();
        let mut info = sound.info().clone();
        info.name = "foreign";
        info.codec = CodecId::parse("frgn").unwrap();
        (info.capabilities.lossless, info.capabilities.lossy) = (lossless, lossy);
        Self { sound, info }
    }
}

impl Backend for Foreign {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn probe(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>, Error> {
        self.sound.encoder(spec, options)
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>, Error> {
        self.sound.decoder(spec)
    }
}

#[test]
fn a_registry_of_one_foreign_codec_needs_no_name() {
    let values: Vec<f32> = (0..8192).map(|at: i16| (f32::from(at) * 0.7).sin()).collect();
    let tensor = TensorBuf::from_f32(&[128, 64], &values).unwrap();
    let code = |lossless, lossy, target| {
        let mut registry = Registry::new();
        registry.register(Arc::new(Foreign::new(lossless, lossy))).unwrap();
        let codec = Codec::with_registry(registry);
        let back = codec.decode(&codec.encode(&tensor.view().unwrap(), &Encoding::new(target))?)?;
        Ok::<_, telecine::Error>(Distortion::measure(DType::F32, &tensor.bytes, &back.bytes).nmse())
    };
    for (lossless, lossy) in [(true, true), (true, false)] {
        assert_eq!(code(lossless, lossy, Target::Lossless).unwrap(), 0.0);
        assert!(code(lossless, lossy, Target::Nmse(1e-3)).unwrap() <= 1e-3);
    }
    assert!(code(false, true, Target::Step(0.1)).unwrap() <= 1e-2);
    assert!(matches!(code(false, true, Target::Lossless), Err(telecine::Error::Core(Error::Unsupported(_)))));
}

/// A backend whose device must not be touched.
#[derive(Debug)]
struct Untouched(BackendInfo);

impl Backend for Untouched {
    fn info(&self) -> &BackendInfo {
        &self.0
    }

    fn probe(&self) -> Result<(), Unavailable> {
        panic!("{} was probed", self.0.name)
    }

    fn encoder(&self, _: GroupSpec, _: &EncodeOptions) -> Result<Box<dyn Encoder>, Error> {
        panic!("{} was used", self.0.name)
    }

    fn decoder(&self, _: GroupSpec) -> Result<Box<dyn Decoder>, Error> {
        panic!("{} was used", self.0.name)
    }
}

#[test]
fn a_backend_that_is_named_is_found_without_probing_others() {
    let mut registry = default_registry();
    let capabilities = Capabilities::new(&[8]).with_lossy(0.5);
    let info = BackendInfo::new("device", CodecId::HEVC, Tier::Preferred, capabilities);
    registry.register(Arc::new(Untouched(info))).unwrap();
    let tensor = TensorBuf::from_f32(&[64, 64], &[1.5; 4096]).unwrap();
    let mut encoding = Encoding::new(Target::Step(0.1));
    encoding.backend = Some("native".into());
    let encoded = Codec::with_registry(registry).encode(&tensor.view().unwrap(), &encoding).unwrap();
    assert_eq!(encoded.chunks[0].codec, CodecId::NATIVE);
}
