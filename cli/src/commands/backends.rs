//! `telecine backends`: what this build has, and whether it works here.

use serde::Serialize;
use telecine::{Listing, Tier, default_registry};

use crate::args::BackendsArgs;
use crate::failure::Result;
use crate::screen::{self, Table};

#[derive(Serialize)]
struct Described {
    name: &'static str,
    codec: String,
    compiled: bool,
    available: bool,
    reason: Option<String>,
    tier: Option<&'static str>,
    encodes: Option<bool>,
    decodes: Option<bool>,
    lossless: Option<bool>,
    lossy: Option<bool>,
    excess: Option<f32>,
    depths: Option<Vec<u8>>,
    width: Option<(u32, u32)>,
    height: Option<(u32, u32)>,
    align: Option<u32>,
    max_frames: Option<u32>,
}

pub(crate) fn run(args: &BackendsArgs) -> Result<()> {
    let registry = default_registry();
    let backends: Vec<Described> = registry.list().into_iter().map(describe).collect();
    if args.json {
        return screen::print_json(&serde_json::json!({ "backends": backends }));
    }
    screen::print(&text(&backends))
}

fn describe(listing: Listing<'_>) -> Described {
    let info = listing.info;
    let capabilities = info.map(|info| &info.capabilities);
    Described {
        name: listing.name,
        codec: listing.codec.to_string(),
        compiled: info.is_some(),
        available: listing.status.is_ok(),
        reason: listing.status.err().map(|error| error.to_string()),
        tier: info.map(|info| match info.tier {
            Tier::Preferred => "preferred",
            Tier::Standard => "standard",
            Tier::Fallback => "fallback",
        }),
        encodes: info.map(|info| info.encodes),
        decodes: info.map(|info| info.decodes),
        lossless: capabilities.map(|c| c.lossless),
        lossy: capabilities.map(|c| c.lossy),
        excess: capabilities.filter(|c| c.lossy).map(|c| c.excess),
        depths: capabilities.map(|c| c.depths.to_vec()),
        width: capabilities.map(|c| (*c.width.start(), *c.width.end())),
        height: capabilities.map(|c| (*c.height.start(), *c.height.end())),
        align: capabilities.map(|c| c.align),
        max_frames: capabilities.map(|c| c.max_frames),
    }
}

fn text(backends: &[Described]) -> String {
    let columns =
        ["<backend", "<codec", "<here", "<encodes", "<decodes", "<lossless", "<lossy", "<depths", "<why not"];
    let mut table = Table::new(&columns);
    let yes = |value: Option<bool>| match value {
        Some(true) => "yes".to_owned(),
        Some(false) => "no".to_owned(),
        None => "?".to_owned(),
    };
    for backend in backends {
        let depths = match backend.depths.as_deref() {
            Some([first, .., last]) => format!("{first}–{last}"),
            Some([only]) => only.to_string(),
            _ => "?".to_owned(),
        };
        table.row(vec![
            backend.name.into(),
            backend.codec.clone(),
            yes(Some(backend.available)),
            yes(backend.encodes),
            yes(backend.decodes),
            yes(backend.lossless),
            yes(backend.lossy),
            depths,
            backend.reason.clone().unwrap_or_default(),
        ]);
    }
    table.text()
}
