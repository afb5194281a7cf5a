//! Decoding samples with vectors: a vector holds neighbouring lanes, several vectors are under way at once.
//!
//! The kernel is written once over [`vector::Vector`]; each machine's file says what its instructions are. Whole steps
//! of all lanes are decoded here, the rest is left to [`crate::plain`].

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod kernel;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(test)]
mod tests;
mod vector;

use telecine_core::Result;

use crate::instructions::Instructions;
use crate::symbols::{Cursor, Job, Tables};

/// A way to decode whole steps of all lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Any machine.
    Portable,
    /// Sixteen lanes of a vector, on any machine: what wider machines do, for tests where there are none.
    #[cfg(test)]
    Sixteen,
    /// x86-64 with AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AArch64.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Way {
    /// The way of these instructions; none for the plain ones, and where this machine lacks them.
    pub(crate) fn of(instructions: Instructions) -> Option<Self> {
        match instructions {
            _ if !instructions.are_here() => None,
            Instructions::Portable => Some(Self::Portable),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => Some(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => Some(Self::Avx512),
            #[cfg(target_arch = "aarch64")]
            Instructions::Neon => Some(Self::Neon),
            _ => None,
        }
    }

    /// Decodes samples of one context: whole steps of all lanes. The way comes from [`Self::of`].
    pub(crate) fn run(
        self,
        job: &Job<'_>,
        tables: &Tables,
        cursor: &mut Cursor<'_>,
        samples: &mut [u16],
    ) -> Result<()> {
        let lanes = cursor.states.len();
        assert!(lanes >= 2 && samples.len().is_multiple_of(lanes), "whole steps of at least 2 lanes");
        match self {
            // SAFETY: `of` gives this way only where the features are.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 if lanes >= 32 => unsafe { avx512::run(job, tables, cursor, samples) },
            // SAFETY: as above; AVX-512 comes with AVX2.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 | Self::Avx2 if lanes >= 16 => unsafe { avx2::run(job, tables, cursor, samples) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Self::Neon if lanes >= 8 => unsafe { neon::run(job, tables, cursor, samples) },
            // SAFETY: arrays are vectors of any machine.
            #[cfg(test)]
            Self::Sixteen if lanes >= 32 => unsafe { kernel::run::<[u32; 16]>(job, tables, cursor, samples) },
            // SAFETY: arrays are vectors of any machine.
            _ => unsafe { kernel::run::<[u32; 1]>(job, tables, cursor, samples) },
        }
    }
}
