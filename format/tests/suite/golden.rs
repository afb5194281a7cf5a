//! Files of released versions stay readable. Those under `tests/golden` are never changed, only added to.
//!
//! `cargo test -p telecine-format -- --ignored write_golden` writes the ones that are missing.

use std::path::PathBuf;

use telecine_core::{CodecId, DType, Limits};
use telecine_format::{Container, StreamReader, StreamRow};

use crate::rows::{file_bytes, read_container, small, stream_bytes, tensor};

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden"].iter().collect()
}

/// What the golden files of version 1.0 hold: every dtype, several codecs, batches that end between rows.
fn rows_1_0() -> Vec<StreamRow> {
    let mut rows = small();
    for (number, dtype) in DType::ALL.iter().enumerate() {
        let mut chunks = tensor(&format!("dtypes/{dtype}"), *dtype, &[3, 4, 16], 4 + number as u64);
        for chunk in &mut chunks {
            chunk.chunk.codec =
                CodecId::parse(["raw0", "zstd", "tns1", "av01", "hvc1", "avc1"][number % 6]).unwrap();
            chunk.target = ["lossless", "nmse=0.01", "max-abs=1", "step=0.5"][number % 4].into();
        }
        rows.extend(chunks);
    }
    rows
}

#[test]
fn version_1_0_is_read() {
    let file = Container::open(&folder().join("v1.0-file.arrow"), &Limits::default()).unwrap();
    assert_eq!(file.version(), (1, 0));
    assert_eq!(read_container(&file).unwrap(), rows_1_0());
    let stream = std::fs::File::open(folder().join("v1.0-stream.arrows")).unwrap();
    let stream = StreamReader::new(stream, &Limits::default()).unwrap();
    assert_eq!(stream.version(), (1, 0));
    assert_eq!(stream.collect::<Result<Vec<_>, _>>().unwrap(), rows_1_0());
}

#[test]
fn the_table_of_version_1_0_is_still_what_is_written() {
    // Arrow's frame may change with its library; what Arrow's users see may not.
    let table = |bytes: Vec<u8>| {
        let mut reader = arrow_ipc::reader::FileReader::try_new(std::io::Cursor::new(bytes), None).unwrap();
        reader.next().unwrap().unwrap()
    };
    let golden = std::fs::read(folder().join("v1.0-file.arrow")).unwrap();
    assert_eq!(table(file_bytes(&rows_1_0())), table(golden));
}

#[test]
fn a_file_that_another_tool_wrote_again_is_read() {
    let read = |name: &str| {
        let container = Container::open(&folder().join(name), &Limits::default()).unwrap();
        read_container(&container).unwrap()
    };
    assert_eq!(read("v1.0-pyarrow-batches-of-5.arrow"), rows_1_0());
    let filtered: Vec<_> =
        rows_1_0().into_iter().filter(|row| row.meta.name.starts_with("dtypes/")).collect();
    assert_eq!(read("v1.0-pyarrow-filtered.arrow"), filtered);
}

#[test]
fn compression_by_arrow_is_refused_with_a_remedy() {
    let error = Container::open(&folder().join("v1.0-pyarrow-lz4.arrow"), &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("is compressed by Arrow; have it written again without"), "{error}");
}

#[test]
#[ignore = "writes files"]
fn write_golden() {
    for (name, bytes) in
        [("v1.0-file.arrow", file_bytes(&rows_1_0())), ("v1.0-stream.arrows", stream_bytes(&rows_1_0()))]
    {
        let path = folder().join(name);
        if !path.exists() {
            std::fs::write(path, bytes).unwrap();
        }
    }
}
