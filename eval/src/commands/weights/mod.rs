//! Weights: what every codec and quantiser leaves of the model at 2 to 5 bits.

use telecine::{Allocation, Codec, CodecId, Effort, Role};

use crate::Result;
use crate::args::TableArgs;
use crate::pack::Packing;
use crate::rows::Rows;
use crate::setup::Setup;

mod feedback;
mod rivals;

/// Bits per value of the table.
const BITS: [f64; 7] = [2.0, 2.5, 2.88, 3.0, 3.5, 4.0, 5.0];

pub(super) fn run(args: &TableArgs) -> Result<()> {
    let windows = args.common.windows()?;
    let mut rows = Rows::open("weights", &windows, args.common.json.as_deref(), args.only.as_deref())?;
    let mut setup = Setup::open(&args.common.cache, &windows)?;
    telecine_rows(&mut setup, &mut rows)?;
    feedback::rows(&mut setup, &mut rows)?;
    rivals::rows(&mut setup, &mut rows)
}

/// Telecine's codecs, each through a file.
fn telecine_rows(setup: &mut Setup, rows: &mut Rows) -> Result<()> {
    let codec = Codec::new();
    let mut series: Vec<(String, CodecId, Effort)> = [Effort::Balanced, Effort::Best, Effort::Fast]
        .into_iter()
        .map(|effort| (format!("native {}", name(effort)), CodecId::NATIVE, effort))
        .collect();
    for id in ["zstd", "av01", "hvc1"] {
        let id = CodecId::parse(id)?;
        if codec.registry().find(id, Role::Encode, telecine::Pick::Auto).is_ok() {
            series.push((id.to_string(), id, Effort::Balanced));
        }
    }
    for (series, id, effort) in series {
        for bits in BITS {
            rows.measure(&series, &format!("{bits} bits"), &mut || {
                let mut packing = Packing::new(&codec, bits);
                (packing.id, packing.effort, packing.allocation) = (id, effort, Allocation::Auto);
                let (projections, coded) = setup.through_a_file(&packing)?;
                let model = setup.with_projections(&projections)?;
                Ok((coded, setup.quality(&model)?))
            })?;
        }
    }
    Ok(())
}

fn name(effort: Effort) -> &'static str {
    match effort {
        Effort::Fast => "fast",
        Effort::Best => "best",
        _ => "balanced",
    }
}
