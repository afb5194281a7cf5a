//! An error with a bias, an error in one place, other errors than the step promises.

use telecine_core::{Effort, Error, Quality};

use super::{coarse, is_lossy, scale};
use crate::broken::Broken;

const BIAS: &str = "rate-distortion/no-bias";
const SPREAD: &str = "rate-distortion/error-is-spread";
const STEP: &str = "round-trip/any-step";
const NO_STEP: &str = "arguments/no-step-is-invalid";
const OVER: &str = "arguments/samples-over-the-depth-are-invalid";
const AT_MOST: &str = "arguments/step-at-most";
const INTER: &str = "round-trip/inter";
const EXTREMES: &str = "content/extremes-survive";

/// Moves samples by a share of the step.
fn shift(samples: &mut [u16], quality: &Quality, share: f32, max: u16) {
    if let Quality::Step(step) = quality
        && step.is_finite()
    {
        let moved = |s: u16| (f32::from(s) + share * step).round().clamp(0.0, f32::from(max)) as u16;
        samples.iter_mut().for_each(|s| *s = moved(*s));
    }
}

/// Makes the samples coarser for which `holds`, by twice the step.
fn spoil(samples: &mut [u16], quality: &Quality, max: u16, holds: impl Fn(usize, u16) -> bool) {
    if let Quality::Step(step) = quality {
        for (_, sample) in samples.iter_mut().enumerate().filter(|(at, sample)| holds(*at, **sample)) {
            *sample = coarse(*sample, 2.5 * step, max);
        }
    }
}

/// An encoder that takes another quality for one that is none.
fn takes(name: &'static str, wrong: fn(f32) -> bool, instead: fn(f32) -> Quality) -> Broken {
    Broken::new("steps", name, NO_STEP).before(move |_, _, _, quality| {
        if let Quality::Step(step) = *quality
            && wrong(step)
        {
            *quality = instead(step);
        }
        Ok(())
    })
}

pub(super) fn all() -> Vec<Broken> {
    [spread(), steps(), options()].concat()
}

fn spread() -> Vec<Broken> {
    vec![
        Broken::new("bias", "everything is a twentieth of a step larger", BIAS).before(
            |call, _, samples, quality| {
                shift(samples, quality, 0.05, call.spec.max_sample());
                Ok(())
            },
        ),
        Broken::new("bias", "the second plane is smaller", BIAS).before(|call, _, samples, quality| {
            let plane = samples.len() / call.spec.frames as usize;
            if call.spec.frames > 1 {
                shift(&mut samples[plane..2 * plane], quality, -0.06, call.spec.max_sample());
            }
            Ok(())
        }),
        Broken::new("bias", "best rounds down", BIAS).before(|call, _, samples, quality| {
            if call.options.effort == Effort::Best {
                shift(samples, quality, -0.2, call.spec.max_sample());
            }
            Ok(())
        }),
        Broken::new("bias", "one row is coarse", SPREAD).before(|call, _, samples, quality| {
            let width = call.spec.width as usize;
            spoil(samples, quality, call.spec.max_sample(), |at, _| at / width == 3);
            Ok(())
        }),
        Broken::new("bias", "every sixteenth sample is coarse", SPREAD).before(
            |call, _, samples, quality| {
                spoil(samples, quality, call.spec.max_sample(), |at, _| at % 16 == 5);
                Ok(())
            },
        ),
        Broken::new("bias", "large samples are coarse", SPREAD).before(|call, _, samples, quality| {
            let max = call.spec.max_sample();
            spoil(samples, quality, max, |_, sample| sample > max / 8 * 7);
            Ok(())
        }),
        Broken::new("bias", "everything is drawn to the middle", SPREAD).before(
            |call, _, samples, quality| {
                let mid = f32::from(call.spec.mid_sample());
                if is_lossy(quality) {
                    samples.iter_mut().for_each(|s| *s = (mid + (f32::from(*s) - mid) * 0.9).round() as u16);
                }
                Ok(())
            },
        ),
        Broken::new("bias", "the first samples are coarse", SPREAD).before(|call, _, samples, quality| {
            let max = call.spec.max_sample();
            spoil(samples, quality, max, |at, _| at < 600);
            Ok(())
        }),
        Broken::new("extremes", "never returns 0", EXTREMES).before(|_, _, samples, quality| {
            if is_lossy(quality) {
                samples.iter_mut().for_each(|s| *s = (*s).max(1));
            }
            Ok(())
        }),
        Broken::new("extremes", "8 bits end at 253", EXTREMES).before(|call, _, samples, quality| {
            if is_lossy(quality) && call.spec.depth == 8 {
                samples.iter_mut().for_each(|s| *s = (*s).min(253));
            }
            Ok(())
        }),
        Broken::new("extremes", "both extremes at once are too much", EXTREMES).before(
            |call, _, samples, quality| {
                let max = call.spec.max_sample();
                if is_lossy(quality) && samples.contains(&0) && samples.contains(&max) {
                    samples.iter_mut().for_each(|s| *s = (*s).min(max - 2));
                }
                Ok(())
            },
        ),
    ]
}

fn steps() -> Vec<Broken> {
    vec![
        Broken::new("steps", "refuses large steps", STEP).before(|_, _, _, quality| match quality {
            Quality::Step(step) if step.is_finite() && *step > 1e5 => {
                Err(Error::Backend { backend: "broken", source: "too coarse".into() })
            }
            _ => Ok(()),
        }),
        Broken::new("steps", "small steps wrap", STEP).before(|_, _, _, quality| {
            if let Quality::Step(step) = quality
                && *step > 0.0
                && *step < 1e-30
            {
                *step = 100.0;
            }
            Ok(())
        }),
        Broken::new("steps", "some steps are doubled", STEP).before(|_, _, _, quality| {
            if matches!(quality, Quality::Step(step) if (900.0..4000.0).contains(step)) {
                scale(quality, 2.0);
            }
            Ok(())
        }),
        Broken::new("steps", "steps below 1 are worse than 1", "rate-distortion/finer-is-no-worse").before(
            |_, _, samples, quality| {
                if matches!(quality, Quality::Step(step) if *step > 0.0 && *step < 0.9) {
                    samples.iter_mut().step_by(8).for_each(|s| *s ^= 1);
                }
                Ok(())
            },
        ),
        takes("takes infinity for lossless", |step| step == f32::INFINITY, |_| Quality::Lossless),
        takes("takes negative steps", |step| step < 0.0 && step.is_finite(), |step| Quality::Step(-step)),
        takes("takes NaN for 1", f32::is_nan, |_| Quality::Step(1.0)),
        takes("takes 0 for lossless", |step| step == 0.0, |_| Quality::Lossless),
        Broken::new("steps", "cuts samples over the depth off", OVER).before(|call, _, samples, _| {
            samples.iter_mut().for_each(|s| *s &= call.spec.max_sample());
            Ok(())
        }),
        Broken::new("steps", "looks at the first thousands of samples only", OVER).before(
            |call, _, samples, _| {
                samples.iter_mut().skip(5000).for_each(|s| *s = (*s).min(call.spec.max_sample()));
                Ok(())
            },
        ),
        Broken::new("steps", "takes a sample that is one too large", OVER).before(|call, _, samples, _| {
            let over = u32::from(call.spec.max_sample()) + 1;
            samples.iter_mut().filter(|s| u32::from(**s) == over).for_each(|s| *s -= 1);
            Ok(())
        }),
    ]
}

fn options() -> Vec<Broken> {
    vec![
        Broken::new("options", "steps are rounded up", AT_MOST)
            .steps(|_, step| if step.log2().ceil() > 120.0 { step } else { step.log2().ceil().exp2() }),
        Broken::new("options", "a step that it has becomes another", AT_MOST).steps(|_, step| step * 0.9),
        Broken::new("options", "small steps become 0", AT_MOST)
            .steps(|_, step| if step < 0.01 { 0.0 } else { step }),
        Broken::new("options", "the steps that it says are not those that it takes", AT_MOST)
            .steps(|_, step| if step < 1.0 { step } else { step.log2().floor().exp2() })
            .before(|_, _, _, quality| {
                if matches!(quality, Quality::Step(step) if *step >= 2.0 && step.log2().fract() == 0.0) {
                    scale(quality, 1.4);
                }
                Ok(())
            }),
        Broken::new("options", "prediction loses the last plane", INTER).before(|call, _, samples, _| {
            if call.options.inter && call.spec.frames > 1 {
                let plane = samples.len() / call.spec.frames as usize;
                let from = samples.len() - plane;
                samples.copy_within(from - plane..from, from);
            }
            Ok(())
        }),
        Broken::new("options", "prediction doubles the step", INTER).before(|call, _, _, quality| {
            if call.options.inter {
                scale(quality, 2.0);
            }
            Ok(())
        }),
        Broken::new("options", "prediction goes over to the next group", "self-containment/inter").before(
            |call, _, samples, _| {
                if call.options.inter && call.calls > 1 {
                    samples[0] ^= 1;
                }
                Ok(())
            },
        ),
        Broken::new("options", "without a tool the step is another", "arguments/tools").before(
            |call, _, _, quality| {
                if !call.options.tools.prediction {
                    scale(quality, 1.5);
                }
                Ok(())
            },
        ),
    ]
}
