//! Values that repeat bit for bit in a chunk: exact zeros, fill values, NaN, ±Inf. They can be stored as
//! [classes](crate::classes).

use std::ops::BitAnd;

use multiversion::multiversion;

use crate::DType;
use crate::classes::{Classes, MOST_PATTERNS};
use crate::lanes::COUNTED;

/// The repeated values of a chunk.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Survey {
    /// Those that a lossy coding stores as a class in any case: NaN and ±Inf, and values so large that they would take the
    /// grid's range from all others.
    pub(super) forced: Vec<u64>,
    /// Those that it may: zero, and values that make up a good part of the chunk.
    pub(super) optional: Vec<u64>,
    /// Those that a lossless coding may.
    pub(super) frequent: Vec<u64>,
    /// Exact zeros of either sign.
    pub(super) zeros: usize,
}

/// Positions that are looked at for repeated values.
const SAMPLE: usize = 1024;
/// Occurrences in the sample that make a value a candidate.
const SEEN: usize = 8;
/// Occurrences below which a list entry for each is smaller than a class.
const FEW: usize = 8;
/// A repeated value this many times the mean magnitude of the others is stored apart.
const HUGE: f64 = 64.0;

/// Looks for repeated values.
pub(super) fn survey(dtype: DType, bytes: &[u8]) -> Survey {
    let size = dtype.size();
    let values = bytes.len() / size;
    let mut sample = sampled(bytes, size);
    sample.sort_unstable();
    let mut candidates: Vec<u64> =
        sample.chunk_by(|a, b| a == b).filter(|run| run.len() >= SEEN).map(|run| run[0]).collect();
    let others: Vec<u64> = sample.iter().copied().filter(|bits| !candidates.contains(bits)).collect();
    let zeros = count(bytes, size, 0) + negative_zero(dtype).map_or(0, |bits| count(bytes, size, bits));
    let odd = not_finite(dtype, bytes);
    candidates.retain(|bits| is_finite(dtype, *bits) && !is_zero(dtype, *bits));
    let mut counted: Vec<(u64, usize)> =
        candidates.into_iter().map(|bits| (bits, count(bytes, size, bits))).collect();
    counted.sort_by_key(|(bits, count)| (std::cmp::Reverse(*count), *bits));
    let huge = HUGE * mean_magnitude(dtype, &others);
    let mut survey = Survey { zeros, ..Survey::default() };
    survey.forced.extend(odd.iter().filter(|(_, count)| *count > FEW).map(|(bits, _)| *bits));
    for &(bits, count) in &counted {
        if huge > 0.0 && count > FEW && magnitude(dtype, bits) > huge {
            survey.forced.push(bits);
        } else if 4 * count >= values {
            survey.optional.push(bits);
        }
    }
    survey.forced.truncate(MOST_PATTERNS - 1);
    if zeros > 0 {
        survey.optional.insert(0, 0);
    }
    survey.optional.truncate(MOST_PATTERNS - survey.forced.len());
    let all = counted.into_iter().chain(odd).chain([(0, count(bytes, size, 0))]);
    let mut frequent: Vec<(u64, usize)> = all.filter(|(_, count)| 8 * count >= values.max(1)).collect();
    frequent.sort_by_key(|(bits, count)| (std::cmp::Reverse(*count), *bits));
    survey.frequent = frequent.into_iter().map(|(bits, _)| bits).take(MOST_PATTERNS).collect();
    survey
}

/// The classes of these patterns; zeros of either sign are one class where `lossy`. `None` where no value is in any.
pub(super) fn classes(dtype: DType, bytes: &[u8], patterns: &[u64], lossy: bool) -> Option<Classes> {
    let size = dtype.size();
    let mut map = vec![0; bytes.len() / size];
    for (class, &bits) in (1u8..).zip(patterns) {
        mark(bytes, size, bits, class, &mut map);
        if let (true, 0, Some(negative)) = (lossy, bits, negative_zero(dtype)) {
            mark(bytes, size, negative, class, &mut map);
        }
    }
    if map.iter().all(|&class| class == 0) {
        return None;
    }
    let patterns = patterns.iter().flat_map(|bits| bits.to_le_bytes()[..size].to_vec()).collect();
    Some(Classes::new(patterns, map, false))
}

/// The bits of some values, evenly spread with strides that no period of rows falls in with.
fn sampled(bytes: &[u8], size: usize) -> Vec<u64> {
    let values = bytes.len() / size;
    let read = |at: usize| {
        let mut bits = [0; 8];
        bits[..size].copy_from_slice(&bytes[at * size..(at + 1) * size]);
        u64::from_le_bytes(bits)
    };
    if values <= SAMPLE {
        return (0..values).map(read).collect();
    }
    // Multiples of the golden ratio fall evenly into the unit interval.
    let fraction = |at: usize| u128::from((at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    #[expect(clippy::cast_possible_truncation, reason = "below the number of values")]
    let positions = (0..SAMPLE).map(|at| ((fraction(at) * values as u128) >> 64) as usize);
    positions.map(read).collect()
}

/// The number of values whose bits are the wanted ones where `mask` has bits.
#[multiversion(targets("x86_64+avx2"))]
fn matching<const N: usize, T: Copy + Eq + BitAnd<Output = T>>(
    bytes: &[u8],
    to: impl Fn([u8; N]) -> T,
    mask: T,
    wanted: T,
) -> usize {
    let mut sum = 0;
    for block in bytes.as_chunks::<N>().0.chunks(COUNTED) {
        let mut count = 0u32;
        for &value in block {
            count += u32::from(to(value) & mask == wanted);
        }
        sum += count as usize;
    }
    sum
}

/// Runs code over the bits of values of any size, as integers.
macro_rules! by_size {
    ($size:expr, $bytes:expr, $bits:expr, |$values:ident, $wanted:ident| $body:expr) => {
        match $size {
            1 => by_size!(u8, $bytes, $bits, $values, $wanted, $body),
            2 => by_size!(u16, $bytes, $bits, $values, $wanted, $body),
            4 => by_size!(u32, $bytes, $bits, $values, $wanted, $body),
            _ => by_size!(u64, $bytes, $bits, $values, $wanted, $body),
        }
    };
    ($int:ident, $bytes:expr, $bits:expr, $values:ident, $wanted:ident, $body:expr) => {{
        let $values =
            $bytes.as_chunks::<{ size_of::<$int>() }>().0.iter().map(|value| $int::from_le_bytes(*value));
        #[allow(clippy::cast_possible_truncation, reason = "the bits of a value of this size")]
        let $wanted = $bits as $int;
        $body
    }};
}

/// Occurrences of these bits.
fn count(bytes: &[u8], size: usize, bits: u64) -> usize {
    matching_in(size, bytes, u64::MAX, bits)
}

#[expect(clippy::cast_possible_truncation, reason = "the bits of a value of this size")]
fn matching_in(size: usize, bytes: &[u8], mask: u64, bits: u64) -> usize {
    match size {
        1 => matching(bytes, u8::from_le_bytes, mask as u8, bits as u8),
        2 => matching(bytes, u16::from_le_bytes, mask as u16, bits as u16),
        4 => matching(bytes, u32::from_le_bytes, mask as u32, bits as u32),
        _ => matching(bytes, u64::from_le_bytes, mask, bits),
    }
}

/// Sets the class of values with these bits.
fn mark(bytes: &[u8], size: usize, bits: u64, class: u8, map: &mut [u8]) {
    by_size!(size, bytes, bits, |values, wanted| for (slot, value) in map.iter_mut().zip(values) {
        *slot = if value == wanted { class } else { *slot };
    });
}

/// The bits of the exponent, where a dtype has one; values with all of them set are not finite.
fn exponent(dtype: DType) -> Option<u64> {
    match dtype {
        DType::F64 => Some(0x7ff0_0000_0000_0000),
        DType::F32 => Some(0x7f80_0000),
        DType::Bf16 => Some(0x7f80),
        DType::F16 => Some(0x7c00),
        DType::F8E5M2 => Some(0x7c),
        DType::F8E4M3 => Some(0x7f),
        _ => None,
    }
}

fn is_finite(dtype: DType, bits: u64) -> bool {
    exponent(dtype).is_none_or(|exponent| bits & exponent != exponent)
}

fn is_zero(dtype: DType, bits: u64) -> bool {
    bits == 0 || negative_zero(dtype) == Some(bits)
}

fn negative_zero(dtype: DType) -> Option<u64> {
    dtype.is_float().then(|| 1 << (8 * dtype.size() - 1))
}

/// The values that are not finite with how often they occur, the first few kinds.
fn not_finite(dtype: DType, bytes: &[u8]) -> Vec<(u64, usize)> {
    let (Some(exponent), size) = (exponent(dtype), dtype.size()) else { return Vec::new() };
    let mut kinds: Vec<(u64, usize)> = Vec::new();
    // A count first: compilers make vectors of it, and most chunks have none.
    if matching_in(size, bytes, exponent, exponent) == 0 {
        return kinds;
    }
    by_size!(size, bytes, exponent, |values, wanted| {
        for value in values.filter(|value| value & wanted == wanted) {
            #[allow(clippy::useless_conversion, reason = "the code is made for integers of every size")]
            let bits = u64::from(value);
            match kinds.iter().position(|kind| kind.0 == bits) {
                Some(at) => kinds[at].1 += 1,
                None if kinds.len() < 2 * MOST_PATTERNS => kinds.push((bits, 1)),
                None => (),
            }
        }
    });
    kinds.sort_by_key(|(bits, count)| (std::cmp::Reverse(*count), *bits));
    kinds
}

fn magnitude(dtype: DType, bits: u64) -> f64 {
    let mut value = Vec::with_capacity(1);
    dtype.read_f64(&bits.to_le_bytes()[..dtype.size()], &mut value);
    value.first().map_or(0.0, |value| value.abs())
}

/// Of the finite ones; 0 where there are none.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn mean_magnitude(dtype: DType, values: &[u64]) -> f64 {
    let finite: Vec<f64> =
        values.iter().filter(|bits| is_finite(dtype, **bits)).map(|&bits| magnitude(dtype, bits)).collect();
    finite.iter().map(|value| value / finite.len() as f64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f32s(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn repeated_values_are_told_apart() {
        let fill = 9.96921e36f32;
        let values: Vec<f32> = (0..10_000)
            .map(|at| match at % 10 {
                0 => f32::NAN,
                1..4 => fill,
                4 => 0.0,
                5 => -0.0,
                _ => (at as f32).sin(),
            })
            .collect();
        let found = survey(DType::F32, &f32s(&values));
        assert_eq!(found.forced, [f32::NAN.to_bits().into(), u64::from(fill.to_bits())]);
        assert_eq!((found.optional.as_slice(), found.zeros), (&[0][..], 2000));
        assert_eq!(found.frequent, [u64::from(fill.to_bits())]);
        let classes = classes(DType::F32, &f32s(&values), &[0], true).unwrap();
        assert_eq!(classes.coded(), 8000);
    }

    #[test]
    fn ordinary_values_have_none() {
        let values: Vec<f32> = (0..5000).map(|at| (at as f32 * 0.7).sin() + 1e-3).collect();
        assert_eq!(survey(DType::F32, &f32s(&values)), Survey::default());
        assert_eq!(survey(DType::F32, &[]), Survey::default());
    }

    #[test]
    fn a_few_odd_values_are_left_to_the_list_and_a_constant_is_one_class() {
        let mut values = vec![1.5f32; 3000];
        values[7] = f32::INFINITY;
        let found = survey(DType::F32, &f32s(&values));
        assert_eq!((found.forced.len(), found.optional.len(), found.frequent.len()), (0, 1, 1));
        for &dtype in DType::ALL {
            let mut bytes = vec![0; 3000 * dtype.size()];
            dtype.write_f32(&vec![1.0; 3000], &mut bytes);
            assert_eq!(survey(dtype, &bytes).optional.len(), 1, "{dtype}");
        }
    }
}
