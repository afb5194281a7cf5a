//! What people see: tables, numbers, progress, and the way to stop.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::failure::{Failure, Result};
pub(crate) use crate::text::{printable, say};

/// Prints lines of our own to standard error.
pub(crate) fn say_lines(text: &str) {
    text.lines().for_each(say);
}

/// Prints to stdout; a reader that went away is no failure.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::other(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints one JSON document.
pub(crate) fn print_json(document: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(document).map_err(|error| Failure::other(error.to_string()))?;
    print(&(text + "\n"))
}

/// A table: the first column and those named are aligned left, numbers right.
pub(crate) struct Table {
    left: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns; a name that begins with `<` is aligned left.
    pub(crate) fn new(columns: &[&str]) -> Self {
        let left = columns.iter().map(|name| name.starts_with('<')).collect();
        let head = columns.iter().map(|name| name.trim_start_matches('<').to_owned()).collect();
        Self { left, rows: vec![head] }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.into_iter().map(|cell| name(&cell)).collect());
    }

    /// The table as text.
    pub(crate) fn text(&self) -> String {
        let columns = self.left.len();
        let width =
            |at: usize| self.rows.iter().map(|row| row.get(at).map_or(0, |c| c.chars().count())).max();
        let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (at, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[at].saturating_sub(cell.chars().count()));
                let gap = if at == 0 { "" } else { "  " };
                line +=
                    &if self.left[at] { format!("{gap}{cell}{pad}") } else { format!("{gap}{pad}{cell}") };
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

/// Names are foreign text: nothing that steers the terminal, not endless.
pub(crate) fn name(text: &str) -> String {
    let clean = printable(text);
    if clean.chars().count() <= 80 {
        return clean;
    }
    let count = clean.chars().count();
    let (head, tail) =
        (clean.chars().take(38).collect::<String>(), clean.chars().skip(count - 39).collect::<String>());
    format!("{head}…{tail}")
}

/// The command as it was called, for reports; what is no text is replaced.
pub(crate) fn command_line() -> String {
    let words: Vec<_> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    words.join(" ")
}

/// Bytes with a unit.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn bytes(count: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.2} {}", units[unit]) }
}

/// A shape such as `384×1536`.
pub(crate) fn shape(shape: &[u64]) -> String {
    if shape.is_empty() {
        return "scalar".into();
    }
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("×")
}

/// An error measure: short, and 0 where there is none.
pub(crate) fn error(value: f64) -> String {
    if value == 0.0 { "0".into() } else { format!("{value:.3e}") }
}

/// A bar on standard error, where that is a terminal.
pub(crate) fn progress(total: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
    }
    let bar = ProgressBar::new(total);
    let style = "{bar:30} {percent:>3} %  {elapsed} (about {eta} to go)  {wide_msg}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}

/// Several bars below each other on standard error, where that is a terminal.
pub(crate) struct Bars {
    bars: MultiProgress,
    terminal: bool,
}

impl Bars {
    pub(crate) fn new() -> Self {
        let terminal = io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), terminal }
    }

    /// Adds a bar with a name.
    pub(crate) fn add(&self, name: &str, total: u64) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new(total));
        if let Ok(style) = ProgressStyle::with_template("{prefix:12} {bar:20} {pos:>3} of {len}  {wide_msg}")
        {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        bar
    }

    /// Prints a line above the bars, or as it is where there are none.
    pub(crate) fn say(&self, line: &str) {
        if self.terminal {
            // The line is in the report, too.
            let _ = self.bars.println(printable(line));
        } else {
            say(line);
        }
    }

    /// Takes the bars away.
    pub(crate) fn clear(&self) {
        let _ = self.bars.clear();
    }
}

static STOP: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C end the work between chunks; a second one ends the process.
pub(crate) fn stop_on_interrupt() {
    let handler = || {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    };
    // Without a handler Ctrl-C still ends the process; only the temporary file would stay.
    let _ = ctrlc::set_handler(handler);
}

/// Fails once Ctrl-C was pressed.
pub(crate) fn check_stop() -> telecine::Result<()> {
    if STOP.load(Ordering::SeqCst) {
        return Err(telecine::CoreError::invalid("stopped").into());
    }
    Ok(())
}

/// The failure of a stopped run, whatever it was about to be.
pub(crate) fn or_stopped(failure: Failure) -> Failure {
    if STOP.load(Ordering::SeqCst) {
        return Failure::other("interrupted; the output was not written");
    }
    failure
}
