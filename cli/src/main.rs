//! The `telecine` command.

mod ablation;
mod args;
#[cfg(unix)]
mod bus_error;
mod commands;
mod output;
mod plan;
mod report;
mod screen;
mod warn;

use std::process::ExitCode;

use clap::Parser;
use telecine_cli::{failure, input, select, text};

use crate::args::{Cli, Command};

/// Counts what each thread holds, for the rules of `conformance` about memory.
#[global_allocator]
static ALLOCATOR: telecine_conformance::CountingAllocator = telecine_conformance::CountingAllocator;

fn main() -> ExitCode {
    #[cfg(unix)]
    bus_error::end_with_a_line();
    let cli = Cli::parse();
    let outcome = match &cli.command {
        Command::Pack(args) => commands::pack::run(args),
        Command::Unpack(args) => commands::unpack::run(args),
        Command::Inspect(args) => commands::inspect::run(args),
        Command::Compare(args) => commands::compare::run(args),
        Command::Sweep(args) => commands::sweep::run(args),
        Command::Ablate(args) => commands::ablate::run(args),
        Command::Plan(args) => commands::plan::run(args),
        Command::Backends(args) => commands::backends::run(args),
        Command::Conformance(args) => commands::conformance::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            text::say(&format!("telecine: {}", failure.message));
            ExitCode::from(failure.status)
        }
    }
}
