//! What a model takes on several devices, from its configuration: no weights are read.

mod config;
mod devices;
mod placement;

pub(crate) use config::ModelConfig;
pub(crate) use devices::parse_devices;
pub(crate) use placement::{Demand, Device, Rates, Workspace, fits, most_context, place};
