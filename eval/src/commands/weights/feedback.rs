//! `native` behind GPTQ's feedback, with the calibration that GPTQ gets, and with none but the model's own text.

use std::collections::HashMap;
use std::time::Instant;

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use telecine::{Codec, Effort};

use super::BITS;
use super::rivals::feedbacks;
use crate::calibrate::Basis;
use crate::commands::allocation::CALIBRATION;
use crate::feedback::Plan;
use crate::pack::Projections;
use crate::rivals::Matrix;
use crate::rows::{Coded, Rows};
use crate::setup::{Setup, seconds};
use crate::{Error, Result};

/// The rate is searched for on every so many-th layer before all are coded.
const SAMPLE: usize = 5;
/// How far below the wanted bits a row may be.
const CLOSE: f64 = 0.01;
/// Searches on all layers.
const PASSES: usize = 4;

pub(super) fn rows(setup: &mut Setup, rows: &mut Rows) -> Result<()> {
    let codec = Codec::new();
    for (calibration, series) in [
        (Basis::Text, "native balanced + feedback, text"),
        (Basis::OwnText, "native balanced + feedback, own text"),
    ] {
        let mut plans = None;
        for bits in BITS {
            let setting = format!("{bits} bits");
            if !rows.wants(series, &setting) {
                continue;
            }
            if plans.is_none() {
                plans = Some(Plans::new(setup, calibration)?);
            }
            let plans = plans.as_ref().ok_or_else(|| Error::call("no plans"))?;
            rows.measure(series, &setting, &mut || {
                let start = Instant::now();
                let (projections, bits) = plans.through(&codec, Effort::Balanced, bits)?;
                let nmse = setup.projections_nmse(&projections)?;
                let note = "blocks of columns, not a file".to_owned();
                let coded = Coded { bits, nmse, seconds: seconds(start), note };
                let model = setup.with_projections(&projections)?;
                Ok((coded, setup.quality(&model)?))
            })?;
        }
    }
    Ok(())
}

/// How every projection is coded.
struct Plans {
    each: Vec<Planned>,
}

/// One of them.
struct Planned {
    name: String,
    weight: Tensor,
    plan: Plan,
    layer: usize,
}

impl Plans {
    /// From statistics of a text, and sensitivities that are measured on the model's own.
    fn new(setup: &Setup, calibration: Basis) -> Result<Self> {
        let inputs = match calibration {
            Basis::Text => setup.calibrate(setup.calibration_text(CALIBRATION)?)?,
            Basis::OwnText => setup.calibrate(&setup.kept_own_windows(CALIBRATION)?)?,
        };
        let sensitivities = setup.kept_sensitivities(Basis::OwnText)?;
        let feedback = feedbacks(setup, &inputs)?;
        let per_layer = setup.config.projections().len();
        let each = setup.projections().into_iter().enumerate().map(|(index, name)| {
            let weight = setup.weights[&name].clone();
            let cols = weight.dim(1)?;
            let energy = f64::from(weight.sqr()?.sum_all()?.to_scalar::<f32>()?);
            let trace: f64 = inputs[&name].squares()?.into_iter().map(f64::from).sum();
            let cost = sensitivities.get(&name).copied();
            let cost = cost.ok_or_else(|| Error::input(format!("no sensitivity of {name}")))?;
            // White noise of nmse ε costs `cost · ε` and is an output error of `ε · energy · trace / cols`.
            #[expect(clippy::cast_precision_loss, reason = "a number of columns")]
            let tolerance = energy * trace / (cost.max(1e-6) * cols as f64);
            let plan = Plan::new(&feedback[&name], tolerance)?;
            Ok(Planned { name, weight, plan, layer: index / per_layer })
        });
        Ok(Self { each: each.collect::<Result<_>>()? })
    }

    /// Codes all projections at no more than so many bits per value.
    fn through(&self, codec: &Codec, effort: Effort, bits: f64) -> Result<(Projections, f64)> {
        // Bits fall by half of one where the level doubles.
        let correct = |level: f64, found: f64| level * 4f64.powf(found - (bits - CLOSE / 2.0));
        let mut level = 1e-9;
        for _ in 0..PASSES {
            level = correct(level, self.pass(codec, effort, level, SAMPLE)?.1);
        }
        for _ in 0..PASSES {
            let (projections, found) = self.pass(codec, effort, level, 1)?;
            if found <= bits && found >= bits - CLOSE {
                return Ok((projections, found));
            }
            level = correct(level, found);
        }
        Err(Error::call(format!("no level comes within {CLOSE} of {bits} bits")))
    }

    /// Codes the projections of every so many-th layer.
    fn pass(&self, codec: &Codec, effort: Effort, level: f64, every: usize) -> Result<(Projections, f64)> {
        let each = self.each.par_iter().filter(|planned| planned.layer % every == 0);
        let coded = each.map(|Planned { name, weight, plan, .. }| -> Result<(String, Tensor, u64)> {
            let (rows, cols) = weight.dims2()?;
            let values: Vec<f32> = weight.flatten_all()?.to_vec1()?;
            let coded = plan.code(codec, effort, &Matrix { rows, cols, values: &values }, level)?;
            Ok((name.clone(), Tensor::from_vec(coded.values, (rows, cols), &Device::Cpu)?, coded.bits))
        });
        let coded: Vec<_> = coded.collect::<Result<_>>()?;
        let bits: u64 = coded.iter().map(|(.., bits)| bits).sum();
        let values: usize = coded.iter().map(|(_, values, _)| values.elem_count()).sum();
        let projections: HashMap<_, _> = coded.into_iter().map(|(name, values, _)| (name, values)).collect();
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        Ok((projections, bits as f64 / values as f64))
    }
}
