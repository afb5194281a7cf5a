//! Writing files: beside their final name, then renamed, so that nobody ever meets half of one.

mod npy;
mod safetensors;

pub(crate) use npy::npy_header;
pub(crate) use safetensors::safetensors_header;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::failure::{Failure, Result};

/// A file in the making; dropped before [`AtomicFile::finish`], it leaves nothing.
pub(crate) struct AtomicFile {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    overwrite: bool,
}

impl AtomicFile {
    /// Begins a file of this name; an existing one is refused unless `overwrite`.
    pub(crate) fn create(path: &Path, overwrite: bool) -> Result<Self> {
        check_free(path, overwrite)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".telecine-").suffix(".tmp");
        // A temporary file is its owner's alone; this one is about to be an ordinary file.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder
            .tempfile_in(folder)
            .map_err(|error| Failure::io(path, "cannot be created in its folder", &error))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::with_capacity(1 << 20, file), overwrite })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Failure::io(&self.path, "cannot be written", &error))
    }

    /// Completes the file under its final name.
    pub(crate) fn finish(self) -> Result<()> {
        let Self { path, file, overwrite } = self;
        let failed = |error: &std::io::Error| Failure::io(&path, "cannot be written", error);
        let file = file.into_inner().map_err(|error| failed(error.error()))?;
        file.as_file().sync_all().map_err(|error| failed(&error))?;
        let renamed = if overwrite { file.persist(&path) } else { file.persist_noclobber(&path) };
        renamed.map(|_| ()).map_err(|error| match error.error.kind() {
            // Somebody else was faster.
            std::io::ErrorKind::AlreadyExists => taken(&path),
            _ => failed(&error.error),
        })
    }
}

/// Refuses a name that is taken, unless `overwrite`.
pub(crate) fn check_free(path: &Path, overwrite: bool) -> Result<()> {
    if path.is_dir() {
        return Err(Failure::usage(format!("{} is a folder; name a file in it", path.display())));
    }
    if !overwrite && path.symlink_metadata().is_ok() {
        return Err(taken(path));
    }
    Ok(())
}

fn taken(path: &Path) -> Failure {
    Failure::usage(format!("{} exists already; --force overwrites it", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails says where")]
    use super::*;

    #[test]
    fn who_loses_a_race_is_told_as_who_comes_too_late() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.npy");
        let mut file = AtomicFile::create(&path, false).unwrap();
        file.write(b"mine").unwrap();
        std::fs::write(&path, b"theirs").unwrap();
        let failure = file.finish().unwrap_err();
        assert!(failure.status == 2 && failure.message.contains("--force"), "{failure:?}");
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
        let late = telecine::FileWriter::create(&folder.path().join("x.arrow"), false).unwrap();
        std::fs::write(folder.path().join("x.arrow"), b"theirs").unwrap();
        assert_eq!(Failure::from(late.finish().unwrap_err()).status, 2);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
