//! Wrong at some sizes, numbers of planes, efforts; too large.

use std::sync::Arc;

use telecine_core::{Effort, Quality};
use telecine_native::Native;

use super::{coarse, is_lossy, scale};
use crate::broken::Broken;

const SHAPE: &str = "round-trip/lossless-at-any-size";
const LOSSY_SHAPE: &str = "rate-distortion/step-predicts-error-at-any-size";
const PLANES: &str = "rate-distortion/step-predicts-error-in-planes";
const EFFORTS: &str = "rate-distortion/efforts-agree";
const SHANNON: &str = "rate-distortion/near-shannon-everywhere";
const RAW: &str = "rate-distortion/never-above-raw-at-any-size";

pub(super) fn all() -> Vec<Broken> {
    vec![
        Broken::new("size", "wide groups of 9 bits wrap", SHAPE).before(|call, _, samples, _| {
            if call.spec.depth == 9 && call.spec.width > 5000 {
                samples.rotate_left(1);
            }
            Ok(())
        }),
        Broken::new("size", "over a hundred planes lose the last sample", SHAPE).before(
            |call, _, samples, _| {
                if call.spec.frames > 100 {
                    *samples.last_mut().unwrap() ^= 1;
                }
                Ok(())
            },
        ),
        Broken::new("size", "tall groups of 15 bits lose a row", SHAPE).before(|call, _, samples, _| {
            if call.spec.depth == 15 && call.spec.height > 8 * call.spec.width && call.spec.height > 2000 {
                let row = call.spec.width as usize;
                samples[row * 1999..row * 2000].fill(0);
            }
            Ok(())
        }),
        Broken::new("size", "odd sides of planes over a hundred", SHAPE).before(|call, _, samples, _| {
            if call.spec.height % 2 == 1
                && call.spec.width % 2 == 1
                && call.spec.width.min(call.spec.height) > 100
            {
                samples[0] ^= 1;
            }
            Ok(())
        }),
        Broken::new("size", "the step is another in tall groups", LOSSY_SHAPE).before(
            |call, _, _, quality| {
                if call.spec.height > 4096 {
                    scale(quality, 1.5);
                }
                Ok(())
            },
        ),
        Broken::new("planes", "seventeen planes are coarse", PLANES).before(|call, _, _, quality| {
            if call.spec.frames == 17 {
                scale(quality, 1.4);
            }
            Ok(())
        }),
        Broken::new("planes", "the last plane is coarser", PLANES).before(|call, _, samples, quality| {
            if let (Quality::Step(step), true) = (quality, call.spec.frames > 1) {
                let plane = samples.len() / call.spec.frames as usize;
                let (max, from) = (call.spec.max_sample(), samples.len() - plane);
                samples[from..].iter_mut().for_each(|s| *s = coarse(*s, 2.0 * *step, max));
            }
            Ok(())
        }),
        Broken::new("planes", "three planes are finer than asked for", PLANES).before(
            |call, _, _, quality| {
                if call.spec.frames == 3 {
                    scale(quality, 0.5);
                }
                Ok(())
            },
        ),
        Broken::new("efforts", "fast is coarser", EFFORTS).before(|call, _, _, quality| {
            if call.options.effort == Effort::Fast {
                scale(quality, 1.12);
            }
            Ok(())
        }),
        Broken::new("efforts", "best is finer", EFFORTS).before(|call, _, _, quality| {
            if call.options.effort == Effort::Best {
                scale(quality, 0.9);
            }
            Ok(())
        }),
        Broken::new("efforts", "balanced is coarser at 8 bits", EFFORTS).before(|call, _, _, quality| {
            if call.options.effort == Effort::Balanced && call.spec.depth == 8 {
                scale(quality, 1.12);
            }
            Ok(())
        }),
        // In a codec that is near the bound: zstd alone is not.
        Broken::new("efforts", "best wastes a bit per sample", SHANNON).of(Arc::new(Native::default())).pad(
            |call, samples, quality| {
                let wastes = call.options.effort == Effort::Best && is_lossy(&quality);
                if wastes { samples.len() / 8 } else { 0 }
            },
        ),
        Broken::new("efforts", "8 bits waste a bit per sample", SHANNON).of(Arc::new(Native::default())).pad(
            |call, samples, quality| {
                if call.spec.depth == 8 && is_lossy(&quality) { samples.len() / 8 } else { 0 }
            },
        ),
        Broken::new("efforts", "three planes waste a sixth of a bit per sample", SHANNON)
            .of(Arc::new(Native::default()))
            .pad(
                |call, samples, quality| {
                    if call.spec.frames == 3 && is_lossy(&quality) { samples.len() / 48 } else { 0 }
                },
            ),
        Broken::new("inflation", "many planes of noise grow", RAW)
            .pad(|call, samples, _| if call.spec.frames > 100 { samples.len() / 16 } else { 0 }),
        Broken::new("inflation", "noise of 8 bits grows by a twentieth", RAW)
            .pad(|call, samples, _| if call.spec.depth == 8 { samples.len() / 20 } else { 0 }),
        Broken::new("inflation", "steps below 1 grow", RAW).pad(|_, samples, quality| match quality {
            Quality::Step(step) if step < 1.0 => samples.len() / 8,
            _ => 0,
        }),
        Broken::new("inflation", "long rows grow", RAW)
            .pad(|call, samples, _| if call.spec.width > 65_536 { samples.len() / 8 } else { 0 }),
    ]
}
