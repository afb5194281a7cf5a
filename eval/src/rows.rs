//! Rows of tables: measured one by one, written down as they come, so that a long table goes on where it was left.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::files::write_whole;
use crate::quality::Quality;
use crate::setup::seconds;
use crate::{Error, Result};

/// One configuration and what the model was worth under it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which of the table's curves it belongs to, such as `native balanced`.
    pub series: String,
    /// What was asked for, such as `3 bits`.
    pub setting: String,
    /// Total bits per value, all bytes counted.
    pub bits: f64,
    /// Normalised mean squared error over everything that was coded.
    pub nmse: f64,
    /// What the model makes of the text.
    pub quality: Quality,
    /// Seconds for coding and decoding.
    pub coding_seconds: f64,
    /// What else there is to say.
    pub note: String,
}

/// What was coded, before its quality is known.
#[derive(Debug, Clone, Default)]
pub struct Coded {
    /// Total bits per value.
    pub bits: f64,
    /// Normalised mean squared error.
    pub nmse: f64,
    /// Seconds for coding and decoding.
    pub seconds: f64,
    /// What else there is to say.
    pub note: String,
}

/// A table in the making.
#[derive(Debug)]
pub struct Rows {
    path: Option<PathBuf>,
    only: Option<String>,
    document: Document,
}

/// What the JSON file of a table holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Document {
    /// The table's name.
    pub table: String,
    /// The windows of the test text.
    pub windows: Vec<usize>,
    /// Its rows.
    pub rows: Vec<Row>,
}

impl Document {
    /// Reads a table.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] for a file that is no table.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        serde_json::from_str(&text)
            .map_err(|error| Error::input(format!("{}: is no table: {error}", path.display())))
    }
}

impl Rows {
    /// A table that is kept in `path`, with the rows that it already has; only series and settings whose text holds
    /// `only` are measured.
    ///
    /// # Errors
    /// [`Error::Input`] where the file is another table, or was measured on other windows.
    pub fn open(table: &str, windows: &[usize], path: Option<&Path>, only: Option<&str>) -> Result<Self> {
        let fresh = Document { table: table.to_owned(), windows: windows.to_vec(), rows: Vec::new() };
        let document = match path {
            Some(path) if path.exists() => Document::read(path)?,
            _ => fresh.clone(),
        };
        if (&document.table, &document.windows) != (&fresh.table, &fresh.windows) {
            return Err(Error::input(format!(
                "the file holds the table {:?} of windows {:?}: name another",
                document.table, document.windows
            )));
        }
        println!(
            "{:<34} {:>9} {:>8} {:>9} {:>11} {:>9} {:>9} {:>8}  note",
            "series", "setting", "bits", "nmse", "perplexity", "ratio", "KL", "coding s"
        );
        document.rows.iter().for_each(print);
        Ok(Self { path: path.map(Path::to_owned), only: only.map(str::to_owned), document })
    }

    /// The rows so far.
    pub fn rows(&self) -> &[Row] {
        &self.document.rows
    }

    /// Whether this row is wanted and missing.
    pub fn wants(&self, series: &str, setting: &str) -> bool {
        let fits = self.only.as_deref().is_none_or(|only| format!("{series} {setting}").contains(only));
        fits && !self.document.rows.iter().any(|row| row.series == series && row.setting == setting)
    }

    /// Measures a row unless it is there or not wanted.
    ///
    /// # Errors
    /// What `measure` returns; [`Error::Io`].
    pub fn measure(
        &mut self,
        series: &str,
        setting: &str,
        measure: &mut dyn FnMut() -> Result<(Coded, Quality)>,
    ) -> Result<()> {
        if !self.wants(series, setting) {
            return Ok(());
        }
        let start = Instant::now();
        let (coded, quality) = measure()?;
        let row = Row {
            series: series.to_owned(),
            setting: setting.to_owned(),
            bits: coded.bits,
            nmse: coded.nmse,
            quality,
            coding_seconds: coded.seconds,
            note: coded.note,
        };
        print(&row);
        eprintln!("telecine-eval: {series} {setting}: {:.0} s", seconds(start));
        self.document.rows.push(row);
        self.save()
    }

    fn save(&self) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let text = serde_json::to_string_pretty(&self.document)
            .map_err(|error| Error::input(format!("{}: {error}", path.display())))?;
        write_whole(path, &text)
    }
}

fn print(row: &Row) {
    println!(
        "{:<34} {:>9} {:>8.3} {:>9.2e} {:>11.3} {:>9.4} {:>9.4} {:>8.1}  {}",
        row.series,
        row.setting,
        row.bits,
        row.nmse,
        row.quality.perplexity,
        row.quality.perplexity / row.quality.reference,
        row.quality.divergence,
        row.coding_seconds,
        row.note
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_goes_on_where_it_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.json");
        let mut calls = 0;
        for _ in 0..2 {
            let mut rows = Rows::open("weights", &[1], Some(&path), Some("native")).unwrap();
            for series in ["native", "other"] {
                let mut measure = || {
                    calls += 1;
                    Ok((Coded { bits: 3.0, ..Coded::default() }, Quality::default()))
                };
                rows.measure(series, "3", &mut measure).unwrap();
            }
            assert_eq!(rows.rows().len(), 1);
        }
        assert_eq!(calls, 1);
        assert!(Rows::open("weights", &[2], Some(&path), None).is_err());
        assert!(Rows::open("cache", &[1], Some(&path), None).is_err());
    }
}
