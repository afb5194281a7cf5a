//! Arrow files that are well formed but not what they claim to be, made with Arrow's own writer.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt8Type, UInt32Type, UInt64Type};
use arrow_array::{
    ArrayRef, Float64Array, LargeBinaryArray, ListArray, RecordBatch, StringArray, UInt8Array, UInt32Array,
    UInt64Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Schema};
use telecine_core::{DType, Error as CoreError, Limits};
use telecine_format::{Container, Error, StreamReader};
use twox_hash::XxHash3_64;

use crate::rows::{file_bytes, read_container, read_file_bytes, small, stream_bytes, tensor};

fn batch_of(file: &[u8]) -> RecordBatch {
    let mut reader = arrow_ipc::reader::FileReader::try_new(Cursor::new(file), None).unwrap();
    reader.next().unwrap().unwrap()
}

/// The small container as Arrow reads it.
fn small_batch() -> RecordBatch {
    batch_of(&file_bytes(&small()))
}

fn file_of(schema: &Schema, batches: &[RecordBatch]) -> Vec<u8> {
    let mut writer = arrow_ipc::writer::FileWriter::try_new(Vec::new(), schema).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap()
}

/// The small container with another array as this column.
fn with_column(name: &str, array: ArrayRef) -> RecordBatch {
    let batch = small_batch();
    let mut columns = batch.columns().to_vec();
    columns[batch.schema().index_of(name).unwrap()] = array;
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

fn with_metadata(pairs: &[(&str, &str)]) -> Vec<u8> {
    let batch = small_batch();
    let metadata: HashMap<_, _> = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let schema = Arc::new(Schema::new_with_metadata(batch.schema().fields().clone(), metadata));
    let batch = RecordBatch::try_new(schema.clone(), batch.columns().to_vec()).unwrap();
    file_of(&schema, &[batch])
}

fn open(bytes: Vec<u8>) -> Result<Container, Error> {
    Container::from_bytes(bytes, &Limits::default())
}

/// The checksum of a row as SPEC.md has it, from what Arrow reads: the oracle for ours.
fn checksum(batch: &RecordBatch, row: usize) -> u64 {
    let mut bytes = Vec::new();
    let sized = |bytes: &mut Vec<u8>, part: &[u8]| {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part);
    };
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        match field.data_type() {
            _ if field.name() == "checksum" => (),
            DataType::Utf8 => sized(&mut bytes, column.as_string::<i32>().value(row).as_bytes()),
            DataType::LargeBinary => sized(&mut bytes, column.as_binary::<i64>().value(row)),
            DataType::List(_) => {
                let shape = column.as_list::<i32>().value(row);
                bytes.extend((shape.len() as u64).to_le_bytes());
                bytes
                    .extend(shape.as_primitive::<UInt64Type>().values().iter().flat_map(|n| n.to_le_bytes()));
            }
            DataType::UInt8 => bytes.push(column.as_primitive::<UInt8Type>().value(row)),
            DataType::UInt32 => bytes.extend(column.as_primitive::<UInt32Type>().value(row).to_le_bytes()),
            DataType::UInt64 => bytes.extend(column.as_primitive::<UInt64Type>().value(row).to_le_bytes()),
            DataType::Float64 => bytes.extend(column.as_primitive::<Float64Type>().value(row).to_le_bytes()),
            other => panic!("column of type {other}"),
        }
    }
    XxHash3_64::oneshot(&bytes)
}

/// The batch with the checksums that its rows should have.
fn with_checksums(batch: &RecordBatch) -> RecordBatch {
    let sums: Vec<_> = (0..batch.num_rows()).map(|row| checksum(batch, row)).collect();
    let mut columns = batch.columns().to_vec();
    columns[batch.schema().index_of("checksum").unwrap()] = Arc::new(UInt64Array::from(sums));
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

/// The same array with the last row's value changed.
fn nudged(array: &ArrayRef) -> ArrayRef {
    fn last<T>(mut values: Vec<T>, change: impl Fn(&mut T)) -> Vec<T> {
        change(values.last_mut().unwrap());
        values
    }
    match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect();
            Arc::new(StringArray::from(last(texts, |text: &mut String| {
                let end = text.pop().unwrap();
                text.push(if end == '6' { '2' } else { '6' });
            })))
        }
        DataType::LargeBinary => {
            let parts = array.as_binary::<i64>().iter().map(|part| part.unwrap().to_vec()).collect();
            let parts = last(parts, |part: &mut Vec<u8>| part[0] ^= 1);
            Arc::new(LargeBinaryArray::from_iter_values(parts))
        }
        DataType::List(item) => {
            let list = array.as_list::<i32>();
            let items = list.values().as_primitive::<UInt64Type>().values().to_vec();
            let items = UInt64Array::from(last(items, |n| *n += 1));
            Arc::new(ListArray::new(item.clone(), list.offsets().clone(), Arc::new(items), None))
        }
        DataType::UInt8 => {
            Arc::new(UInt8Array::from(last(array.as_primitive::<UInt8Type>().values().to_vec(), |n| *n += 1)))
        }
        DataType::UInt32 => {
            Arc::new(UInt32Array::from(last(array.as_primitive::<UInt32Type>().values().to_vec(), |n| {
                *n += 1
            })))
        }
        DataType::UInt64 => {
            Arc::new(UInt64Array::from(last(array.as_primitive::<UInt64Type>().values().to_vec(), |n| {
                *n += 1
            })))
        }
        DataType::Float64 => {
            Arc::new(Float64Array::from(last(array.as_primitive::<Float64Type>().values().to_vec(), |n| {
                *n *= 2.0
            })))
        }
        other => panic!("column of type {other}"),
    }
}

#[test]
fn checksums_are_those_of_the_specification() {
    let batch = small_batch();
    let stored = batch.column_by_name("checksum").unwrap().as_primitive::<UInt64Type>();
    assert_eq!(batch.num_rows(), 6);
    for row in 0..batch.num_rows() {
        assert_eq!(stored.value(row), checksum(&batch, row), "row {row}");
    }
}

#[test]
fn a_change_of_any_column_is_found() {
    let batch = small_batch();
    let last = batch.num_rows() - 1;
    for field in batch.schema().fields() {
        let changed = with_column(field.name(), nudged(batch.column_by_name(field.name()).unwrap()));
        let opened = open(file_of(&batch.schema(), &[changed]));
        let result = opened.and_then(|container| container.chunk(last as u64).map(|_| ()));
        assert!(matches!(result, Err(Error::Core(CoreError::Corrupt(_)))), "{}: {result:?}", field.name());
    }
}

#[test]
fn a_lie_with_the_right_checksum_is_found() {
    let batch = small_batch();
    // What only describes may say anything if its checksum agrees; what contradicts the rest may not.
    let descriptive = [
        "tensor",
        "transform",
        "target",
        "bits",
        "nmse",
        "max_abs_error",
        "energy",
        "lost_zeros",
        "changed_signs",
        "flattened",
        "checksum",
    ];
    let sizes_or_bytes = ["frames", "height", "width", "depth", "side", "payload", "codec"];
    for field in batch.schema().fields() {
        let name = field.name().as_str();
        let changed = with_column(name, nudged(batch.column_by_name(name).unwrap()));
        let result = open(file_of(&batch.schema(), &[with_checksums(&changed)]))
            .and_then(|container| (0..6).try_for_each(|row| container.chunk(row).map(|_| ())));
        if descriptive.contains(&name) || sizes_or_bytes.contains(&name) {
            assert!(result.is_ok(), "{name}: {result:?}");
        } else {
            assert!(matches!(result, Err(Error::Core(CoreError::Corrupt(_)))), "{name}: {result:?}");
        }
    }
    for (column, wrong) in [
        (
            "codec",
            Arc::new(StringArray::from(vec!["tns1", "tns1", "tns1", "tns1", "tns1", "two"])) as ArrayRef,
        ),
        ("depth", Arc::new(UInt8Array::from(vec![8, 8, 8, 8, 8, 17]))),
        ("width", Arc::new(UInt32Array::from(vec![1, 1, 1, 1, 1, 0]))),
        // The last chunk has 32 values.
        ("lost_zeros", Arc::new(UInt64Array::from(vec![0, 0, 0, 0, 0, 33]))),
        ("changed_signs", Arc::new(UInt64Array::from(vec![0, 0, 0, 0, 0, u64::MAX]))),
        ("flattened", Arc::new(UInt64Array::from(vec![0, 0, 0, 0, 0, 33]))),
    ] {
        let forged = file_of(&batch.schema(), &[with_checksums(&with_column(column, wrong))]);
        let result = read_file_bytes(&forged);
        assert!(matches!(result, Err(Error::Core(CoreError::Corrupt(_)))), "{column}: {result:?}");
    }
}

#[test]
fn rows_out_of_order_and_names_that_come_twice_are_found() {
    let batch = small_batch();
    let parts = |order: &[usize]| -> Vec<_> { order.iter().map(|&row| batch.slice(row, 1)).collect() };
    let read = |order: &[usize]| read_file_bytes(&file_of(&batch.schema(), &parts(order)));
    assert_eq!(read(&[0, 1, 2, 3, 4, 5]).unwrap(), small());
    // Whole tensors may be left out or come in another order, as an Arrow tool's filter would have it.
    assert_eq!(read(&[4, 0, 1, 2]).unwrap().len(), 4);
    for order in [&[0, 2, 1, 3][..], &[0, 1], &[1, 2], &[0, 3, 1, 2], &[3, 4, 3], &[0, 1, 2, 0, 1, 2]] {
        let result = read(order);
        assert!(matches!(result, Err(Error::Core(CoreError::Corrupt(_)))), "{order:?}: {result:?}");
    }
}

#[test]
fn an_arrow_file_that_is_not_ours_is_told_from_damage() {
    for bytes in [with_metadata(&[]), with_metadata(&[("pandas", "{}"), ("telecine.versio", "1.0")])] {
        let error = open(bytes).unwrap_err();
        assert!(matches!(error, Error::NotThisFormat { .. }), "{error:?}");
    }
    for bytes in [&b""[..], b"A", b"\x89PNG\r\n\x1a\n....", b"PK\x03\x04", b"{\"a\": 1}", b"FEA1....FEA1"] {
        let error = open(bytes.to_vec()).unwrap_err();
        assert!(matches!(error, Error::NotThisFormat { .. }), "{bytes:?}: {error:?}");
    }
    for bytes in [&b"ARROW1\0\0"[..], b"ARROW1\0\0ARROW1", b"ARROW1\0\0\0\0\0\0ARROW1"] {
        let error = open(bytes.to_vec()).unwrap_err();
        assert!(matches!(error, Error::Core(CoreError::Corrupt(_))), "{bytes:?}: {error:?}");
    }
}

#[test]
fn a_newer_major_version_is_told_from_damage() {
    for (text, version) in [("2.0", (2, 0)), ("65535.65535", (65535, 65535))] {
        match open(with_metadata(&[("telecine.version", text)])) {
            Err(Error::NewerVersion { found, supported, .. }) => {
                assert_eq!((found, supported), (version, telecine_format::VERSION));
            }
            other => panic!("{other:?}"),
        }
    }
    for wrong in ["", "one", "0.9", "1", "1.0.0", "99999.0"] {
        let error = open(with_metadata(&[("telecine.version", wrong)])).unwrap_err();
        assert!(matches!(error, Error::Core(CoreError::Corrupt(_))), "{wrong}: {error:?}");
    }
}

#[test]
fn a_newer_minor_version_with_more_columns_is_read() {
    let batch = small_batch();
    let mut fields = batch.schema().fields().to_vec();
    let mut columns = batch.columns().to_vec();
    fields.push(Arc::new(Field::new("mood", DataType::Utf8, true)));
    columns.push(Arc::new(StringArray::from(vec![None, Some("calm"), None, None, Some(""), None])));
    fields.push(Arc::new(Field::new("empty", DataType::Null, true)));
    columns.push(Arc::new(arrow_array::NullArray::new(6)));
    let metadata = HashMap::from([("telecine.version".to_owned(), "1.7".to_owned())]);
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
    let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
    let container = open(file_of(&schema, std::slice::from_ref(&batch))).unwrap();
    assert_eq!(container.version(), (1, 7));
    assert_eq!(read_container(&container).unwrap(), small());

    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &schema).unwrap();
    writer.write(&batch).unwrap();
    let stream = writer.into_inner().unwrap();
    let reader = StreamReader::new(&*stream, &Limits::default()).unwrap();
    assert_eq!(reader.version(), (1, 7));
    assert_eq!(reader.collect::<Result<Vec<_>, _>>().unwrap(), small());
}

#[test]
fn our_key_without_our_columns_is_damage() {
    let batch = small_batch();
    let columns = batch.num_columns();
    for (what, keep) in [
        ("the last is gone", (0..columns - 1).collect::<Vec<_>>()),
        ("the first is gone", (1..columns).collect()),
        ("two have changed places", [1, 0].into_iter().chain(2..columns).collect()),
    ] {
        let changed = batch.project(&keep).unwrap();
        let error = open(file_of(&changed.schema(), &[changed])).unwrap_err();
        assert!(matches!(&error, Error::Core(CoreError::Corrupt(_))), "{what}: {error:?}");
    }
}

#[test]
fn nulls_are_damage() {
    let batch = small_batch();
    let mut fields = batch.schema().fields().to_vec();
    let nmse = batch.schema().index_of("nmse").unwrap();
    fields[nmse] = Arc::new(Field::new("nmse", DataType::Float64, true));
    let schema = Arc::new(Schema::new_with_metadata(fields, batch.schema().metadata().clone()));
    let mut columns = batch.columns().to_vec();
    columns[nmse] = Arc::new(Float64Array::from(vec![Some(0.0), None, None, None, None, None]));
    let nullable = RecordBatch::try_new(schema.clone(), columns).unwrap();
    // Nulls are found whether the schema admits to them or not.
    for schema in [schema, batch.schema()] {
        let error = open(file_of(&schema, std::slice::from_ref(&nullable))).unwrap_err();
        assert!(matches!(&error, Error::Core(CoreError::Corrupt(_))), "{error:?}");
    }
}

#[test]
fn a_batch_without_rows_is_passed_over() {
    let batch = small_batch();
    let batches =
        [batch.slice(0, 0), batch.slice(0, 2), batch.slice(2, 0), batch.slice(2, 4), batch.slice(6, 0)];
    assert_eq!(read_file_bytes(&file_of(&batch.schema(), &batches)).unwrap(), small());
}

#[test]
fn a_footer_that_lists_batches_in_another_order_or_twice_is_damage() {
    let batch = small_batch();
    let parts = [batch.slice(0, 3), batch.slice(3, 1), batch.slice(4, 2)];
    let bytes = file_of(&batch.schema(), &parts);
    // The footer has the batches' blocks one after the other, 24 bytes each, the last of which comes last.
    let offsets: Vec<_> = (0..bytes.len() - 8)
        .filter(|&at| at % 8 == 0 && bytes[at..at + 4] == [0xff; 4])
        .map(|at| (at as u64).to_le_bytes())
        .collect();
    let [_schema, first, second, third, _end] = offsets[..] else { panic!("{offsets:?}") };
    let place = |offset: [u8; 8]| bytes.windows(8).rposition(|window| window == offset).unwrap();
    let blocks = [place(first), place(second), place(third)].map(|at| at..at + 24);
    assert_eq!((blocks[1].start, blocks[2].start), (blocks[0].end, blocks[1].end));
    assert_eq!(read_file_bytes(&bytes).unwrap(), small());
    for order in [[1, 0, 2], [0, 2, 1], [1, 2, 2], [0, 0, 1], [2, 2, 2]] {
        let mut changed = bytes.clone();
        for (place, from) in blocks.iter().zip(order) {
            changed[place.clone()].copy_from_slice(&bytes[blocks[from].clone()]);
        }
        let message = open(changed).unwrap_err().to_string();
        assert!(message.contains("is said to be at"), "{order:?}: {message}");
    }
}

#[test]
fn text_that_is_not_utf8_is_damage() {
    let mut bytes = file_bytes(&tensor("unmistakable", DType::U8, &[20], 20));
    let at = bytes.windows(12).position(|window| window == b"unmistakable").unwrap();
    bytes[at + 3] = 0xff;
    let message = open(bytes).unwrap_err().to_string();
    assert!(message.contains("row 0: column `tensor` is not UTF-8"), "{message}");
}

#[test]
fn every_limit_is_held_in_files_and_streams() {
    let rows = tensor("weight", DType::F32, &[4, 4, 16], 8);
    let (file, stream) = (file_bytes(&rows), stream_bytes(&rows));
    let with = |set: fn(&mut Limits)| {
        let mut limits = Limits::DEFAULT;
        set(&mut limits);
        limits
    };
    for (what, limits) in [
        ("dimensions of a tensor", with(|limits| limits.dimensions = 2)),
        ("values of a tensor", with(|limits| limits.tensor_values = 255)),
        ("values of a chunk", with(|limits| limits.chunk_values = 127)),
        ("bytes of side information and packet", with(|limits| limits.packet_bytes = 68)),
        ("rows", with(|limits| limits.packets = 1)),
        ("bytes of a tensor's name", with(|limits| limits.name_bytes = 5)),
    ] {
        let opened = Container::from_bytes(file.clone(), &limits).map(|_| ());
        let streamed = StreamReader::new(&*stream, &limits)
            .and_then(|reader| reader.collect::<Result<Vec<_>, _>>().map(|_| ()));
        for result in [opened, streamed] {
            match result {
                Err(Error::Core(CoreError::Limit { what: found, .. })) if found.starts_with(what) => (),
                other => panic!("{what}: {other:?}"),
            }
        }
    }
    let enough = with(|limits| {
        (limits.dimensions, limits.tensor_values, limits.chunk_values) = (3, 256, 128);
        (limits.packet_bytes, limits.packets, limits.name_bytes) = (70, 2, 13);
    });
    assert_eq!(read_container(&Container::from_bytes(file, &enough).unwrap()).unwrap(), rows);
    let reader = StreamReader::new(&*stream, &enough).unwrap();
    assert_eq!(reader.collect::<Result<Vec<_>, _>>().unwrap(), rows);
}

#[test]
fn offsets_that_run_backwards_are_damage() {
    // Arrow's writer starts every column at 0 and takes its offsets as they are given.
    let batch = small_batch();
    let payload = batch.column_by_name("payload").unwrap().as_binary::<i64>();
    let offsets = payload.value_offsets().to_vec();
    let mut bytes = file_of(&batch.schema(), std::slice::from_ref(&batch));
    let needle: Vec<u8> = offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    for (index, wrong) in [(1, -1i64), (1, i64::MAX), (2, offsets[1] - 1), (0, offsets[1] + 1)] {
        let place = at + index * 8..at + index * 8 + 8;
        let saved = bytes[place.clone()].to_vec();
        bytes[place.clone()].copy_from_slice(&wrong.to_le_bytes());
        let error = open(bytes.clone()).unwrap_err();
        assert!(matches!(&error, Error::Core(CoreError::Corrupt(_))), "{wrong}: {error:?}");
        bytes[place].copy_from_slice(&saved);
    }
    assert_eq!(OffsetBuffer::new(offsets.into()).len(), 7);
    assert_eq!(read_file_bytes(&bytes).unwrap(), small());
}
