//! What this machine's Vulkan devices do, or which of the reasons it is that they don't.
#![cfg(feature = "vulkan")]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use telecine_core::{Backend, EncodeOptions, Error, GroupSpec, Limits, Quality, Unavailable};
use telecine_vulkan::{VulkanDecoder, VulkanEncoder};

/// Samples with something to code.
fn samples(spec: &GroupSpec) -> Vec<u16> {
    let value = |at: usize| 128 + (at * 7919 + at * at % 1013 * 31) % 61 - 30;
    (0..spec.samples()).map(|at| u16::try_from(value(at)).unwrap()).collect()
}

#[test]
fn a_backend_works_or_says_what_is_missing() {
    let (encoder, decoder) = (VulkanEncoder::default(), VulkanDecoder::default());
    for backend in [&encoder as &dyn Backend, &decoder] {
        let name = backend.info().name;
        let spec = GroupSpec::new(1, 256, 256, 8, &Limits::default()).unwrap();
        match backend.probe() {
            Ok(()) if backend.info().encodes => {
                let (samples, mut packet, mut back) = (samples(&spec), Vec::new(), vec![0; spec.samples()]);
                let mut encoder = backend.encoder(spec, &EncodeOptions::default()).unwrap();
                encoder.encode(&samples, Quality::Step(16.0), &mut packet).unwrap();
                decoder.decoder(spec).unwrap().decode(&packet, &mut back).unwrap();
                let square = |(a, b): (&u16, &u16)| f64::from(a.abs_diff(*b)).powi(2);
                let error = samples.iter().zip(&back).map(square).sum::<f64>() / samples.len() as f64;
                assert!(error < 1.3 * 16.0 * 16.0 / 12.0, "{name}: {error}");
            }
            Ok(()) => {}
            Err(reason) => {
                println!("{name}: {reason}");
                match &reason {
                    Unavailable::Library { library, .. } => assert!(library.contains("vulkan")),
                    // Devices are named, with what their queues do.
                    Unavailable::Device { reason, .. } => {
                        let named =
                            reason.contains("(has no video queue)") || reason.contains("codes video)");
                        assert!(named || reason.contains("finds no device"), "{reason}");
                        assert!(reason.contains("H.264"), "{reason}");
                    }
                    other => panic!("{name}: {other}"),
                }
                // Without the probe, too, it is an error and no panic.
                let used = match backend.info().encodes {
                    true => backend.encoder(spec, &EncodeOptions::default()).err(),
                    false => backend.decoder(spec).err(),
                };
                assert!(matches!(used, Some(Error::Unavailable(_))), "{name}");
            }
        }
    }
}

#[test]
fn each_direction_is_its_own_backend() {
    let spec = GroupSpec::new(1, 256, 256, 8, &Limits::default()).unwrap();
    let refused = VulkanEncoder::default().decoder(spec).err();
    assert!(matches!(refused, Some(Error::Unsupported(_))));
    let refused = VulkanDecoder::default().encoder(spec, &EncodeOptions::default()).err();
    assert!(matches!(refused, Some(Error::Unsupported(_))));
}
