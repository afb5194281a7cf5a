//! The contract between the core and the codecs: groups of `u16` planes in, packets out, and back.

use std::fmt;
use std::ops::RangeInclusive;

use crate::{Error, Limits, Result, Unavailable};

/// The four-byte name of a bitstream; written into files and never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodecId([u8; 4]);

impl CodecId {
    /// Samples as they are, little-endian.
    pub const RAW: Self = Self(*b"raw0");
    /// Zstandard (RFC 8878) over byte planes.
    pub const ZSTD: Self = Self(*b"zstd");
    /// Telecine's own tensor codec, first bitstream.
    pub const NATIVE: Self = Self(*b"tns1");
    /// AV1 video.
    pub const AV1: Self = Self(*b"av01");
    /// HEVC (H.265) video.
    pub const HEVC: Self = Self(*b"hvc1");
    /// AVC (H.264) video.
    pub const AVC: Self = Self(*b"avc1");

    /// Reads an id of four printable ASCII characters other than space.
    ///
    /// # Errors
    /// [`Error::Invalid`] for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        match <[u8; 4]>::try_from(text.as_bytes()) {
            Ok(id) if id.iter().all(u8::is_ascii_graphic) => Ok(Self(id)),
            _ => Err(Error::invalid(format!(
                "codec id {text:?} is not four printable ASCII characters (such as tns1, zstd, raw0)"
            ))),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        // Every constructor admits ASCII only.
        std::str::from_utf8(&self.0).unwrap_or("????")
    }
}

impl fmt::Display for CodecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CodecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The size of a group: `frames` planes of `height` × `width` samples of `depth` bits.
///
/// Samples are `u16` below `2^depth`, plane after plane, row after row. Where the samples stand for a signed
/// signal, its zero is the sample `2^(depth-1)`.
///
/// Made by [`GroupSpec::new`], which checks it. Fields may be changed afterwards; [`Capabilities::check`] refuses what
/// [`GroupSpec::new`] would refuse, so that every encoder and decoder does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct GroupSpec {
    /// Number of planes, at least 1.
    pub frames: u32,
    /// Rows of a plane, at least 1.
    pub height: u32,
    /// Columns of a plane, at least 1.
    pub width: u32,
    /// Bits of a sample, 8 to 16.
    pub depth: u8,
}

impl GroupSpec {
    /// A spec whose numbers make sense and whose sample count stays within `limits`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a zero dimension or a depth outside 8–16, [`Error::Limit`] for too many samples
    /// (eight per value of the largest chunk).
    pub fn new(frames: u32, height: u32, width: u32, depth: u8, limits: &Limits) -> Result<Self> {
        let spec = Self { frames, height, width, depth };
        spec.check()?;
        Limits::check("samples of a group", spec.samples() as u64, limits.chunk_values.saturating_mul(8))?;
        Ok(spec)
    }

    /// Checks that the numbers make sense.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a zero dimension or a depth outside 8–16.
    fn check(&self) -> Result<()> {
        let Self { frames, height, width, depth } = self;
        if *frames > 0 && *height > 0 && *width > 0 && (8..=16).contains(depth) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "group of {frames} planes of {height} × {width} samples of {depth} bits: \
             dimensions start at 1, depth is 8 to 16"
        )))
    }

    /// Number of samples of the whole group.
    pub fn samples(&self) -> usize {
        (self.frames as usize).saturating_mul(self.height as usize).saturating_mul(self.width as usize)
    }

    /// The largest sample, `2^depth − 1`.
    pub fn max_sample(&self) -> u16 {
        // A depth of at most 16 keeps this within u16.
        u16::MAX >> (16 - self.depth.clamp(1, 16))
    }

    /// The sample that stands for zero of a signed signal, `2^(depth−1)`.
    pub fn mid_sample(&self) -> u16 {
        1 << (self.depth.clamp(1, 16) - 1)
    }
}

/// How exactly a group is to be coded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quality {
    /// The decoder returns every sample unchanged.
    Lossless,
    /// Mean squared error about `step² / 12`, as a uniform quantiser of this step would leave it.
    /// In sample units, finite and above 0.
    Step(f32),
}

/// How long an encoder may search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Effort {
    /// As fast as can be.
    Fast,
    /// A good trade for most uses.
    #[default]
    Balanced,
    /// As small as can be.
    Best,
}

/// What an encoder is told besides the group's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EncodeOptions {
    /// How long to search.
    pub effort: Effort,
    /// Whether planes of one group may be predicted from each other; a backend that has no way to do so codes them
    /// each by itself. Off by default: planes of a tensor are seldom alike.
    pub inter: bool,
    /// Which tools of a picture codec may be used; all unless told otherwise.
    pub tools: Tools,
    /// Whether a picture codec codes luma alone (4:0:0), in any size and depth that it has, in place of 4:2:0 with
    /// constant chroma, which is what hardware decodes and what its [`Capabilities`] stand for. A picture codec that has
    /// no such pictures refuses with [`Unsupported`](crate::Error::Unsupported); other codecs have no chroma to leave out.
    pub monochrome: bool,
}

/// Tools of a picture codec that can be kept from an encoder, to measure what each is worth. A backend that has the tool
/// and no switch for it refuses with [`Unsupported`](crate::Error::Unsupported), so that no figure shows what was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tools {
    /// Directional and smooth prediction of a block from its neighbours. Without it only their mean is predicted.
    pub prediction: bool,
    /// Blocks of several sizes. Without it all blocks are 16 × 16, the size of a macroblock of H.264.
    pub partitioning: bool,
}

impl Default for Tools {
    fn default() -> Self {
        Self::ALL
    }
}

impl Tools {
    /// Every tool.
    pub const ALL: Self = Self { prediction: true, partitioning: true };

    /// # Errors
    /// [`Unsupported`](crate::Error::Unsupported) where a tool is kept from a backend that has no switch for it:
    /// `switches` are those that it has.
    pub fn check(self, backend: &str, switches: Self) -> Result<()> {
        for (used, switch, name) in [
            (self.prediction, switches.prediction, "prediction"),
            (self.partitioning, switches.partitioning, "partitioning"),
        ] {
            if !used && !switch {
                return Err(Error::unsupported(format!("{backend} has no switch for {name}")));
            }
        }
        Ok(())
    }
}

impl EncodeOptions {
    /// Options with this effort.
    pub fn with_effort(effort: Effort) -> Self {
        Self { effort, ..Self::default() }
    }

    /// The same with planes of a group predicted from each other, or not.
    #[must_use]
    pub fn with_inter(self, inter: bool) -> Self {
        Self { inter, ..self }
    }

    /// The same with these tools alone.
    #[must_use]
    pub fn with_tools(self, tools: Tools) -> Self {
        Self { tools, ..self }
    }

    /// The same with pictures of luma alone, or not.
    #[must_use]
    pub fn with_monochrome(self, monochrome: bool) -> Self {
        Self { monochrome, ..self }
    }
}

/// What a backend is able to do: plain data, so that nobody has to find out by trial.
///
/// Built from [`Capabilities::new`], which any kind of group passes, and narrowed by the methods that follow it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Takes [`Quality::Lossless`].
    pub lossless: bool,
    /// Takes [`Quality::Step`].
    pub lossy: bool,
    /// Most bits per sample above Shannon's bound that a step costs on Gaussian samples, at 1.5 to 4.5 bits, steps of at
    /// least 3 samples and balanced effort; 0 unless [`lossy`](Capabilities::lossy). Below, the distance between samples
    /// is what limits any codec. The conformance suite holds the backend to it.
    pub excess: f32,
    /// Set for encoders that keep to steps [loosely](Capabilities::with_loose_steps).
    pub loose_steps: bool,
    /// Sample depths in bits, ascending.
    pub depths: &'static [u8],
    /// Plane widths in samples.
    pub width: RangeInclusive<u32>,
    /// Plane heights in samples.
    pub height: RangeInclusive<u32>,
    /// Width and height are multiples of this.
    pub align: u32,
    /// Most planes of a group.
    pub max_frames: u32,
}

impl Capabilities {
    /// Groups of any size with samples of these depths, in bits and ascending; coded neither losslessly nor with a step
    /// before [`with_lossless`](Self::with_lossless) or [`with_lossy`](Self::with_lossy) say so.
    pub const fn new(depths: &'static [u8]) -> Self {
        Self {
            lossless: false,
            lossy: false,
            excess: 0.0,
            loose_steps: false,
            depths,
            width: 1..=u32::MAX,
            height: 1..=u32::MAX,
            align: 1,
            max_frames: u32::MAX,
        }
    }

    /// The same with [`Quality::Lossless`].
    #[must_use]
    pub const fn with_lossless(self) -> Self {
        Self { lossless: true, ..self }
    }

    /// The same with [`Quality::Step`], at this [excess](Capabilities::excess).
    #[must_use]
    pub const fn with_lossy(self, excess: f32) -> Self {
        Self { lossy: true, excess, ..self }
    }

    /// The same for an encoder that keeps to steps loosely, as those of pictures do, which have settings of their own.
    ///
    /// At balanced effort, in single planes of Gaussian samples, it is held to what any other is. Elsewhere the conformance
    /// suite allows:
    ///
    /// - a mean squared error of 3 times `step² / 12` in place of 1.6 to 2 times, and less than a step would make;
    /// - efforts whose errors differ by a factor of 2;
    /// - a bias of 0.05 steps, of samples of one size 0.4, with errors of 4 times the mean;
    /// - below three times the smallest step the errors of that.
    ///
    /// Its [excess](Capabilities::excess) holds within 0.15 bit in single planes, at steps of at least 8 samples.
    #[must_use]
    pub const fn with_loose_steps(self) -> Self {
        Self { loose_steps: true, ..self }
    }

    /// The same for planes of these widths and heights alone, both multiples of `align`.
    #[must_use]
    pub const fn with_sizes(
        self,
        width: RangeInclusive<u32>,
        height: RangeInclusive<u32>,
        align: u32,
    ) -> Self {
        Self { width, height, align, ..self }
    }

    /// The same for groups of at most so many planes.
    #[must_use]
    pub const fn with_max_frames(self, max_frames: u32) -> Self {
        Self { max_frames, ..self }
    }

    /// Whether groups of every height and width, and samples of 16 bits, are taken: any chunk can be coded.
    pub(crate) fn takes_any_chunk(&self) -> bool {
        self.depths.contains(&16) && self.align <= 1 && *self.width.start() <= 1 && *self.height.start() <= 1
    }

    /// Checks that the numbers make sense: some group can be coded.
    ///
    /// # Errors
    /// [`Error::Invalid`] with what does not make sense.
    pub(crate) fn check_sound(&self, backend: &str) -> Result<()> {
        let depths = !self.depths.is_empty() && self.depths.iter().all(|depth| (8..=16).contains(depth));
        let sizes =
            [&self.width, &self.height].into_iter().all(|range| !range.is_empty() && *range.end() > 0);
        if depths && self.depths.is_sorted() && sizes && self.align > 0 && self.max_frames > 0 {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "{backend} has capabilities that no group fits: {self:?}; depths are 8 to 16 and ascend, sizes, alignment and \
             planes start at 1"
        )))
    }

    /// Checks that a group of this spec can be coded.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a spec that no [`GroupSpec::new`] makes, [`Error::Unsupported`] with the dimension that does
    /// not fit.
    pub fn check(&self, backend: &str, spec: &GroupSpec) -> Result<()> {
        spec.check()?;
        let fits = self.depths.contains(&spec.depth)
            && self.width.contains(&spec.width)
            && self.height.contains(&spec.height)
            && spec.width.is_multiple_of(self.align.max(1))
            && spec.height.is_multiple_of(self.align.max(1))
            && spec.frames <= self.max_frames;
        if fits {
            return Ok(());
        }
        Err(Error::unsupported(format!("{backend} does not code {spec:?}; it takes {self:?}")))
    }
}

/// The order in which automatic choice tries the backends of one codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Tried first.
    Preferred,
    /// Tried where nothing preferred works.
    Standard,
    /// Tried last.
    Fallback,
}

/// One direction of coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Samples to packet.
    Encode,
    /// Packet to samples.
    Decode,
}

impl Role {
    /// The role as a verb.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::Decode => "decode",
        }
    }
}

/// What a backend is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BackendInfo {
    /// The backend's own name, such as `native` or `rav1e`.
    pub name: &'static str,
    /// The bitstream that it reads or writes.
    pub codec: CodecId,
    /// Where it stands among the backends of its codec.
    pub tier: Tier,
    /// Whether it encodes.
    pub encodes: bool,
    /// Whether it decodes.
    pub decodes: bool,
    /// What it can do.
    pub capabilities: Capabilities,
}

impl BackendInfo {
    /// A backend that encodes and decodes.
    pub const fn new(name: &'static str, codec: CodecId, tier: Tier, capabilities: Capabilities) -> Self {
        Self { name, codec, tier, encodes: true, decodes: true, capabilities }
    }

    /// The same for one that works in this direction alone.
    #[must_use]
    pub const fn only(self, role: Role) -> Self {
        let encodes = matches!(role, Role::Encode);
        Self { encodes, decodes: !encodes, ..self }
    }

    /// Whether it works in this direction.
    pub fn serves(&self, role: Role) -> bool {
        match role {
            Role::Encode => self.encodes,
            Role::Decode => self.decodes,
        }
    }
}

/// An implementation of a codec, in one or both directions.
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Name, codec id and capabilities.
    fn info(&self) -> &BackendInfo;

    /// Does real work: loads the library, opens the device, codes one tiny group.
    ///
    /// # Errors
    /// What is missing, and what was looked for.
    fn probe(&self) -> Result<(), Unavailable>;

    /// The largest quantiser step at or below `step` that this backend really has at this depth, or its smallest where
    /// that is above `step`; in sample units. A backend that quantises at any step returns the argument.
    ///
    /// A caller that may choose how many samples a step of its values takes chooses such a step: so a codec of few
    /// quantiser settings reaches any rate.
    fn step_at_most(&self, depth: u8, step: f32) -> f32 {
        let _ = depth;
        step
    }

    /// An encoder for groups of this spec.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a spec outside the capabilities, or for a backend that only decodes.
    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>>;

    /// A decoder for groups of this spec.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a spec outside the capabilities, or for a backend that only encodes.
    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>>;
}

/// Turns groups of one spec into packets.
pub trait Encoder: Send {
    /// Appends one self-contained packet for `samples` to `packet`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong number of samples, a sample above the depth or a step that is not a finite
    /// number above 0; [`Error::Unsupported`] for a quality outside the capabilities. On error `packet` is as before.
    fn encode(&mut self, samples: &[u16], quality: Quality, packet: &mut Vec<u8>) -> Result<()>;
}

/// Turns packets back into groups of one spec.
pub trait Decoder: Send {
    /// Fills all of `samples` from one packet. Usable again after an error.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a packet that no encoder of this codec makes for this spec; [`Error::Unsupported`] for one
    /// that this decoder lacks the means for; [`Error::Invalid`] for an output of the wrong length.
    fn decode(&mut self, packet: &[u8], samples: &mut [u16]) -> Result<()>;
}

/// Checks what every encoder must check of its arguments before it starts.
///
/// # Errors
/// As [`Encoder::encode`].
pub fn check_encode_input(
    info: &BackendInfo,
    spec: &GroupSpec,
    samples: &[u16],
    quality: Quality,
) -> Result<()> {
    check_sample_count(spec, samples.len())?;
    let max = spec.max_sample();
    // A fold without an early exit: the compiler makes it a vector maximum.
    let largest = samples.iter().fold(0u16, |a, &b| a.max(b));
    if largest > max {
        return Err(Error::invalid(format!("sample {largest} does not fit {} bits", spec.depth)));
    }
    match quality {
        Quality::Lossless if !info.capabilities.lossless => {
            Err(Error::unsupported(format!("{} has no lossless mode", info.name)))
        }
        Quality::Step(_) if !info.capabilities.lossy => {
            Err(Error::unsupported(format!("{} codes losslessly only", info.name)))
        }
        Quality::Step(step) if !(step.is_finite() && step > 0.0) => {
            Err(Error::invalid(format!("step {step} is not a finite number above 0")))
        }
        _ => Ok(()),
    }
}

/// Checks that a buffer holds exactly the group's samples.
///
/// # Errors
/// [`Error::Invalid`] with both numbers.
pub fn check_sample_count(spec: &GroupSpec, len: usize) -> Result<()> {
    if len == spec.samples() {
        return Ok(());
    }
    Err(Error::invalid(format!("buffer holds {len} samples, the group {}", spec.samples())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_that_was_changed_is_checked_where_it_is_used() {
        let capabilities = Capabilities::new(&[0, 8, 16, 40]).with_lossless();
        let sound = GroupSpec::new(2, 3, 4, 8, &Limits::default()).unwrap();
        assert!(capabilities.check("any", &sound).is_ok());
        let changes: [fn(&mut GroupSpec); 5] = [
            |spec| spec.frames = 0,
            |spec| spec.height = 0,
            |spec| spec.width = 0,
            |spec| spec.depth = 0,
            |spec| spec.depth = 40,
        ];
        for change in changes {
            let mut spec = sound;
            change(&mut spec);
            assert!(matches!(capabilities.check("any", &spec), Err(Error::Invalid(_))), "{spec:?}");
            // Defined for any numbers.
            assert!(spec.mid_sample() <= spec.max_sample() && spec.samples() <= 24);
        }
        let mut huge = sound;
        (huge.frames, huge.height, huge.width) = (u32::MAX, u32::MAX, u32::MAX);
        assert_eq!(huge.samples(), usize::MAX);
    }
}
