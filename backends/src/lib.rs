//! The backends of this build: the one file that knows cargo features.

use std::sync::Arc;

use telecine_core::{Backend, CodecId, Registry};

#[cfg(all(feature = "av1-rust", feature = "ffmpeg", not(feature = "av1")))]
compile_error!(
    "`av1-rust` has the symbols of libdav1d, which FFmpeg loads: take the feature `av1` beside `ffmpeg`"
);

/// A registry with every backend that this build contains.
///
/// `native`, `zstd` and `raw` are always there. The feature `ffmpeg` brings `x265`, `x264`, `libaom`, `hevc`, `h264` and
/// `av1`; the feature `av1` `rav1e` and `dav1d`, and `av1-rust` `rav1e` and `rav1d`; `nvenc` and `nvdec` those
/// of NVIDIA's engines, and `vulkan` those of Vulkan Video. What is left out is known by name, so that messages can say which feature brings it.
pub fn default_registry() -> Registry {
    let mut registry = Registry::new();
    let always: [Arc<dyn Backend>; 3] = [
        Arc::new(telecine_native::Native::default()),
        Arc::new(telecine_zstd::Zstd),
        Arc::new(telecine_raw::Raw),
    ];
    let backends = always.into_iter();
    #[cfg(any(feature = "av1", feature = "av1-rust"))]
    let backends = backends.chain(telecine_av1::backends());
    #[cfg(feature = "ffmpeg")]
    let backends = backends
        .chain(telecine_ffmpeg::FfmpegEncoder::software().into_iter().map(boxed))
        .chain(telecine_ffmpeg::FfmpegDecoder::software().into_iter().map(boxed));
    #[cfg(feature = "nvenc")]
    let backends = backends.chain(telecine_ffmpeg::FfmpegEncoder::nvenc().into_iter().map(boxed));
    #[cfg(feature = "nvdec")]
    let backends = backends.chain(telecine_ffmpeg::FfmpegDecoder::nvdec().into_iter().map(boxed));
    #[cfg(feature = "vulkan")]
    let backends = backends.chain([
        Arc::new(telecine_vulkan::VulkanEncoder::default()) as Arc<dyn Backend>,
        Arc::new(telecine_vulkan::VulkanDecoder::default()),
    ]);
    for backend in backends {
        // Names are distinct: the test below builds this registry.
        let _ = registry.register(backend);
    }
    for &(name, codec, feature) in OPTIONAL {
        if !registry.backends().any(|backend| backend.info().name == name) {
            registry.note_left_out(name, codec, feature);
        }
    }
    registry
}

#[cfg(feature = "ffmpeg")]
fn boxed(backend: impl Backend) -> Arc<dyn Backend> {
    Arc::new(backend)
}

/// Backends that a feature brings, for messages of builds without it.
const OPTIONAL: &[(&str, CodecId, &str)] = &[
    ("rav1e", CodecId::AV1, "av1"),
    ("dav1d", CodecId::AV1, "av1"),
    ("rav1d", CodecId::AV1, "av1-rust"),
    ("x265", CodecId::HEVC, "ffmpeg"),
    ("hevc", CodecId::HEVC, "ffmpeg"),
    ("x264", CodecId::AVC, "ffmpeg"),
    ("h264", CodecId::AVC, "ffmpeg"),
    ("libaom", CodecId::AV1, "ffmpeg"),
    ("av1", CodecId::AV1, "ffmpeg"),
    ("nvenc-hevc", CodecId::HEVC, "nvenc"),
    ("nvenc-h264", CodecId::AVC, "nvenc"),
    ("nvenc-av1", CodecId::AV1, "nvenc"),
    ("nvdec-hevc", CodecId::HEVC, "nvdec"),
    ("nvdec-h264", CodecId::AVC, "nvdec"),
    ("nvdec-av1", CodecId::AV1, "nvdec"),
    ("vulkan-h264", CodecId::AVC, "vulkan"),
    ("vulkan-h264-decode", CodecId::AVC, "vulkan"),
];

/// The backends that choose among the processor's instructions, once for each set that this machine has, named after it.
///
/// For comparing them: what they make does not differ.
pub fn instruction_variants() -> Vec<(String, Arc<dyn Backend>)> {
    let native = telecine_native::Instructions::here().into_iter().filter_map(|instructions| {
        let backend = telecine_native::Native::with_instructions(instructions).ok()?;
        Some((format!("{instructions:?}"), Arc::new(backend) as Arc<dyn Backend>))
    });
    native.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use telecine_core::{Error, Pick, Role, Unavailable};

    #[test]
    fn the_backends_that_are_always_on_serve_both_directions() {
        let registry = default_registry();
        for codec in [CodecId::NATIVE, CodecId::ZSTD, CodecId::RAW] {
            for role in [Role::Encode, Role::Decode] {
                assert_eq!(registry.find(codec, role, Pick::Auto).unwrap().backend.info().codec, codec);
            }
        }
    }

    #[test]
    fn every_optional_backend_is_in_this_build_or_says_which_feature_brings_it() {
        let registry = default_registry();
        for &(name, codec, feature) in OPTIONAL {
            let listing = registry.list().into_iter().find(|listing| listing.name == name).unwrap();
            assert_eq!(listing.codec, codec);
            if listing.info.is_none() {
                let error = registry.find(codec, Role::Decode, Pick::Exactly(name)).unwrap_err();
                assert!(matches!(error, Error::Unavailable(Unavailable::NotCompiled { .. })), "{error}");
                assert!(error.to_string().contains(feature), "{error}");
            }
        }
    }
}
