//! What encoding makes of a tensor: one packet with its side information per chunk.

use std::borrow::Cow;
use std::ops::Range;

use crate::{CodecId, DType, GroupSpec, SideEffects};

/// One chunk of a tensor, coded; owns its bytes as an encoder's result, borrows them from a mapped file.
#[derive(Debug, Clone, PartialEq)]
pub struct CodedChunk<'a> {
    /// Number of the chunk within its tensor, from 0.
    pub index: u32,
    /// The rows of the tensor's [matrix view](crate::MatrixShape) that it holds.
    pub rows: Range<u64>,
    /// Number of values.
    pub values: u64,
    /// The bitstream of the packet.
    pub codec: CodecId,
    /// The group that the packet decodes to.
    pub spec: GroupSpec,
    /// The chain of transforms, such as `centre@1+dct@1(32)`, or `none`.
    pub transform: Cow<'a, str>,
    /// Side information: sample grid, transform parameters, values kept exactly (SPEC.md, "Side information").
    pub side: Cow<'a, [u8]>,
    /// The backend's bytes.
    pub packet: Cow<'a, [u8]>,
    /// Measured mean squared error over mean square of the finite values; 0 when lossless.
    pub nmse: f64,
    /// Measured largest absolute error of the finite values.
    pub max_abs_error: f64,
    /// Sum of squares of the finite original values: weighs `nmse` where chunks are summed up.
    pub energy: f64,
    /// Counts of values that changed in kind.
    pub side_effects: SideEffects,
}

impl CodedChunk<'_> {
    /// All bytes that it takes to get the chunk back.
    pub fn bytes(&self) -> u64 {
        (self.side.len() + self.packet.len()) as u64
    }

    /// The same chunk with bytes of its own.
    pub fn into_owned(self) -> CodedChunk<'static> {
        CodedChunk {
            transform: Cow::Owned(self.transform.into_owned()),
            side: Cow::Owned(self.side.into_owned()),
            packet: Cow::Owned(self.packet.into_owned()),
            ..self
        }
    }

    /// Bits per value, side information included; 0 for a chunk without values.
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn bits(&self) -> f64 {
        if self.values == 0 { 0.0 } else { self.bytes() as f64 * 8.0 / self.values as f64 }
    }
}

/// What is known of a tensor besides its values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TensorMeta {
    /// The tensor's name.
    pub name: String,
    /// The type of its values.
    pub dtype: DType,
    /// The length of each dimension, outermost first.
    pub shape: Vec<u64>,
}
