//! Allocation: the same bits spread in several ways.

use telecine::{Allocation, Codec, Effort};

use crate::calibrate::Basis;

use crate::Result;
use crate::args::TableArgs;
use crate::pack::Packing;
use crate::rows::Rows;
use crate::setup::Setup;

/// Bits per value of the table.
const BITS: [f64; 4] = [2.5, 3.0, 4.0, 5.0];
/// Windows of the validation text that importances are taken from.
pub(super) const CALIBRATION: usize = 4;
/// Slopes of the layer-linear spread, in bits from the first layer to the last.
const SLOPES: [f64; 4] = [-1.0, -0.5, 0.5, 1.0];

pub(super) fn run(args: &TableArgs) -> Result<()> {
    let windows = args.common.windows()?;
    let mut rows = Rows::open("allocation", &windows, args.common.json.as_deref(), args.only.as_deref())?;
    let mut setup = Setup::open(&args.common.cache, &windows)?;
    let codec = Codec::new();
    let own = setup.kept_sensitivities(Basis::OwnText)?;
    let text = setup.kept_sensitivities(Basis::Text)?;
    let by_weights = setup.importances_of_weights()?;
    let by_text = setup.importances_of_text(CALIBRATION)?;
    let own = |name: &str| own.get(name).copied().unwrap_or(1.0);
    let text = |name: &str| text.get(name).copied().unwrap_or(1.0);
    let by_weights = |name: &str| by_weights.get(name).cloned();
    let by_text = |name: &str| by_text.get(name).cloned();
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
        for effort in [Effort::Balanced, Effort::Best] {
            let suffix = if effort == Effort::Best { ", best effort" } else { "" };
            let start = |packing: &mut Packing<'_>| {
                (packing.allocation, packing.effort) = (Allocation::Auto, effort);
            };
            put(&format!("sensitivity, own text{suffix}"), &|packing| {
                start(packing);
                packing.sensitivity = &own;
            })?;
            put(&format!("sensitivity, own text + importance by weights{suffix}"), &|packing| {
                start(packing);
                (packing.sensitivity, packing.importance) = (&own, &by_weights);
            })?;
            put(&format!("sensitivity, text{suffix}"), &|packing| {
                start(packing);
                packing.sensitivity = &text;
            })?;
            put(&format!("sensitivity + importance, text{suffix}"), &|packing| {
                start(packing);
                (packing.sensitivity, packing.importance) = (&text, &by_text);
            })?;
        }
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
