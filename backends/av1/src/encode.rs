//! The backend `rav1e`.

use rav1e::prelude::{
    ChromaSampling, Config, Context, EncoderConfig, EncoderStatus, Pixel, PixelRange, Tune,
};
use telecine_core::{
    Backend, BackendInfo, Capabilities, CodecId, Decoder, Effort, EncodeOptions, Encoder, Error, GroupSpec,
    Quality, Result, Role, Tier, Tools, Unavailable, check_encode_input,
};
use telecine_video::{Bitstream, probe_encoder, store, stored_len};

use crate::ladder::ladder;

static INFO: BackendInfo =
    BackendInfo::new("rav1e", CodecId::AV1, Tier::Preferred, capabilities()).only(Role::Encode);

const fn capabilities() -> Capabilities {
    let mut capabilities = Bitstream::Av1.hardware();
    capabilities.lossless = false;
    capabilities.excess = 0.4;
    // rav1e holds 122 bytes per sample of tall planes of the least width: 64 MiB at this height.
    capabilities.with_sizes(128..=4096, 128..=4096, BLOCK)
}

/// Blocks reach over the edges of a picture and are judged by what lies within: a last column that stands alone would be
/// dropped, so pictures are whole blocks of this many samples.
const BLOCK: u32 = 8;

/// Groups that are coded as luma alone.
static LUMA: Capabilities = Capabilities::new(&[8, 10, 12])
    .with_lossy(0.4)
    .with_loose_steps()
    .with_sizes(16..=16_384, 16..=16_384, BLOCK)
    .with_max_frames(1 << 12);

/// The backend `rav1e`.
#[derive(Debug, Default)]
pub struct Rav1e;

impl Backend for Rav1e {
    fn info(&self) -> &BackendInfo {
        &INFO
    }

    fn probe(&self) -> Result<(), Unavailable> {
        probe_encoder(self).map_err(|reason| Unavailable::Init { backend: INFO.name, reason })
    }

    fn step_at_most(&self, depth: u8, step: f32) -> f32 {
        ladder(depth).at_most(step)
    }

    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        let capabilities = if options.monochrome { &LUMA } else { &INFO.capabilities };
        capabilities.check(INFO.name, &spec)?;
        options.tools.check(INFO.name, Tools { prediction: false, partitioning: false })?;
        Ok(Box::new(Rav1eEncoder { spec, options: *options }))
    }

    fn decoder(&self, _spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        Err(Error::unsupported("rav1e only encodes"))
    }
}

fn failed(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Backend { backend: INFO.name, source: Box::new(source) }
}

struct Rav1eEncoder {
    spec: GroupSpec,
    options: EncodeOptions,
}

impl Rav1eEncoder {
    /// What rav1e is told: a still picture, with one thread and one quantiser, judged by squared error alone.
    fn config(&self, quantiser: usize) -> Config {
        let speed = match self.options.effort {
            Effort::Fast | Effort::Balanced => 10,
            Effort::Best => 6,
        };
        let mut config = EncoderConfig::with_speed_preset(speed);
        config.width = self.spec.width as usize;
        config.height = self.spec.height as usize;
        config.bit_depth = usize::from(self.spec.depth);
        config.chroma_sampling =
            if self.options.monochrome { ChromaSampling::Cs400 } else { ChromaSampling::Cs420 };
        config.pixel_range = PixelRange::Full;
        config.still_picture = true;
        config.quantizer = quantiser;
        config.tune = Tune::Psnr;
        config.speed_settings.cdef = false;
        config.speed_settings.lrf = false;
        // It has no switch to turn deblocking off. The thorough choice of its strength leaves the picture alone
        // wherever smoothing adds error, the fast one goes by the quantiser.
        config.speed_settings.fast_deblock = false;
        // Squared in 32 bits, as rav1e does it, errors of deep samples overflow in its transform's domain.
        config.speed_settings.transform.tx_domain_distortion = false;
        Config::new().with_encoder_config(config).with_threads(1)
    }

    /// Appends the picture of one plane; chroma, where there is any, holds the middle value.
    fn code<T: Pixel>(&self, config: &Config, samples: &[u16], packet: &mut Vec<u8>) -> Result<()> {
        let mut context: Context<T> = config.new_context().map_err(failed)?;
        let mut frame = context.new_frame();
        let plane = &mut frame.planes[0];
        let stride = plane.cfg.stride;
        let rows = plane.data_origin_mut().chunks_mut(stride);
        for (row, samples) in rows.zip(samples.chunks_exact(self.spec.width as usize)) {
            row.iter_mut().zip(samples).for_each(|(pixel, sample)| *pixel = T::cast_from(*sample));
        }
        for plane in &mut frame.planes[1..] {
            plane.data.fill(T::cast_from(self.spec.mid_sample()));
        }
        context.send_frame(frame).map_err(failed)?;
        context.flush();
        loop {
            match context.receive_packet() {
                Ok(coded) => return Bitstream::Av1.append(&coded.data, 0, packet).map_err(failed),
                Err(EncoderStatus::Encoded) => {}
                Err(status) => return Err(failed(status)),
            }
        }
    }
}

impl Encoder for Rav1eEncoder {
    fn encode(&mut self, samples: &[u16], quality: Quality, packet: &mut Vec<u8>) -> Result<()> {
        check_encode_input(&INFO, &self.spec, samples, quality)?;
        let Quality::Step(step) = quality else {
            return Err(Error::unsupported("rav1e has no lossless mode"));
        };
        let quantiser = usize::try_from(ladder(self.spec.depth).nearest(step)).unwrap_or(255);
        let (config, start) = (self.config(quantiser), packet.len());
        for plane in samples.chunks_exact(self.spec.height as usize * self.spec.width as usize) {
            let result = match self.spec.depth {
                8 => self.code::<u8>(&config, plane, packet),
                _ => self.code::<u16>(&config, plane, packet),
            };
            if let Err(error) = result {
                packet.truncate(start);
                return Err(error);
            }
        }
        if packet.len() - start >= stored_len(&self.spec) {
            packet.truncate(start);
            store(&self.spec, samples, packet);
        }
        Ok(())
    }
}
