//! Memory between two pages that nothing may touch.

use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// The side on which guarded memory touches a forbidden page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The page is before the first element.
    Start,
    /// The page is behind the last element.
    End,
}

/// Elements beside a page that may be neither read nor written: who does so ends the process.
#[derive(Debug)]
pub(crate) struct Guarded<T: Plain> {
    mapping: NonNull<u8>,
    mapped: usize,
    first: NonNull<T>,
    count: usize,
}

/// Elements for which any bytes stand for a value, and which nothing has to drop.
///
/// # Safety
/// Every pattern of bits is a value of the type, of one byte or two.
pub(crate) unsafe trait Plain: Copy + Send {}
// SAFETY: integers.
unsafe impl Plain for u8 {}
// SAFETY: integers.
unsafe impl Plain for u16 {}

// SAFETY: the memory is this value's alone.
unsafe impl<T: Plain> Send for Guarded<T> {}

impl<T: Plain> Guarded<T> {
    /// Zeros, `count` of them, beside a forbidden page; `None` where the system refuses.
    pub(crate) fn new(count: usize, side: Side) -> Option<Self> {
        // SAFETY: asks for a number.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
        let bytes = count * size_of::<T>();
        let room = bytes.next_multiple_of(page);
        let mapped = room + 2 * page;
        // SAFETY: a new anonymous mapping overlaps nothing; nothing in it can be read or written yet.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                mapped,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return None;
        }
        let mapping = NonNull::new(start.cast::<u8>())?;
        let at = page + if side == Side::End { room - bytes } else { 0 };
        // SAFETY: within the mapping. Rooms end at pages and sizes of `T` divide them, so the place is aligned.
        let first = unsafe { mapping.add(at) }.cast();
        let guarded = Self { mapping, mapped, first, count };
        // SAFETY: the inner pages of the mapping above, all of them this value's.
        let opened = room == 0
            || unsafe {
                libc::mprotect(start.cast::<u8>().add(page).cast(), room, libc::PROT_READ | libc::PROT_WRITE)
            } == 0;
        opened.then_some(guarded)
    }

    /// A copy of these elements.
    pub(crate) fn copy(elements: &[T], side: Side) -> Option<Self> {
        let mut guarded = Self::new(elements.len(), side)?;
        guarded.copy_from_slice(elements);
        Some(guarded)
    }
}

impl<T: Plain> Deref for Guarded<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `count` elements lie within the readable pages, hold values (see [`Plain`]; the system zeroes pages),
        // and live as long as `self`.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

impl<T: Plain> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and `self` is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.count) }
    }
}

impl<T: Plain> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's alone.
        unsafe { libc::munmap(self.mapping.as_ptr().cast(), self.mapped) };
    }
}
