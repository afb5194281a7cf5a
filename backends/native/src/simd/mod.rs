//! Decoding samples with vectors: a vector holds neighbouring lanes, several vectors are under way at once.
//!
//! Each way does whole steps of all lanes and leaves the rest to [`crate::plain`].

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
#[cfg(test)]
mod tests;

use telecine_core::Result;

use crate::symbols::{Cursor, Job, Tables};

/// A way to decode whole steps of all lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Any machine.
    Portable,
    /// x86-64 with AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
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
            if is_x86_feature_detected!("avx2") {
                ways.push(Self::Avx2);
            }
        }
        ways.push(Self::Portable);
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
        assert!(job.contexts.len() == samples.len() && cursor.at == 0, "a context for each sample");
        match self {
            // SAFETY: `here` lists this way only where the features are.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 if cursor.states.len() >= 16 => unsafe { avx512::run(job, tables, cursor, samples) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 if cursor.states.len() >= 16 => unsafe { avx2::run(job, tables, cursor, samples) },
            _ => portable::run(job, tables, cursor, samples),
        }
    }
}

/// Symbols of the lanes of one vector with rare ones replaced, in the order of the lanes.
#[cold]
fn replace_rare(
    job: &Job<'_>,
    cursor: &mut Cursor<'_>,
    contexts: &[u8],
    indices: &[u32],
    symbols: &mut [i32],
) -> Result<()> {
    for ((&context, &index), symbol) in contexts.iter().zip(indices).zip(symbols) {
        if index == crate::symbols::EMPTY {
            return Err(telecine_core::Error::corrupt("a tns1 packet uses an empty table"));
        }
        if index >= crate::symbols::RARE {
            let parity = (index - crate::symbols::RARE).cast_signed();
            *symbol = cursor.escaped(&job.distributions[usize::from(context)].alphabet, parity)?;
        }
    }
    Ok(())
}

/// Uncoded bits of each context, for look-up by vectors of contexts.
fn raw_counts(job: &Job<'_>) -> [u32; 32] {
    let mut counts = [0; 32];
    for (count, distribution) in counts.iter_mut().zip(job.distributions) {
        *count = u32::from(distribution.alphabet.raw);
    }
    counts
}
