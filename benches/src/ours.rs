//! Telecine's own coders: the backend `native` alone, and the whole pipeline.

use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};
use telecine::{Codec, Encoded, Encoding, TensorBuf};
use telecine_core::{
    Backend, Decoder, Distortion, EncodeOptions, Encoder, GroupSpec, Limits, Quality, Target,
};
use telecine_native::Native;

use crate::plane::CHUNK;
use crate::race::{Coder, Fault};

/// Samples of a step, in a plane that is quantised for the backend.
const UNITS: f64 = 64.0;

/// The backend on planes: samples in, samples out.
pub struct Plane {
    samples: Vec<u16>,
    quality: Quality,
    chunk: usize,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    packets: Vec<Vec<u8>>,
    back: Vec<u16>,
}

impl Plane {
    /// Values on a grid fine enough for coding at a step.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn lossy(
        native: &Native,
        values: &[f32],
        columns: usize,
        step: f64,
        options: &EncodeOptions,
    ) -> Result<Self, Fault> {
        let largest = values.iter().fold(0f32, |most, value| most.max(value.abs()));
        let grid = (step / UNITS).max(f64::from(largest) / 32_767.0);
        let sample = |value: &f32| ((f64::from(*value) / grid).round() + 32_768.0) as u16;
        let samples = values.iter().map(sample).collect();
        Self::new(native, samples, columns, Quality::Step((step / grid) as f32), options)
    }

    /// Samples to keep as they are.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn lossless(samples: Vec<u16>, columns: usize) -> Result<Self, Fault> {
        Self::new(&Native::default(), samples, columns, Quality::Lossless, &EncodeOptions::default())
    }

    fn new(
        native: &Native,
        samples: Vec<u16>,
        columns: usize,
        quality: Quality,
        options: &EncodeOptions,
    ) -> Result<Self, Fault> {
        let rows = CHUNK / columns;
        let spec = GroupSpec::new(1, u32::try_from(rows)?, u32::try_from(columns)?, 16, &Limits::default())?;
        let chunk = rows * columns;
        if !samples.len().is_multiple_of(chunk) {
            return Err("only whole chunks are measured".into());
        }
        Ok(Self {
            quality,
            chunk,
            encoder: native.encoder(spec, options)?,
            decoder: native.decoder(spec)?,
            packets: vec![Vec::new(); samples.len() / chunk],
            back: vec![0; samples.len()],
            samples,
        })
    }
}

impl Coder for Plane {
    fn encode(&mut self) -> Result<(), Fault> {
        for (samples, packet) in self.samples.chunks_exact(self.chunk).zip(&mut self.packets) {
            packet.clear();
            self.encoder.encode(samples, self.quality, packet)?;
        }
        Ok(())
    }

    fn decode(&mut self) -> Result<(), Fault> {
        for (packet, back) in self.packets.iter().zip(self.back.chunks_exact_mut(self.chunk)) {
            self.decoder.decode(packet, back)?;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        let squared = |(a, b): (&u16, &u16)| f64::from(a.abs_diff(*b)).powi(2);
        let error = self.samples.iter().zip(&self.back).map(squared).sum::<f64>() / self.samples.len() as f64;
        let most = match self.quality {
            Quality::Step(step) => most_error(f64::from(step)) + 0.1,
            _ => 0.0,
        };
        if error <= most { Ok(()) } else { Err(format!("mean squared error {error}, not {most}").into()) }
    }

    fn packed(&self) -> usize {
        self.packets.iter().map(Vec::len).sum()
    }
}

/// The whole pipeline in memory, from a tensor of bytes to a tensor of bytes, on some threads.
pub struct Pipeline {
    pool: ThreadPool,
    codec: Arc<Codec>,
    tensor: Arc<TensorBuf>,
    encoding: Encoding,
    coded: Option<Encoded>,
    back: Option<TensorBuf>,
}

impl Pipeline {
    /// Of a tensor, with a fixed step or lossless.
    ///
    /// # Errors
    /// Threads that do not start.
    pub fn new(tensor: &Arc<TensorBuf>, encoding: Encoding, threads: usize) -> Result<Self, Fault> {
        Ok(Self {
            pool: ThreadPoolBuilder::new().num_threads(threads).build()?,
            codec: Arc::new(Codec::new()),
            tensor: tensor.clone(),
            encoding,
            coded: None,
            back: None,
        })
    }
}

impl Coder for Pipeline {
    fn encode(&mut self) -> Result<(), Fault> {
        let tensor = self.tensor.view()?;
        self.coded = Some(self.pool.install(|| self.codec.encode(&tensor, &self.encoding))?);
        Ok(())
    }

    fn decode(&mut self) -> Result<(), Fault> {
        let coded = self.coded.as_ref().ok_or("nothing is encoded")?;
        self.back = Some(self.pool.install(|| self.codec.decode(coded))?);
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        let back = self.back.as_ref().ok_or("nothing is decoded")?;
        let found = Distortion::measure(self.tensor.dtype, &self.tensor.bytes, &back.bytes);
        let error = found.squared_error / (self.tensor.bytes.len() / self.tensor.dtype.size()) as f64;
        let right = match self.encoding.target {
            Target::Step(step) => error <= most_error(step),
            _ => back.bytes == self.tensor.bytes,
        };
        if right { Ok(()) } else { Err(format!("mean squared error {error}").into()) }
    }

    fn packed(&self) -> usize {
        self.coded.as_ref().map_or(0, |coded| usize::try_from(coded.report.bytes).unwrap_or(usize::MAX))
    }
}

/// The mean squared error that a step permits: that of a uniform quantiser, and some more for a trellis with a rate term.
fn most_error(step: f64) -> f64 {
    1.3 * step.powi(2) / 12.0
}
