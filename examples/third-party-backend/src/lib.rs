//! A backend of somebody else's: run lengths, or the samples as they are where those are fewer bytes.
//!
//! `tests/conformance.rs` runs all rules of Telecine's conformance suite on it.

use telecine_core::{
    Backend, BackendInfo, Capabilities, CodecId, Decoder, EncodeOptions, Encoder, Error, GroupSpec, Quality,
    Result, Tier, Unavailable, check_encode_input, check_sample_count,
};

/// The backend `run-length`, codec `rle0`.
///
/// A packet begins with a byte: 0, and the samples follow, little-endian; or 1, and runs follow, each its length and its
/// sample as 16-bit little-endian numbers.
#[derive(Debug)]
pub struct RunLength {
    info: BackendInfo,
}

impl RunLength {
    /// The backend.
    ///
    /// # Errors
    /// None: the codec's id is well formed.
    pub fn new() -> Result<Self> {
        let capabilities = Capabilities::new(&[8, 10, 12, 16])
            .with_lossless()
            .with_sizes(1..=1 << 24, 1..=1 << 24, 1)
            .with_max_frames(1 << 16);
        let codec = CodecId::parse("rle0")?;
        Ok(Self { info: BackendInfo::new("run-length", codec, Tier::Standard, capabilities) })
    }
}

impl Backend for RunLength {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn probe(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    fn encoder(&self, spec: GroupSpec, _options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        self.info.capabilities.check(self.info.name, &spec)?;
        Ok(Box::new(RunEncoder { spec, info: self.info.clone() }))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        self.info.capabilities.check(self.info.name, &spec)?;
        Ok(Box::new(RunDecoder { spec }))
    }
}

struct RunEncoder {
    spec: GroupSpec,
    info: BackendInfo,
}

impl Encoder for RunEncoder {
    fn encode(&mut self, samples: &[u16], quality: Quality, packet: &mut Vec<u8>) -> Result<()> {
        check_encode_input(&self.info, &self.spec, samples, quality)?;
        let start = packet.len();
        packet.push(1);
        for run in samples.chunk_by(|a, b| a == b).flat_map(|run| run.chunks(usize::from(u16::MAX))) {
            // A chunk has at most 65,535 samples.
            let length = u16::try_from(run.len()).unwrap_or(u16::MAX);
            packet.extend_from_slice(&length.to_le_bytes());
            packet.extend_from_slice(&run[0].to_le_bytes());
        }
        if packet.len() - start > 1 + samples.len() * sample_bytes(&self.spec) {
            packet.truncate(start);
            packet.push(0);
            let bytes = sample_bytes(&self.spec);
            packet.extend(samples.iter().flat_map(|sample| sample.to_le_bytes().into_iter().take(bytes)));
        }
        Ok(())
    }
}

struct RunDecoder {
    spec: GroupSpec,
}

impl Decoder for RunDecoder {
    fn decode(&mut self, packet: &[u8], samples: &mut [u16]) -> Result<()> {
        check_sample_count(&self.spec, samples.len())?;
        match packet.split_first() {
            Some((0, bytes)) => read_samples(bytes, sample_bytes(&self.spec), samples)?,
            Some((1, bytes)) => read_runs(bytes, samples)?,
            _ => return Err(Error::corrupt("an rle0 packet begins with neither 0 nor 1")),
        }
        match samples.iter().max() {
            Some(&largest) if largest > self.spec.max_sample() => {
                Err(Error::corrupt(format!("rle0 sample {largest} is over {} bits", self.spec.depth)))
            }
            _ => Ok(()),
        }
    }
}

/// Bytes of a sample that is stored as it is.
fn sample_bytes(spec: &GroupSpec) -> usize {
    if spec.depth == 8 { 1 } else { 2 }
}

fn read_samples(bytes: &[u8], width: usize, samples: &mut [u16]) -> Result<()> {
    if bytes.len() != samples.len() * width {
        let (have, want) = (bytes.len(), samples.len());
        return Err(Error::corrupt(format!("{have} bytes of rle0 samples where {want} samples belong")));
    }
    for (sample, bytes) in samples.iter_mut().zip(bytes.chunks_exact(width)) {
        *sample = u16::from_le_bytes([bytes[0], if width == 2 { bytes[1] } else { 0 }]);
    }
    Ok(())
}

fn read_runs(bytes: &[u8], mut samples: &mut [u16]) -> Result<()> {
    let (runs, rest) = bytes.as_chunks::<4>();
    for &[a, b, c, d] in runs {
        let length = usize::from(u16::from_le_bytes([a, b]));
        if length == 0 {
            return Err(Error::corrupt("an rle0 run of no samples"));
        }
        let Some((run, after)) = std::mem::take(&mut samples).split_at_mut_checked(length) else {
            return Err(Error::corrupt("rle0 runs are longer than the group"));
        };
        run.fill(u16::from_le_bytes([c, d]));
        samples = after;
    }
    if samples.is_empty() && rest.is_empty() {
        return Ok(());
    }
    Err(Error::corrupt(format!("rle0 runs end {} samples early", samples.len())))
}
