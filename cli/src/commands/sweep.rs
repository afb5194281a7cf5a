//! `telecine sweep`: rate–distortion curves of the codecs on the caller's tensors.

use std::time::Instant;

use telecine::{Codec, CodecId, CoreError, Encoding, Error, Limits, Pick, Role, Target, Tensor};

use crate::args::{SweepArgs, use_jobs};
use crate::failure::{Failure, Result};
use crate::input::{Entry, Model, kind};
use crate::output::{AtomicFile, check_free};
use crate::report::{self, Curve, Point, SweepData, TensorCurve};
use crate::screen;
use crate::select::chosen;

pub(crate) fn run(args: &SweepArgs) -> Result<()> {
    for path in std::iter::once(&args.output).chain(&args.json) {
        check_free(path, args.force)?;
    }
    use_jobs(args.jobs)?;
    for &bits in &args.bits {
        Target::Bits(bits).check()?;
    }
    let codec = Codec::new();
    let codecs = codecs(&codec, &args.codecs)?;
    let model = Model::open(&args.inputs, &Limits::default())?;
    for path in std::iter::once(&args.output).chain(&args.json) {
        model.check_not_read(path)?;
    }
    let wanted = select(&model, args)?;
    screen::stop_on_interrupt();
    let steps =
        wanted.iter().map(|entry| entry.values()).sum::<u64>() * (codecs.len() * args.bits.len()) as u64;
    let bar = screen::progress(steps);
    let mut tensors = Vec::with_capacity(wanted.len());
    for entry in wanted {
        let data = model.data(entry)?;
        let tensor = data.tensor(entry)?;
        let mut curves = Vec::new();
        for (id, backend) in &codecs {
            bar.set_message(screen::name(&format!("{} {id}", entry.name)));
            let mut points = Vec::new();
            for &bits in &args.bits {
                screen::check_stop().map_err(|error| screen::or_stopped(error.into()))?;
                let mut encoding = Encoding::new(Target::Bits(bits));
                (encoding.codec, encoding.effort) = (Some(*id), args.effort.into());
                let point = measure(&codec, &tensor, bits, &encoding);
                points.extend(
                    point.map_err(|failure| failure.about(format!("tensor {:?}, {id}", entry.name)))?,
                );
                bar.inc(entry.values());
            }
            curves.push(Curve { codec: id.to_string(), backend: backend.clone(), points });
        }
        tensors.push(describe(entry, &tensor, curves));
    }
    bar.finish_and_clear();
    let names: Vec<String> = args.inputs.iter().map(|path| path.display().to_string()).collect();
    let command = screen::command_line();
    let title = "Rate and distortion of tensor codecs".to_owned();
    let data = SweepData { title, source: names.join(", "), command, tensors };
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&data).map_err(|error| Failure::other(error.to_string()))?;
        let mut file = AtomicFile::create(path, args.force)?;
        file.write(&json)?;
        file.finish()?;
    }
    let mut file = AtomicFile::create(&args.output, args.force)?;
    file.write(report::render(&data).as_bytes())?;
    file.finish()?;
    let output = args.output.display();
    screen::say(&format!("{} tensors, {} codecs: {output}", data.tensors.len(), codecs.len()));
    Ok(())
}

/// Codec ids with the backend that serves each: those asked for, or all but `raw0`.
fn codecs(codec: &Codec, asked: &[String]) -> Result<Vec<(CodecId, String)>> {
    let serve = |id: CodecId| {
        Ok((id, codec.registry().find(id, Role::Encode, Pick::Auto)?.backend.info().name.to_owned()))
    };
    if !asked.is_empty() {
        return asked.iter().map(|id| serve(CodecId::parse(id)?)).collect();
    }
    let mut ids: Vec<CodecId> = Vec::new();
    for listing in codec.registry().list() {
        let encodes = listing.status.is_ok() && listing.info.is_some_and(|info| info.encodes);
        if encodes && listing.codec != CodecId::RAW && !ids.contains(&listing.codec) {
            ids.push(listing.codec);
        }
    }
    ids.into_iter().map(serve).collect()
}

/// The tensors to measure: floating point, not kept for being small, and named as wanted.
fn select<'m>(model: &'m Model, args: &SweepArgs) -> Result<Vec<&'m Entry>> {
    let chosen = chosen("--tensor", args.tensor.as_deref(), &model.names())?;
    let small = Encoding::new(Target::Bits(1.0));
    let fits = |entry: &Entry| entry.dtype.is_float() && !small.keeps_small(&entry.shape);
    let entries = model.entries().iter().zip(chosen);
    let wanted: Vec<_> =
        entries.filter(|(entry, chosen)| *chosen && fits(entry)).map(|pair| pair.0).collect();
    if wanted.is_empty() {
        return Err(Failure::usage("no tensor to measure: small ones and integers are left out".to_owned()));
    }
    Ok(wanted)
}

/// One point; `None` where the codec cannot go so low.
pub(super) fn measure(
    codec: &Codec,
    tensor: &Tensor<'_>,
    bits: f64,
    encoding: &Encoding,
) -> Result<Option<Point>> {
    let start = Instant::now();
    let encoded = match codec.encode(tensor, encoding) {
        Ok(encoded) => encoded,
        Err(Error::Core(CoreError::Unsupported(_) | CoreError::OutOfReach { .. })) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let encode_seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    codec.decode(&encoded)?;
    let decode_seconds = start.elapsed().as_secs_f64();
    let report = encoded.report;
    Ok(Some(Point {
        target_bits: bits,
        bits: report.bits(),
        nmse: report.nmse,
        max_abs_error: report.max_abs_error,
        encode_seconds,
        decode_seconds,
        transform: report.transform,
    }))
}

fn describe(entry: &Entry, tensor: &Tensor<'_>, curves: Vec<Curve>) -> TensorCurve {
    let (mut sum, mut squares, mut count) = (0f64, 0f64, 0f64);
    let block = 1 << 20;
    for start in (0..tensor.len()).step_by(block) {
        let mut values = Vec::new();
        entry.dtype.read_f32(&tensor.read(start..(start + block as u64).min(tensor.len())), &mut values);
        for value in values.into_iter().filter(|v| v.is_finite()).map(f64::from) {
            sum += value;
            squares += value * value;
            count += 1.0;
        }
    }
    let (mean, mean_square) = (sum / count.max(1.0), squares / count.max(1.0));
    TensorCurve {
        name: entry.name.clone(),
        kind: kind(&entry.name),
        dtype: entry.dtype.name().to_owned(),
        shape: entry.shape.clone(),
        values: tensor.len(),
        std: (mean_square - mean * mean).max(0.0).sqrt(),
        mean_square,
        curves,
    }
}
