//! Lies about lengths cost no memory: what a damaged container makes its reader allocate is measured.

#![allow(clippy::unwrap_used, reason = "a test that fails by panicking says where")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use telecine_core::{CodecId, CodedChunk, DType, GroupSpec, Limits, TensorMeta};
use telecine_format::{Container, StreamReader, StreamWriter};

/// The system's allocator, which remembers the largest request.
struct Watched;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: as this function's caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as this function's caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

fn write(mut write: impl FnMut(&TensorMeta, &CodedChunk<'_>)) {
    for name in ["a", "b", "c"] {
        let meta = TensorMeta::new(name, DType::F32, [2, 16]);
        let spec = GroupSpec::new(1, 2, 16, 8, &Limits::default()).unwrap();
        let mut chunk = CodedChunk::new(0..2, 32, CodecId::ZSTD, spec, Cow::Borrowed(&[9; 100]));
        chunk.side = Cow::Borrowed(&[1, 2, 3]);
        (chunk.nmse, chunk.max_abs_error, chunk.energy) = (0.1, 1.0, 32.0);
        write(&meta, &chunk);
    }
}

fn read_file(bytes: &[u8]) {
    if let Ok(container) = Container::from_bytes(bytes.to_vec(), &Limits::default()) {
        for entry in container.tensors() {
            for row in entry.rows.clone() {
                let _ = container.chunk(row);
            }
        }
    }
}

fn read_stream(bytes: &[u8]) {
    if let Ok(reader) = StreamReader::new(bytes, &Limits::default()) {
        reader.for_each(drop);
    }
}

/// The largest single allocation while every bit in turn is flipped, and every aligned number is the largest there is.
fn largest_while_damaged(mut bytes: Vec<u8>, read: impl Fn(&[u8])) -> usize {
    LARGEST.store(0, Ordering::Relaxed);
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        read(&bytes);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    for width in [4, 8] {
        for start in (0..bytes.len() - width).step_by(4) {
            let saved = bytes[start..start + width].to_vec();
            bytes[start..start + width].fill(0xff);
            bytes[start + width - 1] = 0x7f;
            read(&bytes);
            bytes[start..start + width].copy_from_slice(&saved);
        }
    }
    LARGEST.load(Ordering::Relaxed)
}

#[test]
fn no_lie_makes_a_reader_allocate_more_than_a_few_times_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.arrow");
    let mut writer = telecine_format::FileWriter::create(&path, false).unwrap();
    let mut stream = StreamWriter::new(Vec::new()).unwrap();
    write(|meta, chunk| {
        writer.write(meta, "bits=3", chunk).unwrap();
        stream.write(meta, "bits=3", chunk).unwrap();
    });
    writer.finish().unwrap();
    let (file, stream) = (std::fs::read(&path).unwrap(), stream.finish().unwrap());
    let most = 4 * file.len();
    let of_file = largest_while_damaged(file, read_file);
    let of_stream = largest_while_damaged(stream, read_stream);
    assert!(of_file.max(of_stream) <= most, "{of_file} by files, {of_stream} by streams, {most} are allowed");
    // The watch works: without damage, the file's own bytes are the largest.
    assert!(of_file > most / 8, "{of_file}");
}
