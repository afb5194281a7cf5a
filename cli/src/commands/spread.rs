//! How `pack --bits` spreads a model's bits over its tensors.

use rayon::prelude::*;
use telecine::{Allocation, BudgetItem, Codec, MatrixShape, Share};

use super::pack::Plan;
use crate::args::PackArgs;
use crate::failure::Result;
use crate::input::{Model, Sensitivities};
use crate::screen;

/// How the model's bits are spread.
pub(super) struct Spread<'s> {
    pub(super) allocation: Allocation,
    pub(super) sensitivities: Option<&'s Sensitivities>,
    pub(super) bits: f64,
}

/// As told; `auto`, which takes sensitivities, otherwise.
pub(super) fn allocation(args: &PackArgs) -> Allocation {
    args.allocate.map(Into::into).unwrap_or_default()
}

/// What the budget has to know; kept tensors are encoded once to learn their size, and samples of the others where the
/// spread asks for their rates.
pub(super) fn items(model: &Model, plans: &[Plan], spread: &Spread<'_>) -> Result<Vec<BudgetItem>> {
    let codec = Codec::new();
    let pairs: Vec<_> = model.entries().iter().zip(plans).filter(|(_, plan)| !plan.ruled).collect();
    let sensitivity = |name: &str| spread.sensitivities.map(|by_name| by_name.of(name));
    let sharing = pairs.iter().map(|(entry, plan)| {
        let values = if plan.shares { entry.values() } else { 0 };
        (values, sensitivity(&entry.name))
    });
    let levels = spread.allocation.levels(&sharing.collect::<Vec<_>>());
    let items = pairs.into_par_iter().zip(levels).map(|((entry, plan), level)| {
        screen::check_stop()?;
        let chunks = MatrixShape::of(&entry.shape).chunks(plan.encoding.chunk_values).len().max(1);
        let mut item = BudgetItem { values: entry.values(), chunks, kept_bytes: None, share: Share::EVEN };
        if !plan.shares {
            let data = model.data(entry)?;
            item.kept_bytes = Some(codec.encode(&data.tensor(entry)?, &plan.encoding)?.report.bytes);
        } else if spread.allocation != Allocation::Even {
            let data = model.data(entry)?;
            let (tensor, bits) = (data.tensor(entry)?, spread.bits);
            item.share = spread.allocation.share(&codec, &tensor, &plan.encoding, bits, level)?;
        }
        Ok(item)
    });
    items.collect()
}
