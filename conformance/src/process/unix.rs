//! Children by `fork`.

use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Ended, Progress};

/// Memory that parent and child share; the result follows it.
#[repr(C)]
struct Header {
    cases: AtomicU64,
    /// [`RUNNING`], [`DONE`] or [`PANICKED`].
    state: AtomicU32,
    length: AtomicU32,
}

const RUNNING: u32 = 0;
const DONE: u32 = 1;
const PANICKED: u32 = 2;

/// Bytes of a shared region.
const REGION: usize = 1 << 17;
/// Bytes of a result at most.
const ROOM: usize = REGION - size_of::<Header>();

/// A shared region, given back when dropped.
struct Region(NonNull<Header>);

impl Region {
    fn new() -> Option<Self> {
        // SAFETY: a new anonymous mapping overlaps nothing.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                REGION,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED { None } else { NonNull::new(start.cast()).map(Self) }
    }

    fn header(&self) -> &Header {
        // SAFETY: the mapping is page-aligned, larger than the header, zeroed by the system (all of its fields may be
        // zero), and lives as long as `self`. Its fields are atomic: the other process writes them, too.
        unsafe { self.0.as_ref() }
    }

    fn body(&self) -> *mut u8 {
        // SAFETY: the header is smaller than the region.
        unsafe { self.0.as_ptr().add(1).cast() }
    }

    /// Leaves a result for the parent. For the child, once.
    fn finish(&self, state: u32, result: &[u8]) {
        let length = result.len().min(ROOM);
        // SAFETY: `length` bytes fit behind the header; the parent reads them after it saw the state.
        unsafe { std::ptr::copy_nonoverlapping(result.as_ptr(), self.body(), length) };
        self.header().length.store(u32::try_from(length).unwrap_or(0), Ordering::Relaxed);
        self.header().state.store(state, Ordering::Release);
    }

    /// The result that the child left, if it did.
    fn result(&self) -> Option<(u32, Vec<u8>)> {
        let state = self.header().state.load(Ordering::Acquire);
        // A child gone wild may have written any length.
        let length = (self.header().length.load(Ordering::Relaxed) as usize).min(ROOM);
        // SAFETY: these bytes are within the region, and the child, which wrote them, is gone.
        let bytes = unsafe { std::slice::from_raw_parts(self.body(), length) };
        (state != RUNNING).then(|| (state, bytes.to_vec()))
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's alone, and no reference into it outlives this value: the child's
        // `Progress` is in another process.
        unsafe { libc::munmap(self.0.as_ptr().cast(), REGION) };
    }
}

/// Does `work` in a child, for `limit` at most. Returns how it ended and how many cases it had counted.
///
/// In the child, `work` has a thread of its own, memory is counted over all threads, and its rayon threads are its own.
pub(crate) fn in_child(limit: Duration, work: impl FnOnce(Progress) -> Vec<u8> + Send) -> (Ended, u64) {
    let Some(region) = Region::new() else {
        return (Ended::NoChild(format!("no shared memory: {}", std::io::Error::last_os_error())), 0);
    };
    // Held across the fork, so that no thread that the child lacks holds them for ever; flushed, so that the child has
    // nothing to write of its parent's.
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    let _ = (out.flush(), err.flush());
    // SAFETY: the child runs ordinary Rust code after it, which POSIX promises nothing for where other threads were at
    // work. What it may need of theirs is the allocator (the C library's holds its locks across a fork), the locks
    // above, and rayon's threads, which `work_in_child` replaces.
    let child = unsafe { libc::fork() };
    drop((out, err));
    match child {
        -1 => (Ended::NoChild(format!("no child process: {}", std::io::Error::last_os_error())), 0),
        0 => work_in_child(&region, work),
        child => {
            let ended = wait(child, &region, limit);
            (ended, region.header().cases.load(Ordering::Relaxed))
        }
    }
}

fn work_in_child(region: &Region, work: impl FnOnce(Progress) -> Vec<u8> + Send) -> ! {
    #[cfg(target_os = "linux")]
    // SAFETY: asks the system to end this process when the parent's thread, which waits for it, is gone.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    }
    crate::alloc::count_all_threads();
    // SAFETY: this process ends below without giving the region back.
    let progress: Progress = unsafe { &region.0.as_ref().cases };
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| on_own_threads(|| work(progress))));
    match outcome {
        Ok(result) => region.finish(DONE, &result),
        Err(_) => region.finish(PANICKED, b""),
    }
    // SAFETY: ends the process at once, without what the parent registered to run at its end.
    unsafe { libc::_exit(0) }
}

/// Runs `work` on a new thread, with a pool of rayon threads that this process has.
fn on_own_threads(work: impl FnOnce() -> Vec<u8> + Send) -> Vec<u8> {
    // Where the parent has the global pool, its threads are missing here, and who waits for them waits for ever.
    if rayon::ThreadPoolBuilder::new().build_global().is_err()
        && let Ok(pool) = rayon::ThreadPoolBuilder::new().build()
    {
        return pool.install(work);
    }
    // A thread has the stack that threads of users have, and seeds of hash tables of its own.
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Waits until a child has ended, or ends it.
fn wait(child: libc::pid_t, region: &Region, limit: Duration) -> Ended {
    let begun = Instant::now();
    let mut status = 0;
    loop {
        // SAFETY: `status` is a place for the result; the child is this process's and was not waited for yet.
        let waited = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
        if waited == 0 {
            if begun.elapsed() > limit {
                // SAFETY: as above; a child that was not waited for keeps its number.
                unsafe {
                    libc::kill(child, libc::SIGKILL);
                    libc::waitpid(child, &raw mut status, 0);
                }
                return Ended::TookTooLong;
            }
            std::thread::sleep(Duration::from_millis(if begun.elapsed().as_millis() < 50 { 1 } else { 5 }));
            continue;
        }
        return match region.result() {
            Some((DONE, result)) => Ended::Done(result),
            Some(_) => Ended::Died("it panicked".into()),
            // Somebody else waited for the child: how it ended is not known.
            None if waited < 0 => Ended::Died("it is gone".into()),
            None => Ended::Died(describe(status)),
        };
    }
}

fn describe(status: libc::c_int) -> String {
    if !libc::WIFSIGNALED(status) {
        return format!("it exited with status {}", libc::WEXITSTATUS(status));
    }
    let signal = libc::WTERMSIG(status);
    let name = match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGBUS => "SIGBUS",
        libc::SIGILL => "SIGILL",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        _ => return format!("it was ended by signal {signal}"),
    };
    format!("it was ended by {name}")
}

/// Processor time that this process has used, over all threads.
pub(crate) fn cpu_time() -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a place for the result.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    let (seconds, nanos) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
    (failed == 0).then(|| Duration::new(seconds, nanos))
}
