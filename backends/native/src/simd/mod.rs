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
    /// The ways this machine has, best first.
    pub(crate) fn here() -> Vec<Self> {
        let mut ways = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                ways.push(Self::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
                ways.push(Self::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        ways.push(Self::Neon);
        ways.push(Self::Portable);
        #[cfg(test)]
        ways.push(Self::Sixteen);
        ways
    }

    /// Decodes whole steps of all lanes from the first sample on; `way` is one of [`Self::here`].
    pub(crate) fn run(
        self,
        job: &Job<'_>,
        tables: &Tables,
        cursor: &mut Cursor<'_>,
        samples: &mut [u16],
    ) -> Result<()> {
        let contexts = job.contexts.is_empty() || job.contexts.len() == samples.len();
        assert!(contexts && cursor.at == 0, "a context for each sample");
        let lanes = cursor.states.len();
        match self {
            // SAFETY: `here` lists this way only where the features are.
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
            _ if lanes >= 2 => unsafe { kernel::run::<[u32; 1]>(job, tables, cursor, samples) },
            _ => Ok(()),
        }
    }
}
