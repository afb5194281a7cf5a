//! Spreading a bits-per-value target over the tensors of a model, all bytes of the file counted.
//!
//! Small tensors are kept losslessly and the container has bytes of its own, so what remains for the large ones is
//! less than the target. Each of them gets the same bits; what a tensor uses more or less than it was given is taken
//! from or given to those that follow.

use telecine_core::Error;

use crate::Result;

/// Bytes of the container per chunk and once per file, and its share of the bytes that it holds: first estimates,
/// replaced by what was really written.
const ROW_BYTES: f64 = 230.0;
const FILE_BYTES: f64 = 4500.0;
const FRAMING: f64 = 0.0014;

/// What the budget knows of a tensor before it is encoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetItem {
    /// Number of values.
    pub values: u64,
    /// Number of chunks.
    pub chunks: u64,
    /// The bytes of a tensor that is kept losslessly; `None` for one that takes its share.
    pub kept_bytes: Option<u64>,
}

/// A bits-per-value target for several tensors in one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    bits: f64,
    /// All bytes that may be used.
    total: f64,
    /// Bytes written for tensors that are none of the budget's business.
    outside: f64,
    /// Of the items to come: values that share, bytes that are kept, chunks.
    waiting: (f64, f64, f64),
}

#[expect(clippy::cast_precision_loss, reason = "shares of bytes")]
impl Budget {
    /// A budget of `bits` per value for these tensors together.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when what is kept losslessly leaves the others less than a twentieth of a bit per value.
    pub fn new(bits: f64, items: &[BudgetItem]) -> Result<Self> {
        let values: f64 = items.iter().map(|item| item.values as f64).sum();
        let mut budget = Self { bits, total: values * bits / 8.0, outside: 0.0, waiting: (0.0, 0.0, 0.0) };
        for item in items {
            budget.count(item, 1.0);
        }
        let share = budget.share(FILE_BYTES);
        if budget.waiting.0 > 0.0 && share < 0.05 {
            let kept = budget.waiting.1;
            return Err(Error::unsupported(format!(
                "{bits} bits per value allow {:.0} bytes, but small tensors kept losslessly take {kept:.0} and the \
                 container about {:.0}: ask for more bits, or give targets by rule",
                budget.total,
                FILE_BYTES + ROW_BYTES * budget.waiting.2
            ))
            .into());
        }
        Ok(budget)
    }

    fn count(&mut self, item: &BudgetItem, sign: f64) {
        match item.kept_bytes {
            Some(bytes) => self.waiting.1 += sign * bytes as f64,
            None => self.waiting.0 += sign * item.values as f64,
        }
        self.waiting.2 += sign * item.chunks as f64;
    }

    /// Bits per value for those that share, when `written` bytes are gone.
    fn share(&self, written: f64) -> f64 {
        let left = self.total + self.outside - written - self.waiting.1 - ROW_BYTES * self.waiting.2;
        left * (1.0 - FRAMING) * 8.0 / self.waiting.0.max(1.0)
    }

    /// The bits per value that the next tensor is to take, when the file would be `written` bytes long without it.
    ///
    /// Never more than the budget's own: bits that constant tensors leave over make the file smaller.
    pub fn bits_for_next(&self, written: u64) -> f64 {
        self.share((written as f64).max(FILE_BYTES)).clamp(0.01, self.bits)
    }

    /// Tells that an item was written.
    pub fn done(&mut self, item: &BudgetItem) {
        self.count(item, -1.0);
    }

    /// Tells that `bytes` of the file belong to a tensor with a target of its own.
    pub fn written_outside(&mut self, bytes: u64) {
        self.outside += bytes as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(values: u64, kept_bytes: Option<u64>) -> BudgetItem {
        BudgetItem { values, chunks: values.div_ceil(1 << 18), kept_bytes }
    }

    #[test]
    fn what_is_kept_and_the_container_come_out_of_the_share_of_the_others() {
        let items = [item(10_000_000, None), item(50_000, Some(200_000)), item(10_000_000, None)];
        let mut budget = Budget::new(3.0, &items).unwrap();
        let mut written = 4000;
        for item in &items {
            let bits = budget.bits_for_next(written);
            assert!(bits < 3.0 && bits > 2.9, "{bits}");
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few megabytes")]
            let shared = (item.values as f64 * bits / 8.0) as u64;
            written += item.kept_bytes.unwrap_or(shared) + 230 * item.chunks;
            budget.done(item);
        }
        let bits = written as f64 * 8.0 / 20_050_000.0;
        assert!((bits - 3.0).abs() < 0.006, "{bits}");
    }

    #[test]
    fn an_overrun_is_taken_from_those_that_follow_and_tensors_outside_do_not_count() {
        let items = [item(1_000_000, None), item(1_000_000, None)];
        let mut budget = Budget::new(4.0, &items).unwrap();
        let first = budget.bits_for_next(4000);
        budget.done(&items[0]);
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
}
