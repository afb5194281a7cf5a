//! What can go wrong, grouped by who must act.

use std::error::Error as StdError;

use crate::Target;

/// The result of an operation of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error, grouped by who must act on it.
///
/// The same enum in every build: no variant depends on a feature, and foreign errors travel boxed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller's argument is wrong; another value works.
    #[error("{0}")]
    Invalid(String),
    /// The call is right, but this codec, backend or version has no way to do it.
    #[error("{0}")]
    Unsupported(String),
    /// The call is right, but this tensor cannot be coded to its target.
    #[error("{wanted} is out of reach: the nearest was {nearest}; ask for that, or for another target")]
    OutOfReach {
        /// The caller's target.
        wanted: Target,
        /// The same target with the nearest number that was reached.
        nearest: Target,
    },
    /// Something that this needs is missing on this machine.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The compressed data is damaged or was never ours.
    #[error("damaged data: {0}")]
    Corrupt(String),
    /// The input is larger than the caller's [`Limits`](crate::Limits) allow.
    #[error("{what} is {value}, over the limit of {limit}")]
    Limit {
        /// What was measured, with its unit.
        what: &'static str,
        /// The measured value.
        value: u64,
        /// The limit that it exceeds.
        limit: u64,
    },
    /// The library behind a backend failed for a reason of its own.
    #[error("backend {backend} failed: {source}")]
    Backend {
        /// The name of the backend.
        backend: &'static str,
        /// What the library said.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl Error {
    /// An [`Error::Invalid`] with this message.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// An [`Error::Unsupported`] with this message.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::Unsupported(message.into())
    }

    /// An [`Error::Corrupt`] with this message.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::Corrupt(message.into())
    }
}

/// Why a backend, though known, cannot work here and now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// This build was made without it.
    #[error("{backend}: not compiled in (enable the cargo feature `{feature}`)")]
    NotCompiled {
        /// The name of the backend.
        backend: &'static str,
        /// The cargo feature of `telecine` that brings it.
        feature: &'static str,
    },
    /// A shared library is missing or too old.
    #[error("{backend}: library {library} not usable: {reason}")]
    Library {
        /// The name of the backend.
        backend: &'static str,
        /// What was looked for.
        library: String,
        /// What came back, and what to install.
        reason: String,
    },
    /// No device of the right kind is present.
    #[error("{backend}: no usable device: {reason}")]
    Device {
        /// The name of the backend.
        backend: &'static str,
        /// What was looked for and what was found.
        reason: String,
    },
    /// Library and device are there, but coding one tiny group failed.
    #[error("{backend}: failed to start: {reason}")]
    Init {
        /// The name of the backend.
        backend: &'static str,
        /// What failed.
        reason: String,
    },
    /// The data names something that this release does not know: a later one does.
    #[error("{what}")]
    Newer {
        /// What was named, and what is known.
        what: String,
    },
    /// No backend that this registry holds serves the codec in the wanted direction.
    #[error("no backend can {role} codec {codec}: {reason}")]
    NoBackend {
        /// The codec's id.
        codec: String,
        /// `encode` or `decode`.
        role: &'static str,
        /// Each candidate with the reason why it was passed over.
        reason: String,
    },
}
