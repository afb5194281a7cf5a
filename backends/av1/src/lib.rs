//! Backends for AV1: `rav1e` encodes; `dav1d`, over the system's library, or `rav1d`, its port to Rust, decodes.
//!
//! A group becomes one still picture per plane: luma of 4:2:0 with constant chroma, or luma alone where that is asked for;
//! of full range, at one constant quantiser, tuned for squared error and with the filters off that smooth. One thread works on a group: parallelism comes from the groups. rav1e has no
//! lossless mode, and none is claimed.

#![cfg(feature = "rav1e")]

#[cfg(any(feature = "dav1d", feature = "rav1d"))]
mod decode;
mod encode;
mod ladder;

pub use encode::Rav1e;

#[cfg(any(feature = "dav1d", feature = "rav1d"))]
pub use decode::Av1Decoder;

use std::sync::Arc;

use telecine_core::Backend;

/// Every backend of this build of the crate.
pub fn backends() -> Vec<Arc<dyn Backend>> {
    vec![
        Arc::new(Rav1e),
        #[cfg(any(feature = "dav1d", feature = "rav1d"))]
        Arc::new(Av1Decoder),
    ]
}
