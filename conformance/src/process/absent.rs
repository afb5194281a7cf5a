//! A system without children of this kind: rules that need one say so.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::{Ended, Progress};

pub(crate) fn in_child(_: Duration, _: impl FnOnce(Progress) -> Vec<u8> + Send) -> (Ended, u64) {
    (Ended::NoChild("this system has no fork".into()), 0)
}

/// Processor time of this process, which nothing here says.
pub(crate) fn cpu_time() -> Option<Duration> {
    None
}

/// The side on which guarded memory touches a forbidden page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The page is before the first element.
    Start,
    /// The page is behind the last element.
    End,
}

/// Elements beside a forbidden page, of which there are none here.
#[derive(Debug)]
pub(crate) struct Guarded<T>(PhantomData<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(_: usize, _: Side) -> Option<Self> {
        None
    }

    pub(crate) fn copy(_: &[T], _: Side) -> Option<Self> {
        None
    }
}

impl<T> Deref for Guarded<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &[]
    }
}

impl<T> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut []
    }
}
