//! The projections of the reference model through a Telecine file and back.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use telecine::{
    Allocation, Budget, BudgetItem, Codec, CodecId, Effort, Encoding, Framing, Importance, Limits,
    MatrixShape, Reader, Registry, Takes, Target, TensorBuf, TensorMeta, Writer,
};

use crate::candle::{from_candle, to_candle};
use crate::model::{Llama, weight_name};
use crate::rows::Coded;
use crate::setup::{Setup, seconds};
use crate::{Error, Result};

/// Bytes of a row's transform and target, about.
const ROW_TEXTS: u64 = 17;

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
    /// # Errors
    /// What writing and reading bring.
    pub fn through_a_file(&self, packing: &Packing<'_>) -> Result<(Projections, Coded)> {
        let start = Instant::now();
        let path = self.folder.join(format!("weights-{}.arrow", std::process::id()));
        let names = self.projections();
        let written = self.write(packing, &path, &names);
        let read = written.and_then(|bytes| Ok((read(packing.codec.registry(), &path, &names)?, bytes)));
        std::fs::remove_file(&path).ok();
        let (projections, bytes) = read?;
        let values: usize = projections.values().map(Tensor::elem_count).sum();
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let bits = bytes as f64 * 8.0 / values as f64;
        let nmse = self.projections_nmse(&projections)?;
        Ok((projections, Coded { bits, nmse, seconds: seconds(start), note: String::new() }))
    }

    fn write(&self, packing: &Packing<'_>, path: &Path, names: &[String]) -> Result<u64> {
        let Packing { codec, bits, allocation, .. } = *packing;
        let encodings: Vec<Encoding> = names.iter().map(|name| packing.encoding(name)).collect();
        let tensors =
            names.iter().map(|name| from_candle(&self.weights[name])).collect::<Result<Vec<TensorBuf>>>()?;
        let values = tensors.iter().map(|tensor| tensor.shape.iter().product::<u64>());
        let demands: Vec<(u64, Option<f64>)> =
            values.zip(names).map(|(values, name)| (values, (packing.sensitivity)(name))).collect();
        let levels = allocation.levels(&demands);
        let items = tensors.par_iter().zip(&encodings).zip(levels).enumerate().map(
            |(index, ((tensor, encoding), level))| -> Result<BudgetItem> {
                let chunks = MatrixShape::of(&tensor.shape).chunks(encoding.chunk_values).len();
                let mut share = allocation.share(codec, &tensor.view()?, encoding, bits, level)?;
                share.bits += (packing.offset)(&names[index]);
                let meta = TensorMeta {
                    name: names[index].clone(),
                    dtype: tensor.dtype,
                    shape: tensor.shape.clone(),
                };
                Ok(BudgetItem {
                    values: demands[index].0,
                    framing_bytes: chunks * Framing::row(&meta, ROW_TEXTS),
                    takes: Takes::Share { lossless: None },
                    share,
                })
            },
        );
        let items: Vec<BudgetItem> = items.collect::<Result<_>>()?;
        let mut budget = Budget::new(Target::Bits(bits), &items)?;
        let mut writer = Writer::create(path, true, codec.registry())?;
        for ((name, tensor), mut encoding) in names.iter().zip(&tensors).zip(encodings) {
            encoding.target = budget.target_for_next(writer.bytes_so_far());
            let report = writer.add(name, &tensor.view()?, &encoding)?;
            budget.done(report.bytes);
        }
        Ok(writer.finish()?)
    }
}

/// How the projections are packed.
#[derive(Clone, Copy)]
pub struct Packing<'p> {
    /// Codes them.
    pub codec: &'p Codec,
    /// Bits per value of the file.
    pub bits: f64,
    /// The bitstream.
    pub id: CodecId,
    /// How long it searches.
    pub effort: Effort,
    /// How bits are spread.
    pub allocation: Allocation,
    /// What an error in each projection costs.
    pub sensitivity: &'p (dyn Fn(&str) -> Option<f64> + Sync),
    /// Bits that each projection gets on top.
    pub offset: &'p (dyn Fn(&str) -> f64 + Sync),
    /// How much each column of a projection counts.
    pub importance: &'p (dyn Fn(&str) -> Option<Arc<Importance>> + Sync),
}

impl<'p> Packing<'p> {
    /// `native`, with nothing known of the tensors.
    pub fn new(codec: &'p Codec, bits: f64) -> Self {
        Self {
            codec,
            bits,
            id: CodecId::NATIVE,
            effort: Effort::Balanced,
            allocation: Allocation::default(),
            sensitivity: &|_| None,
            offset: &|_| 0.0,
            importance: &|_| None,
        }
    }

    fn encoding(&self, name: &str) -> Encoding {
        let mut encoding = Encoding::new(Target::Bits(self.bits));
        (encoding.codec, encoding.effort) = (Some(self.id), self.effort);
        encoding.importance = (self.importance)(name);
        encoding
    }
}

fn read(registry: &Registry, path: &Path, names: &[String]) -> Result<Projections> {
    let reader = Reader::open(path, registry, &Limits::default())?;
    names.iter().map(|name| Ok((name.clone(), to_candle(&reader.read(name)?, &Device::Cpu)?))).collect()
}
