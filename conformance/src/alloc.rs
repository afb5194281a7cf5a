//! A counting allocator: how much memory a call asks for at most, and keeps.
//!
//! Counts are by thread, because other rules run beside. In a child process, which runs one rule, they are over all
//! threads, and memory has an end, so that a backend without bounds harms nothing else on the machine.
//!
//! A binary that runs the suite installs it; without it, the rules about memory say that they do not apply.
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: telecine_conformance::CountingAllocator = telecine_conformance::CountingAllocator;
//! # fn main() {}
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

thread_local! {
    /// Bytes held by this thread's allocations since the count began, the most there were, and the largest request.
    static HELD: Cell<i64> = const { Cell::new(0) };
    static MOST: Cell<i64> = const { Cell::new(0) };
    static COUNTED: Cell<u64> = const { Cell::new(0) };
}

/// Whether counts are over all threads: in a child process.
static ALL_THREADS: AtomicBool = AtomicBool::new(false);
/// Bytes held over all threads since the process counts so, and the most there were.
static ALL_HELD: AtomicI64 = AtomicI64::new(0);
static ALL_MOST: AtomicI64 = AtomicI64::new(0);
/// Bytes that a child process may hold: more than any rule needs, less than machines have.
const CHILD_LIMIT: i64 = 6 << 30;

/// The system's allocator, with the bytes that each thread asks for counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

/// Counts over all threads from here on.
pub(crate) fn count_all_threads() {
    ALL_HELD.store(0, Ordering::Relaxed);
    ALL_THREADS.store(true, Ordering::Relaxed);
}

/// Whether so many bytes more are too many.
fn is_too_much(bytes: usize) -> bool {
    ALL_THREADS.load(Ordering::Relaxed)
        && i64::try_from(bytes).is_ok_and(|bytes| ALL_HELD.load(Ordering::Relaxed) + bytes > CHILD_LIMIT)
}

fn count(bytes: i64) {
    if ALL_THREADS.load(Ordering::Relaxed) {
        let now = ALL_HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
        ALL_MOST.fetch_max(now, Ordering::Relaxed);
    }
    // A thread that is ending has no counters any more.
    let _ = HELD.try_with(|held| {
        let now = held.get() + bytes;
        held.set(now);
        let _ = MOST.try_with(|most| most.set(most.get().max(now)));
    });
    let _ = COUNTED.try_with(|counted| counted.set(counted.get() + 1));
}

#[expect(clippy::cast_possible_wrap, reason = "no allocation exceeds isize::MAX")]
// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_too_much(layout.size()) {
            return std::ptr::null_mut();
        }
        count(layout.size() as i64);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_too_much(layout.size()) {
            return std::ptr::null_mut();
        }
        count(layout.size() as i64);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if is_too_much(size) {
            return std::ptr::null_mut();
        }
        count(size as i64 - layout.size() as i64);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Whether this binary counts its allocations.
pub(crate) fn is_counting() -> bool {
    let before = COUNTED.with(Cell::get);
    drop(std::hint::black_box(Box::new(0u64)));
    COUNTED.with(Cell::get) != before
}

/// Runs `work` and returns the most bytes that were held beyond what was held before.
pub(crate) fn peak<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = held();
    MOST.with(|most| most.set(before));
    ALL_MOST.store(before, Ordering::Relaxed);
    let result = work();
    let most = if ALL_THREADS.load(Ordering::Relaxed) {
        ALL_MOST.load(Ordering::Relaxed)
    } else {
        MOST.with(Cell::get)
    };
    (result, u64::try_from(most - before).unwrap_or(0))
}

/// Runs `work` and returns the bytes that are held in the end beyond what was held before.
pub(crate) fn kept<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = held();
    let result = work();
    (result, u64::try_from(held() - before).unwrap_or(0))
}

fn held() -> i64 {
    if ALL_THREADS.load(Ordering::Relaxed) { ALL_HELD.load(Ordering::Relaxed) } else { HELD.with(Cell::get) }
}
