//! Bounds on what hostile input may make this library do.

use crate::{Error, Result};

/// Bounds on the work and memory that one call may cause, whatever its input says.
///
/// The defaults suit a machine that reads files of unknown origin: any real model passes. Other limits are made by setting
/// fields of [`Limits::DEFAULT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Most dimensions of one tensor.
    pub dimensions: usize,
    /// Most values of one tensor.
    pub tensor_values: u64,
    /// Most values of one chunk; bounds the memory of one worker (about 32 bytes per value).
    pub chunk_values: u64,
    /// Most bytes of one packet, side information included.
    pub packet_bytes: u64,
    /// Most rows (packets) of one file.
    pub packets: u64,
    /// Most bytes of a tensor's name.
    pub name_bytes: usize,
    /// Most values of the KLT bases that one read takes together, which is also what a reader keeps of them (8 bytes per
    /// value).
    pub basis_values: u64,
    /// Most multiplications for one KLT basis that is completed from directions: directions × columns².
    pub basis_work: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Limits {
    /// The default.
    pub const DEFAULT: Self = Self {
        dimensions: 32,
        tensor_values: 1 << 42,
        chunk_values: 1 << 26,
        packet_bytes: 1 << 30,
        packets: 1 << 26,
        name_bytes: 4096,
        basis_values: 1 << 27,
        basis_work: 1 << 32,
    };

    /// Fails with [`Error::Limit`] when `value` exceeds `limit`.
    pub fn check(what: &'static str, value: u64, limit: u64) -> Result<()> {
        if value > limit { Err(Error::Limit { what, value, limit }) } else { Ok(()) }
    }
}
