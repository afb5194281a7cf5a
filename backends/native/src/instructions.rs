//! Which instructions the decoder uses.

/// Instructions of a machine that the decoder may use; what it returns does not depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Instructions {
    /// One sample after the other, without tables: slow, obvious, and what all others are held against.
    Plain,
    /// Tables, on any machine.
    Portable,
    /// x86-64 with AVX2.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AArch64.
    Neon,
}

impl Instructions {
    /// The instructions that this machine has, best first; [`Instructions::Plain`] is last.
    pub fn here() -> Vec<Self> {
        let best_first = [Self::Avx512, Self::Avx2, Self::Neon, Self::Portable, Self::Plain];
        best_first.into_iter().filter(|instructions| instructions.are_here()).collect()
    }

    /// Whether this machine has them.
    pub(crate) fn are_here(self) -> bool {
        match self {
            Self::Plain | Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.are_here()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
            Self::Neon => cfg!(target_arch = "aarch64"),
        }
    }
}
