//! Other people's coders that keep the tensor's bits.

use std::hint::black_box;

use pco::ChunkConfig;
use pco::standalone::{simple_compress, simple_decompress_into};

use crate::race::{Coder, Fault};

/// The tensor's bytes, copied.
pub struct Memcpy<'a> {
    bytes: &'a [u8],
    back: Vec<u8>,
}

impl<'a> Memcpy<'a> {
    /// Of this tensor.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, back: vec![0; bytes.len()] }
    }
}

impl Coder for Memcpy<'_> {
    fn encode(&mut self) -> Result<(), Fault> {
        self.decode()
    }

    fn decode(&mut self) -> Result<(), Fault> {
        self.back.copy_from_slice(black_box(self.bytes));
        black_box(&self.back);
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        same(self.bytes, &self.back)
    }

    fn packed(&self) -> usize {
        self.bytes.len()
    }
}

/// libzstd on the tensor's bytes.
pub struct Zstd<'a> {
    bytes: &'a [u8],
    packer: zstd::bulk::Compressor<'static>,
    unpacker: zstd::bulk::Decompressor<'static>,
    packed: Vec<u8>,
    back: Vec<u8>,
}

impl<'a> Zstd<'a> {
    /// Of this tensor at a level.
    ///
    /// # Errors
    /// Those of libzstd.
    pub fn new(bytes: &'a [u8], level: i32) -> Result<Self, Fault> {
        Ok(Self {
            bytes,
            packer: zstd::bulk::Compressor::new(level)?,
            unpacker: zstd::bulk::Decompressor::new()?,
            packed: Vec::with_capacity(zstd::zstd_safe::compress_bound(bytes.len())),
            back: Vec::with_capacity(bytes.len()),
        })
    }
}

impl Coder for Zstd<'_> {
    fn encode(&mut self) -> Result<(), Fault> {
        self.packed.clear();
        self.packer.compress_to_buffer(self.bytes, &mut self.packed)?;
        Ok(())
    }

    fn decode(&mut self) -> Result<(), Fault> {
        self.back.clear();
        self.unpacker.decompress_to_buffer(&self.packed, &mut self.back)?;
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        same(self.bytes, &self.back)
    }

    fn packed(&self) -> usize {
        self.packed.len()
    }
}

/// `lz4_flex` on the tensor's bytes, with its unsafe and faster half.
pub struct Lz4<'a> {
    bytes: &'a [u8],
    packed: Vec<u8>,
    length: usize,
    back: Vec<u8>,
}

impl<'a> Lz4<'a> {
    /// Of this tensor.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let room = lz4_flex::block::get_maximum_output_size(bytes.len());
        Self { bytes, packed: vec![0; room], length: 0, back: vec![0; bytes.len()] }
    }
}

impl Coder for Lz4<'_> {
    fn encode(&mut self) -> Result<(), Fault> {
        self.length = lz4_flex::block::compress_into(self.bytes, &mut self.packed)?;
        Ok(())
    }

    fn decode(&mut self) -> Result<(), Fault> {
        lz4_flex::block::decompress_into(&self.packed[..self.length], &mut self.back)?;
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        same(self.bytes, &self.back)
    }

    fn packed(&self) -> usize {
        self.length
    }
}

/// `pco` on the tensor's values.
pub struct Pco<'a> {
    values: &'a [f32],
    packed: Vec<u8>,
    back: Vec<f32>,
}

impl<'a> Pco<'a> {
    /// Of this tensor, with what the crate does by default.
    #[must_use]
    pub fn new(values: &'a [f32]) -> Self {
        Self { values, packed: Vec::new(), back: vec![0.0; values.len()] }
    }
}

impl Coder for Pco<'_> {
    fn encode(&mut self) -> Result<(), Fault> {
        self.packed = simple_compress(self.values, &ChunkConfig::default())?;
        Ok(())
    }

    fn decode(&mut self) -> Result<(), Fault> {
        simple_decompress_into(&self.packed, &mut self.back)?;
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        same(self.values, &self.back)
    }

    fn packed(&self) -> usize {
        self.packed.len()
    }
}

/// Fails unless both are the same.
pub(crate) fn same<T: PartialEq>(wanted: &[T], found: &[T]) -> Result<(), Fault> {
    if wanted == found { Ok(()) } else { Err("something else came back".into()) }
}
