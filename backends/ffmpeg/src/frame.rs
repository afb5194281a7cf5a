//! Planes of samples to pictures of libavutil, and back.

use ffmpeg_next::{ffi, format::Pixel, frame};
use telecine_core::{Error, GroupSpec, Result};

/// What a pixel format holds its first plane in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Luma {
    depth: i32,
    /// Bytes from one sample to the next.
    bytes: i32,
    /// Bits below a sample in its bytes, which are 0: P010 keeps samples at the top.
    shift: i32,
}

/// How the first plane of a format is laid out: `None` where samples don't lie in whole little-endian units there.
fn luma(format: Pixel) -> Option<Luma> {
    // SAFETY: descriptors are constants of the library; it returns null for what it does not know.
    let descriptor = unsafe { ffi::av_pix_fmt_desc_get(format.into()).as_ref() }?;
    let first = descriptor.comp[0];
    let excluded =
        u64::from(ffi::AV_PIX_FMT_FLAG_BE.unsigned_abs() | ffi::AV_PIX_FMT_FLAG_RGB.unsigned_abs());
    let is_plain = first.plane == 0 && first.offset == 0 && descriptor.flags & excluded == 0;
    (is_plain && matches!(first.step, 1 | 2)).then_some(Luma {
        depth: first.depth,
        bytes: first.step,
        shift: first.shift,
    })
}

/// A picture of one plane of samples; other planes of the format hold the middle value.
///
/// # Errors
/// In words, where there is no memory for it.
pub(crate) fn picture(
    format: Pixel,
    spec: &GroupSpec,
    plane: &[u16],
) -> std::result::Result<frame::Video, String> {
    let mut picture = frame::Video::empty();
    picture.set_format(format);
    picture.set_width(spec.width);
    picture.set_height(spec.height);
    picture.set_color_range(ffmpeg_next::color::Range::JPEG);
    // SAFETY: format and size are set, which is what this needs.
    let code = unsafe { ffi::av_frame_get_buffer(picture.as_mut_ptr(), 0) };
    if code < 0 {
        return Err(ffmpeg_next::Error::from(code).to_string());
    }
    let Luma { depth, bytes, shift } = luma(format).ok_or("a format without a luma plane")?;
    let width = spec.width as usize;
    for index in 0..picture.planes() {
        let stride = picture.stride(index);
        let rows = picture.data_mut(index).chunks_exact_mut(stride);
        if index > 0 {
            let middle = 1u16 << (depth - 1 + shift);
            rows.for_each(|row| fill(row, bytes, middle));
            continue;
        }
        for (row, samples) in rows.zip(plane.chunks_exact(width)) {
            if bytes == 1 {
                row.iter_mut().zip(samples).for_each(|(byte, sample)| *byte = sample.to_le_bytes()[0]);
            } else {
                let pairs = row.as_chunks_mut::<2>().0;
                let pairs = pairs.iter_mut().zip(samples);
                pairs.for_each(|(pair, sample)| *pair = (sample << shift).to_le_bytes());
            }
        }
    }
    Ok(picture)
}

fn fill(row: &mut [u8], bytes: i32, value: u16) {
    if bytes == 1 {
        row.fill(value.to_le_bytes()[0]);
    } else {
        row.as_chunks_mut::<2>().0.fill(value.to_le_bytes());
    }
}

/// Reads the first plane of a decoded picture.
///
/// # Errors
/// [`Error::Corrupt`] for a picture of another size or depth than the group's.
pub(crate) fn read(picture: &frame::Video, spec: &GroupSpec, plane: &mut [u16]) -> Result<()> {
    let format = picture.format();
    let depth = i32::from(spec.depth);
    // NVDEC puts samples of 12 bits into P016, at the top like those of P010.
    let luma = if format == Pixel::P016LE && depth > 10 {
        Some(Luma { depth, bytes: 2, shift: 16 - depth })
    } else {
        luma(format).filter(|luma| luma.depth == depth)
    };
    let (Some(luma), true) = (luma, (picture.width(), picture.height()) == (spec.width, spec.height)) else {
        return Err(Error::corrupt(format!(
            "the stream holds pictures of {} × {} samples in {format:?} where the group is {} × {} of {} bits",
            picture.height(),
            picture.width(),
            spec.height,
            spec.width,
            spec.depth
        )));
    };
    let (stride, width) = (picture.stride(0), spec.width as usize);
    // The last row may end before its stride does.
    let rows = picture.data(0).chunks(stride);
    let mut largest = 0;
    for (row, samples) in rows.zip(plane.chunks_exact_mut(width)) {
        if luma.bytes == 1 {
            samples.iter_mut().zip(row).for_each(|(sample, byte)| *sample = u16::from(*byte));
            continue;
        }
        for (sample, pair) in samples.iter_mut().zip(row.as_chunks::<2>().0) {
            *sample = u16::from_le_bytes(*pair) >> luma.shift;
            largest = largest.max(*sample);
        }
    }
    if largest > spec.max_sample() {
        return Err(Error::corrupt(format!("a decoded sample is {largest}, over {} bits", spec.depth)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails says where")]
    use super::*;
    use telecine_core::Limits;

    #[test]
    fn samples_come_back_from_every_format_and_chroma_is_constant() {
        for (depth, formats) in [
            (8, &[Pixel::GRAY8, Pixel::YUV420P, Pixel::NV12][..]),
            (10, &[Pixel::GRAY10LE, Pixel::YUV420P10LE, Pixel::P010LE]),
            (12, &[Pixel::GRAY12LE, Pixel::YUV420P12LE]),
        ] {
            let spec = GroupSpec::new(1, 6, 10, depth, &Limits::default()).unwrap();
            let samples: Vec<u16> = (0..60u16).map(|at| (at * 1021) & spec.max_sample()).collect();
            for &format in formats {
                let picture = picture(format, &spec, &samples).unwrap();
                let mut back = vec![0; 60];
                read(&picture, &spec, &mut back).unwrap();
                assert_eq!(back, samples, "{format:?}");
                let shift = luma(format).unwrap().shift;
                for plane in 1..picture.planes() {
                    let stride = picture.stride(plane);
                    for row in picture.data(plane).chunks_exact(stride).take(3) {
                        let is_middle = if depth == 8 {
                            row[..5].iter().all(|byte| *byte == 128)
                        } else {
                            let middle = (spec.mid_sample() << shift).to_le_bytes();
                            row[..10].as_chunks::<2>().0.iter().all(|pair| *pair == middle)
                        };
                        assert!(is_middle, "{format:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn samples_of_12_bits_come_back_from_the_top_of_16() {
        let spec = |depth| GroupSpec::new(1, 2, 6, depth, &Limits::default()).unwrap();
        let samples: Vec<u16> = (0..12u16).map(|at| at * 1021 % 4096).collect();
        let high: Vec<u16> = samples.iter().map(|sample| sample << 4).collect();
        let picture = picture(Pixel::P016LE, &spec(16), &high).unwrap();
        let mut back = vec![0; 12];
        read(&picture, &spec(12), &mut back).unwrap();
        assert_eq!(back, samples);
        assert!(matches!(read(&picture, &spec(10), &mut back), Err(Error::Corrupt(_))));
    }
}
