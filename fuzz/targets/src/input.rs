//! How the bytes of an input are read.
//!
//! A packet's input is its spec, 6 bytes, then the packet: frames − 1, height, width (16 bits each), depth − 8. What
//! goes beyond the bounds is held within them. Seeds are written in this form.

use arbitrary::{Result, Unstructured};
use telecine::{Backend, CoreError, Decoder, Effort, EncodeOptions, GroupSpec, Limits, Quality};

/// Samples of most groups, at most.
pub(crate) const FEW: u32 = 1 << 14;

/// Takes a spec of at most `most` samples.
pub(crate) fn spec(input: &mut Unstructured<'_>, most: u32) -> Result<GroupSpec> {
    let (frames, height, width, depth): (u8, u16, u16, u8) = input.arbitrary()?;
    let frames = 1 + u32::from(frames) % 4;
    let height = u32::from(height).clamp(1, most / frames);
    let width = u32::from(width).clamp(1, most / frames / height);
    Ok(GroupSpec::new(frames, height, width, 8 + depth % 9, &Limits::default()).expect("within all limits"))
}

/// Takes samples: noise whose rows and columns have scales of their own, with values far out, then some as they come.
pub(crate) fn samples(input: &mut Unstructured<'_>, spec: &GroupSpec) -> Result<Vec<u16>> {
    let (seed, scale, rows, cols): (u64, u8, u8, u8) = input.arbitrary()?;
    let (far, zeros, own): (u8, u8, u8) = input.arbitrary()?;
    let mut noise = Noise(seed | 1);
    let scale = (f32::from(scale) / 16.0).exp2() / 256.0;
    let (height, width) = (spec.height as usize, spec.width as usize);
    // Scales fall along the plane, or change from line to line.
    let octaves = |scales: u8, at: usize, count: usize| match scales >> 4 {
        0 => 0.0,
        range if scales & 1 == 0 => -(range as f32) * at as f32 / count as f32,
        range => -((at * 7 % 16) as f32) * range as f32 / 16.0,
    };
    let row_scales: Vec<f32> = (0..height).map(|at| octaves(rows, at, height).exp2()).collect();
    let col_scales: Vec<f32> = (0..width).map(|at| octaves(cols, at, width).exp2()).collect();
    let (mid, max) = (f32::from(spec.mid_sample()), f32::from(spec.max_sample()));
    let mut samples = Vec::with_capacity(spec.samples());
    for at in 0..spec.samples() {
        let bits = noise.next();
        let normal = bits.to_le_bytes().iter().map(|&byte| f32::from(byte.cast_signed())).sum::<f32>();
        let rare = noise.next();
        let value = match rare as u8 {
            byte if byte < zeros => 0.0,
            _ if (rare >> 8) as u16 % 4096 < u16::from(far) / 16 => 64.0 * normal,
            _ => normal,
        };
        let scale = scale * row_scales[at / width % height] * col_scales[at % width];
        samples.push((mid + value * scale).clamp(0.0, max) as u16);
    }
    for _ in 0..own {
        let (at, sample): (u32, u16) = input.arbitrary()?;
        let at = at as usize % samples.len();
        samples[at] = sample & spec.max_sample();
    }
    Ok(samples)
}

/// Takes a quality.
pub(crate) fn quality(input: &mut Unstructured<'_>) -> Result<Quality> {
    let step: u8 = input.arbitrary()?;
    Ok(if step < 64 { Quality::Lossless } else { Quality::Step((f32::from(step - 64) / 10.0 - 2.0).exp2()) })
}

/// Takes an effort; the fastest is the most frequent.
pub(crate) fn effort(input: &mut Unstructured<'_>) -> Result<Effort> {
    let effort: u8 = input.arbitrary()?;
    Ok(match effort {
        0..0xc0 => Effort::Fast,
        0xc0..0xf0 => Effort::Balanced,
        _ => Effort::Best,
    })
}

/// Decodes; a packet that is refused must be refused as damaged, one that is not must decode within the depth.
pub(crate) fn decode(
    decoder: &mut dyn Decoder,
    spec: &GroupSpec,
    packet: &[u8],
    samples: &mut [u16],
) -> bool {
    match decoder.decode(packet, samples) {
        Ok(()) => {
            assert!(samples.iter().all(|&sample| sample <= spec.max_sample()), "a sample beyond the depth");
            true
        }
        Err(CoreError::Corrupt(_)) => false,
        Err(error) => panic!("neither decoded nor damaged: {error:?}"),
    }
}

/// Takes a packet that this backend makes of a group of at most `most` samples, most of them with some bytes changed.
pub(crate) fn damaged(
    input: &mut Unstructured<'_>,
    backend: &dyn Backend,
    most: u32,
) -> Result<(GroupSpec, Vec<u8>)> {
    let spec = spec(input, most)?;
    let (quality, effort) = (quality(input)?, effort(input)?);
    let quality = if backend.info().capabilities.lossy { quality } else { Quality::Lossless };
    let count = input.arbitrary::<u8>()? % 4;
    let damages: Vec<(u32, u8)> = (0..count).map(|_| input.arbitrary()).collect::<Result<_>>()?;
    let samples = samples(input, &spec)?;
    let mut packet = Vec::new();
    let mut encoder = backend.encoder(spec, &EncodeOptions::with_effort(effort)).unwrap();
    encoder.encode(&samples, quality, &mut packet).unwrap();
    for (at, change) in damages {
        let at = at as usize % packet.len();
        packet[at] ^= change;
    }
    Ok((spec, packet))
}

/// A generator of numbers (xorshift), from one that is not 0.
#[derive(Debug)]
pub struct Noise(pub u64);

impl Noise {
    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it has no end")]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below this one, which is above 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
