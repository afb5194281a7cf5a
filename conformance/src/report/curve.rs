//! Rate and distortion of a backend on Gaussian values.

use serde::{Deserialize, Serialize};
use telecine_core::{DType, Effort, Target};

use crate::Subject;
use crate::pipeline::Pipeline;
use crate::process::{Ended, in_child};
use crate::subject::Place;
use crate::tensors::{Held, Layout};

/// What a backend needs for which error, on values from N(0,1).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Curve {
    /// One measurement per step, fine steps first.
    pub points: Vec<Point>,
    /// Why there are not more points, where the backend failed on one.
    pub failure: Option<String>,
}

/// One measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Point {
    /// The quantiser step, in deviations of the values.
    pub step: f64,
    /// Bits per value, all bytes counted.
    pub bits: f64,
    /// Mean squared error over mean square.
    pub nmse: f64,
    /// Bits per value above Shannon's bound.
    pub gap: f64,
}

/// Steps in units of the values' deviation: from about 6 bits down to half a bit.
const STEPS: [f64; 9] = [0.06, 0.12, 0.25, 0.4, 0.6, 0.9, 1.3, 1.8, 2.4];

/// Measures a backend's curve through the pipeline: quantised by the backend where it is able to, else before it.
pub(crate) fn measure_curve(subject: &Subject) -> Curve {
    if subject.place() == Place::Here {
        return measure_here(subject);
    }
    let limit = subject.time_limit();
    let failed = |failure| Curve { points: Vec::new(), failure: Some(failure) };
    match in_child(limit, |_| serde_json::to_vec(&measure_here(subject)).unwrap_or_default()).0 {
        Ended::Done(bytes) => {
            serde_json::from_slice(&bytes).unwrap_or_else(|error| failed(error.to_string()))
        }
        Ended::Died(how) => failed(format!("the backend's process ended: {how}")),
        Ended::TookTooLong => failed(format!("took over {} s", limit.as_secs())),
        Ended::NoChild(_) => measure_here(subject),
    }
}

fn measure_here(subject: &Subject) -> Curve {
    let mut curve = Curve::default();
    if subject.is_complete().is_ok()
        && let Err(error) = measure(subject, &mut curve.points)
    {
        curve.failure = Some(error.to_string());
    }
    curve
}

fn measure(subject: &Subject, points: &mut Vec<Point>) -> telecine_core::Result<()> {
    let side = if subject.is_quick() { 256 } else { 512 };
    let held = Held::gaussian(DType::F32, &[side, side], Layout::RowMajor, 111);
    let pipeline = Pipeline::new(subject, side * side)?.with_effort(Effort::Balanced);
    for step in STEPS {
        let report = pipeline.encode(&held.tensor()?, Target::Step(step))?.report;
        let (bits, nmse) = (report.bits(), report.nmse);
        points.push(Point { step, bits, nmse, gap: telecine_report::gap(bits, nmse) });
    }
    Ok(())
}
