//! How `pack --bits` and `--bytes` are spread over a model's tensors.

use rayon::prelude::*;
use telecine::{
    Allocation, BudgetItem, Codec, Encoding, Error, Framing, MatrixShape, Share, Takes, Target, Tensor,
    TensorMeta, next_best, release,
};

use super::pack::{Kind, Plan};
use crate::args::PackArgs;
use crate::failure::{Failure, Result};
use crate::input::{Entry, Model, Sensitivities};
use crate::screen;

/// How the model's bits are spread.
pub(super) struct Spread<'s> {
    pub(super) allocation: Allocation,
    pub(super) sensitivities: Option<&'s Sensitivities>,
    pub(super) target: Target,
    /// Refuses what cannot be coded as asked.
    pub(super) strict: bool,
}

/// Bytes of a row's transform and target, about, and of those of a lossless one.
const TEXTS: u64 = 17;
const LOSSLESS_TEXTS: u64 = 12;

/// As told; `auto`, which takes sensitivities, otherwise.
pub(super) fn allocation(args: &PackArgs) -> Allocation {
    args.allocate.map(Into::into).unwrap_or_default()
}

impl Spread<'_> {
    /// Whether the budget counts a tensor: a target in bits leaves out those that have targets of their own, a size of the
    /// file does not.
    pub(super) fn counts(&self, plan: &Plan) -> bool {
        plan.kind != Kind::Ruled || matches!(self.target, Target::Bytes(_))
    }

    /// What the budget has to know; `base` becomes the encoding of small tensors that it cannot keep losslessly.
    ///
    /// Tensors that take no share are encoded once to learn their size, and samples of the others where the spread asks
    /// for their rates.
    pub(super) fn items(
        &self,
        model: &Model,
        plans: &mut [Plan],
        base: impl Fn(&Entry) -> Result<Encoding>,
    ) -> Result<Vec<BudgetItem>> {
        let codec = Codec::new();
        let mut pairs: Vec<(&Entry, &mut Plan)> =
            model.entries().iter().zip(plans).filter(|(_, plan)| self.counts(plan)).collect();
        let items = pairs.par_iter().map(|(entry, plan)| {
            screen::check_stop()?;
            self.item(&codec, model, entry, plan)
        });
        let mut items = items.collect::<Result<Vec<_>>>()?;
        let even = release(self.target, &mut items)?;
        for ((entry, plan), item) in pairs.iter_mut().zip(&items) {
            if item.shares() && plan.kind == Kind::Kept {
                (plan.encoding, plan.kind) = (base(entry)?, Kind::Shares);
            }
        }

        let sharing = pairs.iter().zip(&items).map(|((entry, _), item)| {
            let values = if item.shares() { entry.values() } else { 0 };
            (values, self.sensitivities.map(|by_name| by_name.of(&entry.name)))
        });
        let levels = self.allocation.levels(&sharing.collect::<Vec<_>>());
        let shares = pairs.par_iter().zip(&items).zip(levels).map(|(((entry, plan), item), level)| {
            screen::check_stop()?;
            if !item.shares() || self.allocation == Allocation::Even {
                return Ok(Share::EVEN);
            }
            let data = model.data(entry)?;
            match self.allocation.share(&codec, &data.tensor(entry)?, &plan.encoding, even, level) {
                // One that cannot be measured is like the others until it is coded.
                Err(Error::Core(_)) => Ok(Share { bits: even, slope: 1.0 }),
                share => Ok(share?),
            }
        });
        let shares = shares.collect::<Result<Vec<_>>>()?;
        for (item, share) in items.iter_mut().zip(shares) {
            item.share = share;
        }
        Ok(items)
    }

    fn item(&self, codec: &Codec, model: &Model, entry: &Entry, plan: &Plan) -> Result<BudgetItem> {
        let takes = match plan.kind {
            Kind::Shares => Takes::Share { lossless: None },
            kind => {
                let data = model.data(entry)?;
                let bytes = self
                    .measure(codec, &data.tensor(entry)?, &plan.encoding)
                    .map_err(|failure| failure.about(format!("tensor {:?}", entry.name)))?;
                let vector = entry.shape.iter().filter(|length| **length > 1).count() < 2;
                if kind == Kind::Kept { Takes::Kept { bytes, vector } } else { Takes::Fixed(bytes) }
            }
        };
        let chunks = MatrixShape::of(&entry.shape).chunks(plan.encoding.chunk_values).len().max(1);
        let meta = TensorMeta::new(entry.name.clone(), entry.dtype, entry.shape.clone());
        let texts = if plan.encoding.target == Target::Lossless { LOSSLESS_TEXTS } else { TEXTS };
        let framing_bytes = chunks * Framing::row(&meta, texts);
        Ok(BudgetItem { values: entry.values(), framing_bytes, takes, share: Share::EVEN })
    }

    /// The bytes that a tensor takes, coded as it will be.
    fn measure(&self, codec: &Codec, tensor: &Tensor<'_>, encoding: &Encoding) -> Result<u64> {
        let mut encoding = encoding.clone();
        for attempt in 0.. {
            let error = match codec.encode(tensor, &encoding) {
                Ok(encoded) => return Ok(encoded.report.bytes),
                Err(Error::Core(error)) => error,
                Err(error) => return Err(error.into()),
            };
            match next_best(&encoding, &error, attempt) {
                Some(next) if !self.strict => encoding = next,
                _ => return Err(error.into()),
            }
        }
        Err(Failure::other("no encoding"))
    }
}
