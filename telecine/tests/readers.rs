//! Many readers of one file at once, over readers of their own and over one that they share.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

use std::path::Path;

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use telecine::{Encoding, Limits, Reader, Target, TensorBuf, Writer, default_registry};

const READERS: u64 = 64;
const ROWS: u64 = 96;

/// Some tensors of several chunks each, and what they decode to.
fn write(path: &Path) -> Vec<(String, TensorBuf)> {
    let registry = default_registry();
    let mut writer = Writer::create(path, false, &registry).unwrap();
    let mut rng = SmallRng::seed_from_u64(7);
    for number in 0..6 {
        let values: Vec<f32> = (0..ROWS * 80).map(|_| rng.random_range(-1.0..1.0)).collect();
        let tensor = TensorBuf::from_f32(&[ROWS, 80], &values).unwrap();
        let target = if number % 2 == 0 { Target::Nmse(0.01) } else { Target::Lossless };
        let mut encoding = Encoding::new(target);
        encoding.chunk_values = 1000;
        writer.add(&format!("layers.{number}"), &tensor.view().unwrap(), &encoding).unwrap();
    }
    writer.finish().unwrap();
    let reader = Reader::open(path, &registry, &Limits::default()).unwrap();
    reader.tensors().map(|entry| (entry.meta.name.clone(), reader.read(&entry.meta.name).unwrap())).collect()
}

/// Reads tensors and rows in an order of its own.
fn read(reader: &Reader<'_>, wanted: &[(String, TensorBuf)], seed: u64) -> usize {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut reads = 0;
    for _ in 0..20 {
        let (name, tensor) = &wanted[rng.random_range(0..wanted.len())];
        let start = rng.random_range(0..ROWS);
        let end = rng.random_range(start..=ROWS);
        let rows = reader.read_rows(name, start..end).unwrap();
        assert_eq!(
            rows.bytes,
            tensor.bytes[start as usize * 320..end as usize * 320],
            "{name} {start}..{end}"
        );
        reads += 1;
    }
    for (name, tensor) in wanted {
        assert_eq!(&reader.read(name).unwrap(), tensor, "{name}");
        reads += 1;
    }
    reads
}

#[test]
fn sixty_four_readers_at_once_get_what_one_gets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.arrow");
    let (path, wanted) = (&path, &write(&path));
    let registry = &default_registry();
    let shared = &Reader::open(path, registry, &Limits::default()).unwrap();
    let reads: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..READERS)
            .map(|seed| {
                scope.spawn(move || {
                    if seed % 2 == 0 {
                        return read(shared, wanted, seed);
                    }
                    read(&Reader::open(path, registry, &Limits::default()).unwrap(), wanted, seed)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(reads, 64 * 26);
}

#[test]
fn a_tensor_taken_out_of_a_file_decodes_as_it_does_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.arrow");
    let wanted = write(&path);
    let codec = telecine::Codec::new();
    let taken: Vec<telecine::Encoded> = {
        let reader = Reader::open(&path, codec.registry(), &Limits::default()).unwrap();
        wanted.iter().map(|(name, _)| reader.encoded(name).unwrap()).collect()
    };
    std::fs::remove_file(&path).unwrap();
    for ((name, tensor), encoded) in wanted.iter().zip(&taken) {
        assert_eq!(&codec.decode(encoded).unwrap(), tensor, "{name}");
        let rows = codec.decode_rows(encoded, 13..40).unwrap();
        assert_eq!(
            (rows.shape.as_slice(), &rows.bytes[..]),
            (&[27, 80][..], &tensor.bytes[13 * 320..40 * 320])
        );
        assert!(codec.decode_rows(encoded, 0..ROWS + 1).is_err());
        assert_eq!(encoded.report.codec, "tns1");
    }
}
