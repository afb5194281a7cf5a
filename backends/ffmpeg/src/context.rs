//! Codec contexts of libavcodec: opened with options that all took effect.

use std::ffi::CStr;
use std::sync::Once;

use ffmpeg_next::codec::{Context, decoder, encoder};
use ffmpeg_next::{Codec, Dictionary, Rational, color, ffi, format::Pixel, log};
use telecine_core::GroupSpec;

/// Opens an encoder for pictures of the group's size.
///
/// # Errors
/// What libavcodec said, or the options that it has no use for.
pub(crate) fn open_encoder(
    codec: Codec,
    spec: &GroupSpec,
    format: Pixel,
    options: &[(&str, String)],
) -> Result<encoder::video::Encoder, String> {
    let mut video = new(codec)?.encoder().video().map_err(|error| error.to_string())?;
    video.set_width(spec.width);
    video.set_height(spec.height);
    video.set_format(format);
    video.set_time_base(Rational::new(1, 25));
    video.set_color_range(color::Range::JPEG);
    open(&mut video.0.0, codec, options)?;
    Ok(encoder::video::Encoder(video))
}

/// Opens a decoder that refuses damage, and pictures of more than `max_pixels`.
///
/// # Errors
/// What libavcodec said, or the options that it has no use for.
pub(crate) fn open_decoder(
    codec: Codec,
    max_pixels: u64,
    options: &[(&str, String)],
) -> Result<decoder::Video, String> {
    let mut context = new(codec)?;
    let mut options = options.to_vec();
    options.push(("max_pixels", max_pixels.to_string()));
    options.push(("err_detect", "crccheck+bitstream+buffer+explode".into()));
    open(&mut context, codec, &options)?;
    decoder::Opened(context.decoder()).video().map_err(|error| error.to_string())
}

fn new(codec: Codec) -> Result<Context, String> {
    be_quiet();
    let mut context = Context::new_with_codec(codec);
    // SAFETY: the context owns what the pointer leads to; it is null when there was no memory for it.
    let Some(raw) = (unsafe { context.as_mut_ptr().as_mut() }) else {
        return Err("no memory for a codec context".into());
    };
    raw.thread_count = 1;
    Ok(context)
}

/// Has libavcodec print nothing about damage, which travels as errors. A level that the program has set stays.
fn be_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if log::get_level().is_ok_and(|level| level == log::Level::Info) {
            log::set_level(log::Level::Quiet);
        }
    });
}

fn open(context: &mut Context, codec: Codec, options: &[(&str, String)]) -> Result<(), String> {
    let given: Dictionary<'_> = options.iter().map(|(key, value)| (*key, value.as_str())).collect();
    // SAFETY: the context was allocated for this codec and is not open; the dictionary is handed over to
    // `avcodec_open2`, which puts one in its place that holds what was left, and that one is taken back.
    let (code, left) = unsafe {
        let mut raw = given.disown();
        let code = ffi::avcodec_open2(context.as_mut_ptr(), codec.as_ptr(), &raw mut raw);
        (code, Dictionary::own(raw))
    };
    if code < 0 {
        return Err(ffmpeg_next::Error::from(code).to_string());
    }
    let unused: Vec<_> = left.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if unused.is_empty() { Ok(()) } else { Err(format!("options without effect: {}", unused.join(", "))) }
}

/// Makes a decoder ready for another stream.
pub(crate) fn reset(decoder: &mut decoder::Video) {
    // SAFETY: the context is open.
    unsafe { ffi::avcodec_flush_buffers(decoder.as_mut_ptr()) }
}

/// The version of libavcodec that is loaded, as people write it.
pub(crate) fn version() -> String {
    // SAFETY: returns a string that lives as long as the library.
    let release = unsafe { CStr::from_ptr(ffi::av_version_info()) };
    format!("FFmpeg {}", release.to_string_lossy())
}
