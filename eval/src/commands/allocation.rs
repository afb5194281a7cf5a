//! Allocation: the same bits spread in several ways.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use telecine::{Allocation, Codec, Importance};

use crate::Result;
use crate::args::TableArgs;
use crate::calibrate::Basis;
use crate::pack::Packing;
use crate::rows::Rows;
use crate::setup::Setup;

/// Bits per value of the table.
const BITS: [f64; 4] = [2.5, 3.0, 4.0, 5.0];
/// Windows of the validation text that importances are taken from.
pub(super) const CALIBRATION: usize = 4;
/// Slopes of the layer-linear spread, in bits from the first layer to the last.
const SLOPES: [f64; 4] = [-1.0, -0.5, 0.5, 1.0];
/// The ways that know something of the model.
const INFORMED: [&str; 4] = [
    "sensitivity, own text",
    "sensitivity, own text + importance by weights",
    "sensitivity + importance, own text",
    "sensitivity, own text + importance, text",
];

pub(super) fn run(args: &TableArgs) -> Result<()> {
    let windows = args.common.windows()?;
    let mut rows = Rows::open("allocation", &windows, args.common.json.as_deref(), args.only.as_deref())?;
    let mut setup = Setup::open(&args.common.cache, &windows)?;
    let codec = Codec::new();
    let wanted = BITS.iter().any(|bits| INFORMED.iter().any(|way| rows.wants(way, &setting(*bits))));
    let Known { sensitivities, by_weights, by_own, by_text } =
        if wanted { Known::measure(&setup)? } else { Known::default() };
    let sensitivity = |name: &str| sensitivities.get(name).copied();
    let weights_importance = |name: &str| by_weights.get(name).cloned();
    let own_importance = |name: &str| by_own.get(name).cloned();
    let text_importance = |name: &str| by_text.get(name).cloned();
    let last = setup.config.num_hidden_layers - 1;
    #[expect(clippy::cast_precision_loss, reason = "numbers of layers")]
    let slopes = SLOPES.map(|slope| move |name: &str| slope * (layer(name) as f64 / last as f64 - 0.5));
    for bits in BITS {
        let even = Packing { allocation: Allocation::Even, ..Packing::new(&codec, bits) };
        let auto = Packing { allocation: Allocation::Auto, ..even };
        let mut ways = vec![
            ("even".to_owned(), even),
            ("equal nmse".to_owned(), Packing { allocation: Allocation::Nmse, ..even }),
        ];
        for (slope, offset) in SLOPES.iter().zip(&slopes) {
            ways.push((format!("layer-linear {slope:+}"), Packing { offset, ..even }));
        }
        ways.push(("auto".to_owned(), auto));
        let sensitive = Packing { sensitivity: &sensitivity, ..auto };
        let informed = [
            sensitive,
            Packing { importance: &weights_importance, ..sensitive },
            Packing { importance: &own_importance, ..sensitive },
            Packing { importance: &text_importance, ..sensitive },
        ];
        ways.extend(INFORMED.map(String::from).into_iter().zip(informed));
        for (series, packing) in ways {
            rows.measure(&series, &setting(bits), &mut || {
                let (projections, coded) = setup.through_a_file(&packing)?;
                let model = setup.with_projections(&projections)?;
                Ok((coded, setup.quality(&model)?))
            })?;
        }
    }
    Ok(())
}

/// What the informed ways go by, by the projection's name.
#[derive(Default)]
struct Known {
    sensitivities: BTreeMap<String, f64>,
    by_weights: HashMap<String, Arc<Importance>>,
    by_own: HashMap<String, Arc<Importance>>,
    by_text: HashMap<String, Arc<Importance>>,
}

impl Known {
    fn measure(setup: &Setup) -> Result<Self> {
        Ok(Self {
            sensitivities: setup.kept_sensitivities(Basis::OwnText)?,
            by_weights: setup.importances_of_weights()?,
            by_own: setup.importances_of_text(&setup.kept_own_text()?)?,
            by_text: setup.importances_of_text(setup.calibration_text(CALIBRATION)?)?,
        })
    }
}

fn setting(bits: f64) -> String {
    format!("{bits} bits")
}

/// The layer of `model.layers.N.…`.
fn layer(name: &str) -> usize {
    name.split('.').nth(2).and_then(|number| number.parse().ok()).unwrap_or(0)
}
