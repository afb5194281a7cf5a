//! What can go wrong with a container, on top of what can go wrong in the core.

use std::io;
use std::path::{Path, PathBuf};

use arrow_schema::ArrowError;

/// The result of an operation on a container.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of reading or writing a container.
///
/// Damage is [`telecine_core::Error::Corrupt`] with the file named in its message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What the core reports: a wrong argument, damage, a limit exceeded.
    #[error(transparent)]
    Core(#[from] telecine_core::Error),
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file, or `(stream)`.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is whole as far as it can be told, but none of ours.
    #[error("{} is not a Telecine file: {reason}", path.display())]
    NotThisFormat {
        /// The file, `(stream)` or `(memory)`.
        path: PathBuf,
        /// What was looked for and what was found.
        reason: String,
    },
    /// The file was written by a release with a newer major version of the format.
    #[error(
        "{} has format version {}.{}, this release reads up to {}.x: update Telecine",
        path.display(), found.0, found.1, supported.0
    )]
    NewerVersion {
        /// The file, `(stream)` or `(memory)`.
        path: PathBuf,
        /// The version that the file names, major and minor.
        found: (u16, u16),
        /// The version that this release writes.
        supported: (u16, u16),
    },
}

/// The container that an error is about.
#[derive(Debug, Clone)]
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn file(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn stream() -> Self {
        Self("(stream)".into())
    }

    pub(crate) fn memory() -> Self {
        Self("(memory)".into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn io(&self, source: io::Error) -> Error {
        Error::Io { path: self.0.clone(), source }
    }

    pub(crate) fn corrupt(&self, reason: impl std::fmt::Display) -> Error {
        Error::Core(telecine_core::Error::corrupt(format!("{}: {reason}", self.0.display())))
    }

    pub(crate) fn foreign(&self, reason: impl Into<String>) -> Error {
        Error::NotThisFormat { path: self.0.clone(), reason: reason.into() }
    }

    /// What the core refused about a row that was read: there, an argument that is wrong is damage.
    pub(crate) fn damaged_row(&self, row: u64, error: telecine_core::Error) -> Error {
        match error {
            telecine_core::Error::Invalid(reason)
            | telecine_core::Error::Corrupt(reason)
            | telecine_core::Error::Unsupported(reason) => self.corrupt(format_args!("row {row}: {reason}")),
            other => Error::Core(other),
        }
    }

    /// What Arrow's writer reports.
    pub(crate) fn arrow(&self, error: ArrowError) -> Error {
        match error {
            ArrowError::IoError(_, source) => self.io(source),
            other => {
                Error::Core(telecine_core::Error::Backend { backend: "arrow-ipc", source: Box::new(other) })
            }
        }
    }
}
