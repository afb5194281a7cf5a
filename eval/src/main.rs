//! `telecine-eval`: what a language model still does after compression.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match telecine_eval::run(&telecine_eval::args::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("telecine-eval: {error}");
            ExitCode::from(error.status())
        }
    }
}
