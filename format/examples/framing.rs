//! Prints what the container costs: bytes per row and per batch, and seconds to write, open and read many rows.
//!
//! `cargo run --release -p telecine-format --example framing [ROWS] [PACKET_BYTES] [CHUNKS_PER_TENSOR]`

use std::borrow::Cow;
use std::error::Error;
use std::time::Instant;

use telecine_core::{CodecId, CodedChunk, DType, GroupSpec, Limits, TensorMeta};
use telecine_format::{Container, FileWriter};

const SIDE: usize = 12;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>());
    let mut next = |default| arguments.next().unwrap_or(Ok(default));
    let (rows, packet, chunks) = (next(1_000_000)?, next(100)?, next(10)?.max(1));
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("rows.arrow");
    framing(&path)?;

    let payload = vec![0x5a; packet as usize];
    let started = Instant::now();
    let mut writer = FileWriter::create(&path, false)?;
    for row in 0..rows {
        let (tensor, index) = (row / chunks, row % chunks);
        write(&mut writer, tensor, index, chunks.min(rows - tensor * chunks), &payload)?;
    }
    let bytes = writer.finish()?;
    let wrote = started.elapsed();

    let started = Instant::now();
    let container = Container::open(&path, &Limits::default())?;
    let opened = started.elapsed();
    let started = Instant::now();
    for row in 0..u64::from(rows) {
        container.chunk(row)?;
    }
    let read = started.elapsed();
    println!(
        "{rows} rows with packets of {packet} bytes, {} tensors: {bytes} bytes",
        container.tensors().len()
    );
    println!("write and sync {wrote:.2?}, open {opened:.2?}, check and borrow every chunk {read:.2?}");
    Ok(())
}

/// Prints what a file, a batch and a row take, from the sizes of one batch that grows by eight equal rows.
fn framing(path: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let mut writer = FileWriter::create(path, false)?;
    let empty = writer.bytes_so_far();
    write(&mut writer, 0, 0, 9, &[0; 100])?;
    let one = writer.bytes_so_far();
    for index in 1..9 {
        write(&mut writer, 0, index, 9, &[0; 100])?;
    }
    let row = (writer.bytes_so_far() - one) / 8;
    println!("a file without rows: {empty} bytes");
    println!("a batch: {} bytes and its rows", one - empty - row);
    println!(
        "a row: {} bytes, side and packet, with {} bytes of text",
        row - 100 - SIDE as u64,
        TEXT.len() - 4
    );
    Ok(())
}

/// The text of a row whose tensor has the shortest name: name, dtype, codec, transform, target.
const TEXT: &str = "experts.0.layers.0.mlp.weight bf16 tns1 none bits=3";

fn write(
    writer: &mut FileWriter,
    tensor: u32,
    index: u32,
    chunks: u32,
    payload: &[u8],
) -> Result<(), Box<dyn Error>> {
    let name = format!("experts.{}.layers.{}.mlp.weight", tensor / 80, tensor % 80);
    let meta = TensorMeta::new(name, DType::Bf16, [u64::from(chunks), 1024]);
    let (rows, spec) =
        (u64::from(index)..u64::from(index) + 1, GroupSpec::new(1, 1, 1024, 16, &Limits::default())?);
    let mut chunk = CodedChunk::new(rows, 1024, CodecId::NATIVE, spec, Cow::Borrowed(payload));
    chunk.index = index;
    chunk.side = Cow::Borrowed(&[0; SIDE]);
    (chunk.nmse, chunk.max_abs_error, chunk.energy) = (0.01, 0.5, 1024.0);
    Ok(writer.write(&meta, "bits=3", &chunk)?)
}
