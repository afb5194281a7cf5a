//! What the command leaves behind, and says, when its machine fails it: killed, no memory, no room, files cut short.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const TELECINE: &str = env!("CARGO_BIN_EXE_telecine");

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(TELECINE);
    command.current_dir(folder).args(args);
    command
}

/// Runs; must be done.
fn done(folder: &Path, args: &[&str]) -> Output {
    let output = command(folder, args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    output
}

/// The one line of a failed run of this status.
#[track_caller]
fn failed(output: &Output, status: i32) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{error}");
    assert!(error.lines().count() == 1 && error.starts_with("telecine: "), "{error}");
    error
}

/// Numbers without a pattern (xorshift).
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..count / 8).flat_map(|_| next()).collect()
}

/// An `.npy` file's header for a matrix.
fn npy_header(descr: &str, rows: u64, cols: u64) -> Vec<u8> {
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows}, {cols}), }}");
    let dict = format!("{dict:<117}\n");
    [b"\x93NUMPY\x01\x00".as_slice(), &(dict.len() as u16).to_le_bytes(), dict.as_bytes()].concat()
}

/// A file of this many rows of 1,024 `i16` of noise, which nothing makes small.
fn noisy(folder: &Path, name: &str, rows: u64) {
    let bytes = noise(rows as usize * 2048);
    fs::write(folder.join(name), [npy_header("<i2", rows, 1024), bytes].concat()).unwrap();
}

/// A file of zeros that takes no room, of one-byte values.
fn sparse(folder: &Path, name: &str, rows: u64, cols: u64) -> File {
    let header = npy_header("|u1", rows, cols);
    let file = File::options().read(true).write(true).create_new(true).open(folder.join(name)).unwrap();
    file.write_all_at(&header, 0).unwrap();
    file.set_len(header.len() as u64 + rows * cols).unwrap();
    file
}

/// Files that were begun and not finished.
fn begun(folder: &Path) -> Vec<std::path::PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(".telecine-")).collect()
}

/// Waits until the command has begun to write.
fn wait_for_work(folder: &Path, child: &mut Child) {
    while begun(folder).is_empty() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Kills a command that replaces `out` again and again, at times all over its run; each time the file must be the old
/// one or the new one, and there must be nothing else but the file that was begun.
fn killed(folder: &Path, args: &[&str], out: &str, times: u32) {
    let path = folder.join(out);
    let old = b"the old file".as_slice();
    let start = Instant::now();
    done(folder, args);
    let mut span = start.elapsed();
    let new = fs::read(&path).unwrap();
    let names = fs::read_dir(folder).unwrap().count();
    let (mut stopped, mut finished) = (0, 0);
    for time in 0..times {
        fs::write(&path, old).unwrap();
        let mut child = command(folder, args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        if time % 2 == 0 {
            wait_for_work(folder, &mut child);
        }
        // All over the run, in an order without a pattern, whatever the machine's speed is now: sooner where most were
        // done before, later where most weren't.
        span = if finished > stopped { span.mul_f64(0.9) } else { span.mul_f64(1.1) };
        std::thread::sleep(span * (time * 37 % times) / times);
        child.kill().unwrap();
        child.wait().unwrap();
        let found = fs::read(&path).unwrap();
        assert!(found == old || found == new, "time {time}: {} bytes are neither", found.len());
        let left = begun(folder);
        assert_eq!(fs::read_dir(folder).unwrap().count(), names + left.len(), "time {time}");
        if found == old {
            stopped += 1
        } else {
            finished += 1
        }
        // What was left behind is in nobody's way: some of it stays.
        left.iter().filter(|_| time % 4 != 0).for_each(|path| fs::remove_file(path).unwrap());
    }
    assert!(stopped >= times / 4, "{stopped} of {times} were stopped in time, {finished} finished");
    done(folder, args);
    assert_eq!(fs::read(&path).unwrap(), new);
}

#[test]
fn pack_killed_100_times_leaves_the_old_file_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    noisy(folder.path(), "m.npy", 1024);
    let args = ["pack", "m.npy", "--lossless", "--codec", "raw0", "--force", "-o", "m.arrow"];
    killed(folder.path(), &args, "m.arrow", 100);
}

#[test]
fn unpack_killed_40_times_leaves_the_old_file_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    noisy(folder.path(), "m.npy", 1024);
    done(folder.path(), &["pack", "m.npy", "--lossless", "--codec", "raw0", "-o", "m.arrow"]);
    let args = ["unpack", "m.arrow", "--force", "-o", "back.safetensors"];
    killed(folder.path(), &args, "back.safetensors", 40);
}

#[test]
fn an_input_that_is_truncated_while_it_is_packed_is_one_line_and_status_1() {
    let folder = tempfile::tempdir().unwrap();
    noisy(folder.path(), "m.npy", 1 << 14);
    fs::write(folder.path().join("m.arrow"), "precious").unwrap();
    let args = [
        "pack", "m.npy", "--step", "9", "--rule", "*=step=9", "--effort", "best", "--force", "-o", "m.arrow",
    ];
    let mut child = command(folder.path(), &args).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_work(folder.path(), &mut child);
    File::options().write(true).open(folder.path().join("m.npy")).unwrap().set_len(4096).unwrap();
    let error = failed(&child.wait_with_output().unwrap(), 1);
    assert!(error.contains("truncated"), "{error}");
    assert_eq!(fs::read(folder.path().join("m.arrow")).unwrap(), b"precious");
}

#[test]
fn a_packed_file_that_is_truncated_while_it_is_unpacked_is_one_line_and_status_1() {
    let folder = tempfile::tempdir().unwrap();
    noisy(folder.path(), "m.npy", 1 << 14);
    done(folder.path(), &["pack", "m.npy", "--lossless", "--codec", "raw0", "-o", "m.arrow"]);
    let whole = fs::read(folder.path().join("m.arrow")).unwrap();
    // A run that is done before its input is cut shows nothing, so there are many.
    let cut_short = (0..50).find_map(|_| {
        fs::write(folder.path().join("m.arrow"), &whole).unwrap();
        let mut command = command(folder.path(), &["unpack", "m.arrow", "--force", "-o", "back.npy"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        wait_for_work(folder.path(), &mut child);
        File::options().write(true).open(folder.path().join("m.arrow")).unwrap().set_len(4096).unwrap();
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            fs::remove_file(folder.path().join("back.npy")).unwrap();
            return None;
        }
        Some(output)
    });
    let error = failed(&cut_short.expect("one of 50 is cut short"), 1);
    assert!(error.contains("truncated"), "{error}");
    assert!(!folder.path().join("back.npy").exists());
}

/// Runs under limits that a shell sets, such as `ulimit -v`, which counts KiB.
fn limited(folder: &Path, limits: &str, args: &str) -> Output {
    let script = format!("{limits}; exec {TELECINE} {args}");
    Command::new("sh").current_dir(folder).args(["-c", &script]).output().unwrap()
}

#[test]
fn a_full_disk_while_unpacking_is_one_line_and_status_1() {
    let folder = tempfile::tempdir().unwrap();
    noisy(folder.path(), "m.npy", 64);
    done(folder.path(), &["pack", "m.npy", "--lossless", "-o", "m.arrow"]);
    fs::write(folder.path().join("back.npy"), "precious").unwrap();
    let output = limited(folder.path(), "ulimit -f 40; trap '' XFSZ", "unpack m.arrow --force -o back.npy");
    assert!(failed(&output, 1).contains("back.npy"));
    assert_eq!(fs::read(folder.path().join("back.npy")).unwrap(), b"precious");
    assert!(begun(folder.path()).is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_printed_is_one_line_and_status_1() {
    let folder = tempfile::tempdir().unwrap();
    noisy(folder.path(), "m.npy", 4);
    done(folder.path(), &["pack", "m.npy", "--lossless", "-o", "m.arrow"]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = command(folder.path(), &["inspect", "m.arrow"]).stdout(full).output().unwrap();
    assert!(failed(&output, 1).contains("standard output"));
}

/// A file system of its own needs a mount: `scripts/test` runs this where namespaces allow it.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "mounts file systems in a namespace of its own: scripts/test runs it where that is allowed"]
fn a_full_and_a_read_only_file_system_are_one_line_and_status_1() {
    let folder = tempfile::tempdir().unwrap();
    noisy(folder.path(), "m.npy", 2048);
    done(folder.path(), &["pack", "m.npy", "--lossless", "--codec", "raw0", "-o", "m.arrow"]);
    fs::create_dir(folder.path().join("small")).unwrap();
    let inside = |then: &str| {
        let script = format!(
            "mount -t tmpfs -o size=1m tmpfs small && echo precious > small/out.arrow && echo precious > small/out.npy && \
             {then}; status=$?; cat small/out.arrow small/out.npy; ls -A small; exit $status"
        );
        let mut command = Command::new("unshare");
        command.current_dir(folder.path()).args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            &script,
        ]);
        command.output().unwrap()
    };
    let pack = format!("{TELECINE} pack m.npy --lossless --codec raw0 --force -o small/out.arrow");
    let unpack = format!("{TELECINE} unpack m.arrow --force -o small/out.npy");
    for (then, says) in [
        (pack.clone(), "No space left"),
        (unpack.clone(), "No space left"),
        (format!("mount -o remount,bind,ro small && {pack}"), "Read-only file system"),
        (format!("mount -o remount,bind,ro small && {unpack}"), "Read-only file system"),
    ] {
        let output = inside(&then);
        let error = failed(&output, 1);
        assert!(error.contains(says), "{then}: {error}");
        let left = String::from_utf8_lossy(&output.stdout);
        assert_eq!(left, "precious\nprecious\nout.arrow\nout.npy\n", "{then}");
    }
}

#[test]
fn a_folder_that_must_not_be_written_to_is_one_line_and_status_1() {
    let folder = tempfile::tempdir().unwrap();
    noisy(folder.path(), "m.npy", 4);
    // Not even root writes here.
    let output = command(folder.path(), &["pack", "m.npy", "--lossless", "-o", "/proc/self/m.arrow"])
        .output()
        .unwrap();
    assert!(failed(&output, 1).contains("/proc/self"));
}

/// From hardly any memory to enough: never a panic or half a file, and no matter how little there is, the old file stays.
#[cfg(target_os = "linux")]
#[test]
fn whatever_memory_there_is_the_file_is_the_old_one_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.arrow");
    noisy(folder.path(), "m.npy", 1 << 13);
    let args = "pack m.npy --lossless --jobs 2 --force -o m.arrow";
    done(folder.path(), &args.split(' ').collect::<Vec<_>>());
    let new = fs::read(&path).unwrap();
    let (mut refused, mut packed) = (0, 0);
    // In less than 16 the system cannot load the program, not even for `--version`.
    for mebibytes in [16, 24, 32, 48, 64, 128, 256, 1024, 4096] {
        fs::write(&path, "precious").unwrap();
        let output = limited(folder.path(), &format!("ulimit -v {}", mebibytes << 10), args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!error.contains("panicked"), "{mebibytes} MiB: {error}");
        let found = fs::read(&path).unwrap();
        if output.status.success() {
            assert_eq!(found, new, "{mebibytes} MiB");
            packed += 1;
        } else {
            // Rust ends a process whose small allocations fail by SIGABRT, the loader by status 127.
            let known = matches!(output.status.code(), Some(1 | 127)) || output.status.signal() == Some(6);
            assert!(known, "{mebibytes} MiB: {output:?}");
            assert_eq!(found, b"precious", "{mebibytes} MiB");
            refused += 1;
        }
        begun(folder.path()).iter().for_each(|path| fs::remove_file(path).unwrap());
    }
    assert!(refused > 0 && packed > 0, "{refused} refused, {packed} packed");
}

/// A few kilobytes may hold a tensor that no memory holds: reading it whole is an error, not the end of the process.
#[cfg(target_os = "linux")]
#[test]
fn a_tensor_larger_than_memory_is_refused_and_read_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    sparse(folder.path(), "zeros.npy", 1 << 12, 1 << 18);
    done(folder.path(), &["pack", "zeros.npy", "--lossless", "-o", "zeros.arrow"]);
    let capped = |args: &str| limited(folder.path(), "ulimit -v 900000", args);
    let error = failed(&capped("unpack zeros.arrow --jobs 2 --rows 0..4096 -o all.npy"), 2);
    assert!(error.contains("zeros") && error.contains("memory"), "{error}");
    assert!(!folder.path().join("all.npy").exists() && begun(folder.path()).is_empty());
    let output = capped("unpack zeros.arrow --jobs 2 --rows 4000..4001 -o row.npy");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::metadata(folder.path().join("row.npy")).unwrap().len(), 128 + (1 << 18));
}

#[test]
fn ten_thousand_tensors_come_back_under_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..10_000).map(|at| format!("layers.{at}.bias")).collect();
    let mut header = String::from("{");
    for (at, name) in names.iter().enumerate() {
        let (comma, start) = (if at == 0 { "" } else { "," }, at * 24);
        header += &format!(
            r#"{comma}"{name}":{{"dtype":"F16","shape":[3,4],"data_offsets":[{start},{}]}}"#,
            start + 24
        );
    }
    header.push('}');
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    let data = noise(240_000);
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat();
    fs::write(folder.path().join("many.safetensors"), &file).unwrap();
    done(folder.path(), &["pack", "many.safetensors", "--lossless", "-o", "many.arrow"]);
    done(folder.path(), &["inspect", "many.arrow", "--verify"]);
    done(folder.path(), &["unpack", "many.arrow", "-o", "back.safetensors"]);
    let back = fs::read(folder.path().join("back.safetensors")).unwrap();
    assert!(back.ends_with(&data), "the values of all tensors, in order");
    let text = String::from_utf8_lossy(&back[8..back.len() - data.len()]);
    assert!(names.iter().all(|name| text.contains(&format!("\"{name}\""))));
}

/// 4 GiB of address space and of decoding, next to nothing on the disk.
#[test]
#[ignore = "codes 2^32 values twice, which takes a while"]
fn a_tensor_of_2_to_the_32_values_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let side = 1u64 << 16;
    let file = sparse(folder.path(), "large.npy", side, side);
    // Rows around the places where 31 and 32 bits end.
    let rows = [0, 1, side / 2 - 1, side / 2, side - 1];
    for (&row, value) in rows.iter().zip(1u8..) {
        file.write_all_at(&[value; 9], 128 + row * side + row / 2).unwrap();
    }
    done(folder.path(), &["pack", "large.npy", "--lossless", "-o", "large.arrow"]);
    let packed = fs::metadata(folder.path().join("large.arrow")).unwrap().len();
    assert!(packed < 64 << 20, "{packed} bytes");
    done(folder.path(), &["inspect", "large.arrow", "--verify"]);
    for (&row, value) in rows.iter().zip(1u8..) {
        let range = format!("{row}..{}", row + 1);
        done(folder.path(), &["unpack", "large.arrow", "--rows", &range, "--force", "-o", "row.npy"]);
        let got = fs::read(folder.path().join("row.npy")).unwrap();
        let mut wanted = vec![0; side as usize];
        wanted[row as usize / 2..][..9].fill(value);
        assert_eq!(got[128..], wanted, "row {row}");
    }
}
