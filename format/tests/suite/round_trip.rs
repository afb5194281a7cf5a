//! What is written is read back, from files and streams.

use proptest::prelude::*;
use telecine_core::{CodecId, DType, Error as CoreError, Limits, MatrixShape, SideEffects};
use telecine_format::{Container, Error, StreamRow};

use crate::rows::{
    file_bytes, read_container, read_file_bytes, read_stream_bytes, small, stream_bytes, tensor, write_file,
};

/// Tensors with names that differ, of any shape that is not too large.
fn any_rows() -> impl Strategy<Value = Vec<StreamRow>> {
    let shape = prop::collection::vec(0u64..40, 0..4);
    let one = (".{0,12}", 0..DType::ALL.len(), shape, 1u64..40, any::<(u64, u64, u64)>(), 0usize..200_000);
    prop::collection::vec(one, 0..12).prop_map(|tensors| {
        let mut rows = Vec::new();
        for (number, (name, dtype, shape, per_chunk, bits, extra)) in tensors.into_iter().enumerate() {
            let mut chunks = tensor(&format!("{name}{number}"), DType::ALL[dtype], &shape, per_chunk);
            // Some packets are large, so that batches end between rows.
            chunks[0].chunk.packet.to_mut().resize(if number % 3 == 0 { extra * 4 } else { extra / 1000 }, 3);
            let chunk = &mut chunks[0].chunk;
            // NaN differs from itself, and so would the rows that are compared.
            (chunk.nmse, chunk.max_abs_error, chunk.energy) = (
                f64::from_bits(bits.0).max(f64::MIN),
                f64::from_bits(bits.1).max(f64::MIN),
                f64::from_bits(bits.2).max(f64::MIN),
            );
            rows.extend(chunks);
        }
        rows
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_rows_come_back_from_a_file(rows in any_rows()) {
        prop_assert_eq!(read_file_bytes(&file_bytes(&rows)).unwrap(), rows);
    }

    #[test]
    fn any_rows_come_back_from_a_stream(rows in any_rows()) {
        prop_assert_eq!(read_stream_bytes(&stream_bytes(&rows)).unwrap(), rows);
    }
}

#[test]
fn a_mapped_file_gives_what_its_bytes_give() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.arrow");
    write_file(&path, &small()).unwrap();
    let container = Container::open(&path, &Limits::default()).unwrap();
    assert_eq!(read_container(&container).unwrap(), small());
    assert_eq!(container.file_bytes(), std::fs::metadata(&path).unwrap().len());
    assert_eq!(container.version(), (1, 0));
}

#[test]
fn a_container_without_rows_is_whole() {
    assert_eq!(read_file_bytes(&file_bytes(&[])).unwrap(), []);
    assert_eq!(read_stream_bytes(&stream_bytes(&[])).unwrap(), []);
}

#[test]
fn the_same_rows_make_the_same_bytes() {
    assert_eq!(file_bytes(&small()), file_bytes(&small()));
    assert_eq!(stream_bytes(&small()), stream_bytes(&small()));
}

#[test]
fn names_may_be_any_text() {
    let names = ["", "/", "../../etc/passwd", "..", "a\0b", "\u{1F39E} фильм", "a b", "C:\\x", "%s", "\n"];
    let rows: Vec<_> = names.iter().flat_map(|name| tensor(name, DType::U8, &[20], 9)).collect();
    let container = Container::from_bytes(file_bytes(&rows), &Limits::default()).unwrap();
    assert_eq!(container.tensors().iter().map(|entry| &*entry.meta.name).collect::<Vec<_>>(), names);
    for name in names {
        assert_eq!(container.find(name).unwrap().meta.name, name);
    }
    assert_eq!(container.find("absent"), None);
}

#[test]
fn an_entry_sums_up_its_chunks() {
    let container = Container::from_bytes(file_bytes(&small()), &Limits::default()).unwrap();
    let entry = container.find("layers.0/weight").unwrap();
    // Chunks of 2, 2 and 1 rows of 17 values: energies 34, 34, 17; nmse 0.01, 0.02, 0.03; side 5, 6, 7 bytes.
    assert_eq!((entry.rows.clone(), entry.values, entry.bytes), (0..3, 85, 5 + 6 + 7 + 17 + 17 + 8));
    assert_eq!((entry.energy, entry.max_abs_error), (85.0, 2.5));
    assert!((entry.nmse - (0.34 + 0.68 + 0.51) / 85.0).abs() < 1e-15, "{}", entry.nmse);
    assert!((entry.bits() - 60.0 * 8.0 / 85.0).abs() < 1e-15, "{}", entry.bits());
    let counts = SideEffects { lost_zeros: 3 + 3 + 1, changed_signs: 6 + 6 + 3, flattened: 17 + 17 + 8 };
    assert_eq!(entry.side_effects, counts);
    assert_eq!(entry.codecs, [CodecId::NATIVE]);
    assert_eq!(entry.transforms, ["none", "hadamard@1(1)", "hadamard@1(2)"]);
    assert!(!entry.is_internal() && container.tensors()[3].is_internal());
}

#[test]
fn a_chunk_without_energy_counts_with_its_largest_error() {
    let mut rows = tensor("zeros", DType::F32, &[2, 16], 1);
    (rows[0].chunk.nmse, rows[0].chunk.max_abs_error, rows[0].chunk.energy) = (f64::INFINITY, 0.5, 0.0);
    let container = Container::from_bytes(file_bytes(&rows), &Limits::default()).unwrap();
    assert_eq!(container.tensors()[0].nmse, (0.25 * 16.0 + 0.02 * 16.0) / 16.0);
    assert_eq!(container.chunk(0).unwrap().nmse, f64::INFINITY);
}

#[test]
fn a_range_of_rows_is_held_by_the_chunks_that_meet_it() {
    let rows =
        [tensor("first", DType::F32, &[3, 16], 1), tensor("weight", DType::F32, &[23, 16], 5), small()]
            .concat();
    let container = Container::from_bytes(file_bytes(&rows), &Limits::default()).unwrap();
    let entry = container.find("weight").unwrap();
    for start in 0..=23 {
        for end in start..=23 {
            let held = container.chunks_holding(entry, start..end).unwrap();
            let meets = |row: &u64| {
                let chunk = container.chunk(*row).unwrap();
                chunk.rows.start < end && start < chunk.rows.end
            };
            let expected: Vec<_> = entry.rows.clone().filter(|row| start < end && meets(row)).collect();
            assert_eq!(held.collect::<Vec<_>>(), expected, "{start}..{end}");
        }
    }
    assert_eq!(container.chunks_holding(&container.tensors()[0], 1..3).unwrap(), 1..3);
    let nothing = container.find("nothing").unwrap();
    assert!(container.chunks_holding(nothing, 0..0).unwrap().is_empty());
    let other = Container::from_bytes(file_bytes(&small()), &Limits::default()).unwrap();
    let (begin, end) = (2, 1);
    for (entry, rows) in [(entry, 0..24), (entry, begin..end), (nothing, 0..1), (&other.tensors()[0], 0..1)] {
        let error = container.chunks_holding(entry, rows.clone()).unwrap_err();
        assert!(matches!(error, Error::Core(CoreError::Invalid(_))), "{rows:?}: {error:?}");
    }
}

#[test]
fn a_tensor_of_huge_shape_without_values_is_one_row() {
    let rows = tensor("huge", DType::F64, &[u64::MAX, 0, u64::MAX], 1);
    assert_eq!((rows.len(), MatrixShape::of(&rows[0].meta.shape).rows), (1, 0));
    assert_eq!(read_file_bytes(&file_bytes(&rows)).unwrap(), rows);
}

#[test]
fn chunks_of_a_codec_that_nobody_knows_can_be_listed_and_copied() {
    let mut rows = tensor("weight", DType::F16, &[64, 16], 16);
    for row in &mut rows {
        row.chunk.codec = CodecId::parse("zz99").unwrap();
    }
    let read = read_file_bytes(&file_bytes(&rows)).unwrap();
    assert_eq!(read_file_bytes(&file_bytes(&read)).unwrap(), rows);
}

#[test]
fn small_tensors_share_a_batch_and_large_chunks_end_one() {
    let many: Vec<_> = (0..3000).flat_map(|i| tensor(&format!("bias.{i}"), DType::F32, &[64], 64)).collect();
    let batches = |rows: &[StreamRow]| {
        let reader =
            arrow_ipc::reader::FileReader::try_new(std::io::Cursor::new(file_bytes(rows)), None).unwrap();
        reader.num_batches()
    };
    assert_eq!(batches(&many), 1);
    let mut large = tensor("weight", DType::F32, &[8, 16], 1);
    for row in &mut large {
        row.chunk.packet.to_mut().resize(1 << 19, 0);
    }
    assert_eq!(batches(&large), 4);
}
