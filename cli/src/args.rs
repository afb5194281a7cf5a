//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use telecine::{Allocation, Effort, Target};

use crate::failure::{Failure, Result};
use crate::plan::Workspace;

/// Makes any tensor small, and gets it back.
#[derive(Parser)]
#[command(name = "telecine", version, about, after_help = STATUSES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const STATUSES: &str = "Exit status: 0 done, 1 I/O or other, 2 the call is wrong, 3 no backend for it here, \
                        4 the input is damaged or not ours, 5 over a limit.";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Compress tensors into one file.
    Pack(PackArgs),
    /// Get tensors back, with their names, dtypes and shapes.
    Unpack(UnpackArgs),
    /// List the tensors of a packed file.
    Inspect(InspectArgs),
    /// Measure a packed file against its original.
    Compare(CompareArgs),
    /// Draw rate–distortion curves of every codec on your tensors.
    Sweep(SweepArgs),
    /// Take the video codecs apart: what each of their tools is worth on your tensors, beside native.
    Ablate(AblateArgs),
    /// Work out whether a language model fits on your devices, compressed.
    Plan(PlanArgs),
    /// List the backends of this build, and whether they work here.
    Backends(BackendsArgs),
    /// Check what every backend guarantees, on this machine.
    Conformance(ConformanceArgs),
}

#[derive(Args)]
pub(crate) struct PackArgs {
    /// Files to read: .safetensors, .safetensors.index.json (all shards), .npy, .npz.
    #[arg(required = true, value_name = "IN")]
    pub(crate) inputs: Vec<PathBuf>,
    /// The file to write.
    #[arg(short, long, value_name = "OUT.arrow")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) coding: CodingArgs,
    /// The transform before quantisation: auto, none, or a chain such as centre+dct(32) or hadamard(128).
    #[arg(long, default_value = "auto", value_name = "CHAIN")]
    pub(crate) transform: String,
    /// A target for the tensors whose name fits: 'GLOB=TARGET', where TARGET is bits=B, nmse=E, max-abs=E, step=S, bytes=N
    /// or lossless. The last rule that fits counts.
    #[arg(long = "rule", value_name = "GLOB=TARGET")]
    pub(crate) rules: Vec<String>,
    /// Weights that say how much each column's error counts, such as mean squared activations: a .safetensors or .npz
    /// file with a vector for each tensor that has them, of as many values as the tensor's rows. What is kept
    /// losslessly needs none.
    #[arg(long, value_name = "FILE")]
    pub(crate) importance: Option<PathBuf>,
    /// How --bits or --bytes are spread over the tensors: all the same, equal normalised errors, or the more to a tensor the fewer
    /// values it has (auto, as without this).
    #[arg(long, value_enum, value_name = "HOW", requires = "budget", conflicts_with = "sensitivity")]
    pub(crate) allocate: Option<AllocateArg>,
    /// How much an error in each tensor costs, for spreading --bits or --bytes: a JSON object of tensor names or globs and positive
    /// numbers, such as the growth of a model's loss over the tensor's normalised error. A tensor that none fits counts 1.
    #[arg(long, value_name = "FILE", requires = "budget")]
    pub(crate) sensitivity: Option<PathBuf>,
    /// Every value that is exactly zero comes back as zero. Without this zeros are kept where that is cheap.
    #[arg(long)]
    pub(crate) keep_zeros: bool,
    /// Refuse the whole pack where a tensor cannot be coded to its target; without this it is kept losslessly, or coded to
    /// the nearest that can be reached, with a warning.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Overwrite the output.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum AllocateArg {
    Even,
    Nmse,
    Auto,
}

impl From<AllocateArg> for Allocation {
    fn from(allocate: AllocateArg) -> Self {
        match allocate {
            AllocateArg::Even => Self::Even,
            AllocateArg::Nmse => Self::Nmse,
            AllocateArg::Auto => Self::Auto,
        }
    }
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TargetArgs {
    /// Bits per value over all tensors, every byte of the file counted.
    #[arg(long, value_name = "B", allow_negative_numbers = true, group = "budget")]
    bits: Option<f64>,
    /// Bytes of the whole file, at most: a number, or one with KB, MB, GB, KiB, MiB or GiB.
    #[arg(long, value_name = "N", group = "budget", value_parser = parse_bytes)]
    bytes: Option<u64>,
    /// Normalised mean squared error of each tensor, at most.
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    nmse: Option<f64>,
    /// Absolute error of every value, at most.
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    max_abs: Option<f64>,
    /// Quantiser step in the tensors' units.
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    step: Option<f64>,
    /// Every value bit-exact.
    #[arg(long)]
    lossless: bool,
}

impl TargetArgs {
    /// The target that was given.
    pub(crate) fn target(&self) -> Result<Target> {
        if let Some(bytes) = self.bytes {
            let target = Target::Bytes(bytes);
            target.check()?;
            return Ok(target);
        }
        let target = match (self.bits, self.nmse, self.max_abs, self.step) {
            (Some(bits), ..) => Target::Bits(bits),
            (_, Some(nmse), ..) => Target::Nmse(nmse),
            (_, _, Some(bound), _) => Target::MaxAbs(bound),
            (_, _, _, Some(step)) => Target::Step(step),
            _ => Target::Lossless,
        };
        target.check()?;
        Ok(target)
    }
}

#[derive(Args)]
pub(crate) struct CodingArgs {
    /// The codec's id, such as tns1 or zstd.
    #[arg(long, value_name = "ID")]
    pub(crate) codec: Option<String>,
    /// The one backend to use, by name.
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<String>,
    /// How long to search.
    #[arg(long, value_enum, default_value_t = EffortArg::Balanced)]
    pub(crate) effort: EffortArg,
    /// Threads; all cores unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum EffortArg {
    Fast,
    Balanced,
    Best,
}

impl From<EffortArg> for Effort {
    fn from(effort: EffortArg) -> Self {
        match effort {
            EffortArg::Fast => Self::Fast,
            EffortArg::Balanced => Self::Balanced,
            EffortArg::Best => Self::Best,
        }
    }
}

#[derive(Args)]
pub(crate) struct UnpackArgs {
    /// The packed file.
    #[arg(value_name = "IN.arrow")]
    pub(crate) input: PathBuf,
    /// The file to write: .safetensors, or .npy for one tensor.
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// Only the tensors whose name fits.
    #[arg(long, value_name = "GLOB")]
    pub(crate) tensor: Option<String>,
    /// Only these rows, as A..B, of tensors read as matrices: a row is the last dimension.
    #[arg(long, value_name = "A..B")]
    pub(crate) rows: Option<String>,
    /// The one backend to decode its codec with, by name.
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<String>,
    /// Threads; all cores unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Overwrite the output.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct InspectArgs {
    /// The packed file.
    #[arg(value_name = "IN.arrow")]
    pub(crate) input: PathBuf,
    /// Check every checksum and decode everything.
    #[arg(long)]
    pub(crate) verify: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct CompareArgs {
    /// The original file.
    #[arg(value_name = "ORIGINAL")]
    pub(crate) original: PathBuf,
    /// The packed file.
    #[arg(value_name = "IN.arrow")]
    pub(crate) packed: PathBuf,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct SweepArgs {
    /// Files to read, as pack reads them.
    #[arg(required = true, value_name = "IN")]
    pub(crate) inputs: Vec<PathBuf>,
    /// The report to write.
    #[arg(short, long, value_name = "REPORT.html")]
    pub(crate) output: PathBuf,
    /// Codec ids, joined by commas; every lossy one that works here, and zstd, unless given.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub(crate) codecs: Vec<String>,
    /// Bits per value, joined by commas.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [1.0, 2.0, 3.0, 4.0, 5.0])]
    pub(crate) bits: Vec<f64>,
    /// Only the tensors whose name fits.
    #[arg(long, value_name = "GLOB")]
    pub(crate) tensor: Option<String>,
    /// How long to search.
    #[arg(long, value_enum, default_value_t = EffortArg::Balanced)]
    pub(crate) effort: EffortArg,
    /// Threads; all cores unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Write the figures as JSON, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Overwrite the outputs.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args)]
pub(crate) struct AblateArgs {
    /// Files to read, as pack reads them.
    #[arg(required = true, value_name = "IN")]
    pub(crate) inputs: Vec<PathBuf>,
    /// The report to write.
    #[arg(short, long, value_name = "REPORT.html")]
    pub(crate) output: PathBuf,
    /// The normalised mean squared error that tools are compared at.
    #[arg(long, value_name = "E", default_value_t = 0.01)]
    pub(crate) nmse: f64,
    /// Bits per value of the curves, joined by commas.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [1.0, 2.0, 3.0, 4.0, 5.0])]
    pub(crate) bits: Vec<f64>,
    /// Only the tensors whose name fits.
    #[arg(long, value_name = "GLOB")]
    pub(crate) tensor: Option<String>,
    /// About as many values of each kind of tensor are coded.
    #[arg(long, value_name = "N", default_value_t = 1 << 18, value_parser = clap::value_parser!(u32).range(1 << 12..=1 << 24))]
    pub(crate) values: u32,
    /// How long to search. The faster ones leave out some of the tools.
    #[arg(long, value_enum, default_value_t = EffortArg::Best)]
    pub(crate) effort: EffortArg,
    /// Threads; all cores unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Write the figures as JSON, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Overwrite the outputs.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args)]
pub(crate) struct PlanArgs {
    /// The model's config.json, as Hugging Face's models come with one.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// The devices' memory, in order: COUNTxSIZE joined by commas, in GiB, MiB, GB or MB.
    #[arg(long, value_name = "LIST")]
    pub(crate) devices: String,
    /// Tokens of each sequence; what the model takes at most unless given.
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) context: Option<u64>,
    /// Bits per value of the projections.
    #[arg(long, value_name = "BITS")]
    pub(crate) weights: f64,
    /// Bits per value of embedding and head; those of the projections unless given.
    #[arg(long, value_name = "BITS")]
    pub(crate) embedding: Option<f64>,
    /// Bits per value of keys and values, of which the first 4 and the last 128 tokens stay bf16.
    #[arg(long, value_name = "BITS")]
    pub(crate) kv: f64,
    /// Sequences at the same time.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) batch: u16,
    /// Tokens that go through a layer at the same time while a prompt is read.
    #[arg(long, value_name = "TOKENS", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) step: u16,
    /// What is decoded at a time.
    #[arg(long, value_enum, default_value_t = Workspace::Chunk)]
    pub(crate) decode: Workspace,
    /// Chunks that a device decodes at the same time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) workers: u16,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct BackendsArgs {
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ConformanceArgs {
    /// Only the rules and backends whose joint name, such as native/round-trip/lossless-exact, holds this text or fits
    /// this glob; several widen the choice.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) filter: Vec<String>,
    /// Only these backends, joined by commas; it is a failure if one does not work here. (TELECINE_REQUIRE=NAMES in the
    /// environment makes absence a failure and leaves the choice as it is.)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) backend: Vec<String>,
    /// Only some of the cases of rules that have many.
    #[arg(long)]
    pub(crate) quick: bool,
    /// List what would be run, with what each rule guarantees.
    #[arg(long, conflicts_with_all = ["json", "junit", "html"])]
    pub(crate) list: bool,
    /// Write the findings as JSON; - is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the findings as JUnit XML; - is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write one HTML page: every rule on every backend, and rate–distortion curves.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Overwrite the outputs.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Starts the threads of everything that follows: this many, or one for each core.
pub(crate) fn use_jobs(jobs: Option<u16>) -> Result<()> {
    // Later the library would start them by itself, and end the process where the system refuses.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.map_or(0, usize::from)).build_global();
    pool.map_err(|error| Failure::other(format!("threads cannot be had: {error}; --jobs asks for fewer")))
}

/// Reads a number of bytes with an optional unit.
fn parse_bytes(text: &str) -> std::result::Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "B" => 1,
        "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("a whole number of bytes, or of KB, MB, GB, KiB, MiB, GiB".to_owned()),
    };
    let number: u64 = number.parse().map_err(|error| format!("{error}"))?;
    number.checked_mul(factor).ok_or_else(|| "beyond 64 bits".to_owned())
}
