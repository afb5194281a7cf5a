//! Warnings: one line for each tensor that was not coded as asked, or that changed in kind.

use std::io::{self, Write};

use telecine::{SideEffects, Tensor};

/// Lines that are printed, at most.
const LINES: usize = 10;
/// Parts of a tensor's values of which a warning tells. Gaussian noise stays under all of them down to 0.6 bits per value:
/// there 58 % become zero, and 2.7 % change their sign, in small tensors 6 % (`ordinary_noise_brings_no_warning` in tests/budget.rs).
const FLATTENED: f64 = 0.6;
const CHANGED_SIGNS: f64 = 0.1;
const LOST_ZEROS: f64 = 0.01;

/// What a report should say of a tensor's side effects; `non_negative` tells whether no original value is below zero,
/// and is asked only where signs changed.
#[expect(clippy::cast_precision_loss, reason = "parts of values")]
pub(crate) fn of_side_effects(
    effects: &SideEffects,
    values: u64,
    non_negative: impl FnOnce() -> bool,
) -> Vec<String> {
    let part = |count: u64| count as f64 / values.max(1) as f64;
    let percent = |count: u64| format!("{:.1} %", 100.0 * part(count));
    let mut warnings = Vec::new();
    if part(effects.flattened) > FLATTENED {
        let part = percent(effects.flattened);
        warnings
            .push(format!("{part} of its values became one value; ask for more bits or exclude outliers"));
    }
    if part(effects.changed_signs) > CHANGED_SIGNS {
        let part = percent(effects.changed_signs);
        warnings.push(format!("{part} of its values changed their sign; ask for more bits"));
    } else if effects.changed_signs > 0 && non_negative() {
        let count = effects.changed_signs;
        warnings.push(format!("{count} of its values became negative, and none was; ask for more bits"));
    }
    if part(effects.lost_zeros) > LOST_ZEROS {
        let part = percent(effects.lost_zeros);
        warnings
            .push(format!("{part} of its values were zero and are not any more; --keep-zeros keeps them"));
    }
    warnings
}

/// Whether no value is below zero.
pub(crate) fn is_non_negative(tensor: &Tensor<'_>) -> bool {
    let block = 1 << 16;
    let mut values = Vec::new();
    (0..tensor.len()).step_by(block).all(|start| {
        values.clear();
        let end = (start + block as u64).min(tensor.len());
        tensor.dtype().read_f32(&tensor.read(start..end), &mut values);
        !values.iter().any(|value| *value < 0.0)
    })
}

/// Prints a line for each tensor with warnings to standard error: ten at most, and how many there are more.
pub(crate) fn print<'w>(tensors: impl Iterator<Item = (&'w str, &'w [String])>) {
    let mut lines = tensors.filter(|(_, warnings)| !warnings.is_empty());
    let mut error = io::stderr().lock();
    for (name, warnings) in lines.by_ref().take(LINES) {
        // What cannot be printed is in the report, too.
        let _ = writeln!(error, "warning: {}: {}", name.escape_debug(), warnings.join("; besides, "));
    }
    let more = lines.count();
    if more > 0 {
        let _ = writeln!(error, "warning: and {more} more");
    }
}

#[cfg(test)]
mod tests {
    use telecine::TensorBuf;

    use super::*;

    #[test]
    fn what_is_clear_is_told_and_what_is_ordinary_is_not() {
        let of = |lost_zeros, changed_signs, flattened, non_negative| {
            let effects = SideEffects { lost_zeros, changed_signs, flattened };
            of_side_effects(&effects, 1000, || non_negative)
        };
        assert_eq!(of(10, 100, 550, false), Vec::<String>::new());
        let all = of(11, 101, 973, false);
        assert_eq!(all.len(), 3);
        assert!(all[0].starts_with("97.3 % of its values became one value;"), "{all:?}");
        assert!(all[1].starts_with("10.1 % of its values changed their sign;"), "{all:?}");
        assert!(all[2].starts_with("1.1 % of its values were zero"), "{all:?}");
        let negative = of(0, 1, 0, true);
        assert!(negative[0].starts_with("1 of its values became negative"), "{negative:?}");
        assert_eq!(of_side_effects(&SideEffects::default(), 0, || true), Vec::<String>::new());
    }

    #[test]
    fn negative_values_are_found_wherever_they_are() {
        let mut values = vec![0.5f32; 200_000];
        values[3] = -0.0;
        let is = |values: &[f32]| {
            is_non_negative(&TensorBuf::from_f32(&[values.len() as u64], values).unwrap().view().unwrap())
        };
        assert!(is(&values));
        values[199_999] = -1e-30;
        assert!(!is(&values));
    }
}
