//! Packets: any bytes decode or are damage, what an encoder writes decodes, and every implementation agrees.

use arbitrary::{Result, Unstructured};
use telecine::{Backend, EncodeOptions, GroupSpec, Quality};
use telecine_native::{Instructions, Native};
use telecine_raw::Raw;
use telecine_zstd::Zstd;

use crate::input::{FEW, damaged, decode, effort, quality, samples, spec};

/// Samples of planes with the lanes for vector kernels: 8 lanes need half of them, 16 lanes all.
const LANES: u32 = 67_000;
/// Samples of the largest planes whose packet is the input itself: golden vectors with 64 lanes have about as many.
const MOST: u32 = 270_000;

/// Any bytes given to the decoder of `tns1` decode or are damage; planes are large enough for vector kernels.
pub(crate) fn native_decode(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(spec) = spec(&mut input, LANES) else { return };
    any(&Native::default(), spec, input.take_rest());
}

/// Any bytes given to the decoder of `zstd` decode or are damage.
pub(crate) fn zstd_decode(data: &[u8]) {
    decode_or_damage(&Zstd, data);
}

/// Any bytes given to the decoder of `raw0` decode or are damage.
pub(crate) fn raw_decode(data: &[u8]) {
    decode_or_damage(&Raw, data);
}

/// Half of the packets are the encoder's, most of them with some bytes changed: few others get far.
fn decode_or_damage(backend: &dyn Backend, data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok((spec, packet)) = packet(&mut input, backend, FEW, FEW) else { return };
    any(backend, spec, &packet);
}

fn any(backend: &dyn Backend, spec: GroupSpec, packet: &[u8]) {
    let mut samples = vec![0x5aa5; spec.samples()];
    decode(&mut *backend.decoder(spec).unwrap(), &spec, packet, &mut samples);
}

/// Takes a packet of a group of at most `most` samples; the first byte decides whether it is the input itself or the
/// encoder's, and whether a group of more than [`FEW`] may come, which takes the time of many small ones.
fn packet(
    input: &mut Unstructured<'_>,
    backend: &dyn Backend,
    most: u32,
    most_encoded: u32,
) -> Result<(GroupSpec, Vec<u8>)> {
    match input.arbitrary::<u8>()? {
        mode if mode & 1 == 0 => {
            let spec = spec(input, if mode & 0x3e == 2 { most } else { FEW })?;
            Ok((spec, input.bytes(input.len())?.to_vec()))
        }
        mode => damaged(input, backend, if mode & 6 == 0 { most_encoded } else { FEW }),
    }
}

/// All instructions of this machine decode a packet of `tns1` to the same samples, or all refuse it.
pub(crate) fn native_differential(data: &[u8]) {
    let input = &mut Unstructured::new(data);
    let Ok((spec, packet)) = packet(input, &Native::default(), MOST, LANES) else { return };
    let decoder = |instructions| Native::with_instructions(instructions).unwrap().decoder(spec).unwrap();
    let mut plain = vec![0x5aa5; spec.samples()];
    let mut fast = vec![0xa55a; spec.samples()];
    let decodes = decode(&mut *decoder(Instructions::Plain), &spec, &packet, &mut plain);
    for instructions in Instructions::here() {
        let same = decode(&mut *decoder(instructions), &spec, &packet, &mut fast) == decodes;
        assert!(same, "{instructions:?} and Plain do not agree whether a packet is damaged");
        assert!(!decodes || fast == plain, "{instructions:?} and Plain decode to different samples");
    }
}

/// What the encoder of `tns1` writes decodes: exactly where lossless.
pub(crate) fn native_round_trip(data: &[u8]) {
    let _ = round_trip(&mut Unstructured::new(data));
}

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
