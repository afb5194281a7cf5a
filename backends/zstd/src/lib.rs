//! Backend `zstd`, codec `zstd`: lossless, over the bundled libzstd.
//!
//! A packet is one Zstandard frame (RFC 8878) over the group's samples: one byte each at a depth of 8 bits; above
//! that, first the low bytes of all samples, then their high bytes, so that each plane of bytes is alike within.

use telecine_core::{
    Backend, BackendInfo, Capabilities, CodecId, Decoder, Effort, EncodeOptions, Encoder, Error, GroupSpec,
    Quality, Result, Tier, Unavailable, check_encode_input, check_sample_count,
};

static INFO: BackendInfo = BackendInfo::new(
    "zstd",
    CodecId::ZSTD,
    Tier::Preferred,
    Capabilities::new(&[8, 9, 10, 11, 12, 13, 14, 15, 16]).with_lossless(),
);

/// The backend `zstd`.
#[derive(Debug, Default)]
pub struct Zstd;

impl Backend for Zstd {
    fn info(&self) -> &BackendInfo {
        &INFO
    }

    fn probe(&self) -> Result<(), Unavailable> {
        // The library is linked in: what compiled works.
        Ok(())
    }

    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        INFO.capabilities.check(INFO.name, &spec)?;
        let level = match options.effort {
            Effort::Fast => 1,
            Effort::Balanced => 3,
            Effort::Best => 19,
        };
        let context = zstd::bulk::Compressor::new(level).map_err(failed)?;
        Ok(Box::new(ZstdEncoder { spec, context, bytes: Vec::new() }))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        INFO.capabilities.check(INFO.name, &spec)?;
        let context = zstd::bulk::Decompressor::new().map_err(failed)?;
        Ok(Box::new(ZstdDecoder { spec, context, bytes: Vec::new() }))
    }
}

fn failed(source: std::io::Error) -> Error {
    Error::Backend { backend: INFO.name, source: Box::new(source) }
}

struct ZstdEncoder {
    spec: GroupSpec,
    context: zstd::bulk::Compressor<'static>,
    bytes: Vec<u8>,
}

impl Encoder for ZstdEncoder {
    fn encode(&mut self, samples: &[u16], quality: Quality, packet: &mut Vec<u8>) -> Result<()> {
        check_encode_input(&INFO, &self.spec, samples, quality)?;
        self.bytes.clear();
        self.bytes.extend(samples.iter().map(|sample| sample.to_le_bytes()[0]));
        if self.spec.depth > 8 {
            self.bytes.extend(samples.iter().map(|sample| sample.to_le_bytes()[1]));
        }
        let frame = self.context.compress(&self.bytes).map_err(failed)?;
        packet.extend_from_slice(&frame);
        Ok(())
    }
}

struct ZstdDecoder {
    spec: GroupSpec,
    context: zstd::bulk::Decompressor<'static>,
    bytes: Vec<u8>,
}

impl Decoder for ZstdDecoder {
    fn decode(&mut self, packet: &[u8], samples: &mut [u16]) -> Result<()> {
        check_sample_count(&self.spec, samples.len())?;
        // The buffer is sized by the spec: a frame that claims more fails inside libzstd without growing it.
        self.bytes.resize(samples.len() * if self.spec.depth == 8 { 1 } else { 2 }, 0);
        let len = self
            .context
            .decompress_to_buffer(packet, self.bytes.as_mut_slice())
            .map_err(|error| Error::corrupt(format!("zstd frame: {error}")))?;
        if len != self.bytes.len() {
            return Err(Error::corrupt(format!(
                "zstd frame of {len} bytes where {} belong",
                self.bytes.len()
            )));
        }
        let (low, high) = self.bytes.split_at(samples.len());
        for (sample, &byte) in samples.iter_mut().zip(low) {
            *sample = u16::from(byte);
        }
        let mut largest = 0;
        for (sample, &byte) in samples.iter_mut().zip(high) {
            *sample |= u16::from(byte) << 8;
            largest = largest.max(*sample);
        }
        if largest > self.spec.max_sample() {
            return Err(Error::corrupt(format!("zstd sample {largest} is over {} bits", self.spec.depth)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use telecine_core::Limits;

    fn encode(spec: GroupSpec, samples: &[u16], effort: Effort) -> Vec<u8> {
        let mut packet = Vec::new();
        let mut encoder = Zstd.encoder(spec, &EncodeOptions::with_effort(effort)).unwrap();
        encoder.encode(samples, Quality::Lossless, &mut packet).unwrap();
        packet
    }

    proptest! {
        #[test]
        fn samples_come_back(depth in 8u8..=16, seed in prop::collection::vec(any::<u16>(), 1..500)) {
            let width = u32::try_from(seed.len()).unwrap();
            let spec = GroupSpec::new(1, 1, width, depth, &Limits::default()).unwrap();
            let samples: Vec<u16> = seed.iter().map(|s| s & spec.max_sample()).collect();
            for effort in [Effort::Fast, Effort::Balanced, Effort::Best] {
                let mut back = vec![0xffff; samples.len()];
                Zstd.decoder(spec).unwrap().decode(&encode(spec, &samples, effort), &mut back).unwrap();
                prop_assert_eq!(&back, &samples);
            }
        }
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_an_error_or_the_right_length() {
        let spec = GroupSpec::new(1, 8, 8, 12, &Limits::default()).unwrap();
        let samples: Vec<u16> = (0..64).map(|i| i * 61).collect();
        let packet = encode(spec, &samples, Effort::Balanced);
        let mut decoder = Zstd.decoder(spec).unwrap();
        let mut back = vec![0; 64];
        for len in 0..packet.len() {
            assert!(
                matches!(decoder.decode(&packet[..len], &mut back), Err(Error::Corrupt(_))),
                "{len} bytes"
            );
        }
        for bit in 0..packet.len() * 8 {
            let mut damaged = packet.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            match decoder.decode(&damaged, &mut back) {
                Ok(()) => assert!(back.iter().all(|&s| s <= spec.max_sample())),
                Err(error) => assert!(matches!(error, Error::Corrupt(_)), "{error}"),
            }
        }
        decoder.decode(&packet, &mut back).unwrap();
        assert_eq!(back, samples);
    }

    #[test]
    fn a_frame_that_claims_a_gigabyte_is_corrupt() {
        let spec = GroupSpec::new(1, 1, 4, 8, &Limits::default()).unwrap();
        let bomb = zstd::bulk::compress(&vec![0u8; 1 << 26], 1).unwrap();
        let mut back = [0; 4];
        assert!(matches!(Zstd.decoder(spec).unwrap().decode(&bomb, &mut back), Err(Error::Corrupt(_))));
    }
}
