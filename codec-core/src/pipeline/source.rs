//! The values of a chunk, not yet coded, with what is found out about them once.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use super::likeness::{Likeness, likeness};
use super::survey::{Survey, classes, survey};
use super::worker::Coded;
use crate::classes::Classes;
use crate::{DType, Importance};

/// The values of some rows of a tensor, not yet coded.
pub(super) struct Source<'a> {
    /// Number of the chunk within its tensor.
    pub(super) index: u32,
    pub(super) dtype: DType,
    pub(super) rows: Range<u64>,
    pub(super) cols: usize,
    pub(super) bytes: Cow<'a, [u8]>,
    pub(super) importance: Option<Arc<Importance>>,
    survey: OnceLock<Survey>,
    likeness: OnceLock<Likeness>,
    /// Classes of lossy codings, without and with the optional ones.
    classes: [OnceLock<Option<Classes>>; 2],
    /// Whether optional classes are left out where they cost bits: nothing else comes as close to a target.
    pub(super) without_optional: AtomicBool,
    /// The smallest lossless coding.
    pub(super) exact: OnceLock<Coded>,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        index: u32,
        dtype: DType,
        rows: Range<u64>,
        cols: usize,
        bytes: Cow<'a, [u8]>,
        importance: Option<Arc<Importance>>,
    ) -> Self {
        Self {
            index,
            dtype,
            rows,
            cols,
            bytes,
            importance,
            survey: OnceLock::new(),
            likeness: OnceLock::new(),
            classes: Default::default(),
            without_optional: AtomicBool::new(false),
            exact: OnceLock::new(),
        }
    }

    pub(super) fn values(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// Rows and columns.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.values() / self.cols, self.cols)
    }

    /// Values that repeat bit for bit.
    pub(super) fn survey(&self) -> &Survey {
        self.survey.get_or_init(|| survey(self.dtype, &self.bytes))
    }

    /// Estimates of what lossless coding makes of the values.
    pub(super) fn likeness(&self) -> &Likeness {
        self.likeness.get_or_init(|| likeness(self.dtype, &self.bytes, self.cols))
    }

    /// The classes of a lossy coding, if any: the forced ones, and the optional ones too where wanted.
    pub(super) fn classes(&self, with_optional: bool) -> Option<&Classes> {
        let make = || {
            let Survey { forced, optional, .. } = self.survey();
            let optional = if with_optional { optional.as_slice() } else { &[] };
            let patterns = [forced, optional].concat();
            if patterns.is_empty() { None } else { classes(self.dtype, &self.bytes, &patterns, true) }
        };
        self.classes[usize::from(with_optional)].get_or_init(make).as_ref()
    }

    /// The classes of a lossless coding, if any.
    pub(super) fn exact_classes(&self) -> Option<Classes> {
        let patterns = &self.survey().frequent;
        if patterns.is_empty() { None } else { classes(self.dtype, &self.bytes, patterns, false) }
    }

    /// Bits per value that the optional classes take.
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    pub(super) fn optional_bits(&self) -> f64 {
        let bytes = |classes: Option<&Classes>| {
            let mut side = Vec::new();
            if let Some(classes) = classes {
                classes.write(self.cols, self.dtype.size(), &mut side);
            }
            side.len() as f64
        };
        (bytes(self.classes(true)) - bytes(self.classes(false))) * 8.0 / self.values().max(1) as f64
    }
}
