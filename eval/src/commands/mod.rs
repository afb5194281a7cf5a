//! One module per table.

mod allocation;
mod calibrate;
mod reference;
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
        Command::Allocation(args) => allocation::run(args),
        Command::Weights(args) => weights::run(args),
    }
}
