//! What video backends share.
//!
//! A packet is a plain elementary stream that any decoder of its codec plays: HEVC and AVC in the byte stream format
//! (Annex B of their standards), AV1 in the low-overhead format (section 5 of its specification). It holds parameter
//! sets and pictures and nothing else, and its end is marked, so that a packet cut short is known as such. The exception are
//! groups that a codec makes larger than their samples, such as noise: these are stored as they are.

mod av1_steps;
mod bitstream;
mod header;
mod ladder;
mod nal;
mod obu;
mod probe;
mod stored;

pub use bitstream::Bitstream;
pub use header::Header;
pub use ladder::Ladder;
pub use probe::{FLAT, FLAT_420_SIDE, FLAT_SIDE, probe_decoder, probe_encoder};
pub use stored::{read_stored, store, stored_len};
