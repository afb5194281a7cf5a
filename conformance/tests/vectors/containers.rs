//! Containers of every released format version: 1.0 so far.

use std::fs::File;
use std::path::Path;

use telecine::{
    CodedChunk, Distortion, Limits, MatrixShape, Reader, StreamReader, StreamRow, StreamWriter, TensorBuf,
    Writer, default_registry,
};

use crate::index::{Index, hash};
use crate::recipes::{Made, Recipe, recipes};

/// Columns: file, its checksum, tensor, dtype, shape, checksum of the little-endian values, tolerance: the largest
/// absolute error of finite values against those that were encoded.
const COLUMNS: usize = 7;

/// Every tensor of a container by its name, and all chunks.
fn read(path: &Path) -> (Vec<(String, TensorBuf)>, Vec<CodedChunk<'static>>) {
    let registry = default_registry();
    if path.extension().is_some_and(|extension| extension == "arrows") {
        return read_stream(path);
    }
    let reader = Reader::open(path, &registry, &Limits::default()).unwrap();
    let named = |name: &str| (name.to_owned(), reader.read(name).unwrap());
    let tensors = reader.tensors().map(|entry| named(&entry.meta.name)).collect();
    let rows = reader.tensors().flat_map(|entry| entry.rows.clone());
    let chunks = rows.map(|row| reader.container().chunk(row).unwrap().into_owned()).collect();
    (tensors, chunks)
}

fn read_stream(path: &Path) -> (Vec<(String, TensorBuf)>, Vec<CodedChunk<'static>>) {
    let stream = StreamReader::new(File::open(path).unwrap(), &Limits::default()).unwrap();
    let rows: Vec<StreamRow> = stream.map(Result::unwrap).collect();
    let mut tensors = Vec::new();
    for of_tensor in rows.chunk_by(|a, b| a.meta == b.meta) {
        let (meta, chunks) =
            (&of_tensor[0].meta, of_tensor.iter().map(|row| row.chunk.clone()).collect::<Vec<_>>());
        let all = 0..MatrixShape::of(&meta.shape).rows;
        let registry = default_registry();
        let tensor =
            telecine_core::decode_rows(&registry, meta, &chunks, all, &[], &Limits::default()).unwrap();
        tensors.push((meta.name.clone(), tensor));
    }
    (tensors, rows.into_iter().map(|row| row.chunk).collect())
}

fn shape(shape: &[u64]) -> String {
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

fn largest_error(made: &Made, decoded: &TensorBuf) -> f64 {
    Distortion::measure(decoded.dtype, &made.tensor.bytes, &decoded.bytes).max_abs_error
}

#[test]
fn every_container_of_every_released_version_is_read() {
    let index = Index::read("containers", COLUMNS);
    index.check_files();
    let mut tensors = 0;
    for Recipe { file, tensors: made, exercises } in recipes() {
        let lines: Vec<_> = index.lines().iter().filter(|line| line[0] == file).collect();
        assert_eq!(lines.len(), made.len(), "{file}: `add` writes what is missing");
        index.bytes(lines[0]);
        let (read, chunks) = read(&index.path(file));
        assert!(exercises(&chunks), "{file} does not exercise its feature");
        assert_eq!(read.len(), made.len(), "{file}");
        for ((line, made), (name, tensor)) in lines.into_iter().zip(&made).zip(read) {
            let [_, _, wanted, dtype, dims, sum, tolerance] = &line[..] else { unreachable!() };
            assert_eq!((&name, &made.name), (wanted, wanted), "{file}");
            assert_eq!((tensor.dtype.name(), &shape(&tensor.shape)), (&**dtype, dims), "{file}: {name:?}");
            assert_eq!(&hash(&tensor.bytes), sum, "{file}: {name:?}");
            assert!(largest_error(made, &tensor) <= tolerance.parse().unwrap(), "{file}: {name:?}");
            tensors += 1;
        }
    }
    assert_eq!(tensors, index.lines().len(), "lines without a recipe");
}

/// Writes the containers that are missing.
pub(crate) fn add() {
    let mut index = Index::read("containers", COLUMNS);
    for recipe in recipes() {
        let Recipe { file, tensors, exercises } = &recipe;
        let path = index.path(file);
        assert_eq!(index.lists(file), path.exists(), "{file} has only one of file and line in the index");
        if path.exists() {
            continue;
        }
        write(&path, tensors);
        let (read, chunks) = read(&path);
        if !exercises(&chunks) {
            std::fs::remove_file(&path).unwrap();
            panic!("{file} does not exercise its feature: {chunks:?}");
        }
        let sum = hash(&std::fs::read(&path).unwrap());
        let line = |(made, (name, tensor)): (&Made, (String, TensorBuf))| {
            let error = largest_error(made, &tensor).to_string();
            let dtype = tensor.dtype.name().to_owned();
            vec![
                (*file).to_owned(),
                sum.clone(),
                name,
                dtype,
                shape(&tensor.shape),
                hash(&tensor.bytes),
                error,
            ]
        };
        index.add(tensors.iter().zip(read).map(line).collect());
        println!("{}: {} bytes", path.display(), std::fs::metadata(&path).unwrap().len());
    }
}

fn write(path: &Path, tensors: &[Made]) {
    let registry = default_registry();
    if path.extension().is_some_and(|extension| extension == "arrow") {
        let mut writer = Writer::create(path, false, &registry).unwrap();
        for Made { name, tensor, encoding } in tensors {
            writer.add(name, &tensor.view().unwrap(), encoding).unwrap();
        }
        writer.finish().unwrap();
        return;
    }
    let mut writer = StreamWriter::new(File::create_new(path).unwrap()).unwrap();
    for Made { name, tensor, encoding } in tensors {
        let meta = telecine::TensorMeta::new(name.clone(), tensor.dtype, tensor.shape.clone());
        let target = encoding.target.to_string();
        telecine_core::encode(&registry, &tensor.view().unwrap(), encoding, |chunk| {
            writer.write(&meta, &target, &chunk)
        })
        .unwrap();
    }
    writer.finish().unwrap();
}
