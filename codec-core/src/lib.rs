//! Telecine's codec-agnostic core.
//!
//! A tensor becomes chunks, each chunk a group of `u16` planes, each group a packet, and back:
//!
//! ```text
//! encode   tensor ─ chunk ─ transform ─ quantise ─ tile ─► group of u16 planes ─ backend ─► packet
//! decode   tensor ◄ chunk ◄ inverse  ◄ dequantise ◄ untile ◄ group             ◄ backend ◄ packet
//! ```

mod backend;
mod bitcast;
mod coded;
mod distortion;
mod dtype;
mod error;
mod exact;
mod grid;
mod importance;
mod lanes;
mod limits;
mod matrix;
mod pipeline;
mod registry;
mod side_effects;
mod target;
mod tensor;
mod tile;
mod transform;
mod varint;

pub use backend::{
    Backend, BackendInfo, Capabilities, CodecId, Decoder, Effort, EncodeOptions, Encoder, GroupSpec, Quality,
    Role, Tier, Tools, check_encode_input, check_sample_count,
};
pub use coded::{CodedChunk, TensorMeta};
pub use distortion::Distortion;
pub use dtype::DType;
pub use error::{Error, Result, Unavailable};
pub use importance::Importance;
pub use limits::Limits;
pub use matrix::{Chunks, MatrixShape};
pub use pipeline::{ChunkDecoder, Encoding, TensorReport, decode_rows, encode};
pub use registry::{Found, Listing, Pick, Registry};
pub use side_effects::SideEffects;
pub use target::Target;
pub use tensor::{Tensor, TensorBuf, count_values};
pub use transform::{Basis, Chain, Transform, TransformChoice, candidates};
