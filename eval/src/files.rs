//! Files that are whole or not there.

use std::path::Path;

use crate::{Error, Result};

/// Writes a file beside its place, and puts it there when it is complete.
///
/// # Errors
/// [`Error::Io`].
pub fn write_whole(path: &Path, content: &str) -> Result<()> {
    let part = path.with_extension("part");
    std::fs::write(&part, content).map_err(|error| Error::io(&part, error))?;
    std::fs::rename(&part, path).map_err(|error| Error::io(path, error))
}
