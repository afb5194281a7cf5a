//! Rows that contradict each other or themselves are refused, and nothing of them is written.

use telecine_core::{DType, Error as CoreError, SideEffects};
use telecine_format::{Error, FileWriter, StreamRow, StreamWriter};

use crate::rows::{read_container, small, tensor};

/// Writes the rows to a file that is finished; the first error.
fn write(rows: &[StreamRow]) -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.arrow");
    let mut writer = FileWriter::create(&path, false)?;
    let mut written = 0;
    let result = rows.iter().try_for_each(|row| {
        writer.write(&row.meta, &row.target, &row.chunk)?;
        written += 1;
        Ok(())
    });
    let finished = writer.finish();
    // What was refused is not there, and the rest can still be read.
    if finished.is_ok() {
        let container = telecine_format::Container::open(&path, &telecine_core::Limits::default()).unwrap();
        assert_eq!(read_container(&container).unwrap(), &rows[..written]);
    }
    result.and(finished.map(|_| ()))
}

#[track_caller]
fn refused(rows: &[StreamRow], reason: &str) {
    let mut stream = StreamWriter::new(Vec::new()).unwrap();
    let streamed =
        rows.iter().try_for_each(|row| stream.write(&row.meta, &row.target, &row.chunk)).and_then(|()| {
            stream.finish()?;
            Ok(())
        });
    for result in [write(rows), streamed] {
        match result {
            Err(Error::Core(CoreError::Invalid(text))) => assert!(text.contains(reason), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Three chunks of a tensor after one change.
fn changed(change: impl FnOnce(&mut Vec<StreamRow>)) -> Vec<StreamRow> {
    let mut rows = tensor("weight", DType::F32, &[6, 16], 2);
    change(&mut rows);
    rows
}

#[test]
fn chunks_must_come_in_order_and_without_gaps() {
    write(&changed(|_| ())).unwrap();
    refused(&changed(|rows| rows.swap(0, 1)), "is due");
    refused(&changed(|rows| drop(rows.remove(1))), "is due");
    refused(&changed(|rows| rows[1].chunk.index = 5), "is due");
    refused(&changed(|rows| rows.insert(1, rows[0].clone())), "is due");
    refused(&changed(|rows| drop(rows.pop())), "ends after 4 of its 6 rows");
}

#[test]
fn chunks_of_one_tensor_must_agree_on_it() {
    refused(&changed(|rows| rows[1].meta.dtype = DType::F16), "is due");
    refused(&changed(|rows| rows[1].meta.shape = vec![6, 16, 1]), "is due");
    refused(&changed(|rows| rows[1].meta.name.push('x')), "is due");
    refused(&changed(|rows| rows[1].target = "lossless".into()), "is due");
}

#[test]
fn a_name_must_not_come_twice() {
    refused(&[small(), small()].concat(), "comes twice");
    refused(&[tensor("", DType::U8, &[0], 1), tensor("", DType::U8, &[0], 1)].concat(), "comes twice");
}

#[test]
fn a_chunk_must_hold_its_rows() {
    refused(&changed(|rows| rows[0].chunk.values = 31), "are not 31 values");
    refused(&changed(|rows| rows[2].chunk.rows.end = 7), "are not 32 values");
    refused(
        &changed(|rows| (rows[0].chunk.rows.start, rows[0].chunk.rows.end) = (2, 0)),
        "are not 32 values",
    );
    refused(
        &changed(|rows| {
            (rows[0].chunk.rows, rows[0].chunk.values) = (0..0, 0);
            rows[0].chunk.side_effects = SideEffects::default();
        }),
        "is due",
    );
    refused(&changed(|rows| rows[0].chunk.side_effects.flattened = 33), "33 of 32 values changed in kind");
    refused(&changed(|rows| rows[0].chunk.spec.depth = 17), "depth is 8 to 16");
    refused(&changed(|rows| rows[0].chunk.spec.width = 0), "dimensions start at 1");
}

#[test]
fn a_shape_beyond_64_bits_is_refused() {
    let mut rows = tensor("weight", DType::F32, &[6, 16], 6);
    rows[0].meta.shape = vec![u64::MAX, u64::MAX];
    refused(&rows, "2^64 values or more");
}

#[test]
fn names_that_readers_would_refuse_are_not_written() {
    let mut rows = tensor(&"n".repeat(4097), DType::U8, &[1], 1);
    assert!(matches!(write(&rows), Err(Error::Core(CoreError::Limit { value: 4097, limit: 4096, .. }))));
    rows[0].meta.name = "n".repeat(4096);
    write(&rows).unwrap();
    rows[0].meta.shape = vec![1; 33];
    assert!(matches!(write(&rows), Err(Error::Core(CoreError::Limit { value: 33, limit: 32, .. }))));
}
