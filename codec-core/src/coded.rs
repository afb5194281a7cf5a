//! What encoding makes of a tensor: one packet with its side information per chunk.

use std::borrow::Cow;
use std::ops::Range;

use crate::{CodecId, DType, GroupSpec, SideEffects};

/// One chunk of a tensor, coded; owns its bytes as an encoder's result, borrows them from a mapped file.
///
/// Every field may hold anything: what is wrong is refused by [`ChunkDecoder`](crate::ChunkDecoder) and by the writers of
/// containers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
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
    /// Side information: classes, ranges, grid or levels, transform parameters, exact values (SPEC.md, "Side information").
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

impl<'a> CodedChunk<'a> {
    /// The first chunk of a tensor with these rows and values, whose packet is of this codec and group. The other fields,
    /// public all of them, are to be set: no transform, no bytes and no error until then.
    pub fn new(
        rows: Range<u64>,
        values: u64,
        codec: CodecId,
        spec: GroupSpec,
        packet: Cow<'a, [u8]>,
    ) -> Self {
        Self {
            index: 0,
            rows,
            values,
            codec,
            spec,
            transform: Cow::Borrowed("none"),
            side: Cow::Borrowed(&[]),
            packet,
            nmse: 0.0,
            max_abs_error: 0.0,
            energy: 0.0,
            side_effects: SideEffects::default(),
        }
    }
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
#[non_exhaustive]
pub struct TensorMeta {
    /// The tensor's name.
    pub name: String,
    /// The type of its values.
    pub dtype: DType,
    /// The length of each dimension, outermost first.
    pub shape: Vec<u64>,
}

impl TensorMeta {
    /// Name, dtype and shape of a tensor.
    pub fn new(name: impl Into<String>, dtype: DType, shape: impl Into<Vec<u64>>) -> Self {
        Self { name: name.into(), dtype, shape: shape.into() }
    }
}
