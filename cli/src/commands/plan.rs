//! `telecine plan`: whether a model fits on the caller's devices.

use serde::Serialize;
use telecine::Target;

use crate::args::PlanArgs;
use crate::failure::{Failure, Result};
use crate::plan::{Demand, Device, ModelConfig, Rates, fits, most_context, parse_devices, place};
use crate::screen::{self, Table};

#[derive(Serialize)]
struct Plan<'p> {
    demand: Demand,
    devices: &'p [Device],
    fits: bool,
    /// Tokens of context that fit at these rates, up to the model's own; 0 where none do.
    most_context: u64,
}

pub(crate) fn run(args: &PlanArgs) -> Result<()> {
    let capacities =
        parse_devices(&args.devices).map_err(|reason| Failure::usage(format!("--devices: {reason}")))?;
    let rates =
        Rates { weights: args.weights, embedding: args.embedding.unwrap_or(args.weights), kv: args.kv };
    for bits in [rates.weights, rates.embedding, rates.kv] {
        Target::Bits(bits).check()?;
    }
    let config = ModelConfig::read(&args.model)?;
    let context = args.context.unwrap_or(config.most_tokens());
    if context > config.most_tokens() {
        return Err(Failure::usage(format!(
            "--context {context}: {} takes {} tokens at most (max_position_embeddings)",
            args.model.display(),
            config.most_tokens()
        )));
    }
    let demand = Demand {
        rates,
        context,
        batch: args.batch.into(),
        step: args.step.into(),
        workspace: args.decode,
        workers: args.workers.into(),
    };
    let too_large = |reason| Failure { status: 5, message: format!("{}: {reason}", args.model.display()) };
    demand.check(&config).map_err(too_large)?;
    let devices = place(&config, &demand, &capacities);
    let fits = fits(&devices);
    let most = if fits && context == config.most_tokens() {
        context
    } else {
        most_context(&config, &demand, &capacities)
    };
    let plan = Plan { demand, devices: &devices, fits, most_context: most };
    if args.json {
        screen::print_json(&plan)?;
    } else {
        screen::print(&text(&plan))?;
    }
    if fits {
        return Ok(());
    }
    let instead = match most {
        0 => "no context does: fewer bits, or more memory".to_owned(),
        most => format!("{most} tokens would"),
    };
    Err(Failure { status: 5, message: format!("{context} tokens do not fit; {instead}") })
}

fn text(plan: &Plan<'_>) -> String {
    let columns =
        ["device", "layers", "weights", "KV cache", "activations", "workspace", "needs", "has", "left"];
    let mut table = Table::new(&columns);
    #[expect(clippy::cast_precision_loss, reason = "sizes for people")]
    let gib = |bytes: u64| format!("{:.3}", bytes as f64 / f64::from(1 << 30));
    let mut sums = [0; 6];
    for (index, device) in plan.devices.iter().enumerate() {
        let layers = match device.layers {
            0 => "none".to_owned(),
            layers => format!("{}–{}", device.first_layer, device.first_layer + layers - 1),
        };
        let sizes = device.sizes();
        let [.., needs, has] = sizes;
        let left = if needs <= has { gib(has - needs) } else { format!("−{}", gib(needs - has)) };
        table.row([index.to_string(), layers].into_iter().chain(sizes.map(gib)).chain([left]).collect());
        sums.iter_mut().zip(sizes).for_each(|(sum, size)| *sum += size);
    }
    table.row(["all".to_owned(), String::new()].into_iter().chain(sums.map(gib)).collect());
    let mut text = format!("GiB of each device\n\n{}", table.text());
    if plan.fits && plan.most_context > plan.demand.context {
        text += &format!("\nUp to {} tokens fit.\n", plan.most_context);
    }
    text
}
