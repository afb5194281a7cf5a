//! Other people's quantisers on the same projections.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use candle_core::quantized::GgmlDType;
use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::calibrate::Inputs;
use crate::commands::allocation::CALIBRATION;
use crate::model::weight_name;
use crate::pack::Projections;
use crate::rivals::{
    Feedback, Grid, Matrix, Quantised, Scales, awq, fp8, gptq, k_quants, kmeans, nf4, rtn, trellis,
};
use crate::rows::{Coded, Rows};
use crate::setup::{Setup, seconds};
use crate::source::Weight;
use crate::{Error, Result};

/// Values that share a grid, as GPTQ and AWQ are mostly run.
const GROUP: usize = 128;

/// A quantiser of one matrix after the other.
type Plain = Box<dyn Fn(&Matrix<'_>) -> Result<Quantised>>;

/// A quantiser of all projections.
type Whole<'w> = dyn Fn(&[(String, Weight)], &Setup) -> Result<Vec<(String, Quantised)>> + 'w;

pub(super) fn rows(setup: &mut Setup, rows: &mut Rows) -> Result<()> {
    let mut plain: Vec<(String, String, Plain)> = Vec::new();
    let mut add = |series: &str, setting: &str, code: Plain| {
        plain.push((series.to_owned(), setting.to_owned(), code));
    };
    for bits in 2..=5 {
        let setting = format!("{bits} bits");
        let searched = move |group| Grid { search: true, ..Grid::new(bits, group) };
        add("RTN by row", &setting, Box::new(move |m| rtn(m, &Grid::by_row(bits))));
        add("RTN by row, searched", &setting, Box::new(move |m| rtn(m, &searched(usize::MAX))));
        add("RTN groups of 128", &setting, Box::new(move |m| rtn(m, &Grid::new(bits, GROUP))));
        add("RTN groups of 128, searched", &setting, Box::new(move |m| rtn(m, &searched(GROUP))));
        add("k-means by row", &setting, Box::new(move |m| kmeans(m, bits, None)));
        if bits < 5 {
            add("trellis, fixed rate", &setting, Box::new(move |m| trellis(m, bits)));
        }
    }
    add("NF4 groups of 64", "4 bits", Box::new(|m| nf4(m, Scales::Half)));
    add("NF4 groups of 64, scales in 8 bits", "4 bits", Box::new(|m| nf4(m, Scales::Double)));
    for (setting, dtype) in [
        ("Q2_K", GgmlDType::Q2K),
        ("Q3_K", GgmlDType::Q3K),
        ("Q4_K", GgmlDType::Q4K),
        ("Q5_K", GgmlDType::Q5K),
    ] {
        add("llama.cpp K-quants", setting, Box::new(move |m| k_quants(m, dtype)));
    }
    add("fp8 E4M3", "8 bits", Box::new(fp8));
    for (series, setting, code) in plain {
        measure(setup, rows, &series, &setting, &|weights, _| {
            weights.iter().map(|(name, weight)| Ok((name.clone(), code(&weight.matrix())?))).collect()
        })?;
    }
    calibrated(setup, rows)
}

/// GPTQ and AWQ, on the validation text.
fn calibrated(setup: &mut Setup, rows: &mut Rows) -> Result<()> {
    let inputs: OnceCell<HashMap<String, Arc<Inputs>>> = OnceCell::new();
    let feedback: OnceCell<HashMap<String, Arc<Feedback>>> = OnceCell::new();
    let known = |setup: &Setup| -> Result<&HashMap<String, Arc<Inputs>>> {
        if inputs.get().is_none() {
            let found = setup.calibrate(setup.calibration_text(CALIBRATION)?)?;
            return Ok(inputs.get_or_init(|| found));
        }
        inputs.get().ok_or_else(|| Error::call("no statistics"))
    };
    for bits in 2..=4 {
        let (setting, grid) = (format!("{bits} bits"), Grid { search: true, ..Grid::new(bits, GROUP) });
        measure(setup, rows, "GPTQ groups of 128", &setting, &|weights, setup| {
            let inputs = known(setup)?;
            if feedback.get().is_none() {
                let found = feedbacks(setup, inputs)?;
                feedback.get_or_init(|| found);
            }
            let feedback = feedback.get().ok_or_else(|| Error::call("no feedback"))?;
            let coded = weights
                .iter()
                .map(|(name, weight)| Ok((name.clone(), gptq(&weight.matrix(), &grid, &feedback[name])?)));
            coded.collect()
        })?;
        measure(setup, rows, "AWQ groups of 128", &setting, &|weights, setup| {
            let inputs = known(setup)?;
            let weights: HashMap<&str, &Weight> =
                weights.iter().map(|(name, weight)| (name.as_str(), weight)).collect();
            let mut out = Vec::new();
            for layer in 0..setup.config.num_hidden_layers {
                for parts in SHARING {
                    let names: Vec<String> = parts.iter().map(|part| weight_name(layer, part)).collect();
                    let matrices: Vec<_> = names.iter().map(|name| weights[name.as_str()].matrix()).collect();
                    let inputs = &inputs[&names[0]];
                    let products: Vec<f32> = inputs.products.flatten_all()?.to_vec1()?;
                    out.extend(names.into_iter().zip(awq(&matrices, &grid, &inputs.magnitudes, &products)?));
                }
            }
            Ok(out)
        })?;
    }
    Ok(())
}

/// Projections that share their inputs.
const SHARING: [&[&str]; 4] = [
    &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    &["self_attn.o_proj"],
    &["mlp.gate_proj", "mlp.up_proj"],
    &["mlp.down_proj"],
];

/// How errors are made up for, by the projection's name.
pub(super) fn feedbacks(
    setup: &Setup,
    inputs: &HashMap<String, Arc<Inputs>>,
) -> Result<HashMap<String, Arc<Feedback>>> {
    let layers = 0..setup.config.num_hidden_layers;
    let groups: Vec<_> = layers.flat_map(|layer| SHARING.map(|parts| (layer, parts))).collect();
    let found = groups.par_iter().map(|(layer, parts)| -> Result<Vec<(String, Arc<Feedback>)>> {
        let products = &inputs[&weight_name(*layer, parts[0])].products;
        let feedback = Arc::new(Feedback::new(&products.flatten_all()?.to_vec1::<f32>()?, products.dim(0)?)?);
        Ok(parts.iter().map(|part| (weight_name(*layer, part), feedback.clone())).collect())
    });
    Ok(found.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// Codes all projections and scores the model.
fn measure(setup: &mut Setup, rows: &mut Rows, series: &str, setting: &str, code: &Whole<'_>) -> Result<()> {
    rows.measure(series, setting, &mut || {
        let start = Instant::now();
        let weights = setup.projections().into_iter().map(|name| {
            let (rows, cols) = setup.weights[&name].dims2()?;
            let values = setup.weights[&name].flatten_all()?.to_vec1()?;
            Ok((name, Weight { rows, cols, values }))
        });
        let weights = weights.collect::<Result<Vec<_>>>()?;
        let coded = code(&weights, setup)?;
        let (mut bits, mut values, mut projections) = (0, 0, Projections::new());
        for (name, quantised) in coded {
            bits += quantised.bits;
            values += quantised.values.len();
            let shape = setup.weights[&name].shape();
            projections.insert(name, Tensor::from_vec(quantised.values, shape, &Device::Cpu)?);
        }
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let bits = bits as f64 / values as f64;
        let nmse = setup.projections_nmse(&projections)?;
        let coded = Coded { bits, nmse, seconds: seconds(start), note: String::new() };
        let model = setup.with_projections(&projections)?;
        Ok((coded, setup.quality(&model)?))
    })
}
