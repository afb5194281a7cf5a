//! Spreading a target in bits or bytes over the tensors of one file, every byte of it counted.
//!
//! Small tensors are kept losslessly while the others can afford it, and the container has bytes of its own: what remains
//! is shared. Each tensor gets its [share](crate::Share); what one uses more or less than it was given is taken from or given to
//! those that follow. A tensor that cannot be made as small as its share takes the least that it can. Where the file comes
//! out over its target, or far under it because late tensors had no use for their shares, it is written again with what
//! was learned.

mod item;

#[cfg(test)]
mod tests;

use telecine_core::{Error, Target};
use telecine_format::Framing;

pub use item::{BudgetItem, Takes, release};

use crate::Result;
use crate::fallback::raised;
use item::{allowed, fixed_bytes, framing_bytes, sharing_values};

/// The least bits per value that a tensor is given.
const LEAST: f64 = 0.01;
/// The most: what the widest floats take losslessly, about.
const MOST: f64 = 66.0;
/// Bits per value by which late tensors make up for earlier ones, at most; another pass makes up for the rest.
const STEERING: f64 = 0.5;
/// Passes over all tensors, at most.
const PASSES: u32 = 6;
/// A file this much under its target is written again, if that fills half of the gap.
const UNDER: f64 = 0.01;
/// A tensor that uses less than this part of its share has no use for more.
const USED: f64 = 0.97;

/// A target in bits per value or bytes for several tensors in one file, which are written in a fixed order.
#[derive(Debug, Clone)]
pub struct Budget {
    target: Target,
    framing: Framing,
    /// Bytes that the file may have, without those of tensors outside the budget.
    allowed: f64,
    /// Bytes by which this pass aims lower.
    margin: f64,
    /// Bytes written in this pass for tensors that are outside the budget.
    outside: f64,
    tensors: Vec<Tensor>,
    /// The next tensor to be written.
    next: usize,
    pass: u32,
    /// What is common to all shares, at the start of the pass and now.
    start: f64,
    common: f64,
    /// Tensors until it is computed anew.
    fresh: usize,
    /// The largest it may be: at which those that share take what was asked for of all.
    most: f64,
    /// Whether in this pass tensors turned out to need more than their share, or to have no use for it.
    raised: bool,
    lowered: bool,
}

/// A tensor and what was learned of it.
#[derive(Debug, Clone, Copy)]
struct Tensor {
    item: BudgetItem,
    /// The bits per value between which it can be steered.
    floor: f64,
    ceiling: f64,
    /// The target that reaches the floor, once that is known.
    least: Option<Target>,
    /// Failed attempts, in all passes.
    failures: u32,
    /// In this pass: bits given, whether they were out of reach, bytes used.
    given: f64,
    failed: bool,
    used: u64,
}

#[expect(clippy::cast_precision_loss, reason = "shares of bytes")]
impl Budget {
    /// A budget for these tensors, which are then written in this order; `target` is in bits per value of all of them
    /// together, or in bytes of the file.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another kind of target, or a number out of range.
    pub fn new(target: Target, items: &[BudgetItem]) -> Result<Self> {
        target.check()?;
        let allowed = allowed(target, items)?;
        let tensor = |item: &BudgetItem| {
            let lossless = match item.takes {
                Takes::Share { lossless: Some(bytes) } => bytes as f64 * 8.0 / item.values.max(1) as f64,
                _ => MOST,
            };
            Tensor {
                item: *item,
                floor: LEAST,
                ceiling: lossless,
                least: None,
                failures: 0,
                given: 0.0,
                failed: false,
                used: 0,
            }
        };
        let mut budget = Self {
            target,
            framing: Framing::measure()?,
            allowed,
            margin: 0.0,
            outside: 0.0,
            tensors: items.iter().map(tensor).collect(),
            next: 0,
            pass: 0,
            start: 0.0,
            common: 0.0,
            fresh: 0,
            most: 0.0,
            raised: false,
            lowered: false,
        };
        budget.begin();
        Ok(budget)
    }

    /// Begins a pass.
    fn begin(&mut self) {
        (self.next, self.outside, self.fresh) = (0, 0.0, 0);
        (self.raised, self.lowered) = (false, false);
        let values: f64 = self.tensors.iter().map(|tensor| tensor.item.values as f64).sum();
        let sharing = sharing_values(self.tensors.iter().map(|tensor| &tensor.item));
        // Bits that constant tensors and integers leave over make the file smaller.
        self.most = self.level(self.allowed * sharing / values.max(1.0));
        self.start = self.level(self.left(self.framing.file)).min(self.most);
        self.common = self.start;
    }

    /// Bytes for those that are still to share, when the file would have `written` bytes without them.
    fn left(&self, written: u64) -> f64 {
        let waiting = || self.tensors[self.next..].iter().map(|tensor| &tensor.item);
        let batch = if written <= self.framing.file { self.framing.batch() as f64 } else { 0.0 };
        let rows = framing_bytes(waiting());
        let left = self.allowed + self.outside
            - self.margin
            - written as f64
            - batch
            - fixed_bytes(waiting())
            - rows;
        left * (1.0 - self.framing.batch() as f64 / (1 << 20) as f64)
    }

    /// What is common to the shares of tensors still to come that fill `bytes`: one at its least or most leaves the rest
    /// to others.
    fn level(&self, bytes: f64) -> f64 {
        let sharing = || self.tensors[self.next..].iter().filter(|tensor| tensor.item.shares());
        let used = |common: f64| {
            sharing().map(|tensor| tensor.bits(common) * tensor.item.values as f64).sum::<f64>() / 8.0
        };
        let (mut low, mut high) = (-50.0 * MOST, 50.0 * MOST);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if used(middle) < bytes { low = middle } else { high = middle }
        }
        low
    }

    /// The target that the next tensor is to be coded to, when the file would be `written` bytes long without it.
    ///
    /// For one that does not share this is lossless.
    pub fn target_for_next(&mut self, written: u64) -> Target {
        if self.fresh == 0 {
            let level = self.level(self.left(written));
            self.common = level.clamp(self.start - STEERING, self.start + STEERING).min(self.most);
            // With many tensors to come, each moves the level by next to nothing.
            self.fresh = (self.tensors.len() - self.next).div_ceil(64);
        }
        self.fresh -= 1;
        let Some(tensor) = self.tensors.get_mut(self.next).filter(|tensor| tensor.item.shares()) else {
            return Target::Lossless;
        };
        tensor.failed = false;
        tensor.given = tensor.raw(self.common);
        if let Some(least) = tensor.least.filter(|_| tensor.given <= tensor.floor) {
            return least;
        }
        match tensor.item.takes {
            Takes::Share { lossless: Some(bytes) }
                if bytes as f64 * 8.0 <= tensor.given * tensor.item.values as f64 =>
            {
                Target::Lossless
            }
            _ => Target::Bits(rounded(tensor.given)),
        }
    }

    /// Tells that the next tensor's target is out of reach; returns the one to try instead.
    pub fn out_of_reach(&mut self, nearest: Target) -> Target {
        self.raised = true;
        let Some(tensor) = self.tensors.get_mut(self.next) else { return Target::Lossless };
        let values = tensor.item.values.max(1) as f64;
        let mut target = raised(nearest, tensor.failures);
        (tensor.failed, tensor.failures) = (true, tensor.failures + 1);
        let bits = match target {
            Target::Bits(bits) => bits,
            Target::Bytes(bytes) => bytes as f64 * 8.0 / values,
            _ => tensor.floor,
        };
        tensor.floor = bits.max(tensor.floor);
        if let Takes::Share { lossless: Some(bytes) } = tensor.item.takes
            && bytes as f64 * 8.0 <= tensor.floor * values
        {
            (target, tensor.floor) = (Target::Lossless, bytes as f64 * 8.0 / values);
        }
        tensor.ceiling = tensor.ceiling.max(tensor.floor);
        tensor.least = Some(target);
        target
    }

    /// Tells that the next tensor was written, and the bytes of its packets and side information.
    pub fn done(&mut self, bytes: u64) {
        let Some(tensor) = self.tensors.get_mut(self.next) else { return };
        self.next += 1;
        tensor.used = bytes;
        if !tensor.item.shares() {
            return;
        }
        let used = bytes as f64 * 8.0 / tensor.item.values.max(1) as f64;
        if tensor.failed {
            tensor.floor = used;
            tensor.ceiling = tensor.ceiling.max(used);
        } else if tensor.given > tensor.floor && used < USED * tensor.given && used < USED * tensor.ceiling {
            tensor.ceiling = used.max(tensor.floor);
            self.lowered = true;
        }
    }

    /// Tells that `bytes` of the file belong to a tensor that is outside the budget.
    pub fn written_outside(&mut self, bytes: u64) {
        self.outside += bytes as f64;
    }

    /// Begins anew before the end of a pass: a tensor turned out not to reach its target when part of it was written.
    pub fn restart(&mut self) {
        self.pass += 1;
        self.begin();
    }

    /// Ends a pass whose file has `bytes`; true if all tensors are to be written again.
    ///
    /// # Errors
    /// [`Error::OutOfReach`] with the least that was reached, where the file is over its target and no further pass would
    /// change that.
    pub fn next_pass(&mut self, bytes: u64) -> Result<bool> {
        if self.allowed == 0.0 {
            // Every tensor has a target of its own: bits per value are asked of none.
            return Ok(false);
        }
        let target = self.allowed + self.outside;
        let over = bytes as f64 - target;
        self.pass += 1;
        if over > 0.0 {
            let steerable = self.tensors.iter().any(Tensor::was_above_least);
            if self.pass >= PASSES || !steerable {
                return Err(self.refusal(bytes).into());
            }
            if !self.raised {
                self.margin += 1.05 * over + 16.0;
            }
            self.begin();
            return Ok(true);
        }
        if -over > UNDER * target && self.lowered && self.pass == 1 {
            let used: u64 =
                self.tensors.iter().filter(|tensor| tensor.item.shares()).map(|tensor| tensor.used).sum();
            let mut again = self.clone();
            again.begin();
            let hoped = |tensor: &Tensor| tensor.bits(again.start) * tensor.item.values as f64 / 8.0;
            let sharing = again.tensors.iter().filter(|tensor| tensor.item.shares());
            if sharing.map(hoped).sum::<f64>() - used as f64 > -0.5 * over {
                *self = again;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The least that was reached, as an error.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bytes of a file, less some of its own"
    )]
    fn refusal(&self, bytes: u64) -> Error {
        let values: f64 = self.tensors.iter().map(|tensor| tensor.item.values as f64).sum();
        let nearest = match self.target {
            Target::Bits(_) => {
                let bits = (bytes as f64 - self.outside) * 8.0 / values.max(1.0);
                Target::Bits((bits * 1e3).ceil() / 1e3)
            }
            _ => Target::Bytes((bytes as f64 + self.margin.min(0.0)) as u64),
        };
        Error::OutOfReach { wanted: self.target, nearest }
    }

    /// Bytes of the container that the tensors of the budget take.
    pub fn container_bytes(&self) -> u64 {
        let rows: u64 = self.tensors.iter().map(|tensor| tensor.item.framing_bytes).sum();
        self.framing.file + self.framing.batch() + rows
    }
}

impl Tensor {
    /// Its share, whatever it can use of it.
    fn raw(&self, common: f64) -> f64 {
        (self.item.share.bits + self.item.share.slope * common).clamp(LEAST, MOST)
    }

    /// The bits per value that it uses of its share.
    fn bits(&self, common: f64) -> f64 {
        self.raw(common).clamp(self.floor, self.ceiling)
    }

    /// Whether it could have been made smaller in this pass.
    fn was_above_least(&self) -> bool {
        self.item.shares() && self.item.values > 0 && !self.failed && self.given > self.floor.max(LEAST)
    }
}

/// Bits per value with five digits: they are written into each row of the file.
#[expect(clippy::cast_possible_truncation, reason = "a number of digits")]
fn rounded(bits: f64) -> f64 {
    let digits = 10f64.powi(4 - bits.log10().floor().clamp(-8.0, 4.0) as i32);
    (bits * digits).round() / digits
}
