//! Telecine's container: an Arrow IPC file with one row per coded chunk, and the same rows as an IPC stream.
//!
//! `SPEC.md` is the authority on the format. This crate stores and finds coded chunks; it never decodes them.
//!
//! ```
//! use std::borrow::Cow;
//! use telecine_core::{CodecId, CodedChunk, DType, GroupSpec, Limits, TensorMeta};
//! use telecine_format::{Container, FileWriter};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("model.arrow");
//! let meta = TensorMeta { name: "bias".into(), dtype: DType::U8, shape: vec![3] };
//! let chunk = CodedChunk {
//!     index: 0,
//!     rows: 0..3,
//!     values: 3,
//!     codec: CodecId::RAW,
//!     spec: GroupSpec::new(1, 1, 3, 8, &Limits::default())?,
//!     transform: Cow::Borrowed("none"),
//!     side: Cow::Borrowed(&[0]),
//!     packet: Cow::Borrowed(&[7, 8, 9]),
//!     nmse: 0.0,
//!     max_abs_error: 0.0,
//!     energy: 194.0,
//!     side_effects: Default::default(),
//! };
//!
//! let mut writer = FileWriter::create(&path, false)?;
//! writer.write(&meta, "lossless", &chunk)?;
//! writer.finish()?;
//!
//! let container = Container::open(&path, &Limits::default())?;
//! let entry = container.find("bias").ok_or("not there")?;
//! assert_eq!(container.chunk(entry.rows.start)?, chunk);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod container;
mod entry;
mod error;
mod file_writer;
mod framing;
mod gather;
mod ipc;
mod row;
mod schema;
mod sequence;
mod stream_reader;
mod stream_writer;

pub use container::Container;
pub use entry::{RESERVED_PREFIX, TensorEntry};
pub use error::{Error, Result};
pub use file_writer::FileWriter;
pub use framing::Framing;
pub use schema::VERSION;
pub use stream_reader::{StreamReader, StreamRow};
pub use stream_writer::StreamWriter;
