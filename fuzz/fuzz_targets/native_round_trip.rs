//! What the encoder of `tns1` writes decodes: exactly where lossless.

#![no_main]

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use telecine::{Backend, EncodeOptions, Quality};
use telecine_fuzz::{FEW, decode, effort, quality, samples, spec};
use telecine_native::Native;

fn round_trip(input: &mut Unstructured<'_>) -> Result<()> {
    let spec = spec(input, FEW)?;
    let (quality, effort) = (quality(input)?, effort(input)?);
    let samples = samples(input, &spec)?;
    let mut packet = Vec::new();
    let mut encoder = Native::default().encoder(spec, &EncodeOptions::with_effort(effort)).unwrap();
    encoder.encode(&samples, quality, &mut packet).unwrap();
    let mut back = vec![0x5aa5; spec.samples()];
    let mut decoder = Native::default().decoder(spec).unwrap();
    assert!(decode(&mut *decoder, &spec, &packet, &mut back), "the encoder's own packet is refused");
    assert!(quality != Quality::Lossless || back == samples, "not lossless");
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let _ = round_trip(&mut Unstructured::new(data));
});
