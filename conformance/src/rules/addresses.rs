//! Buffers at every address, and beside memory that nothing may touch.

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use telecine_core::{EncodeOptions, GroupSpec, Quality};

use crate::process::{Guarded, Side};
use crate::shapes::any_content;
use crate::signal::{at_depth, gaussian};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "buffers/any-address",
        family: Family::Buffers,
        guarantee: "Samples, packets and outputs may lie at any address: nothing beside them is read into a result, or written.",
        applies: |subject| subject.is_complete(),
        run: any_address,
    },
    Rule {
        id: "buffers/beside-forbidden-memory",
        family: Family::Buffers,
        guarantee: "Beside memory that may not be touched, inputs of every length are coded and damaged packets are refused.",
        applies: |subject| {
            subject.is_complete()?;
            subject.has_children()
        },
        run: beside_forbidden_memory,
    },
];

/// Elements that stand around a buffer.
const AROUND: usize = 200;
/// Addresses, in elements, after which everything repeats: two lines of the cache for samples.
const ADDRESSES: usize = 64;

/// Memory full of junk, and the place in it whose address has this remainder.
fn place<T: Copy>(junk: T, count: usize, remainder: usize) -> (Vec<T>, usize) {
    let memory = vec![junk; count + 2 * AROUND + ADDRESSES];
    let first = memory[AROUND..].as_ptr().addr() / size_of::<T>() % ADDRESSES;
    (memory, AROUND + (remainder + ADDRESSES - first) % ADDRESSES)
}

/// A copy of these elements at an address with this remainder, among junk.
fn put<T: Copy>(elements: &[T], junk: T, remainder: usize) -> (Vec<T>, usize) {
    let (mut memory, at) = place(junk, elements.len(), remainder);
    memory[at..at + elements.len()].copy_from_slice(elements);
    (memory, at)
}

fn any_address(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    for (frames, height, width, depth) in [(1, 17, 23, 16), (2, 9, 31, 16), (1, 40, 64, 8), (1, 1, 1, 12)] {
        let spec = subject.spec(frames, height, width, depth)?;
        let samples = gaussian(&spec, f64::from(spec.mid_sample()) / 6.0, 261);
        for quality in subject.qualities(at_depth(&spec, 900.0)) {
            let packet = subject.encode(spec, &samples, quality)?;
            let decoded = subject.decode(spec, &packet)?;
            let what =
                |remainder: usize| format!("{spec:?}, {quality:?}, address {remainder} of {ADDRESSES}");
            for remainder in 0..ADDRESSES {
                for junk in [0x00, 0xff] {
                    let wide = u16::from_le_bytes([junk, junk]);
                    let (memory, at) = put(&samples, wide, remainder);
                    let mut other = Vec::new();
                    let mut encoder = subject.encoding()?.encoder(spec, &EncodeOptions::default())?;
                    encoder.encode(&memory[at..at + samples.len()], quality, &mut other)?;
                    cases.check(other == packet, || {
                        format!("{}: samples beside {junk:#x} make another packet", what(remainder))
                    })?;
                    let (memory, at) = put(&packet, junk, remainder);
                    let (mut output, out) = place(wide, samples.len(), ADDRESSES - 1 - remainder);
                    let range = out..out + samples.len();
                    let mut decoder = subject.decoding()?.decoder(spec)?;
                    decoder.decode(&memory[at..at + packet.len()], &mut output[range.clone()])?;
                    cases.check(output[range.clone()] == decoded, || {
                        format!("{}: a packet beside {junk:#x} decodes to other samples", what(remainder))
                    })?;
                    let beside = output[..range.start].iter().chain(&output[range.end..]);
                    let touched = beside.filter(|sample| **sample != wide).count();
                    cases.check(touched == 0, || {
                        format!("{}: {touched} samples beside the output are written", what(remainder))
                    })?;
                }
            }
        }
    }
    Ok(())
}

fn refused() -> Failure {
    Failure("the system has no guarded memory".into())
}

fn beside_forbidden_memory(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    // Widths of a few hundred, so that packets and samples have every length, and so begin at every address.
    let mut rng = SmallRng::seed_from_u64(262);
    let count = if subject.is_quick() { 30 } else { 140 };
    for width in 1..=count {
        let (frames, mut height, depth) =
            (rng.random_range(1..=3), rng.random_range(1..=5), [16, 8, 12][width as usize % 3]);
        if width % 16 == 0 {
            // Packets of more than a page, too.
            height = rng.random_range(100..200);
        }
        let spec = subject.spec(frames, height, width, depth)?;
        let (name, samples) = any_content(&spec, u64::from(width));
        for quality in subject.qualities(at_depth(&spec, 900.0)) {
            check_guarded(subject, &spec, &samples, quality, cases, name)?;
        }
    }
    Ok(())
}

fn check_guarded(
    subject: &Subject,
    spec: &GroupSpec,
    samples: &[u16],
    quality: Quality,
    cases: &mut Cases,
    name: &str,
) -> Result<(), Failure> {
    let packet = subject.encode(*spec, samples, quality)?;
    let decoded = subject.decode(*spec, &packet)?;
    for side in [Side::End, Side::Start] {
        let what = || format!("{name}, {spec:?}, {quality:?}, {side:?}");
        let guarded = Guarded::copy(samples, side).ok_or_else(refused)?;
        let same = subject.encode(*spec, &guarded, quality)? == packet;
        cases.check(same, || format!("{}: another packet", what()))?;
        let guarded = Guarded::copy(&packet, side).ok_or_else(refused)?;
        let mut output = Guarded::<u16>::new(samples.len(), side).ok_or_else(refused)?;
        subject.decoding()?.decoder(*spec)?.decode(&guarded, &mut output)?;
        cases.check(*output == *decoded, || format!("{}: other samples", what()))?;
    }
    // What a decoder takes for more than there is lies in the forbidden page.
    let mut decoder = subject.decoding()?.decoder(*spec)?;
    let stride = packet.len().div_ceil(if subject.is_quick() { 12 } else { 40 }).max(1);
    for cut in (0..packet.len()).step_by(stride).chain(packet.len().saturating_sub(9)..packet.len()) {
        let guarded = Guarded::copy(&packet[..cut], Side::End).ok_or_else(refused)?;
        let mut output = Guarded::<u16>::new(samples.len(), Side::End).ok_or_else(refused)?;
        let result = decoder.decode(&guarded, &mut output);
        cases.check(result.is_err(), || {
            format!("{name}, {spec:?}, {quality:?}: {cut} of {} bytes decode", packet.len())
        })?;
    }
    Ok(())
}
