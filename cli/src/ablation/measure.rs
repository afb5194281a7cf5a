//! The rate at an error that no setting of the encoder hits.

use crate::failure::Result;

/// Steps between which the encoder's settings lie apart at least: 1 dB, less than two quantiser settings of HEVC.
const RATIO: f64 = 1.12;
/// Most settings that are tried.
const MOST: usize = 40;

/// A stack coded at one setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coded {
    pub(crate) bits: f64,
    pub(crate) nmse: f64,
}

/// Bits at an error: of two settings around it, mixed over the planes so that their errors come to it.
///
/// `code` codes at a step in sample units; `first` is where the error is expected.
///
/// # Errors
/// Those of `code`; the inner one says why the error can't be had.
pub(crate) fn at_error(
    first: f64,
    nmse: f64,
    mut code: impl FnMut(f64) -> Result<std::result::Result<Coded, String>>,
) -> Result<std::result::Result<f64, String>> {
    let mut step = first.clamp(0.05, 1e4);
    let (mut fine, mut coarse): (Option<Coded>, Option<Coded>) = (None, None);
    for _ in 0..MOST {
        let coded = match code(step)? {
            Ok(coded) => coded,
            Err(reason) => return Ok(Err(reason)),
        };
        if coded.nmse <= nmse {
            // Of two settings on the same side the nearer one counts.
            fine = Some(coded);
            step *= RATIO;
        } else {
            coarse = Some(coded);
            step /= RATIO;
        }
        if let (Some(fine), Some(coarse)) = (fine, coarse) {
            let part = (nmse - fine.nmse) / (coarse.nmse - fine.nmse);
            return Ok(Ok(fine.bits + part * (coarse.bits - fine.bits)));
        }
        if !(0.01..=1e6).contains(&step) {
            break;
        }
    }
    Ok(Err(match (fine, coarse) {
        (Some(fine), _) => format!("its coarsest setting leaves an error of {:.2e}", fine.nmse),
        (_, Some(coarse)) => format!("8 bits and its finest setting leave an error of {:.2e}", coarse.nmse),
        _ => "no setting codes it".into(),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails says where")]
    use super::*;

    /// Shannon's curve, at the settings of a ladder.
    fn shannon(step: f64) -> Coded {
        let rung = 1.1f64.powf((step.ln() / 1.1f64.ln()).round());
        let nmse = rung * rung / 12.0 / 900.0;
        Coded { bits: -0.5 * nmse.log2(), nmse }
    }

    #[test]
    fn the_rate_at_an_error_is_met_from_either_side() {
        for first in [0.3, 10.0, 300.0] {
            let bits = at_error(first, 0.01, |step| Ok(Ok(shannon(step)))).unwrap().unwrap();
            let bound = -0.5 * 0.01f64.log2();
            // A chord lies above the curve.
            assert!(bits >= bound && bits < bound + 0.01, "{bits} from {first}");
        }
    }

    #[test]
    fn an_error_out_of_reach_is_said() {
        let floor = |step: f64| Coded { nmse: shannon(step).nmse.max(0.02), ..shannon(step) };
        let reason = at_error(10.0, 0.01, |step| Ok(Ok(floor(step)))).unwrap().unwrap_err();
        assert!(reason.contains("2.00e-2"), "{reason}");
        let refused = at_error(10.0, 0.01, |_| Ok(Err("no switch".into()))).unwrap();
        assert_eq!(refused.unwrap_err(), "no switch");
    }
}
