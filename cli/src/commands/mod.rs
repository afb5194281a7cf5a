//! The commands, one file each.

pub(crate) mod ablate;
pub(crate) mod backends;
pub(crate) mod compare;
pub(crate) mod conformance;
pub(crate) mod inspect;
pub(crate) mod pack;
pub(crate) mod plan;
mod spread;
pub(crate) mod sweep;
pub(crate) mod unpack;
