//! What can go wrong, by who must act.

use std::path::Path;

/// An error of the evaluation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The call is wrong: what was asked for does not exist or does not fit together.
    #[error("{0}")]
    Call(String),
    /// A file is damaged, or is not what it was taken for.
    #[error("{0}")]
    Input(String),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The model's runtime refused.
    #[error("candle: {0}")]
    Runtime(#[from] candle_core::Error),
    /// Telecine refused.
    #[error(transparent)]
    Telecine(#[from] telecine::Error),
}

/// What a function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), source }
    }

    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::Input(message.into())
    }

    pub(crate) fn call(message: impl Into<String>) -> Self {
        Self::Call(message.into())
    }

    /// The exit status, as those of `telecine`.
    pub fn status(&self) -> u8 {
        match self {
            Self::Call(_) => 2,
            Self::Input(_) => 4,
            Self::Io { .. } | Self::Runtime(_) | Self::Telecine(_) => 1,
        }
    }
}

impl From<telecine::CoreError> for Error {
    fn from(error: telecine::CoreError) -> Self {
        Self::Telecine(error.into())
    }
}
