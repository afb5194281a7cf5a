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
//! let meta = TensorMeta::new("bias", DType::U8, [3]);
//! let spec = GroupSpec::new(1, 1, 3, 8, &Limits::default())?;
//! let mut chunk = CodedChunk::new(0..3, 3, CodecId::RAW, spec, Cow::Borrowed(&[7, 8, 9]));
//! chunk.side = Cow::Borrowed(&[0]);
//! chunk.energy = 194.0;
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
