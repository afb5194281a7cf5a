//! Failures of the command: one line for people, one exit status for scripts.

use std::fmt;
use std::io;
use std::path::Path;

use telecine::{CoreError, Error};

/// Why the command ends early.
#[derive(Debug)]
pub struct Failure {
    /// 1 I/O or other, 2 the call is wrong, 3 no backend here, 4 damaged or not ours, 5 over a limit.
    pub status: u8,
    /// One line that names the file or value, and what to do.
    pub message: String,
}

/// The result of a step of the command.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// The system refused, status 1.
    pub fn io(path: &Path, what: &str, error: &io::Error) -> Self {
        Self { status: 1, message: format!("{}: {what}: {error}", path.display()) }
    }

    /// What is nobody's mistake, status 1.
    pub fn other(message: impl Into<String>) -> Self {
        Self { status: 1, message: message.into() }
    }

    /// The call is wrong, status 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { status: 2, message: message.into() }
    }

    /// The file is damaged or not what its name says, status 4.
    pub fn damaged(path: &Path, reason: impl fmt::Display) -> Self {
        Self { status: 4, message: format!("{}: {reason}", path.display()) }
    }

    /// The same failure, with what it is about in front.
    pub fn about(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl From<CoreError> for Failure {
    fn from(error: CoreError) -> Self {
        let status = match error {
            CoreError::Invalid(_) | CoreError::Unsupported(_) | CoreError::OutOfReach { .. } => 2,
            CoreError::Unavailable(_) => 3,
            CoreError::Corrupt(_) => 4,
            CoreError::Limit { .. } => 5,
            _ => 1,
        };
        Self { status, message: error.to_string() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Core(error) => error.into(),
            // The output is there: before the work began, or since.
            Error::Io { ref source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                Self { status: 2, message: error.to_string() }
            }
            Error::NotThisFormat { .. } | Error::NewerVersion { .. } => {
                Self { status: 4, message: error.to_string() }
            }
            _ => Self { status: 1, message: error.to_string() },
        }
    }
}
