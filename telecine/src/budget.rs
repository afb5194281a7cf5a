//! Spreading a bits-per-value target over the tensors of a model, all bytes of the file counted.
//!
//! Small tensors are kept losslessly and the container has bytes of its own, so what remains for the large ones is
//! less than the target. Each of them gets its [share](BudgetItem::share); what a tensor uses more or less than it was
//! given is taken from or given to those that follow.

use std::collections::VecDeque;

use telecine_core::Error;

use crate::{Result, Share};

/// Bytes of the container per chunk and once per file, and its share of the bytes that it holds: first estimates,
/// replaced by what was really written.
const ROW_BYTES: f64 = 230.0;
const FILE_BYTES: f64 = 4500.0;
const FRAMING: f64 = 0.0014;
/// The least bits per value that a tensor is given.
const LEAST: f64 = 0.01;
/// The most: what wide floats take losslessly, about.
const MOST: f64 = 32.0;

/// What the budget knows of a tensor before it is encoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetItem {
    /// Number of values.
    pub values: u64,
    /// Number of chunks.
    pub chunks: u64,
    /// The bytes of a tensor that is kept losslessly; `None` for one that takes its share.
    pub kept_bytes: Option<u64>,
    /// What it gets where it takes its share.
    pub share: Share,
}

/// A bits-per-value target for several tensors in one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// All bytes that may be used.
    total: f64,
    /// Bytes written for tensors that are none of the budget's business.
    outside: f64,
    /// The items to come.
    waiting: VecDeque<BudgetItem>,
    /// The largest `x` of shares: at which those that share take what was asked for of all.
    most: f64,
}

#[expect(clippy::cast_precision_loss, reason = "shares of bytes")]
impl Budget {
    /// A budget of `bits` per value for these tensors together, which are then written in this order.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when what is kept losslessly leaves the others less than a twentieth of a bit per value.
    pub fn new(bits: f64, items: &[BudgetItem]) -> Result<Self> {
        let values: f64 = items.iter().map(|item| item.values as f64).sum();
        let waiting = items.iter().copied().collect();
        let mut budget = Self { total: values * bits / 8.0, outside: 0.0, waiting, most: MOST };
        let sharing: f64 = budget.sharing().map(|item| item.values as f64).sum();
        let left = budget.left(FILE_BYTES);
        if sharing > 0.0 && left * 8.0 < 0.05 * sharing {
            let kept: u64 = items.iter().filter_map(|item| item.kept_bytes).sum();
            let chunks: u64 = items.iter().map(|item| item.chunks).sum();
            return Err(Error::unsupported(format!(
                "{bits} bits per value allow {:.0} bytes, but small tensors kept losslessly take {kept} and the \
                 container about {:.0}: ask for more bits, or give targets by rule",
                budget.total,
                FILE_BYTES + ROW_BYTES * chunks as f64
            ))
            .into());
        }
        // Bits that constant tensors leave over make the file smaller.
        budget.most = budget.common(sharing * bits / 8.0);
        Ok(budget)
    }

    fn sharing(&self) -> impl Iterator<Item = &BudgetItem> {
        self.waiting.iter().filter(|item| item.kept_bytes.is_none())
    }

    /// Bytes for those that share, when `written` bytes are gone.
    fn left(&self, written: f64) -> f64 {
        let kept: f64 =
            self.waiting.iter().filter_map(|item| item.kept_bytes).map(|bytes| bytes as f64).sum();
        let chunks: f64 = self.waiting.iter().map(|item| item.chunks as f64).sum();
        (self.total + self.outside - written - kept - ROW_BYTES * chunks) * (1.0 - FRAMING)
    }

    /// What is common to the shares that fill `bytes`: a tensor at its least or most leaves the rest to others.
    fn common(&self, bytes: f64) -> f64 {
        let used = |common: f64| {
            let bits = |item: &BudgetItem| item.values as f64 * given(common, item.share);
            self.sharing().map(bits).sum::<f64>() / 8.0
        };
        let (mut low, mut high) = (-50.0 * MOST, 50.0 * MOST);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if used(middle) < bytes { low = middle } else { high = middle }
        }
        low
    }

    /// The bits per value that the next tensor is to take, when the file would be `written` bytes long without it.
    pub fn bits_for_next(&self, written: u64) -> f64 {
        let common = self.common(self.left((written as f64).max(FILE_BYTES)));
        given(common.min(self.most), self.waiting.front().map_or(Share::EVEN, |item| item.share))
    }

    /// Tells that the next item was written; its bytes, too, where it is kept.
    pub fn done(&mut self) {
        self.waiting.pop_front();
    }

    /// Tells that `bytes` of the file belong to a tensor with a target of its own.
    pub fn written_outside(&mut self, bytes: u64) {
        self.outside += bytes as f64;
    }
}

fn given(common: f64, share: Share) -> f64 {
    (share.bits + share.slope * common).clamp(LEAST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(values: u64, kept_bytes: Option<u64>) -> BudgetItem {
        BudgetItem { values, chunks: values.div_ceil(1 << 18), kept_bytes, share: Share::EVEN }
    }

    /// Bytes of a file in which each tensor takes what it was given, over its bits.
    fn spend(bits: f64, items: &[BudgetItem], mut each: impl FnMut(usize, f64)) -> f64 {
        let mut budget = Budget::new(bits, items).unwrap();
        let mut written = 4000;
        for (index, item) in items.iter().enumerate() {
            let given = budget.bits_for_next(written);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few megabytes")]
            let shared = (item.values as f64 * given / 8.0) as u64;
            if item.kept_bytes.is_none() {
                each(index, given);
            }
            written += item.kept_bytes.unwrap_or(shared) + 230 * item.chunks;
            budget.done();
        }
        written as f64 * 8.0 / items.iter().map(|item| item.values as f64).sum::<f64>()
    }

    #[test]
    fn what_is_kept_and_the_container_come_out_of_the_share_of_the_others() {
        let items = [item(10_000_000, None), item(50_000, Some(200_000)), item(10_000_000, None)];
        let bits = spend(3.0, &items, |_, bits| assert!(bits < 3.0 && bits > 2.9, "{bits}"));
        assert!((bits - 3.0).abs() < 0.006, "{bits}");
    }

    #[test]
    fn an_overrun_is_taken_from_those_that_follow_and_tensors_outside_do_not_count() {
        let items = [item(1_000_000, None), item(1_000_000, None)];
        let mut budget = Budget::new(4.0, &items).unwrap();
        let first = budget.bits_for_next(4000);
        budget.done();
        let after_overrun = budget.bits_for_next(4000 + 520_000 + 4 * 230);
        assert!(after_overrun < first);
        budget.written_outside(300_000);
        assert!((budget.bits_for_next(4000 + 820_000 + 4 * 230) - after_overrun).abs() < 1e-9);
    }

    #[test]
    fn a_budget_below_what_is_kept_is_refused() {
        let items = [item(200_000, None), item(50_000, Some(200_000))];
        assert!(Budget::new(3.0, &items).is_err());
    }

    #[test]
    fn shares_move_bits_and_leave_the_total() {
        let with = |values, bits| BudgetItem { share: Share { bits, slope: 1.0 }, ..item(values, None) };
        let items = [with(8_000_000, 0.0), with(1_000_000, 1.5), with(4_000_000, -0.25)];
        let mut given = [0.0; 3];
        let bits = spend(3.0, &items, |index, bits| given[index] = bits);
        assert!((bits - 3.0).abs() < 0.006, "{bits}");
        assert!((given[1] - given[0] - 1.5).abs() < 0.01 && (given[2] - given[0] + 0.25).abs() < 0.01);
    }

    #[test]
    fn a_tensor_that_can_take_no_less_leaves_less_to_the_others() {
        let items = [
            item(4_000_000, None),
            BudgetItem { share: Share { bits: -9.0, slope: 1.0 }, ..item(4_000_000, None) },
        ];
        let mut given = [0.0; 2];
        let bits = spend(1.5, &items, |index, bits| given[index] = bits);
        assert!((bits - 1.5).abs() < 0.01, "{bits}");
        assert!((2.95..3.0).contains(&given[0]) && given[1] <= 0.02, "{given:?}");
    }
}
