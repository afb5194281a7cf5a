//! The encoders, and what each is told.

use std::sync::LazyLock;

use ffmpeg_next::format::Pixel;
use telecine_core::{
    BackendInfo, Capabilities, CodecId, Effort, EncodeOptions, GroupSpec, Role, Tier, Tools,
};
use telecine_video::{Bitstream, Ladder};

/// How exactly a group is to be coded, in an encoder's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    Lossless,
    /// A rung of the encoder's ladder.
    Quantiser(i32),
}

/// What an encoder's options depend on.
pub(crate) struct Request<'r> {
    pub(crate) spec: &'r GroupSpec,
    pub(crate) options: &'r EncodeOptions,
    pub(crate) setting: Setting,
}

/// One encoder of libavcodec.
#[derive(Debug)]
pub(crate) struct EncoderKind {
    pub(crate) info: BackendInfo,
    /// Its name in libavcodec.
    pub(crate) library: &'static str,
    /// What to install where it is missing.
    pub(crate) remedy: &'static str,
    /// Shared libraries of the driver that it loads when opened.
    pub(crate) driver: &'static [&'static str],
    /// Groups that it codes as luma alone, where it has such pictures.
    pub(crate) monochrome: Option<Capabilities>,
    /// The format of its pictures at a depth, of luma alone or of 4:2:0, where it takes that depth.
    pub(crate) format: fn(u8, bool) -> Option<Pixel>,
    pub(crate) bitstream: Bitstream,
    /// Names of its decoders in libavcodec, the better first.
    pub(crate) decoders: &'static [&'static str],
    /// The tools that can be kept from it.
    pub(crate) switches: Tools,
    pub(crate) options: fn(&Request<'_>) -> Vec<(&'static str, String)>,
    pub(crate) ladder: fn(u8) -> &'static Ladder,
}

/// Planar pictures: 4:2:0, or luma alone.
fn planar(depth: u8, is_monochrome: bool) -> Option<Pixel> {
    match (depth, is_monochrome) {
        (8, false) => Some(Pixel::YUV420P),
        (10, false) => Some(Pixel::YUV420P10LE),
        (12, false) => Some(Pixel::YUV420P12LE),
        (8, true) => Some(Pixel::GRAY8),
        (10, true) => Some(Pixel::GRAY10LE),
        (12, true) => Some(Pixel::GRAY12LE),
        _ => None,
    }
}

/// An encoder whose pictures of 4:2:0 are within what NVDEC decodes, in whole blocks of `align` samples.
const fn info(
    name: &'static str,
    codec: CodecId,
    tier: Tier,
    bitstream: Bitstream,
    align: u32,
    excess: f32,
) -> BackendInfo {
    // Lossless AVC is what NVDEC does not decode; x264 has it all the same.
    let mut capabilities = bitstream.hardware();
    (capabilities.lossless, capabilities.excess, capabilities.align) = (true, excess, align);
    BackendInfo::new(name, codec, tier, capabilities).only(Role::Encode)
}

/// An encoder's groups where pictures are luma alone: all that the software codec takes.
const fn luma(excess: f32, depths: &'static [u8], least: u32) -> Option<Capabilities> {
    let capabilities = Capabilities::new(depths).with_lossless().with_lossy(excess).with_loose_steps();
    Some(capabilities.with_sizes(least..=16_384, least..=16_384, 1).with_max_frames(1 << 12))
}

pub(crate) const DEBIAN: &str = "Debian's libavcodec59 or newer has it: apt-get install libavcodec-dev";

pub(crate) static X265: EncoderKind = EncoderKind {
    info: info("x265", CodecId::HEVC, Tier::Preferred, Bitstream::Hevc, 8, 0.5),
    monochrome: luma(0.5, &[8, 10, 12], 32),
    library: "libx265",
    remedy: DEBIAN,
    driver: &[],
    format: planar,
    bitstream: Bitstream::Hevc,
    decoders: &["hevc"],
    switches: Tools { prediction: false, partitioning: true },
    options: x265,
    ladder: |depth| by_depth(&HEVC, depth),
};

pub(crate) static X264: EncoderKind = EncoderKind {
    info: info("x264", CodecId::AVC, Tier::Preferred, Bitstream::Avc, 16, 0.5),
    monochrome: luma(0.5, &[8, 10], 16),
    library: "libx264",
    remedy: DEBIAN,
    driver: &[],
    format: planar,
    bitstream: Bitstream::Avc,
    decoders: &["h264"],
    switches: Tools { prediction: false, partitioning: true },
    options: x264,
    ladder: |depth| by_depth(&AVC, depth),
};

pub(crate) static LIBAOM: EncoderKind = EncoderKind {
    info: info("libaom", CodecId::AV1, Tier::Standard, Bitstream::Av1, 8, 0.5),
    monochrome: luma(0.5, &[8, 10, 12], 16),
    library: "libaom-av1",
    remedy: DEBIAN,
    driver: &[],
    format: planar,
    bitstream: Bitstream::Av1,
    decoders: &["libdav1d", "libaom-av1"],
    switches: Tools::ALL,
    options: libaom,
    ladder: |depth| by_depth(&AV1, depth),
};

pub(crate) fn by_depth(ladders: &'static [Ladder; 3], depth: u8) -> &'static Ladder {
    &ladders[usize::from((depth.saturating_sub(8) / 2).min(2))]
}

pub(crate) const DEPTHS: [u8; 3] = [8, 10, 12];

/// HEVC's parameter counts from 0 at a depth of 8 bits and lower the deeper the samples; x265 stops at 0.
static HEVC: LazyLock<[Ladder; 3]> = LazyLock::new(|| {
    DEPTHS.map(|depth| {
        Ladder::new((0..=51).map(|qp| (qp, Ladder::qp_step(qp + 6 * (i32::from(depth) - 8)))), 1.0)
    })
});

/// x264 counts from 0 at any depth, where 0 is lossless.
static AVC: LazyLock<[Ladder; 3]> = LazyLock::new(|| {
    DEPTHS.map(|depth| {
        Ladder::new((1..=51 + 6 * (i32::from(depth) - 8)).map(|qp| (qp, Ladder::qp_step(qp))), 1.0)
    })
});

/// libaom has 64 levels, 0 being lossless; each stands for one `base_q_idx`.
static AV1: LazyLock<[Ladder; 3]> = LazyLock::new(|| {
    DEPTHS.map(|depth| {
        let steps = Ladder::av1(depth);
        Ladder::new((1..64).map(|level| (level, steps[LIBAOM_INDEX[level as usize] as usize - 1])), 1.0)
    })
});

/// `base_q_idx` of each of libaom's levels, as it writes them into frame headers.
const LIBAOM_INDEX: [u8; 64] = [
    0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 68, 72, 76, 80, 84, 88, 92, 96, 100,
    104, 108, 112, 116, 120, 124, 128, 132, 136, 140, 144, 148, 152, 156, 160, 164, 168, 172, 176, 180, 184,
    188, 192, 196, 200, 204, 208, 212, 216, 220, 224, 228, 232, 236, 240, 244, 249, 255,
];

fn on(condition: bool) -> u8 {
    u8::from(condition)
}

fn x265(request: &Request<'_>) -> Vec<(&'static str, String)> {
    let Request { spec, options, setting } = request;
    let preset = match (options.effort, setting) {
        (Effort::Best, _) => "slow",
        // Small blocks, which "ultrafast" does not try, are what flat areas need without quantisation.
        (_, Setting::Lossless) => "superfast",
        _ => "ultrafast",
    };
    let quality = match setting {
        Setting::Lossless => "lossless=1".to_owned(),
        Setting::Quantiser(qp) => format!("qp={qp}"),
    };
    // A picture is at least one coding tree unit, and x265 refuses units of 16 in pictures of over 4,096 samples.
    let tree = if spec.width.min(spec.height) >= 64 { 64 } else { 32 };
    let blocks = if options.tools.partitioning {
        format!("ctu={tree}")
    } else {
        // Transforms follow the blocks.
        "ctu=16:min-cu-size=16:max-tu-size=16:tu-intra-depth=1:tu-inter-depth=1:no-rect=1:no-amp=1".to_owned()
    };
    let keyint = if options.inter { -1 } else { 1 };
    // Rate–distortion optimised quantisation and sign hiding are worth 0.1 bit. Without SAO x265 3.5 loses 26 KB of memory
    // with each encoder; with it errors are the same or smaller by up to 5 %.
    let careful = on(options.effort != Effort::Fast);
    let params = format!(
        "{quality}:keyint={keyint}:bframes=0:scenecut=0:rc-lookahead=0:ipratio=1:aq-mode=0:cutree=0:psy-rd=0:psy-rdoq=0:\
         sao=1:no-deblock=1:strong-intra-smoothing=0:{blocks}:rdoq-level={}:signhide={careful}:\
         range=full:info=0:hash=0:vui-timing-info=0:pools=none:frame-threads=1:wpp=0:log-level=none",
        2 * careful
    );
    vec![("preset", preset.into()), ("x265-params", params)]
}

fn x264(request: &Request<'_>) -> Vec<(&'static str, String)> {
    let Request { options, setting, .. } = request;
    // "superfast" tries blocks of 4 × 4 and 8 × 8: 0.1 bit on keys and activations, a loss of 0.07 on noise.
    // Lossless, it makes constant planes a quarter and costs noise 1 %.
    let preset = match (options.effort, setting) {
        (Effort::Best, _) | (_, Setting::Lossless) => "superfast",
        _ => "ultrafast",
    };
    let qp = match setting {
        Setting::Lossless => 0,
        Setting::Quantiser(qp) => *qp,
    };
    let keyint = if options.inter { "infinite" } else { "1" };
    let careful = match options.effort {
        Effort::Fast => "",
        Effort::Balanced => ":8x8dct=1:trellis=2:subme=6",
        Effort::Best => ":8x8dct=1:trellis=2:subme=9",
    };
    let blocks = if options.tools.partitioning { "" } else { ":partitions=none:8x8dct=0" };
    let params = format!(
        "qp={qp}:keyint={keyint}:bframes=0:scenecut=0:rc-lookahead=0:ipratio=1:aq-mode=0:mbtree=0:weightp=0:psy=0:\
         no-deblock=1:cabac=1{careful}{blocks}:fullrange=on:threads=1:sliced-threads=0"
    );
    vec![("preset", preset.into()), ("x264-params", params)]
}

fn libaom(request: &Request<'_>) -> Vec<(&'static str, String)> {
    let Request { spec, options, setting } = request;
    let speed = match options.effort {
        Effort::Fast | Effort::Balanced => 8,
        Effort::Best => 4,
    };
    let level = match setting {
        Setting::Lossless => 0,
        Setting::Quantiser(level) => *level,
    };
    let (usage, interval) = if options.inter { ("good", spec.frames) } else { ("allintra", 0) };
    let off = ["aq-mode", "enable-cdef", "enable-restoration", "row-mt", "lag-in-frames", "auto-alt-ref"];
    let mut all: Vec<_> = off.into_iter().map(|name| (name, "0".to_owned())).collect();
    all.extend([
        ("usage", usage.into()),
        ("g", interval.to_string()),
        ("cpu-used", speed.to_string()),
        ("crf", level.to_string()),
        ("b", "0".into()),
        ("tune", "psnr".into()),
    ]);
    // What FFmpeg has no option for goes to libaom by its own names.
    let mut own = Vec::new();
    if !options.tools.partitioning {
        let shapes =
            ["enable-rect-partitions", "enable-ab-partitions", "enable-1to4-partitions", "enable-tx64"];
        all.extend(shapes.map(|name| (name, "0".to_owned())));
        own.extend(["min-partition-size=16", "max-partition-size=16", "enable-rect-tx=0"]);
    }
    if !options.tools.prediction {
        let modes = [
            "enable-smooth-intra",
            "enable-paeth-intra",
            "enable-filter-intra",
            "enable-angle-delta",
            "enable-intra-edge-filter",
            "enable-palette",
            "enable-intrabc",
        ];
        all.extend(modes.map(|name| (name, "0".to_owned())));
        // The kind of transform follows the direction of prediction.
        all.push(("use-intra-dct-only", "1".into()));
        own.extend(["enable-directional-intra=0", "enable-diagonal-intra=0"]);
    }
    if !own.is_empty() {
        all.push(("aom-params", own.join(":")));
    }
    all
}
