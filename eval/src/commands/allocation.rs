//! Allocation: the same bits spread in several ways.

use telecine::{Allocation, Codec, Effort};

use crate::Result;
use crate::args::TableArgs;
use crate::pack::Packing;
use crate::rows::Rows;
use crate::setup::Setup;

/// Bits per value of the table.
const BITS: [f64; 4] = [2.5, 3.0, 4.0, 5.0];
/// Slopes of the layer-linear spread, in bits from the first layer to the last.
const SLOPES: [f64; 4] = [-1.0, -0.5, 0.5, 1.0];

pub(super) fn run(args: &TableArgs) -> Result<()> {
    let windows = args.common.windows()?;
    let mut rows = Rows::open("allocation", &windows, args.common.json.as_deref(), args.only.as_deref())?;
    let mut setup = Setup::open(&args.common.cache, &windows)?;
    let codec = Codec::new();
    let last = setup.config.num_hidden_layers - 1;
    for bits in BITS {
        let mut put = |series: &str, change: &dyn Fn(&mut Packing<'_>)| {
            rows.measure(series, &format!("{bits} bits"), &mut || {
                let mut packing = Packing::new(&codec, bits);
                change(&mut packing);
                let (projections, coded) = setup.through_a_file(&packing)?;
                let model = setup.with_projections(&projections)?;
                Ok((coded, setup.quality(&model)?))
            })
        };
        put("even", &|_| ())?;
        put("equal nmse", &|packing| packing.allocation = Allocation::Nmse)?;
        put("auto", &|packing| packing.allocation = Allocation::Auto)?;
        put("auto, best effort", &|packing| {
            (packing.allocation, packing.effort) = (Allocation::Auto, Effort::Best);
        })?;
        for slope in SLOPES {
            #[expect(clippy::cast_precision_loss, reason = "numbers of layers")]
            let offset = |name: &str| slope * (layer(name) as f64 / last as f64 - 0.5);
            let mut put_linear = || {
                rows.measure(&format!("layer-linear {slope:+}"), &format!("{bits} bits"), &mut || {
                    let mut packing = Packing::new(&codec, bits);
                    packing.offset = &offset;
                    let (projections, coded) = setup.through_a_file(&packing)?;
                    let model = setup.with_projections(&projections)?;
                    Ok((coded, setup.quality(&model)?))
                })
            };
            put_linear()?;
        }
    }
    Ok(())
}

/// The layer of `model.layers.N.…`.
fn layer(name: &str) -> usize {
    name.split('.').nth(2).and_then(|number| number.parse().ok()).unwrap_or(0)
}
