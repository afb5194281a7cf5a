//! Rows to write, and the ways to and from files and streams.

use std::borrow::Cow;
use std::path::Path;

use telecine_core::{CodecId, CodedChunk, DType, GroupSpec, Limits, MatrixShape, TensorMeta};
use telecine_format::{Container, FileWriter, Result, StreamReader, StreamRow, StreamWriter};

/// A tensor of this shape, cut into chunks of `rows` rows of its matrix view, with bytes that differ in each.
///
/// The golden files hold what this made: it must not change.
pub(crate) fn tensor(name: &str, dtype: DType, shape: &[u64], rows: u64) -> Vec<StreamRow> {
    let matrix = MatrixShape::of(shape);
    let count = matrix.rows.div_ceil(rows).max(1);
    let chunk = |index: u64| {
        let range = index * rows..((index + 1) * rows).min(matrix.rows);
        let values = (range.end - range.start) * matrix.cols;
        let fill = |length: u64, seed: u64| (0..length).map(|i| (i * 31 + seed * 7 + index) as u8).collect();
        let spec = GroupSpec::new(1, 2, 3, 10, &Limits::default()).unwrap();
        let packet = Cow::Owned(fill(values / 2, 2));
        let mut chunk = CodedChunk::new(range, values, CodecId::NATIVE, spec, packet);
        chunk.index = u32::try_from(index).unwrap();
        if index > 0 {
            chunk.transform = Cow::Owned(format!("hadamard@1({index})"));
        }
        chunk.side = Cow::Owned(fill(if values == 0 { 0 } else { 5 + index }, 1));
        chunk.nmse = 0.01 * (index + 1) as f64;
        chunk.max_abs_error = 0.5 + index as f64;
        chunk.energy = values as f64;
        chunk.side_effects.lost_zeros = values / 9;
        chunk.side_effects.changed_signs = values / 5;
        chunk.side_effects.flattened = values / 2;
        chunk
    };
    let meta = TensorMeta::new(name, dtype, shape);
    (0..count)
        .map(|index| StreamRow { meta: meta.clone(), target: "bits=3".into(), chunk: chunk(index) })
        .collect()
}

/// A small container with every kind of tensor: several chunks, one, none of values, rank 0, one of Telecine's own.
pub(crate) fn small() -> Vec<StreamRow> {
    [
        tensor("layers.0/weight", DType::Bf16, &[5, 17], 2),
        tensor("", DType::F32, &[], 1),
        tensor("nothing", DType::I64, &[3, 0], 1),
        tensor("telecine:klt/0123456789abcdef", DType::F32, &[2, 16], 9),
    ]
    .concat()
}

/// Writes a file; checks on the way that its size is known before it is finished.
pub(crate) fn write_file(path: &Path, rows: &[StreamRow]) -> Result<()> {
    let mut writer = FileWriter::create(path, true)?;
    for row in rows {
        writer.write(&row.meta, &row.target, &row.chunk)?;
    }
    let expected = writer.bytes_so_far();
    let bytes = writer.finish()?;
    assert_eq!((expected, bytes), (bytes, std::fs::metadata(path).unwrap().len()));
    Ok(())
}

/// The bytes of a file with these rows.
pub(crate) fn file_bytes(rows: &[StreamRow]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.arrow");
    write_file(&path, rows).unwrap();
    std::fs::read(&path).unwrap()
}

/// The bytes of a stream with these rows.
pub(crate) fn stream_bytes(rows: &[StreamRow]) -> Vec<u8> {
    let mut writer = StreamWriter::new(Vec::new()).unwrap();
    for row in rows {
        writer.write(&row.meta, &row.target, &row.chunk).unwrap();
    }
    writer.finish().unwrap()
}

/// Every row of a container, by its list of tensors.
pub(crate) fn read_container(container: &Container) -> Result<Vec<StreamRow>> {
    let mut rows = Vec::new();
    for entry in container.tensors() {
        for row in entry.rows.clone() {
            let chunk = container.chunk(row)?;
            rows.push(StreamRow {
                meta: entry.meta.clone(),
                target: entry.target.clone(),
                chunk: chunk.into_owned(),
            });
        }
    }
    Ok(rows)
}

/// Every row of a file's bytes.
pub(crate) fn read_file_bytes(bytes: &[u8]) -> Result<Vec<StreamRow>> {
    read_container(&Container::from_bytes(bytes.to_vec(), &Limits::default())?)
}

/// Every row of a stream's bytes.
pub(crate) fn read_stream_bytes(bytes: &[u8]) -> Result<Vec<StreamRow>> {
    StreamReader::new(bytes, &Limits::default())?.collect()
}
