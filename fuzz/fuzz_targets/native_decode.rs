//! Any bytes given to the decoder of `tns1` decode or are damage.

#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use telecine::Backend;
use telecine_fuzz::{FEW, decode, spec};
use telecine_native::Native;

fuzz_target!(|data: &[u8]| {
    let mut input = Unstructured::new(data);
    let Ok(spec) = spec(&mut input, FEW) else { return };
    let mut decoder = Native::default().decoder(spec).unwrap();
    let mut samples = vec![0x5aa5; spec.samples()];
    decode(&mut *decoder, &spec, input.take_rest(), &mut samples);
});
