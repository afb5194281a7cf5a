//! What this machine's Vulkan devices do; where they don't, the test of it shows as ignored, with the reason.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use telecine_core::{Backend, EncodeOptions, Error, GroupSpec, Limits, Quality, Unavailable};
use telecine_vulkan::{VulkanDecoder, VulkanEncoder};

type Outcome = Result<(), Failed>;

fn main() {
    let encoder: Arc<dyn Backend> = Arc::new(VulkanEncoder::default());
    let decoder: Arc<dyn Backend> = Arc::new(VulkanDecoder::default());
    let mut trials = vec![
        Trial::test("each_direction_is_its_own_backend", each_direction_is_its_own_backend),
        works("vulkan-h264 codes within its step", [&encoder, &decoder], codes_within_its_step),
        works("vulkan-h264-decode refuses a packet cut short", [&decoder], a_cut_packet_is_refused),
    ];
    for backend in [encoder, decoder] {
        if let Err(reason) = backend.probe() {
            let name = format!("{} says what is missing, without the probe too", backend.info().name);
            trials.push(Trial::test(name, move || says_what_is_missing(&*backend, &reason)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A test that needs backends: ignored where one of them does not work, which its name then says.
fn works<const N: usize>(
    name: &str,
    needed: [&Arc<dyn Backend>; N],
    test: fn([Arc<dyn Backend>; N]) -> Outcome,
) -> Trial {
    match needed.iter().find_map(|backend| backend.probe().err()) {
        Some(reason) => Trial::test(format!("{name}: {reason}"), || Ok(())).with_ignored_flag(true),
        None => {
            let needed = needed.map(Arc::clone);
            Trial::test(name, move || test(needed))
        }
    }
}

fn spec() -> GroupSpec {
    GroupSpec::new(1, 256, 256, 8, &Limits::default()).unwrap()
}

/// Samples with something to code.
fn samples(spec: &GroupSpec) -> Vec<u16> {
    let value = |at: usize| 128 + (at * 7919 + at * at % 1013 * 31) % 61 - 30;
    (0..spec.samples()).map(|at| u16::try_from(value(at)).unwrap()).collect()
}

fn codes_within_its_step([encoder, decoder]: [Arc<dyn Backend>; 2]) -> Outcome {
    let spec = spec();
    let (samples, mut packet, mut back) = (samples(&spec), Vec::new(), vec![0; spec.samples()]);
    let mut encoder = encoder.encoder(spec, &EncodeOptions::default())?;
    encoder.encode(&samples, Quality::Step(16.0), &mut packet)?;
    decoder.decoder(spec)?.decode(&packet, &mut back)?;
    let square = |(a, b): (&u16, &u16)| f64::from(a.abs_diff(*b)).powi(2);
    let error = samples.iter().zip(&back).map(square).sum::<f64>() / samples.len() as f64;
    assert!(error < 1.3 * 16.0 * 16.0 / 12.0, "{error}");
    Ok(())
}

fn a_cut_packet_is_refused([decoder]: [Arc<dyn Backend>; 1]) -> Outcome {
    let packet = telecine_video::Bitstream::Avc.flat_420()?;
    let spec = spec();
    let cut = decoder.decoder(spec)?.decode(&packet[..packet.len() / 2], &mut vec![0; spec.samples()]);
    assert!(cut.is_err());
    Ok(())
}

fn says_what_is_missing(backend: &dyn Backend, reason: &Unavailable) -> Outcome {
    let said = reason.to_string();
    match reason {
        // What was looked for, and what to install.
        Unavailable::Library { library, .. } => {
            assert!(library.contains("vulkan") && said.contains("libvulkan1"), "{said}");
        }
        // Drivers to install, or devices by name with what their queues do.
        Unavailable::Device { .. } => {
            let named = said.contains("(has no video queue)") || said.contains("codes video)");
            assert!(named || said.contains("mesa-vulkan-drivers"), "{said}");
            assert!(said.contains("H.264"), "{said}");
        }
        // A machine of a kind not seen before: its own words are kept.
        Unavailable::Init { reason, .. } => assert!(!reason.is_empty()),
        other => return Err(format!("a reason that no probe gives: {other}").into()),
    }
    let used = match backend.info().encodes {
        true => backend.encoder(spec(), &EncodeOptions::default()).err(),
        false => backend.decoder(spec()).err(),
    };
    // Where the device opens and the probe's picture fails, a coder can be had.
    match (reason, used) {
        (Unavailable::Init { .. }, None) | (_, Some(Error::Unavailable(_))) => Ok(()),
        (_, used) => Err(format!("the probe says {said}, a coder {used:?}").into()),
    }
}

fn each_direction_is_its_own_backend() -> Outcome {
    let refused = VulkanEncoder::default().decoder(spec()).err();
    assert!(matches!(refused, Some(Error::Unsupported(_))));
    let refused = VulkanDecoder::default().encoder(spec(), &EncodeOptions::default()).err();
    assert!(matches!(refused, Some(Error::Unsupported(_))));
    Ok(())
}
