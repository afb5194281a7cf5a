//! Tensors as a budget sees them, and which of them share.

use telecine_core::{Error, Target};
use telecine_format::Framing;

use crate::{Result, Share};

/// What the budget knows of a tensor before it is encoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetItem {
    /// Number of values.
    pub values: u64,
    /// Bytes that its rows take in the container besides side information and packets ([`Framing::row`]).
    pub framing_bytes: u64,
    /// The bytes that it takes.
    pub takes: Takes,
    /// What it gets where it shares.
    pub share: Share,
}

/// The bytes that a tensor takes of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// These, whatever the budget: integers, which must be exact.
    Fixed(u64),
    /// These, losslessly, as long as the others can afford it.
    Kept {
        /// Bytes that it takes losslessly.
        bytes: u64,
        /// Whether it is a vector, such as a norm or a bias: those are kept longest.
        vector: bool,
    },
    /// Its share.
    Share {
        /// Bytes that it takes losslessly, where that was measured.
        lossless: Option<u64>,
    },
}

impl BudgetItem {
    /// Whether it takes a share.
    pub fn shares(&self) -> bool {
        matches!(self.takes, Takes::Share { .. })
    }
}

/// The part of an even share of the budget that small matrices leave to the others where they are kept losslessly, and
/// that vectors leave.
const MATRICES_LEAVE: f64 = 7.0 / 8.0;
const VECTORS_LEAVE: f64 = 1.0 / 2.0;
/// Lossless bytes of a tensor that no lossy coding makes smaller: side information and packet take as much.
const SMALLEST: u64 = 24;

/// Makes tensors share that the budget cannot afford to keep losslessly: all small matrices, then the largest vectors.
///
/// Returns the bits per value that those which share can take on average.
///
/// # Errors
/// [`Error::Invalid`] for a target that is neither in bits nor in bytes.
pub fn release(target: Target, items: &mut [BudgetItem]) -> Result<f64> {
    let framing = Framing::measure()?;
    let container = (framing.file + framing.batch()) as f64;
    let budget = allowed(target, items)? - container - framing_bytes(items.iter());
    for item in items.iter_mut() {
        if let Takes::Kept { bytes, .. } = item.takes
            && bytes <= SMALLEST
        {
            item.takes = Takes::Fixed(bytes);
        }
    }
    if !affords(budget, items, MATRICES_LEAVE) {
        share_if(items, |_, vector| !vector);
    }
    while !affords(budget, items, VECTORS_LEAVE) {
        let kept = items.iter().filter(|item| matches!(item.takes, Takes::Kept { .. }));
        let Some(largest) = kept.map(|item| item.values).max() else { break };
        share_if(items, |values, _| values == largest);
    }
    let left = budget - fixed_bytes(items.iter());
    Ok((left * 8.0 / sharing_values(items.iter()).max(1.0)).clamp(0.05, 32.0))
}

fn share_if(items: &mut [BudgetItem], is: impl Fn(u64, bool) -> bool) {
    for item in items {
        if let Takes::Kept { bytes, vector } = item.takes
            && is(item.values, vector)
        {
            item.takes = Takes::Share { lossless: Some(bytes) };
        }
    }
}

/// Whether what is kept leaves those that share this part of an even share of `budget` bytes.
#[expect(clippy::cast_precision_loss, reason = "shares of bytes")]
fn affords(budget: f64, items: &[BudgetItem], leave: f64) -> bool {
    let fixed = |item: &&BudgetItem| matches!(item.takes, Takes::Fixed(_));
    let must: f64 = fixed_bytes(items.iter().filter(fixed));
    let values: f64 = items.iter().filter(|item| !fixed(item)).map(|item| item.values as f64).sum();
    let even = (budget - must) / values.max(1.0);
    budget - fixed_bytes(items.iter()) >= leave * even.max(0.0) * sharing_values(items.iter())
}

/// The bytes that a file of these tensors may have.
///
/// # Errors
/// As [`release`].
#[expect(clippy::cast_precision_loss, reason = "a size")]
pub(super) fn allowed(target: Target, items: &[BudgetItem]) -> Result<f64> {
    match target {
        Target::Bits(bits) => Ok(items.iter().map(|item| item.values as f64).sum::<f64>() * bits / 8.0),
        Target::Bytes(bytes) => Ok(bytes as f64),
        other => {
            Err(Error::invalid(format!("{other} is no budget: a file has bits per value or bytes")).into())
        }
    }
}

/// Bytes of those that are fixed or kept.
#[expect(clippy::cast_precision_loss, reason = "a size")]
pub(super) fn fixed_bytes<'i>(items: impl Iterator<Item = &'i BudgetItem>) -> f64 {
    items
        .map(|item| match item.takes {
            Takes::Fixed(bytes) | Takes::Kept { bytes, .. } => bytes as f64,
            Takes::Share { .. } => 0.0,
        })
        .sum()
}

#[expect(clippy::cast_precision_loss, reason = "a size")]
pub(super) fn framing_bytes<'i>(items: impl Iterator<Item = &'i BudgetItem>) -> f64 {
    items.map(|item| item.framing_bytes as f64).sum()
}

#[expect(clippy::cast_precision_loss, reason = "a count for a ratio")]
pub(super) fn sharing_values<'i>(items: impl Iterator<Item = &'i BudgetItem>) -> f64 {
    items.filter(|item| item.shares()).map(|item| item.values as f64).sum()
}
