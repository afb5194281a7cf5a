//! All instructions of this machine decode a packet of `tns1` to the same samples, or all refuse it.
//!
//! Half of the packets are the encoder's, most of them with some bytes changed; the first byte of the input decides. Large
//! planes are few, because they take the time of a hundred small ones.

#![no_main]

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use telecine::{Backend, GroupSpec};
use telecine_fuzz::{FEW, damaged, decode, spec};
use telecine_native::{Instructions, Native};

/// Samples of an encoder's largest planes: they have the lanes for every vector kernel.
const MANY: u32 = 70_000;
/// Samples of the largest planes whose packet is the input itself: golden vectors with 64 lanes have about as many.
const MOST: u32 = 270_000;

fn packet(input: &mut Unstructured<'_>) -> Result<(GroupSpec, Vec<u8>)> {
    match input.arbitrary::<u8>()? {
        mode if mode & 1 == 0 => {
            let spec = spec(input, if mode & 0x3e == 2 { MOST } else { FEW })?;
            Ok((spec, input.bytes(input.len())?.to_vec()))
        }
        mode => damaged(input, &Native::default(), if mode & 6 == 0 { MANY } else { FEW }),
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok((spec, packet)) = packet(&mut Unstructured::new(data)) else { return };
    let decoder = |instructions| Native::with_instructions(instructions).unwrap().decoder(spec).unwrap();
    let mut plain = vec![0x5aa5; spec.samples()];
    let mut fast = vec![0xa55a; spec.samples()];
    let decodes = decode(&mut *decoder(Instructions::Plain), &spec, &packet, &mut plain);
    for instructions in Instructions::here() {
        let same = decode(&mut *decoder(instructions), &spec, &packet, &mut fast) == decodes;
        assert!(same, "{instructions:?} and Plain do not agree whether a packet is damaged");
        assert!(!decodes || fast == plain, "{instructions:?} and Plain decode to different samples");
    }
});
