//! Backends over the system's FFmpeg: encoders `x265`, `x264` and `libaom`, decoders `hevc`, `h264` and `av1`;
//! and NVIDIA's engines `nvenc-*` and `nvdec-*`.
//!
//! A group becomes one elementary stream of pictures of 4:2:0 whose luma it is and whose chroma is constant, or of luma
//! alone with [`EncodeOptions::monochrome`](telecine_core::EncodeOptions::monochrome): each coded by itself unless
//! [`EncodeOptions::inter`](telecine_core::EncodeOptions::inter) is set, at one constant quantiser, with every tool off
//! that smooths or that spends bits where eyes look. One thread works on a group: parallelism comes from the groups.
//!
//! x265 and x264 are under the GPL version 2 or later. This crate holds none of their code, but a program that is
//! distributed with them falls under that licence; `libaom` and libavcodec's decoders do not ask for it.

#![cfg(feature = "ffmpeg")]

mod absence;
mod backend;
mod context;
mod decode;
mod decoders;
mod driver;
mod encode;
mod encoders;
mod frame;
mod nvidia;

pub use backend::{FfmpegDecoder, FfmpegEncoder};
