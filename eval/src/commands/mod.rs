//! One module per table.

mod activations;
mod allocation;
mod cache;
mod calibrate;
mod memory;
mod reference;
mod report;
mod weights;

use crate::Result;
use crate::args::{Cli, Command};

/// Does what was asked for.
///
/// # Errors
/// As the command says.
pub fn run(cli: &Cli) -> Result<()> {
    match &cli.command {
        Command::Reference(common) => reference::run(common),
        Command::Calibrate(common) => calibrate::run(common),
        Command::Activations(args) => activations::run(args),
        Command::Cache(args) => cache::run(args),
        Command::Allocation(args) => allocation::run(args),
        Command::Memory(args) => memory::run(args),
        Command::States(common) => cache::states::run(common),
        Command::Report(args) => report::run(args),
        Command::Weights(args) => weights::run(args),
    }
}
