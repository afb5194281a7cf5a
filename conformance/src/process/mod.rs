//! Work in a child process, which may crash, hang or leak without harm to the report; and what a process says of itself.
//!
//! A child is a copy of this process, made by `fork`: it holds the backends as they are, so no program has to know how
//! to make them a second time. In the child only the thread that made it goes on. No backend runs in the parent beside
//! its probe, so no lock of a backend is held by a thread that the child lacks; the locks of the standard streams are
//! held by the thread that makes the child, and the allocator looks after its own.

#[cfg(unix)]
mod guard;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use guard::{Guarded, Side};
#[cfg(unix)]
use unix as system;

#[cfg(not(unix))]
mod absent;
#[cfg(not(unix))]
use absent as system;
#[cfg(not(unix))]
pub(crate) use absent::{Guarded, Side};

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

pub(crate) use system::{cpu_time, in_child};

/// How work in a child ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With this result.
    Done(Vec<u8>),
    /// The process ended before the work did.
    Died(String),
    /// The process was ended because the time was over.
    TookTooLong,
    /// There is no child: the system has none, or refused.
    NoChild(String),
}

/// The number of cases that work in a child has counted so far; the parent reads it when the child is gone.
pub(crate) type Progress = &'static AtomicU64;

/// Threads of this process, where the system says.
pub(crate) fn threads() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}

/// Open files of this process, where the system says.
pub(crate) fn open_files() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}

/// Time that this thread stood ready while others had the processor; 0 where the system does not say.
pub(crate) fn time_kept_waiting() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split_whitespace().nth(1).and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// Threads of this process once there are at most `wanted`, or after a second.
pub(crate) fn threads_settled(wanted: usize) -> Option<usize> {
    let begun = Instant::now();
    loop {
        let count = threads()?;
        if count <= wanted || begun.elapsed() > Duration::from_secs(1) {
            return Some(count);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Bytes of writable memory that are this process's own, where the system says: untouched pages and those of libraries
/// that do not use the allocator included.
pub(crate) fn private_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn a_result_comes_back_with_the_cases_counted() {
        let (ended, cases) = in_child(LIMIT, |progress| {
            progress.store(7, Ordering::Relaxed);
            b"result".to_vec()
        });
        assert!(matches!(ended, Ended::Done(bytes) if bytes == b"result") && cases == 7);
    }

    #[test]
    fn whatever_ends_a_child_is_named() {
        for (name, work) in [
            ("SIGABRT", (|_| std::process::abort()) as fn(Progress) -> Vec<u8>),
            ("status 3", |_| std::process::exit(3)),
            ("panicked", |_| panic!("no rule catches this")),
        ] {
            match in_child(LIMIT, work).0 {
                Ended::Died(how) => assert!(how.contains(name), "{how}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_child_that_hangs_is_ended() {
        let begun = Instant::now();
        let (ended, _) = in_child(Duration::from_millis(200), |_| {
            loop {
                std::thread::park();
            }
        });
        assert!(matches!(ended, Ended::TookTooLong) && begun.elapsed() < LIMIT);
    }

    #[test]
    fn work_on_all_cores_goes_on_in_a_child() {
        // The threads of this pool are missing in the child.
        assert_eq!(rayon::join(|| 1, || 2), (1, 2));
        let (ended, _) = in_child(LIMIT, |_| {
            let (a, b) = rayon::join(|| 1, || 2);
            vec![a, b]
        });
        assert!(matches!(ended, Ended::Done(sums) if sums == [1, 2]));
    }

    #[test]
    fn reading_and_writing_beyond_guarded_memory_ends_a_child() {
        for side in [Side::Start, Side::End] {
            let (ended, _) = in_child(LIMIT, |_| {
                let mut guarded = Guarded::<u16>::new(1001, side).unwrap();
                guarded.fill(9);
                let sum: u32 = guarded.iter().map(|&sample| u32::from(sample)).sum();
                assert_eq!(sum, 9009);
                let beyond = match side {
                    Side::Start => guarded.as_ptr().wrapping_sub(1),
                    Side::End => guarded.as_ptr().wrapping_add(1001),
                };
                // SAFETY: none; the page is there, cannot be read, and its owner lives.
                vec![unsafe { beyond.read_volatile() }.to_le_bytes()[0]]
            });
            assert!(
                matches!(&ended, Ended::Died(how) if how.contains("SIGSEGV") || how.contains("SIGBUS")),
                "{ended:?}"
            );
        }
    }

    #[test]
    fn a_process_knows_its_threads_memory_and_time() {
        if cfg!(target_os = "linux") {
            assert!(threads().unwrap() >= 1 && private_memory().unwrap() > 0);
        }
        assert!(cpu_time().unwrap() > Duration::ZERO);
    }
}
