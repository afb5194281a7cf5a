//! Real work on tiny groups, for `Backend::probe`.

use telecine_core::{Backend, EncodeOptions, GroupSpec, Limits, Quality, Result};

use crate::Bitstream;

/// The samples of [`Bitstream::flat`] and [`Bitstream::flat_420`], of 8 bits.
pub const FLAT: u16 = 77;
/// Rows and columns of [`Bitstream::flat`].
pub const FLAT_SIDE: u32 = 64;
/// Rows and columns of [`Bitstream::flat_420`]: hardware takes no less than 144.
pub const FLAT_420_SIDE: u32 = 256;

impl Bitstream {
    /// A packet of one group of 64 × 64 samples of 8 bits, all of them [`FLAT`].
    pub fn flat(self) -> &'static [u8] {
        match self {
            Self::Hevc => include_bytes!("probe/flat.hevc"),
            Self::Avc => include_bytes!("probe/flat.h264"),
            Self::Av1 => include_bytes!("probe/flat.obu"),
        }
    }

    /// A packet of one group of 256 × 256 samples, luma of a picture of 4:2:0 with constant chroma: what hardware
    /// decodes. `ffmpeg`'s libx265, libx264 and libaom made the streams.
    ///
    /// # Errors
    /// None: the streams are whole.
    pub fn flat_420(self) -> Result<Vec<u8>> {
        let stream: &[u8] = match self {
            Self::Hevc => include_bytes!("probe/flat420.hevc"),
            Self::Avc => include_bytes!("probe/flat420.h264"),
            Self::Av1 => include_bytes!("probe/flat420.obu"),
        };
        let mut packet = Vec::with_capacity(stream.len());
        self.append(stream, 0, &mut packet)?;
        self.finish(&mut packet);
        Ok(packet)
    }
}

/// Codes a tiny group at every depth.
///
/// # Errors
/// What went wrong, in words.
pub fn probe_encoder(backend: &dyn Backend) -> Result<(), String> {
    let capabilities = &backend.info().capabilities;
    let side =
        64.clamp(*capabilities.width.start().max(capabilities.height.start()), *capabilities.width.end());
    for &depth in capabilities.depths {
        let work = || -> Result<()> {
            let spec = GroupSpec::new(1, side, side, depth, &Limits::default())?;
            let samples = vec![spec.mid_sample(); spec.samples()];
            let mut encoder = backend.encoder(spec, &EncodeOptions::default())?;
            encoder.encode(&samples, Quality::Step(4.0), &mut Vec::new())
        };
        work().map_err(|error| format!("coding {side} × {side} samples of {depth} bits: {error}"))?;
    }
    Ok(())
}

/// Decodes a flat group of `side` × `side` samples.
///
/// # Errors
/// What went wrong, in words.
pub fn probe_decoder(backend: &dyn Backend, packet: &[u8], side: u32) -> Result<(), String> {
    let work = || -> Result<Vec<u16>> {
        let spec = GroupSpec::new(1, side, side, 8, &Limits::default())?;
        let mut samples = vec![0; spec.samples()];
        backend.decoder(spec)?.decode(packet, &mut samples)?;
        Ok(samples)
    };
    let samples = work().map_err(|error| format!("decoding a flat picture: {error}"))?;
    match samples.iter().find(|&&sample| sample != FLAT) {
        None => Ok(()),
        Some(wrong) => Err(format!("decoding a flat picture returned {wrong} for {FLAT}")),
    }
}
