//! `telecine-eval`: what a language model still does after compression.

use std::process::ExitCode;

use clap::Parser;

/// Keeps the pages of large tensors between passes: given back and taken again, they cost a fifth of the time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_pages() {
    // SAFETY: parameters of the allocator, set before any thread was started.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    keep_pages();
    match telecine_eval::run(&telecine_eval::args::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // candle's errors bring a backtrace where RUST_BACKTRACE asks for one: a line is a line.
            let text = error.to_string();
            eprintln!("telecine-eval: {}", text.lines().next().unwrap_or_default());
            ExitCode::from(error.status())
        }
    }
}
