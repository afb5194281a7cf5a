//! `telecine ablate`: what each tool of the video codecs is worth on the caller's tensors.

use std::sync::Arc;

use indicatif::ProgressBar;
use rayon::prelude::*;
use telecine::{
    Backend, Chain, Codec, CodecId, Effort, Encoding, Limits, Pick, Role, Target, TransformChoice,
};

use super::sweep::measure;
use crate::ablation::{Ablation, FrontEnd, Measured, Samples, Stack, measure_stages, ours, stacks, verdicts};
use crate::args::{AblateArgs, use_jobs};
use crate::failure::{Failure, Result};
use crate::input::Model;
use crate::output::{AtomicFile, check_free};
use crate::report::{self, Curve, TensorCurve};
use crate::screen;
use crate::select::chosen;

pub(crate) fn run(args: &AblateArgs) -> Result<()> {
    for path in std::iter::once(&args.output).chain(&args.json) {
        check_free(path, args.force)?;
    }
    use_jobs(args.jobs)?;
    Target::Nmse(args.nmse).check()?;
    for &bits in &args.bits {
        Target::Bits(bits).check()?;
    }
    let codec = Codec::new();
    let encoders = encoders(&codec)?;
    let model = Model::open(&args.inputs, &Limits::default())?;
    for path in std::iter::once(&args.output).chain(&args.json) {
        model.check_not_read(path)?;
    }
    let chosen = chosen("--tensor", args.tensor.as_deref(), &model.names())?;
    let stacks = stacks(&model, &chosen, args.values as usize)?;
    screen::stop_on_interrupt();
    let native = codec.registry().find(CodecId::NATIVE, Role::Encode, Pick::Auto)?.backend;
    let run = Run { codec: &codec, encoders: &encoders, native: &*native, args };
    let bar = screen::progress((stacks.len() * run.jobs().len()) as u64);
    let measured: Result<Vec<Measured>> = stacks.iter().map(|stack| run.measure(stack, &bar)).collect();
    let measured = measured.map_err(screen::or_stopped)?;
    bar.finish_and_clear();
    let names: Vec<String> = args.inputs.iter().map(|path| path.display().to_string()).collect();
    let ablation = Ablation {
        source: names.join(", "),
        command: screen::command_line(),
        nmse: args.nmse,
        verdicts: verdicts(&measured),
        stacks: measured,
    };
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&ablation).map_err(|error| Failure::other(error.to_string()))?;
        let mut file = AtomicFile::create(path, args.force)?;
        file.write(&json)?;
        file.finish()?;
    }
    let mut file = AtomicFile::create(&args.output, args.force)?;
    file.write(report::render_ablation(&ablation).as_bytes())?;
    file.finish()?;
    let output = args.output.display();
    screen::say(&format!("{} stacks of tensors, {} encoders: {output}", stacks.len(), encoders.len()));
    Ok(())
}

/// The encoders of pictures that work here.
fn encoders(codec: &Codec) -> Result<Vec<Arc<dyn Backend>>> {
    let mut out = Vec::new();
    let mut missing = Vec::new();
    for listing in codec.registry().list() {
        if ![CodecId::AV1, CodecId::HEVC, CodecId::AVC].contains(&listing.codec) {
            continue;
        }
        match (listing.status, listing.info) {
            (Ok(()), Some(info)) if info.encodes => {
                out.push(codec.registry().find(info.codec, Role::Encode, Pick::Exactly(info.name))?.backend);
            }
            (Err(reason), _) => missing.push(reason.to_string()),
            _ => {}
        }
    }
    if out.is_empty() {
        let message = format!("no video encoder to take apart: {}", missing.join("; "));
        return Err(Failure { status: 3, message });
    }
    Ok(out)
}

/// What is measured of every stack.
struct Run<'r> {
    codec: &'r Codec,
    encoders: &'r [Arc<dyn Backend>],
    native: &'r dyn Backend,
    args: &'r AblateArgs,
}

/// A part of the work on a stack, done beside the others.
enum Job<'j> {
    /// An encoder's stages and front ends; `native` has only the latter.
    Stages(&'j dyn Backend),
    /// A codec's curve, behind a chain of transforms or the cheapest.
    Curve(CodecId, &'static str, Option<&'static str>),
}

enum Done {
    Stages(Option<crate::ablation::EncoderStages>, FrontEnd),
    Curve(Curve),
}

impl Run<'_> {
    fn effort(&self) -> Effort {
        self.args.effort.into()
    }

    fn jobs(&self) -> Vec<Job<'_>> {
        let mut jobs: Vec<Job<'_>> = self.encoders.iter().map(|encoder| Job::Stages(&**encoder)).collect();
        for chain in ["none", "hadamard"] {
            let mut ids = Vec::new();
            for encoder in self.encoders {
                let info = encoder.info();
                // One encoder stands for its codec: the one that is taken unless told otherwise.
                if !ids.contains(&info.codec) {
                    ids.push(info.codec);
                    jobs.push(Job::Curve(info.codec, info.name, Some(chain)));
                }
            }
            jobs.push(Job::Curve(CodecId::NATIVE, "native", Some(chain)));
        }
        jobs.push(Job::Curve(CodecId::NATIVE, "native", None));
        jobs.push(Job::Stages(self.native));
        jobs
    }

    fn measure(&self, stack: &Stack, bar: &ProgressBar) -> Result<Measured> {
        bar.set_message(stack.name.clone());
        let samples = Samples::row_wise(stack)?;
        let done: Result<Vec<Done>> = self
            .jobs()
            .par_iter()
            .map(|job| {
                screen::check_stop()?;
                let done = match job {
                    Job::Stages(backend) => self.stages(*backend, stack, &samples),
                    Job::Curve(id, name, chain) => self.curve(*id, name, *chain, stack),
                };
                bar.inc(1);
                done.map_err(|failure| failure.about(format!("tensors {:?}", stack.name)))
            })
            .collect();
        let (mut encoders, mut front_ends, mut curves) = (Vec::new(), Vec::new(), Vec::new());
        for done in done? {
            match done {
                Done::Stages(stages, front_end) => {
                    encoders.extend(stages);
                    front_ends.push(front_end);
                }
                Done::Curve(curve) => curves.push(curve),
            }
        }
        let shape = [stack.planes, stack.rows, stack.cols];
        let curves = TensorCurve {
            name: stack.name.clone(),
            kind: stack.name.clone(),
            dtype: "f32".into(),
            shape: shape.map(|n| n as u64).to_vec(),
            values: stack.values.len() as u64,
            std: stack.deviation(),
            mean_square: stack.mean_square,
            curves,
        };
        Ok(Measured {
            name: stack.name.clone(),
            shape,
            entropy: samples.entropy(),
            encoders,
            front_ends,
            curves,
        })
    }

    fn stages(&self, backend: &dyn Backend, stack: &Stack, samples: &Samples) -> Result<Done> {
        let info = backend.info();
        let (effort, nmse) = (self.effort(), self.args.nmse);
        let stages = measure_stages(self.codec, backend, stack, samples, effort, nmse)?;
        let through = |chain| ours(self.codec, stack, (info.codec, info.name), effort, nmse, chain);
        let front_end = FrontEnd {
            codec: info.codec.to_string(),
            backend: info.name.into(),
            row_wise: stages.with_all_tools().clone(),
            ours: through(Some("none"))?,
            hadamard: through(Some("hadamard"))?,
            auto: through(None)?,
        };
        // Its tools are not those of a picture codec.
        let stages = (info.codec != CodecId::NATIVE).then_some(stages);
        Ok(Done::Stages(stages, front_end))
    }

    fn curve(&self, id: CodecId, name: &str, chain: Option<&str>, stack: &Stack) -> Result<Done> {
        let tensor = stack.tensor()?;
        let view = tensor.view()?;
        let mut points = Vec::new();
        for &bits in &self.args.bits {
            screen::check_stop()?;
            let mut encoding = Encoding::new(Target::Bits(bits));
            (encoding.codec, encoding.effort) = (Some(id), self.effort());
            encoding.backend = Some(name.to_owned());
            if let Some(chain) = chain {
                encoding.transform = TransformChoice::Chain(Chain::parse(chain, &|_| None)?);
            }
            points.extend(measure(self.codec, &view, bits, &encoding)?);
        }
        let backend = match chain {
            Some("none") => name.to_owned(),
            Some(chain) => format!("{name}, {chain}"),
            None => format!("{name}, auto"),
        };
        Ok(Done::Curve(Curve { codec: id.to_string(), backend, points }))
    }
}
