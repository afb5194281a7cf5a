//! The backends of this build: the one file that knows cargo features.

use std::sync::Arc;

use telecine_core::Registry;

/// A registry with every backend that this build contains.
///
/// `native`, `zstd` and `raw` are always there.
pub fn default_registry() -> Registry {
    let mut registry = Registry::new();
    let backends: [Arc<dyn telecine_core::Backend>; 3] = [
        Arc::new(telecine_native::Native::default()),
        Arc::new(telecine_zstd::Zstd),
        Arc::new(telecine_raw::Raw),
    ];
    for backend in backends {
        // Names are distinct: the test below builds this registry.
        let _ = registry.register(backend);
    }
    registry
}

/// The backends that choose among the processor's instructions, once for each set that this machine has, named after it.
///
/// For comparing them: what they make does not differ.
pub fn instruction_variants() -> Vec<(String, Arc<dyn telecine_core::Backend>)> {
    let native = telecine_native::Instructions::here().into_iter().filter_map(|instructions| {
        let backend = telecine_native::Native::with_instructions(instructions).ok()?;
        Some((format!("{instructions:?}"), Arc::new(backend) as Arc<dyn telecine_core::Backend>))
    });
    native.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use telecine_core::{CodecId, Pick, Role};

    #[test]
    fn the_backends_that_are_always_on_serve_both_directions() {
        let registry = default_registry();
        assert_eq!(registry.backends().count(), 3);
        for codec in [CodecId::NATIVE, CodecId::ZSTD, CodecId::RAW] {
            for role in [Role::Encode, Role::Decode] {
                assert_eq!(registry.find(codec, role, Pick::Auto).unwrap().backend.info().codec, codec);
            }
        }
    }

    #[test]
    fn a_codec_without_a_backend_is_unavailable_by_name() {
        let error = default_registry().find(CodecId::AV1, Role::Decode, Pick::Auto).unwrap_err();
        assert!(error.to_string().contains("av01"), "{error}");
    }
}
