//! Backends for AV1: `rav1e` encodes; `dav1d`, over the system's library, or `rav1d`, its port to Rust, decodes.
//!
//! A group becomes one still picture per plane: grey, of full range, at one constant quantiser, tuned for squared error
//! and with the filters off that smooth. One thread works on a group: parallelism comes from the groups. rav1e has no
//! lossless mode, and none is claimed.

#[cfg(any(feature = "dav1d", feature = "rav1d"))]
mod decode;
mod encode;
mod ladder;

pub use encode::Rav1e;

#[cfg(any(feature = "dav1d", feature = "rav1d"))]
pub use decode::Av1Decoder;

use std::ops::RangeInclusive;
use std::sync::Arc;

use telecine_core::{Backend, Capabilities};

/// Sizes of pictures, and depths.
const fn capabilities() -> Capabilities {
    const SIDES: RangeInclusive<u32> = 1..=16_384;
    Capabilities {
        lossless: false,
        lossy: true,
        depths: &[8, 10, 12],
        width: SIDES,
        height: SIDES,
        align: 1,
        max_frames: 1 << 12,
    }
}

/// Every backend of this build of the crate.
pub fn backends() -> Vec<Arc<dyn Backend>> {
    vec![
        Arc::new(Rav1e),
        #[cfg(any(feature = "dav1d", feature = "rav1d"))]
        Arc::new(Av1Decoder),
    ]
}
