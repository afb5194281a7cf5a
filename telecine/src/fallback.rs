//! What becomes of a tensor whose target cannot be met.

use telecine_core::{Encoding, Error, Target};

/// Attempts at a nearest target, each somewhat above the one before: to reach the same bits again is not certain.
const ATTEMPTS: u32 = 6;

/// The encoding to try after `error`: the nearest target that can be reached, or lossless with any codec that can.
///
/// `attempt` counts the failures of this tensor from 0. `None` where another target would not help: the error stands.
pub fn next_best(encoding: &Encoding, error: &Error, attempt: u32) -> Option<Encoding> {
    let mut next = encoding.clone();
    match *error {
        Error::OutOfReach { nearest, .. } => next.target = raised(nearest, attempt),
        Error::Unsupported(_) | Error::Invalid(_) if encoding.target != Target::Lossless => {
            next.target = Target::Lossless;
        }
        _ => return None,
    }
    if next.target == Target::Lossless {
        (next.codec, next.backend) = (None, None);
    }
    (next != *encoding).then_some(next)
}

/// The nearest target, from the second attempt on raised by 2 % and twice as much each time; lossless in the end.
pub(crate) fn raised(nearest: Target, attempt: u32) -> Target {
    if attempt == 0 {
        return nearest;
    }
    if attempt >= ATTEMPTS {
        return Target::Lossless;
    }
    let factor = 1.0 + 0.01 * f64::from(1u32 << attempt);
    match nearest {
        Target::Bits(bits) => Target::Bits(bits * factor),
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few percent more"
        )]
        Target::Bytes(bytes) => Target::Bytes((bytes as f64 * factor).ceil() as u64),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_tried_first_and_lossless_last() {
        let encoding = Encoding::new(Target::Bits(0.5));
        let nearest = Target::Bits(0.75);
        let error = || Error::OutOfReach { wanted: encoding.target, nearest };
        assert_eq!(next_best(&encoding, &error(), 0).unwrap().target, nearest);
        let mut last = 0.75;
        for attempt in 1..ATTEMPTS {
            let Target::Bits(bits) = next_best(&encoding, &error(), attempt).unwrap().target else {
                panic!()
            };
            assert!(bits > last && bits < 1.5 * 0.75, "{bits}");
            last = bits;
        }
        assert_eq!(next_best(&encoding, &error(), ATTEMPTS).unwrap().target, Target::Lossless);
        let lossless = Encoding::new(Target::Lossless);
        assert_eq!(next_best(&lossless, &Error::unsupported("no"), 0), None);
        let corrupt = Error::corrupt("damaged");
        assert_eq!(next_best(&encoding, &corrupt, 0), None);
    }
}
