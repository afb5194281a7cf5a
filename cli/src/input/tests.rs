//! Foreign files, right and wrong.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::*;

fn file(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn npy(dict: &str, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(dict.len()).unwrap();
    [b"\x93NUMPY\x01\x00".as_slice(), &len.to_le_bytes(), dict.as_bytes(), data].concat()
}

fn open(path: &Path) -> Result<Model> {
    Model::open(&[path.to_owned()], &Limits::default())
}

fn status(path: &Path) -> u8 {
    let failure = open(path).err().unwrap();
    assert!(failure.message.contains(path.file_name().unwrap().to_str().unwrap()), "{}", failure.message);
    failure.status
}

#[test]
fn safetensors_are_listed_in_the_order_of_their_data() {
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"__metadata__":{"a":"b"},"z":{"dtype":"F32","shape":[2],"data_offsets":[2,10]},
        "a":{"dtype":"BF16","shape":[],"data_offsets":[0,2]},"e":{"dtype":"I8","shape":[3,0],"data_offsets":[10,10]}}"#;
    let path = file(folder.path(), "m.safetensors", &safetensors(header, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
    let model = open(&path).unwrap();
    let names: Vec<_> = model.entries().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["a", "z", "e"]);
    let data = model.data(&model.entries()[1]).unwrap();
    let tensor = data.tensor(&model.entries()[1]).unwrap();
    assert_eq!(&*tensor.read(0..2), [3, 4, 5, 6, 7, 8, 9, 10]);
}

#[test]
fn safetensors_that_lie_are_refused_with_the_right_status() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (4, r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#),
        (
            4,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        ),
        (
            4,
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        ),
        (4, r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#),
        (4, r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#),
        (4, r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}"#),
        (4, r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}}"#),
        (4, r#"["a"]"#),
        (4, r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#),
        (5, r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,8]}}"#),
        (2, r#"{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,8]}}"#),
    ];
    for (at, (wanted, header)) in cases.into_iter().enumerate() {
        let path = file(folder.path(), &format!("{at}.safetensors"), &safetensors(header, &[0; 8]));
        assert_eq!(status(&path), wanted, "{header}");
    }
    assert_eq!(status(&file(folder.path(), "empty.safetensors", b"")), 4);
    assert_eq!(status(&file(folder.path(), "long.safetensors", &[0xff; 20])), 4);
    assert_eq!(status(&folder.path().join("absent.safetensors")), 1);
    assert_eq!(status(&file(folder.path(), "model.gguf", b"GGUF")), 2);
    assert_eq!(status(&file(folder.path(), "model.txt", b"")), 2);
}

#[test]
fn shards_lie_beside_their_index_and_hold_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#;
    file(folder.path(), "s1.safetensors", &safetensors(header, &[7, 8]));
    let index = |map: &str| {
        file(folder.path(), "m.safetensors.index.json", format!(r#"{{"weight_map":{map}}}"#).as_bytes())
    };
    assert_eq!(open(&index(r#"{"x":"s1.safetensors"}"#)).unwrap().entries().len(), 1);
    for wrong in [
        r#"{"x":"../s1.safetensors"}"#,
        r#"{"x":"/s1.safetensors"}"#,
        r#"{"y":"s1.safetensors"}"#,
        r#"{"x":".."}"#,
    ] {
        assert_eq!(open(&index(wrong)).err().unwrap().status, 4, "{wrong}");
    }
    assert_eq!(open(&index(r#"{"x":"s2.safetensors"}"#)).err().unwrap().status, 1);
    let twice = [folder.path().join("s1.safetensors"), folder.path().join("s1.safetensors")];
    assert_eq!(Model::open(&twice, &Limits::default()).err().unwrap().status, 2);
}

#[test]
fn npy_arrays_of_both_orders_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let data = [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0];
    let path = file(
        folder.path(),
        "a.npy",
        &npy("{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }", &data),
    );
    let model = open(&path).unwrap();
    let entry = &model.entries()[0];
    assert_eq!(
        (entry.name.as_str(), entry.dtype, entry.shape.as_slice()),
        ("a", DType::I16, [2, 3].as_slice())
    );
    let path = file(
        folder.path(),
        "f.npy",
        &npy("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }", &data),
    );
    let model = open(&path).unwrap();
    let entry = &model.entries()[0];
    let data = model.data(entry).unwrap();
    assert_eq!(&*data.tensor(entry).unwrap().read(0..6), [1, 0, 3, 0, 5, 0, 2, 0, 4, 0, 6, 0]);
}

#[test]
fn npy_headers_that_lie_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (4, "{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }"),
        (4, "{'descr': '<i2', 'fortran_order': Maybe, 'shape': (2,), }"),
        (4, "{'descr': '<i2', 'shape': (2,), }"),
        (4, "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), 'x': 1}"),
        (4, "{'descr': '<i2', 'fortran_order': False, 'shape': (2"),
        (4, "{'descr': '<i2', 'fortran_order': False, 'shape': (-2,), }"),
        (4, "'descr'"),
        (5, "{'descr': '<i2', 'fortran_order': False, 'shape': (9999999999, 9999999999), }"),
        (2, "{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }"),
        (2, "{'descr': [('a', '<i2')], 'fortran_order': False, 'shape': (2,), }"),
        (2, "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }"),
    ];
    for (at, (wanted, dict)) in cases.into_iter().enumerate() {
        assert_eq!(status(&file(folder.path(), &format!("{at}.npy"), &npy(dict, &[0; 4]))), wanted, "{dict}");
    }
    let good = npy("{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }", &[0; 4]);
    for len in 0..good.len() {
        assert_eq!(status(&file(folder.path(), "cut.npy", &good[..len])), 4, "{len}");
    }
}

fn npz(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (at, (name, bytes)) in members.iter().enumerate() {
        let method =
            if at % 2 == 0 { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
        archive
            .start_file(*name, zip::write::SimpleFileOptions::default().compression_method(method))
            .unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn npz_members_are_read_stored_or_deflated() {
    let folder = tempfile::tempdir().unwrap();
    let array = |n: u8| npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", &[n, n + 1, n + 2]);
    let path = file(folder.path(), "m.npz", &npz(&[("a.npy", &array(1)), ("b/c.npy", &array(10))]));
    let model = open(&path).unwrap();
    for (entry, (name, bytes)) in model.entries().iter().zip([("a", [1, 2, 3]), ("b/c", [10, 11, 12])]) {
        let data = model.data(entry).unwrap();
        assert_eq!((entry.name.as_str(), &*data.tensor(entry).unwrap().read(0..3)), (name, bytes.as_slice()));
    }
}

/// Files that NumPy and safetensors wrote (`cli/tests/files/make.py`): all values count 0, 1, 2, ..., bools alternate.
#[test]
fn files_of_their_own_libraries_are_read() {
    use DType::{Bool, F16, F32, F64, I16, I32, I64, U8, U16};
    type Tensors<'a> = &'a [(&'a str, DType, &'a [u64])];
    let model: Tensors<'_> =
        &[("a.weight", F32, &[5, 7]), ("a.bias", F16, &[5]), ("ids", I64, &[2, 3]), ("mask", Bool, &[9])];
    let files: [(&str, Tensors<'_>); 11] = [
        ("version-1-float32.npy", &[("version-1-float32", F32, &[4, 6])]),
        ("version-2-float64.npy", &[("version-2-float64", F64, &[3, 2, 2])]),
        ("version-3-int16.npy", &[("version-3-int16", I16, &[10])]),
        ("column-major-uint16.npy", &[("column-major-uint16", U16, &[3, 4])]),
        ("scalar-int32.npy", &[("scalar-int32", I32, &[])]),
        ("empty-uint8.npy", &[("empty-uint8", U8, &[3, 0])]),
        ("bool.npy", &[("bool", Bool, &[2, 4])]),
        ("stored.npz", model),
        ("deflated.npz", model),
        ("plain.safetensors", model),
        ("metadata.safetensors", model),
    ];
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "files"].iter().collect();
    for (file, wanted) in files {
        let model = open(&folder.join(file)).unwrap();
        assert_eq!(model.entries().len(), wanted.len(), "{file}");
        for &(name, dtype, shape) in wanted {
            let entry = model.entries().iter().find(|entry| entry.name == name).unwrap();
            assert_eq!((entry.dtype, entry.shape.as_slice()), (dtype, shape), "{name} of {file}");
            let values = model.data(entry).unwrap().tensor(entry).unwrap().to_owned().to_f32();
            let most = u16::try_from(entry.values()).unwrap();
            let counted = (0..most).map(|n| f32::from(if dtype == Bool { n % 2 } else { n }));
            assert_eq!(values, counted.collect::<Vec<_>>(), "{name} of {file}");
        }
    }
    let listed = std::fs::read_dir(folder).unwrap().count();
    assert_eq!(listed, files.len() + 1, "a file without a line here");
}

/// A file that is cut short once it is open: an error, and no signal.
#[test]
fn a_file_that_was_truncated_meanwhile_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"w":{"dtype":"U8","shape":[100000],"data_offsets":[0,100000]}}"#;
    let path = file(folder.path(), "m.safetensors", &safetensors(header, &[1; 100_000]));
    let model = open(&path).unwrap();
    model.data(&model.entries()[0]).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(5000).unwrap();
    let failure = model.data(&model.entries()[0]).err().unwrap();
    assert_eq!(failure.status, 1);
    assert!(failure.message.contains("m.safetensors") && failure.message.contains("5000"), "{failure:?}");
}

#[test]
fn npz_archives_that_lie_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(status(&file(folder.path(), "a.npz", b"PK not really")), 4);
    assert_eq!(status(&file(folder.path(), "b.npz", &npz(&[("a.txt", b"x")]))), 4);
    let short = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3000,), }", &[0; 3]);
    assert_eq!(status(&file(folder.path(), "c.npz", &npz(&[("a.npy", &short)]))), 4);
    let good = npz(&[("a.npy", &npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", &[0; 3]))]);
    for at in 0..good.len() {
        let mut damaged = good.clone();
        damaged[at] ^= 0x41;
        // Whether a flip is noticed is ZIP's business; that nothing panics is ours.
        if let Ok(model) = open(&file(folder.path(), "d.npz", &damaged)) {
            for entry in model.entries() {
                let _ = model.data(entry);
            }
        }
    }
}
