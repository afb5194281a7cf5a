//! A file is there whole or not at all, and what was there before stays until then.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use telecine_core::{DType, Error as CoreError, Limits};
use telecine_format::{Container, Error, FileWriter, StreamWriter};

use crate::rows::{read_container, small, tensor, write_file};

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[track_caller]
fn io_error<T: std::fmt::Debug>(result: Result<T, Error>) -> (ErrorKind, String) {
    match result {
        Err(error @ Error::Io { .. }) => {
            let text = error.to_string();
            let Error::Io { source, .. } = error else { unreachable!() };
            (source.kind(), text)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.arrow");
    let mut writer = FileWriter::create(&path, false).unwrap();
    for row in tensor("weight", DType::F32, &[3, 1 << 20], 1) {
        writer.write(&row.meta, &row.target, &row.chunk).unwrap();
    }
    assert_eq!(listing(folder.path()).len(), 1);
    assert!(!path.exists());
    drop(writer);
    assert_eq!(listing(folder.path()), [""; 0]);
}

#[test]
fn a_tensor_that_is_not_whole_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.arrow");
    let mut writer = FileWriter::create(&path, false).unwrap();
    let row = &small()[0];
    writer.write(&row.meta, &row.target, &row.chunk).unwrap();
    assert!(matches!(writer.finish(), Err(Error::Core(CoreError::Invalid(_)))));
    assert_eq!(listing(folder.path()), [""; 0]);
}

#[test]
fn an_existing_file_is_refused_at_once_unless_overwriting_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.arrow");
    fs::write(&path, "precious").unwrap();
    let (kind, text) = io_error(FileWriter::create(&path, false));
    assert_eq!(kind, ErrorKind::AlreadyExists);
    assert!(text.contains("out.arrow"), "{text}");
    drop(FileWriter::create(&path, true).unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    write_file(&path, &small()).unwrap();
    let container = Container::open(&path, &Limits::default()).unwrap();
    assert_eq!(listing(folder.path()), ["out.arrow"]);
    // A reader of the old file goes on while a new one takes its name.
    write_file(&path, &small()[..3]).unwrap();
    assert_eq!(read_container(&container).unwrap(), small());
    assert_eq!(Container::open(&path, &Limits::default()).unwrap().tensors().len(), 1);
}

#[test]
fn a_file_that_appears_meanwhile_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.arrow");
    let writer = FileWriter::create(&path, false).unwrap();
    fs::write(&path, "precious").unwrap();
    assert_eq!(io_error(writer.finish()).0, ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert_eq!(listing(folder.path()), ["out.arrow"]);
}

#[test]
fn a_place_that_cannot_be_written_to_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").join("out.arrow");
    assert_eq!(io_error(FileWriter::create(&missing, true)).0, ErrorKind::NotFound);
    assert_eq!(io_error(FileWriter::create(folder.path(), true)).0, ErrorKind::AlreadyExists);
    assert_eq!(io_error(FileWriter::create(Path::new("/"), true)).0, ErrorKind::InvalidInput);
    assert_eq!(io_error(FileWriter::create(Path::new(""), true)).0, ErrorKind::InvalidInput);
}

#[test]
fn only_regular_files_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| io_error(Container::open(path, &Limits::default())).0;
    assert_eq!(open(folder.path()), ErrorKind::InvalidInput);
    assert_eq!(open(&folder.path().join("missing")), ErrorKind::NotFound);
}

#[test]
fn a_file_that_was_truncated_while_open_is_an_error_and_no_signal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.arrow");
    let rows = tensor("weight", DType::F32, &[64, 4096], 1);
    write_file(&path, &rows).unwrap();
    let whole = fs::read(&path).unwrap();
    let container = Container::open(&path, &Limits::default()).unwrap();
    let entry = &container.tensors()[0];
    container.chunk(0).unwrap();
    let cut = |length: usize| {
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length as u64).unwrap()
    };
    for length in [whole.len() - 1, whole.len() / 2, 4096, 0] {
        cut(length);
        for result in [container.chunk(0).map(drop), container.chunks_holding(entry, 3..5).map(drop)] {
            let (kind, text) = io_error(result);
            assert_eq!(kind, ErrorKind::UnexpectedEof);
            assert!(text.contains(&format!("to {length} bytes")), "{text}");
        }
    }
    // Once the bytes are back, so are the chunks; what stands there instead of them is damage.
    cut(whole.len());
    assert!(matches!(container.chunk(63), Err(Error::Core(CoreError::Corrupt(_)))));
    fs::write(&path, &whole).unwrap();
    assert_eq!(read_container(&container).unwrap(), rows);
    let mut changed = whole.clone();
    changed.iter_mut().for_each(|byte| *byte = !*byte);
    fs::write(&path, &changed).unwrap();
    for row in 0..64 {
        assert!(matches!(container.chunk(row), Err(Error::Core(CoreError::Corrupt(_)))), "{row}");
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_file_has_the_permissions_that_other_files_get() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        fs::write(folder.path().join("plain"), "").unwrap();
        write_file(&folder.path().join("ours"), &small()).unwrap();
        assert_eq!(mode(&folder.path().join("ours")), mode(&folder.path().join("plain")));
    }

    #[test]
    fn a_link_stays_and_its_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();
        write_file(&link, &small()).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(Container::open(&file, &Limits::default()).unwrap().tensors().len(), 4);
    }

    const CHILD: &str = "TELECINE_TEST_FILE_SIZE_LIMIT";

    /// Runs itself again under a limit on the size of files, which stands in for a full disk.
    #[test]
    fn a_full_disk_is_an_error_and_leaves_the_old_file() {
        if let Some(path) = std::env::var_os(CHILD) {
            return write_beyond_the_limit(Path::new(&path));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.arrow");
        write_file(&path, &small()).unwrap();
        let before = fs::read(&path).unwrap();
        let name = "atomicity::unix::a_full_disk_is_an_error_and_leaves_the_old_file";
        let output = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" --exact --nocapture \"$1\""])
            .arg(std::env::current_exe().unwrap())
            .arg(name)
            .env(CHILD, &path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("the limit was met"), "{output:?}");
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(listing(folder.path()), ["out.arrow"]);
    }

    fn write_beyond_the_limit(path: &Path) {
        let mut writer = FileWriter::create(path, true).unwrap();
        let rows = tensor("weight", DType::F32, &[16, 1 << 20], 1);
        let error = rows
            .iter()
            .find_map(|row| writer.write(&row.meta, &row.target, &row.chunk).err())
            .expect("8 MiB do not fit into 1 MiB");
        assert_eq!(io_error::<()>(Err(error)).0, ErrorKind::FileTooLarge);
        let row = &small()[4];
        io_error(writer.write(&row.meta, &row.target, &row.chunk));
        io_error(writer.finish());
        println!("the limit was met");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_an_error_of_the_stream() {
        let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert_eq!(io_error(StreamWriter::new(full())).0, ErrorKind::StorageFull);
        let mut writer = StreamWriter::new(std::io::BufWriter::with_capacity(1 << 16, full())).unwrap();
        let row = &small()[3];
        writer.write(&row.meta, &row.target, &row.chunk).unwrap();
        assert_eq!(io_error(writer.flush()).0, ErrorKind::StorageFull);
    }
}
