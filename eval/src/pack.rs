//! The projections of the reference model through a Telecine file and back.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use candle_core::{Device, Tensor};
use telecine::{Budget, BudgetItem, Encoding, Limits, MatrixShape, Reader, Registry, Target, Writer};

use crate::candle::{from_candle, to_candle};
use crate::model::{Llama, weight_name};
use crate::rows::Coded;
use crate::setup::{Setup, seconds};
use crate::{Error, Result};

/// Values of the projections by name.
pub type Projections = HashMap<String, Tensor>;

impl Setup {
    /// Names of the projections, layer by layer.
    pub fn projections(&self) -> Vec<String> {
        let parts = self.config.projections();
        (0..self.config.num_hidden_layers)
            .flat_map(|layer| parts.map(|(part, ..)| weight_name(layer, part)))
            .collect()
    }

    /// The reference model with other projections; embedding, head and norms are shared.
    ///
    /// # Errors
    /// [`Error::Call`] where one is missing or of another shape.
    pub fn with_projections(&self, projections: &Projections) -> Result<Llama> {
        let mut model = self.model.clone();
        for (index, layer) in model.layers.iter_mut().enumerate() {
            for (place, (part, rows, cols)) in layer.projections.iter_mut().zip(self.config.projections()) {
                let name = weight_name(index, part);
                let weight = projections.get(&name).filter(|weight| weight.dims() == [rows, cols]);
                let weight = weight.ok_or_else(|| Error::call(format!("no {name} of {rows} × {cols}")))?;
                *place = Arc::new(::candle_nn::Linear::new(weight.clone(), None));
            }
        }
        Ok(model)
    }

    /// Mean squared error of all projections over their mean square.
    ///
    /// # Errors
    /// [`Error::Runtime`].
    pub fn projections_nmse(&self, projections: &Projections) -> Result<f64> {
        let (mut error, mut energy) = (0.0, 0.0);
        for (name, weight) in projections {
            let original = &self.weights[name];
            error += f64::from((weight - original)?.sqr()?.sum_all()?.to_scalar::<f32>()?);
            energy += f64::from(original.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        Ok(error / energy)
    }

    /// Packs the projections into a file as `telecine pack` does, reads them back and counts the file.
    ///
    /// `encoding` is asked for each name; those whose target is a number of bits share `bits` per value of the file.
    ///
    /// # Errors
    /// What writing and reading bring.
    pub fn through_a_file(
        &self,
        registry: &Registry,
        bits: f64,
        encoding: &dyn Fn(&str) -> Encoding,
    ) -> Result<(Projections, Coded)> {
        let start = Instant::now();
        let path = self.folder.join(format!("weights-{}.arrow", std::process::id()));
        let names = self.projections();
        let written = self.write(registry, &path, &names, bits, encoding);
        let read = written.and_then(|bytes| Ok((read(registry, &path, &names)?, bytes)));
        std::fs::remove_file(&path).ok();
        let (projections, bytes) = read?;
        let values: usize = projections.values().map(Tensor::elem_count).sum();
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let bits = bytes as f64 * 8.0 / values as f64;
        let nmse = self.projections_nmse(&projections)?;
        Ok((projections, Coded { bits, nmse, seconds: seconds(start), note: String::new() }))
    }

    fn write(
        &self,
        registry: &Registry,
        path: &Path,
        names: &[String],
        bits: f64,
        encoding: &dyn Fn(&str) -> Encoding,
    ) -> Result<u64> {
        let item = |name: &String| {
            let shape: Vec<u64> = self.weights[name].dims().iter().map(|&size| size as u64).collect();
            let chunks = MatrixShape::of(&shape).chunks(encoding(name).chunk_values).len();
            BudgetItem { values: shape.iter().product(), chunks, kept_bytes: None }
        };
        let items: Vec<BudgetItem> = names.iter().map(item).collect();
        let mut budget = Budget::new(bits, &items)?;
        let mut writer = Writer::create(path, true, registry)?;
        for (name, item) in names.iter().zip(&items) {
            let mut encoding = encoding(name);
            if let Target::Bits(_) = encoding.target {
                encoding.target = Target::Bits(budget.bits_for_next(writer.bytes_so_far()));
            }
            writer.add(name, &from_candle(&self.weights[name])?.view()?, &encoding)?;
            budget.done(item);
        }
        Ok(writer.finish()?)
    }
}

fn read(registry: &Registry, path: &Path, names: &[String]) -> Result<Projections> {
    let reader = Reader::open(path, registry, &Limits::default())?;
    names.iter().map(|name| Ok((name.clone(), to_candle(&reader.read(name)?, &Device::Cpu)?))).collect()
}
