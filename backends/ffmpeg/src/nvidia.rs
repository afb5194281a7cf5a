//! NVIDIA's hardware engines, through FFmpeg's `*_nvenc` and `*_cuvid`.
//!
//! Their drivers load at run time. Pictures are luma of 4:2:0 with constant chroma, as the software encoders make them:
//! the engines have no pictures of luma alone. A group takes NVDEC a quarter of a second before its first sample, so it is
//! chosen by name only where a software decoder works.

use std::sync::LazyLock;

use ffmpeg_next::format::Pixel;
use telecine_core::{BackendInfo, Capabilities, CodecId, Effort, Role, Tier, Tools, Unavailable};
use telecine_video::{Bitstream, Ladder};

use crate::absence::Absence;
use crate::decoders::DecoderKind;
use crate::driver::{self, Shared};
use crate::encoders::{DEPTHS, EncoderKind, Request, Setting, by_depth};

const CUDA: &str = "libcuda.so.1";
const ENCODE: &[&str] = &[CUDA, "libnvidia-encode.so.1"];
const DECODE: &[&str] = &[CUDA, "libnvcuvid.so.1"];
const REMEDY: &str =
    "FFmpeg has to be built with nv-codec-headers (Debian's is; av1_nvenc needs FFmpeg 6 or newer)";

pub(crate) static ENCODERS: [EncoderKind; 3] = [
    encoder("nvenc-hevc", "hevc_nvenc", CodecId::HEVC, Bitstream::Hevc, &["hevc"], &[8, 10], 8192),
    encoder("nvenc-h264", "h264_nvenc", CodecId::AVC, Bitstream::Avc, &["h264"], &[8], 4096),
    encoder(
        "nvenc-av1",
        "av1_nvenc",
        CodecId::AV1,
        Bitstream::Av1,
        &["libdav1d", "libaom-av1"],
        &[8, 10],
        8192,
    ),
];

pub(crate) static DECODERS: [DecoderKind; 3] = [
    decoder("nvdec-hevc", &["hevc_cuvid"], CodecId::HEVC, Bitstream::Hevc),
    decoder("nvdec-h264", &["h264_cuvid"], CodecId::AVC, Bitstream::Avc),
    decoder("nvdec-av1", &["av1_cuvid"], CodecId::AV1, Bitstream::Av1),
];

/// Sizes from NVIDIA's Video Codec SDK documentation, until the driver was asked for those of the device.
const fn encoded(depths: &'static [u8], most: u32) -> Capabilities {
    Capabilities::new(depths)
        .with_lossy(0.7)
        .with_loose_steps()
        .with_sizes(256..=most, 256..=most, 2)
        .with_max_frames(1 << 12)
}

const fn encoder(
    name: &'static str,
    library: &'static str,
    codec: CodecId,
    bitstream: Bitstream,
    decoders: &'static [&'static str],
    depths: &'static [u8],
    most: u32,
) -> EncoderKind {
    let capabilities = encoded(depths, most);
    EncoderKind {
        info: BackendInfo::new(name, codec, Tier::Fallback, capabilities).only(Role::Encode),
        library,
        remedy: REMEDY,
        driver: ENCODE,
        monochrome: None,
        format: semi_planar,
        bitstream,
        decoders,
        switches: Tools { prediction: false, partitioning: false },
        options: if matches!(bitstream, Bitstream::Av1) { av1_options } else { options },
        ladder: match bitstream {
            Bitstream::Av1 => |depth| by_depth(&INDICES, depth),
            Bitstream::Hevc | Bitstream::Avc => |depth| by_depth(&PARAMETERS, depth),
        },
    }
}

const fn decoder(
    name: &'static str,
    libraries: &'static [&'static str],
    codec: CodecId,
    bitstream: Bitstream,
) -> DecoderKind {
    let capabilities = bitstream.hardware();
    DecoderKind {
        info: BackendInfo::new(name, codec, Tier::Fallback, capabilities).only(Role::Decode),
        libraries,
        remedy: REMEDY,
        driver: DECODE,
        bitstream,
    }
}

fn semi_planar(depth: u8, is_monochrome: bool) -> Option<Pixel> {
    match (depth, is_monochrome) {
        (8, false) => Some(Pixel::NV12),
        (10, false) => Some(Pixel::P010LE),
        _ => None,
    }
}

/// The parameter of HEVC and AVC counts from 0 at any depth, coarser by 6 for each doubling.
static PARAMETERS: LazyLock<[Ladder; 3]> = LazyLock::new(|| {
    DEPTHS.map(|depth| {
        let offset = 6 * (i32::from(depth) - 8);
        Ladder::new((0..=51).map(|qp| (qp, Ladder::qp_step(qp + offset))), 1.0)
    })
});

/// AV1's quantiser index.
static INDICES: LazyLock<[Ladder; 3]> =
    LazyLock::new(|| DEPTHS.map(|depth| Ladder::new((1..).zip(Ladder::av1(depth).iter().copied()), 1.0)));

fn options(request: &Request<'_>) -> Vec<(&'static str, String)> {
    let mut all = av1_options(request);
    // Key frames would be coded finer otherwise.
    all.extend([("i_qfactor", "1".into()), ("i_qoffset", "0".into())]);
    all
}

fn av1_options(request: &Request<'_>) -> Vec<(&'static str, String)> {
    let preset = match request.options.effort {
        Effort::Fast => "p1",
        Effort::Balanced => "p4",
        Effort::Best => "p7",
    };
    let quantiser = match request.setting {
        // Not claimed, and so never asked for.
        Setting::Lossless => 0,
        Setting::Quantiser(quantiser) => quantiser,
    };
    let interval = if request.options.inter { request.spec.frames } else { 0 };
    vec![
        ("preset", preset.into()),
        ("rc", "constqp".into()),
        ("qp", quantiser.to_string()),
        ("g", interval.to_string()),
        ("bf", "0".into()),
        ("rc-lookahead", "0".into()),
        ("delay", "0".into()),
        ("zerolatency", "1".into()),
        ("spatial-aq", "0".into()),
        ("temporal-aq", "0".into()),
    ]
}

/// Whether the shared libraries of the driver are here.
///
/// # Errors
/// [`Unavailable::Library`] with the first that is not.
pub(crate) fn find_driver(backend: &'static str, libraries: &[&str]) -> Result<(), Unavailable> {
    libraries.iter().try_for_each(|library| match Shared::load(library) {
        Ok(_) => Ok(()),
        Err(absence) => Err(absence.of(backend)),
    })
}

/// What the device's driver says that an engine takes, within what this crate can feed it; `None` without an engine.
///
/// Minimum and maximum sizes are those of all the depths that the device has, so that any of them takes any size.
///
/// # Errors
/// [`Unavailable::Device`] where the device has not the codec at any depth; what [`Absence`] has for other failures.
pub(crate) fn query(info: &BackendInfo, driver: &[&str]) -> Result<Option<BackendInfo>, Unavailable> {
    let &[cuda, engine] = driver else { return Ok(None) };
    let ask = if info.encodes { driver::encoder } else { driver::decoder };
    narrow(info, |depth| ask(cuda, engine, info.codec, depth)).map(Some)
}

/// The same with what `ask` says of a depth.
fn narrow(
    info: &BackendInfo,
    ask: impl Fn(u8) -> Result<driver::Limits, Absence>,
) -> Result<BackendInfo, Unavailable> {
    let mut narrowed = info.clone();
    let Capabilities { depths, width, height, .. } = &mut narrowed.capabilities;
    let (mut taken, mut refusal) = (Vec::new(), None);
    for &depth in info.capabilities.depths {
        match ask(depth) {
            Ok(limits) => {
                let least = |before: u32, here: u32| before.max(here.next_multiple_of(2));
                *width = least(*width.start(), limits.width.0)..=limits.width.1.min(*width.end()) & !1;
                *height = least(*height.start(), limits.height.0)..=limits.height.1.min(*height.end()) & !1;
                taken.push(depth);
            }
            // The first one says it of the depth that every device with the engine has.
            Err(absence) => {
                refusal.get_or_insert(absence);
            }
        }
    }
    let sets: [&'static [u8]; 7] = [&[8], &[10], &[12], &[8, 10], &[8, 12], &[10, 12], &[8, 10, 12]];
    let Some(set) = sets.into_iter().find(|set| *set == taken) else {
        let refusal = refusal.unwrap_or_else(|| Absence::Init("the driver takes no depth".into()));
        return Err(refusal.of(info.name));
    };
    *depths = set;
    if width.is_empty() || height.is_empty() {
        let reason = format!("the driver's sizes leave none: {width:?} × {height:?}");
        return Err(Unavailable::Device { backend: info.name, reason });
    }
    Ok(narrowed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails says where")]
    use super::*;
    use crate::driver::Limits;

    #[test]
    fn capabilities_are_narrowed_to_what_the_driver_says() {
        let info = &ENCODERS[0].info;
        let limits = Limits { width: (129, 4096), height: (33, 4097), engines: 1 };
        let narrowed = narrow(info, |_| Ok(limits)).unwrap().capabilities;
        // Least sizes of the documentation stay; sizes are even, as the pictures are of 4:2:0.
        assert_eq!((narrowed.width, narrowed.height), (256..=4096, 256..=4096));
        assert_eq!(narrowed.depths, [8, 10]);
        let wide = Limits { width: (301, 16_384), height: (301, 16_384), engines: 1 };
        assert_eq!(narrow(info, |_| Ok(wide)).unwrap().capabilities.width, 302..=8192);
        let decoder = |depth| if depth == 12 { Err(Absence::Device("no".to_owned())) } else { Ok(limits) };
        assert_eq!(narrow(&DECODERS[0].info, decoder).unwrap().capabilities.depths, [8, 10]);
        assert_eq!(narrow(&DECODERS[0].info, |_| Ok(limits)).unwrap().capabilities.depths, [8, 10, 12]);
        let shallow =
            |depth| if depth == 8 { Ok(limits) } else { Err(Absence::Device("no 10 bits".to_owned())) };
        assert_eq!(narrow(info, shallow).unwrap().capabilities.depths, [8]);
    }

    #[test]
    fn a_device_without_the_engine_is_unavailable() {
        let info = &DECODERS[2].info;
        let refused = |_| Err(Absence::Device("Device 7: no such codec".to_owned()));
        let error = narrow(info, refused).unwrap_err();
        assert!(
            matches!(&error, Unavailable::Device { reason, .. } if reason.contains("Device 7")),
            "{error:?}"
        );
        // The kind of reason is the first depth's.
        let outdated = |depth| {
            let outdated = Absence::outdated("libnvcuvid.so.1", "it lacks a function");
            Err(if depth == 8 { outdated } else { Absence::Device("no 10 bits".into()) })
        };
        assert!(matches!(narrow(info, outdated), Err(Unavailable::Library { .. })));
        let none = Limits { width: (1, 2), height: (1, 2), engines: 1 };
        assert!(matches!(narrow(info, |_| Ok(none)), Err(Unavailable::Device { .. })));
    }
}

#[cfg(test)]
mod on_device;
