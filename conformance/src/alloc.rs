//! A counting allocator: how much memory a call asks for at most.
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

thread_local! {
    /// Bytes held by this thread's allocations since the count began, the most there were, and the largest request.
    static HELD: Cell<i64> = const { Cell::new(0) };
    static MOST: Cell<i64> = const { Cell::new(0) };
    static COUNTED: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, with the bytes that each thread asks for counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

fn count(bytes: i64) {
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
        count(layout.size() as i64);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
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

/// Runs `work` and returns the most bytes that this thread held beyond what it held before.
pub(crate) fn peak<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = HELD.with(Cell::get);
    MOST.with(|most| most.set(before));
    let result = work();
    let most = MOST.with(Cell::get) - before;
    (result, u64::try_from(most).unwrap_or(0))
}

/// Runs `work` and returns the bytes that this thread holds in the end beyond what it held before.
pub(crate) fn kept<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = HELD.with(Cell::get);
    let result = work();
    (result, u64::try_from(HELD.with(Cell::get) - before).unwrap_or(0))
}
