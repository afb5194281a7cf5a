//! Any bytes given to the decoder of `zstd` decode or are damage.
//!
//! Half of the packets are the encoder's, most of them with some bytes changed: few others have a frame's magic number.

#![no_main]

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use telecine::{Backend, GroupSpec};
use telecine_fuzz::{FEW, damaged, decode, spec};
use telecine_zstd::Zstd;

fn packet(input: &mut Unstructured<'_>) -> Result<(GroupSpec, Vec<u8>)> {
    if input.arbitrary::<u8>()? % 2 == 1 {
        return damaged(input, &Zstd, FEW);
    }
    Ok((spec(input, FEW)?, input.bytes(input.len())?.to_vec()))
}

fuzz_target!(|data: &[u8]| {
    let Ok((spec, packet)) = packet(&mut Unstructured::new(data)) else { return };
    let mut samples = vec![0x5aa5; spec.samples()];
    decode(&mut *Zstd.decoder(spec).unwrap(), &spec, &packet, &mut samples);
});
