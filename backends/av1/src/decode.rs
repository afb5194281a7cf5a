//! The backends `dav1d` and `rav1d`: one of them, as both libraries have the same symbols and the same interface.

#[cfg(feature = "dav1d")]
use dav1d as library;
#[cfg(not(feature = "dav1d"))]
use re_rav1d::dav1d as library;

use library::{InloopFilterType, Picture, PlanarImageComponent, Settings};
use telecine_core::{
    Backend, BackendInfo, Capabilities, CodecId, Decoder, EncodeOptions, Encoder, Error, GroupSpec, Result,
    Role, Tier, Unavailable, check_sample_count,
};
use telecine_video::{Bitstream, FLAT_SIDE, probe_decoder, read_stored};

static INFO: BackendInfo = BackendInfo::new(
    if cfg!(feature = "dav1d") { "dav1d" } else { "rav1d" },
    CodecId::AV1,
    Tier::Preferred,
    Capabilities::new(&[8, 10, 12])
        .with_lossless()
        .with_lossy(0.0)
        .with_sizes(1..=16_384, 1..=16_384, 1)
        .with_max_frames(1 << 12),
)
.only(Role::Decode);

/// The backend that decodes AV1: `dav1d` where that feature is on, else `rav1d`.
#[derive(Debug, Default)]
pub struct Av1Decoder;

impl Backend for Av1Decoder {
    fn info(&self) -> &BackendInfo {
        &INFO
    }

    fn probe(&self) -> Result<(), Unavailable> {
        probe_decoder(self, Bitstream::Av1.flat(), FLAT_SIDE)
            .map_err(|reason| Unavailable::Init { backend: INFO.name, reason })
    }

    fn encoder(&self, _spec: GroupSpec, _options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        Err(Error::unsupported(format!("{} only decodes", INFO.name)))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        INFO.capabilities.check(INFO.name, &spec)?;
        let mut settings = Settings::new();
        settings.set_n_threads(1);
        settings.set_max_frame_delay(1);
        settings.set_apply_grain(false);
        settings.set_strict_std_compliance(true);
        settings.set_inloop_filters(InloopFilterType::all());
        // A picture of more samples than the group's is refused before memory is taken for it.
        settings.set_frame_size_limit(spec.height.saturating_mul(spec.width));
        let context = library::Decoder::with_settings(&settings)
            .map_err(|error| Error::Backend { backend: INFO.name, source: Box::new(error) })?;
        Ok(Box::new(PictureDecoder { spec, context }))
    }
}

struct PictureDecoder {
    spec: GroupSpec,
    context: library::Decoder,
}

impl PictureDecoder {
    fn fill(&mut self, packet: &[u8], samples: &mut [u16]) -> Result<()> {
        let mut planes = samples.chunks_exact_mut(self.spec.height as usize * self.spec.width as usize);
        for picture in Bitstream::Av1.pictures(packet, self.spec.frames)? {
            let mut sent = self.context.send_data(picture.to_vec(), None, None, None);
            loop {
                match self.context.get_picture() {
                    Ok(picture) => {
                        let plane = planes.next().ok_or_else(|| wrong("more pictures than the group has"))?;
                        read(&picture, &self.spec, plane)?;
                    }
                    Err(library::Error::Again) if sent.is_ok() => break,
                    Err(library::Error::Again) => {}
                    Err(error) => return Err(wrong(&error.to_string())),
                }
                match sent {
                    Err(library::Error::Again) => sent = self.context.send_pending_data(),
                    Err(error) => return Err(wrong(&error.to_string())),
                    Ok(()) => {}
                }
            }
        }
        if planes.len() == 0 { Ok(()) } else { Err(wrong("fewer pictures than the group has")) }
    }
}

fn wrong(what: &str) -> Error {
    Error::corrupt(format!("{}: {what}", INFO.name))
}

fn read(picture: &Picture, spec: &GroupSpec, plane: &mut [u16]) -> Result<()> {
    let depth = picture.bits_per_component().map_or(0, |bits| bits.0);
    let found = (picture.height(), picture.width(), depth);
    if found != (spec.height, spec.width, usize::from(spec.depth)) {
        return Err(wrong(&format!(
            "a picture of {found:?} (height, width, depth) where the group is {spec:?}"
        )));
    }
    let luma = picture.plane(PlanarImageComponent::Y);
    let rows = luma.chunks(picture.stride(PlanarImageComponent::Y) as usize);
    let mut largest = 0;
    for (row, samples) in rows.zip(plane.chunks_exact_mut(spec.width as usize)) {
        if depth == 8 {
            samples.iter_mut().zip(row).for_each(|(sample, byte)| *sample = u16::from(*byte));
            continue;
        }
        for (sample, pair) in samples.iter_mut().zip(row.as_chunks::<2>().0) {
            *sample = u16::from_ne_bytes(*pair);
            largest = largest.max(*sample);
        }
    }
    if largest > spec.max_sample() {
        return Err(wrong(&format!("a sample of {largest}, over {depth} bits")));
    }
    Ok(())
}

impl Decoder for PictureDecoder {
    fn decode(&mut self, packet: &[u8], samples: &mut [u16]) -> Result<()> {
        check_sample_count(&self.spec, samples.len())?;
        if read_stored(&self.spec, packet, samples)? {
            return Ok(());
        }
        let result = self.fill(packet, samples);
        self.context.flush();
        result
    }
}
