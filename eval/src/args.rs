//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::setup::WINDOWS;
use crate::{Error, Result};

/// What a language model still does after its weights, KV cache or activations were compressed.
#[derive(Parser)]
#[command(name = "telecine-eval", version, about)]
pub struct Cli {
    /// What to measure.
    #[command(subcommand)]
    pub command: Command,
}

/// What to measure.
#[derive(Subcommand)]
pub enum Command {
    /// The reference model alone: perplexity, as a check against other runtimes.
    Reference(Common),
    /// Writes the files that `telecine pack` takes as --sensitivity and --importance, made without any text and from the
    /// validation text.
    Calibrate(Common),
    /// Weights: every codec and quantiser at 2 to 5 bits per value.
    Weights(TableArgs),
    /// Allocation: the same bits spread over the tensors in several ways.
    Allocation(TableArgs),
    /// KV cache: keys and values at 1 to 4 bits per value.
    Cache(TableArgs),
    /// Bits that keys, values and hidden states take at one error, transform by transform.
    States(Common),
    /// Activations: what goes between the stages of a pipeline, at 2 to 6 bits per value.
    Activations(TableArgs),
    /// Peak memory of the model with its weights compressed, against the same weights as f32.
    Memory(MemoryArgs),
    /// Prints tables as Markdown, and draws them on one HTML page.
    Report(ReportArgs),
}

/// What `memory` takes.
#[derive(Args)]
pub struct MemoryArgs {
    /// Where the reference model is kept.
    #[arg(long, default_value = "data/cache", value_name = "FOLDER")]
    pub cache: PathBuf,
    /// Bits per value of every weight.
    #[arg(long, default_value_t = 4.0, value_name = "BITS")]
    pub bits: f64,
    /// Run once in this process, on what is packed already.
    #[arg(long, value_enum, hide = true)]
    pub keep: Option<Keep>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// How weights are kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Decoded on load.
    F32,
    /// As they are in the file, decoded for each pass.
    Compressed,
}

impl Keep {
    /// As on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Compressed => "compressed",
        }
    }
}

/// What `report` takes.
#[derive(Args)]
pub struct ReportArgs {
    /// Files that the tables were kept in with --json.
    #[arg(required = true, value_name = "TABLE.json")]
    pub tables: Vec<PathBuf>,
    /// The page to write.
    #[arg(short, long, value_name = "REPORT.html")]
    pub output: Option<PathBuf>,
}

/// What tables take.
#[derive(Args, Clone)]
pub struct TableArgs {
    /// What all commands take.
    #[command(flatten)]
    pub common: Common,
    /// Only rows whose series and setting hold this text.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
}

/// What all commands take.
#[derive(Args, Clone)]
pub struct Common {
    /// Where scripts/fetch-smollm2 put its files, and where the reference model is kept.
    #[arg(long, default_value = "data/cache", value_name = "FOLDER")]
    pub cache: PathBuf,
    /// Windows of 2,048 tokens of the test text to score: numbers joined by commas, or all.
    #[arg(long, value_name = "LIST")]
    windows: Option<String>,
    /// Keep the table in this file, one JSON document; rows that it has already are not measured again.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Common {
    /// The windows that were asked for.
    ///
    /// # Errors
    /// [`Error::Call`] for what is no list of numbers.
    pub fn windows(&self) -> Result<Vec<usize>> {
        match self.windows.as_deref() {
            None => Ok(WINDOWS.to_vec()),
            Some("all") => Ok((0..147).collect()),
            Some(list) => list
                .split(',')
                .map(|number| number.trim().parse())
                .collect::<std::result::Result<_, _>>()
                .map_err(|_| Error::call(format!("windows {list:?} are no numbers joined by commas"))),
        }
    }
}
