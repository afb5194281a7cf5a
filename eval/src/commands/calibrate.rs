//! Sensitivities and importances as files.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use telecine::Importance;

use super::allocation::CALIBRATION;
use crate::Result;
use crate::args::Common;
use crate::calibrate::Basis;
use crate::setup::Setup;

pub(super) fn run(common: &Common) -> Result<()> {
    let setup = Setup::open(&common.cache, &common.windows()?)?;
    for basis in [Basis::OwnText, Basis::Text] {
        setup.kept_sensitivities(basis)?;
    }
    let write = |name: &str, importances: HashMap<String, Arc<Importance>>| -> Result<()> {
        let vector = |importance: &Importance| Tensor::new(importance.weights(), &Device::Cpu);
        let vectors = importances.iter().map(|(name, importance)| Ok((name.clone(), vector(importance)?)));
        let vectors = vectors.collect::<Result<HashMap<_, _>>>()?;
        Ok(candle_core::safetensors::save(&vectors, setup.folder.join(name))?)
    };
    write("importance-weights.safetensors", setup.importances_of_weights()?)?;
    write("importance-own.safetensors", setup.importances_of_text(&setup.kept_own_text()?)?)?;
    write("importance-text.safetensors", setup.importances_of_text(setup.calibration_text(CALIBRATION)?)?)?;
    println!(
        "{}: sensitivity-{{own,text}}.json, importance-{{weights,own,text}}.safetensors",
        setup.folder.display()
    );
    Ok(())
}
