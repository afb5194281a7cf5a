//! Telecine makes any tensor small.
//!
//! The caller names a [`Target`] (bits per value, an error bound, or lossless); the library chooses how. [`Codec`]
//! works in memory, [`Writer`] and [`Reader`] on files that any Arrow reader opens.
//!
//! ```
//! use telecine::{Codec, DType, Encoding, Target, Tensor};
//!
//! let values: Vec<f32> = (0..300_000).map(|i| (i as f32 * 0.37).sin()).collect();
//! let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
//! let tensor = Tensor::new(DType::F32, &[600, 500], &bytes)?;
//!
//! let codec = Codec::new();
//! let encoded = codec.encode(&tensor, &Encoding::new(Target::Nmse(0.001)))?;
//! assert!(encoded.report.nmse <= 0.001 && encoded.report.bits() < 6.0);
//!
//! let back = codec.decode(&encoded)?;
//! assert_eq!((back.dtype, back.shape.as_slice()), (DType::F32, [600, 500].as_slice()));
//! # Ok::<(), telecine::Error>(())
//! ```

mod allocation;
mod budget;
mod codec;
mod fallback;
mod reader;
mod writer;

pub use allocation::{Allocation, Share};
pub use budget::{Budget, BudgetItem, Takes, release};
pub use codec::{Codec, Encoded};
pub use fallback::next_best;
pub use reader::Reader;
pub use telecine_backends::{default_registry, instruction_variants};
pub use telecine_core::{
    Backend, BackendInfo, Basis, Capabilities, Chain, ChunkDecoder, CodecId, CodedChunk, DType, Decoder,
    Distortion, Effort, EncodeOptions, Encoder, Encoding, Error as CoreError, Found, GroupSpec, Importance,
    Limits, Listing, MatrixShape, Pick, Quality, Registry, Role, SideEffects, Target, Tensor, TensorBuf,
    TensorMeta, TensorReport, Tier, Tools, Transform, TransformChoice, Unavailable, count_values,
};
pub use telecine_format::{
    Container, Error, FileWriter, Framing, Result, StreamReader, StreamRow, StreamWriter, TensorEntry,
};
pub use writer::Writer;

#[doc = include_str!("../../README.md")]
#[cfg(doctest)]
struct ReadmeExamples;
