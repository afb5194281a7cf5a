//! Surveys: a plane's structure, told from some hundred of its samples, so that ordinary planes pay nothing for it.

use crate::plane::PlaneSpec;

/// Runs of samples that are looked at, and their length.
const RUNS: usize = 32;
const RUN: usize = 16;
/// A run that came before is looked for this many samples back.
const BACK: usize = 1 << 13;

/// The structure of a plane, estimated.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The most frequent sample, and its share of all.
    pub(crate) mode: u16,
    pub(crate) share: f64,
    /// The share of different samples among those that were looked at.
    pub(crate) distinct: f64,
    /// Bits that a sample takes.
    pub(crate) bits: f64,
}

impl Survey {
    pub(crate) fn of(spec: &PlaneSpec, samples: &[u16]) -> Self {
        let mut seen: Vec<u16> = places(samples.len()).map(|at| samples[at]).collect();
        seen.sort_unstable();
        let (mut mode, mut most, mut distinct) = (0, 0, 0);
        let count = as_f64(seen.len());
        let mut bits = count.log2();
        for equal in seen.chunk_by(|a, b| a == b) {
            if equal.len() > most {
                (mode, most) = (equal[0], equal.len());
            }
            distinct += 1;
            if equal.len() > 1 {
                bits -= as_f64(equal.len()) / count * as_f64(equal.len()).log2();
            }
        }
        let distinct = as_f64(distinct) / count;
        let median = seen[seen.len() / 2];
        let spread = bits_of(spec, seen.iter().map(|sample| sample.wrapping_sub(median)));
        // Many different samples: each was seen too seldom for their entropy to be told.
        let bits = if distinct <= 0.25 { spread.min(bits) } else { spread };
        Self { mode, share: as_f64(most) / count, distinct, bits }
    }
}

/// The distances over which differences are worth taking, one after the other, with the bits that a difference takes; none
/// where samples by themselves take about as few as these.
pub(crate) fn differences(spec: &PlaneSpec, samples: &[u16], bits: f64) -> Option<(f64, Vec<usize>)> {
    let (count, width) = (samples.len(), spec.width);
    let cost = |chain: Vec<usize>| {
        let before = chain.iter().sum();
        let difference = |at: usize| match *chain {
            [first, second] => samples[at]
                .wrapping_sub(samples[at - first])
                .wrapping_sub(samples[at - second])
                .wrapping_add(samples[at - before]),
            _ => samples[at].wrapping_sub(samples[at - before]),
        };
        (bits_of(spec, places(count).filter(|&at| at >= before).map(difference)), chain)
    };
    let pays = |(cost, _): &(f64, Vec<usize>)| *cost < 0.97 * bits - 0.05;
    let mut costs = vec![cost(vec![1])];
    if count > width && width > 1 {
        costs.extend([cost(vec![width]), cost(vec![width, 1])]);
    }
    costs.extend(period(samples).map(|period| cost(vec![period])));
    costs.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).filter(pays)
}

/// Places of the samples that are looked at: all of a small plane.
fn places(count: usize) -> impl Iterator<Item = usize> {
    let (runs, run) = if count <= RUNS * RUN { (1, count) } else { (RUNS, RUN) };
    (0..runs).flat_map(move |at| {
        let start = at * (count - run) / (runs - 1).max(1);
        start..start + run
    })
}

/// Bits of numbers around 0 modulo 2^depth, by their magnitudes' lengths.
fn bits_of(spec: &PlaneSpec, numbers: impl Iterator<Item = u16>) -> f64 {
    let mut lengths = [0u32; 17];
    let shift = 16 - spec.depth;
    for number in numbers {
        let magnitude = ((number << shift).cast_signed() >> shift).unsigned_abs();
        lengths[(16 - magnitude.leading_zeros()) as usize] += 1;
    }
    let count = f64::from(lengths.iter().sum::<u32>()).max(1.0);
    let costs = (0u32..).zip(lengths).filter(|(_, seen)| *seen > 0).map(|(length, seen)| {
        // The leading bit is known, the sign is not.
        f64::from(seen) / count * ((count / f64::from(seen)).log2() + f64::from(length))
    });
    costs.sum()
}

/// The distances back at which the samples of the middle came before.
fn period(samples: &[u16]) -> Option<usize> {
    const PROBES: usize = 4;
    let starts = (0..PROBES).map(|probe| samples.len() / 2 + probe * samples.len() / (4 * PROBES));
    let varied = |&start: &usize| {
        samples.get(start..start + RUN).is_some_and(|run| run.iter().any(|sample| *sample != run[0]))
    };
    let start = starts.into_iter().find(varied)?;
    let run = &samples[start..start + RUN];
    let first = start.saturating_sub(BACK);
    // Blocks, so that most of them are passed over by vectors.
    for block in (first..start).step_by(RUN).rev() {
        let heads = &samples[block..start.min(block + RUN)];
        if heads.iter().fold(false, |found, &sample| found | (sample == run[0])) {
            let found = (block..block + heads.len()).rev().find(|&at| samples[at..at + RUN] == *run);
            if let Some(at) = found {
                return Some(start - at);
            }
        }
    }
    None
}

#[expect(clippy::cast_precision_loss, reason = "some hundred")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
