//! Backend `raw`, codec `raw0`: samples as they are.
//!
//! A packet holds the group's samples in order, one byte each at a depth of 8 bits and two little-endian bytes above.
//! It is the yardstick for the other codecs and the last resort for what none of them makes smaller.

use telecine_core::{
    Backend, BackendInfo, Capabilities, CodecId, Decoder, EncodeOptions, Encoder, Error, GroupSpec, Quality,
    Result, Tier, Unavailable, check_encode_input, check_sample_count,
};

static INFO: BackendInfo = BackendInfo::new(
    "raw",
    CodecId::RAW,
    Tier::Preferred,
    Capabilities::new(&[8, 9, 10, 11, 12, 13, 14, 15, 16]).with_lossless(),
);

/// The backend `raw`.
#[derive(Debug, Default)]
pub struct Raw;

impl Backend for Raw {
    fn info(&self) -> &BackendInfo {
        &INFO
    }

    fn probe(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    fn encoder(&self, spec: GroupSpec, _options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        INFO.capabilities.check(INFO.name, &spec)?;
        Ok(Box::new(Coder { spec }))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        INFO.capabilities.check(INFO.name, &spec)?;
        Ok(Box::new(Coder { spec }))
    }
}

struct Coder {
    spec: GroupSpec,
}

impl Encoder for Coder {
    fn encode(&mut self, samples: &[u16], quality: Quality, packet: &mut Vec<u8>) -> Result<()> {
        check_encode_input(&INFO, &self.spec, samples, quality)?;
        if self.spec.depth == 8 {
            packet.extend(samples.iter().map(|&sample| sample.to_le_bytes()[0]));
        } else {
            packet.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        }
        Ok(())
    }
}

impl Decoder for Coder {
    fn decode(&mut self, packet: &[u8], samples: &mut [u16]) -> Result<()> {
        check_sample_count(&self.spec, samples.len())?;
        let width = if self.spec.depth == 8 { 1 } else { 2 };
        if packet.len() != samples.len() * width {
            return Err(Error::corrupt(format!(
                "raw packet of {} bytes for {} samples of {width} bytes",
                packet.len(),
                samples.len()
            )));
        }
        if width == 1 {
            for (sample, &byte) in samples.iter_mut().zip(packet) {
                *sample = u16::from(byte);
            }
            return Ok(());
        }
        let max = self.spec.max_sample();
        let mut largest = 0;
        for (sample, bytes) in samples.iter_mut().zip(packet.as_chunks::<2>().0) {
            *sample = u16::from_le_bytes(*bytes);
            largest = largest.max(*sample);
        }
        if largest > max {
            return Err(Error::corrupt(format!("raw sample {largest} is over {} bits", self.spec.depth)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telecine_core::Limits;

    fn spec(depth: u8) -> GroupSpec {
        GroupSpec::new(1, 2, 3, depth, &Limits::default()).unwrap()
    }

    #[test]
    fn samples_come_back_at_every_depth() {
        for depth in 8..=16 {
            let spec = spec(depth);
            let samples: Vec<u16> = (0..6).map(|i| spec.max_sample() - i).collect();
            let mut packet = vec![7];
            Raw.encoder(spec, &EncodeOptions::default())
                .unwrap()
                .encode(&samples, Quality::Lossless, &mut packet)
                .unwrap();
            assert_eq!(packet.len(), 1 + if depth == 8 { 6 } else { 12 });
            let mut back = [0; 6];
            Raw.decoder(spec).unwrap().decode(&packet[1..], &mut back).unwrap();
            assert_eq!(back.as_slice(), samples);
        }
    }

    #[test]
    fn wrong_lengths_and_samples_over_the_depth_are_corrupt() {
        let mut decoder = Raw.decoder(spec(10)).unwrap();
        let mut back = [0; 6];
        assert!(matches!(decoder.decode(&[0; 11], &mut back), Err(Error::Corrupt(_))));
        assert!(matches!(decoder.decode(&[0xff; 12], &mut back), Err(Error::Corrupt(_))));
        assert!(decoder.decode(&[1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0], &mut back).is_ok());
    }

    #[test]
    fn lossy_quality_is_refused() {
        let mut encoder = Raw.encoder(spec(8), &EncodeOptions::default()).unwrap();
        assert!(matches!(
            encoder.encode(&[0; 6], Quality::Step(2.0), &mut Vec::new()),
            Err(Error::Unsupported(_))
        ));
    }
}
