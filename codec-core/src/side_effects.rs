//! Counts of values that a lossy coding changed in kind.

use std::ops::{BitAnd, BitXor};

use multiversion::multiversion;

use crate::DType;
use crate::lanes::COUNTED;

/// Counts of values that a lossy coding changed in kind: normalised errors, which go by energy, hide these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct SideEffects {
    /// Exact zeros that came back as another value.
    pub lost_zeros: u64,
    /// Values above zero that came back below it, and the reverse.
    pub changed_signs: u64,
    /// Values that came back as the one value which is most frequent in their chunk, and were another before; 0 where
    /// they are less than half of the chunk.
    pub flattened: u64,
}

impl SideEffects {
    /// Counts over a chunk's decoded against its original values of one dtype, both little-endian.
    ///
    /// Both zeros of a float dtype are the same value, and NaN has no sign. The most frequent value is looked for in a
    /// sample of 1,024 values, spread over the chunk; the counts are of all values.
    pub fn measure(dtype: DType, original: &[u8], decoded: &[u8]) -> Self {
        if original == decoded {
            return Self::default();
        }
        let byte = |[byte]: [u8; 1]| byte;
        match dtype {
            DType::F64 => measure(original, decoded, u64::from_le_bytes, F64),
            DType::F32 => measure(original, decoded, u32::from_le_bytes, F32),
            DType::F16 => measure(original, decoded, u16::from_le_bytes, F16),
            DType::Bf16 => measure(original, decoded, u16::from_le_bytes, BF16),
            DType::F8E4M3 => measure(original, decoded, byte, F8E4M3),
            DType::F8E5M2 => measure(original, decoded, byte, F8E5M2),
            DType::I64 => measure(original, decoded, u64::from_le_bytes, Bits::integer(1 << 63, u64::MAX)),
            DType::I32 => measure(original, decoded, u32::from_le_bytes, Bits::integer(1 << 31, u32::MAX)),
            DType::I16 => measure(original, decoded, u16::from_le_bytes, Bits::integer(1 << 15, u16::MAX)),
            DType::I8 => measure(original, decoded, byte, Bits::integer(1 << 7, u8::MAX)),
            DType::U64 => measure(original, decoded, u64::from_le_bytes, Bits::integer(0, u64::MAX)),
            DType::U32 => measure(original, decoded, u32::from_le_bytes, Bits::integer(0, u32::MAX)),
            DType::U16 => measure(original, decoded, u16::from_le_bytes, Bits::integer(0, u16::MAX)),
            DType::U8 | DType::Bool => measure(original, decoded, byte, Bits::integer(0, u8::MAX)),
        }
    }

    /// Adds the counts of another chunk.
    pub fn merge(&mut self, other: &Self) {
        self.lost_zeros = self.lost_zeros.saturating_add(other.lost_zeros);
        self.changed_signs = self.changed_signs.saturating_add(other.changed_signs);
        self.flattened = self.flattened.saturating_add(other.flattened);
    }
}

/// The meaning of a dtype's bits, as far as kinds of values go.
#[derive(Clone, Copy)]
struct Bits<T> {
    /// The sign bit; 0 for a dtype without one.
    sign: T,
    /// The bits that are all 0 in a zero.
    magnitude: T,
    /// The largest of those that is no NaN.
    largest: T,
}

const F64: Bits<u64> = Bits { sign: 1 << 63, magnitude: u64::MAX >> 1, largest: 0x7ff << 52 };
const F32: Bits<u32> = Bits { sign: 1 << 31, magnitude: u32::MAX >> 1, largest: 0xff << 23 };
const F16: Bits<u16> = Bits { sign: 1 << 15, magnitude: u16::MAX >> 1, largest: 0x1f << 10 };
const BF16: Bits<u16> = Bits { sign: 1 << 15, magnitude: u16::MAX >> 1, largest: 0xff << 7 };
/// 0x7f is NaN; there is no infinity.
const F8E4M3: Bits<u8> = Bits { sign: 1 << 7, magnitude: u8::MAX >> 1, largest: 0x7e };
const F8E5M2: Bits<u8> = Bits { sign: 1 << 7, magnitude: u8::MAX >> 1, largest: 0x1f << 2 };

/// An unsigned integer as wide as a dtype.
trait Word: Copy + Ord + Default + BitAnd<Output = Self> + BitXor<Output = Self> {}
impl Word for u8 {}
impl Word for u16 {}
impl Word for u32 {}
impl Word for u64 {}

impl<T: Word> Bits<T> {
    /// Two's complement, or unsigned where `sign` is 0.
    fn integer(sign: T, all: T) -> Self {
        Self { sign, magnitude: all, largest: all }
    }

    #[inline(always)]
    fn is_zero(self, value: T) -> bool {
        value & self.magnitude == T::default()
    }

    /// Whether the value lies on one side of zero.
    #[inline(always)]
    fn is_signed(self, value: T) -> bool {
        let magnitude = value & self.magnitude;
        magnitude != T::default() && magnitude <= self.largest
    }

    /// The value's bits, those of 0 for both zeros.
    #[inline(always)]
    fn unified(self, value: T) -> T {
        if self.is_zero(value) { T::default() } else { value }
    }
}

fn measure<const N: usize, T: Word>(
    original: &[u8],
    decoded: &[u8],
    to: impl Fn([u8; N]) -> T + Copy,
    bits: Bits<T>,
) -> SideEffects {
    let (original, decoded) = (original.as_chunks::<N>().0, decoded.as_chunks::<N>().0);
    let (lost_zeros, changed_signs) = changes(original, decoded, to, bits);
    let frequent = most_frequent(decoded, |value| bits.unified(to(value)));
    let flattened = frequent.map_or(0, |frequent| flattened(original, decoded, to, bits, frequent));
    let flattened = if 2 * flattened >= decoded.len() as u64 { flattened } else { 0 };
    SideEffects { lost_zeros, changed_signs, flattened }
}

/// Numbers of lost zeros and of changed signs.
#[multiversion(targets("x86_64+avx2"))]
fn changes<const N: usize, T: Word>(
    original: &[[u8; N]],
    decoded: &[[u8; N]],
    to: impl Fn([u8; N]) -> T,
    bits: Bits<T>,
) -> (u64, u64) {
    let (mut zeros, mut signs) = (0u64, 0u64);
    for (original, decoded) in original.chunks(COUNTED).zip(decoded.chunks(COUNTED)) {
        let (mut block_zeros, mut block_signs) = (0u32, 0u32);
        for (&original, &decoded) in original.iter().zip(decoded) {
            let (original, decoded) = (to(original), to(decoded));
            block_zeros += u32::from(bits.is_zero(original) & !bits.is_zero(decoded));
            let differ = (original ^ decoded) & bits.sign != T::default();
            block_signs += u32::from(differ & bits.is_signed(original) & bits.is_signed(decoded));
        }
        zeros += u64::from(block_zeros);
        signs += u64::from(block_signs);
    }
    (zeros, signs)
}

/// The number of values that became `frequent` and were another value before.
#[multiversion(targets("x86_64+avx2"))]
fn flattened<const N: usize, T: Word>(
    original: &[[u8; N]],
    decoded: &[[u8; N]],
    to: impl Fn([u8; N]) -> T,
    bits: Bits<T>,
    frequent: T,
) -> u64 {
    let mut sum = 0u64;
    for (original, decoded) in original.chunks(COUNTED).zip(decoded.chunks(COUNTED)) {
        let mut block = 0u32;
        for (&original, &decoded) in original.iter().zip(decoded) {
            let (original, decoded) = (bits.unified(to(original)), bits.unified(to(decoded)));
            block += u32::from((decoded == frequent) & (original != frequent));
        }
        sum += u64::from(block);
    }
    sum
}

/// Values of a sample in which the most frequent value is looked for.
const SAMPLE: usize = 1024;

/// The value that two fifths of a sample or more have.
fn most_frequent<const N: usize, T: Word>(values: &[[u8; N]], to: impl Fn([u8; N]) -> T) -> Option<T> {
    let stride = values.len().div_ceil(SAMPLE).max(1);
    // One value of each stretch, at varying places: a fixed distance could meet a single column of a matrix alone.
    let mut sample: Vec<T> = values
        .chunks(stride)
        .enumerate()
        .map(|(at, stretch)| to(stretch[at.wrapping_mul(0x9e37_79b1) % stretch.len()]))
        .collect();
    sample.sort_unstable();
    // A value of two fifths of the sorted places covers one of these: it may have half of all values.
    let places =
        [sample.len() / 3, sample.len().saturating_sub(1) / 2, sample.len() / 2, 2 * sample.len() / 3];
    places.into_iter().find_map(|at| {
        let value = *sample.get(at)?;
        let count =
            sample.partition_point(|other| *other <= value) - sample.partition_point(|other| *other < value);
        (5 * count >= 2 * sample.len()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn measure(dtype: DType, original: &[f32], decoded: &[f32]) -> SideEffects {
        let bytes = |values: &[f32]| {
            let mut bytes = vec![0; values.len() * dtype.size()];
            dtype.write_f32(values, &mut bytes);
            bytes
        };
        SideEffects::measure(dtype, &bytes(original), &bytes(decoded))
    }

    /// The definition, value by value.
    fn oracle(original: &[f32], decoded: &[f32]) -> SideEffects {
        let pairs = || original.iter().zip(decoded);
        let count = |is: &dyn Fn(f32, f32) -> bool| pairs().filter(|(a, b)| is(**a, **b)).count() as u64;
        let mut frequencies = BTreeMap::new();
        for value in decoded {
            *frequencies.entry((value + 0.0).to_bits()).or_insert(0) += 1;
        }
        let most = frequencies.into_iter().max_by_key(|entry| entry.1).map(|entry| f32::from_bits(entry.0));
        let flattened = most.map_or(0, |most| count(&|a, b| b == most && a != most));
        SideEffects {
            lost_zeros: count(&|a, b| a == 0.0 && b != 0.0),
            changed_signs: count(&|a, b| (a > 0.0 && b < 0.0) || (a < 0.0 && b > 0.0)),
            flattened: if 2 * flattened >= decoded.len() as u64 { flattened } else { 0 },
        }
    }

    #[test]
    fn every_dtype_counts_as_defined() {
        // Odd lengths: vectors do not divide them. Values that every dtype holds.
        for (seed, len) in [(1u32, 1), (2, 3), (3, 1027), (4, 40_001)] {
            let mut state = seed;
            let mut next = |range: u32| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) % range
            };
            for flat in [0, 3, 7, 8] {
                let signed: Vec<f32> = (0..len).map(|_| next(7) as f32 - 3.0).collect();
                let decoded: Vec<f32> =
                    (0..len).map(|_| if next(8) < flat { 2.0 } else { next(7) as f32 - 3.0 }).collect();
                let absolute = |values: &[f32]| values.iter().map(|v| v.abs()).collect::<Vec<_>>();
                let bits = |values: &[f32]| values.iter().map(|v| f32::from(*v > 0.0)).collect::<Vec<_>>();
                for &dtype in DType::ALL {
                    let (a, b) = match dtype {
                        DType::Bool => (bits(&signed), bits(&decoded)),
                        DType::U8 | DType::U16 | DType::U32 | DType::U64 => {
                            (absolute(&signed), absolute(&decoded))
                        }
                        _ => (signed.clone(), decoded.clone()),
                    };
                    let found = measure(dtype, &a, &b);
                    let wanted = oracle(&a, &b);
                    assert_eq!(found, wanted, "{dtype}, {len} values, {flat} of 8 flat");
                    assert!(dtype != DType::U8 || found.changed_signs == 0);
                }
            }
        }
    }

    #[test]
    fn zeros_are_one_value_and_nan_has_no_sign() {
        let of = |original: &[f32], decoded: &[f32]| measure(DType::F32, original, decoded);
        assert_eq!(of(&[0.0, -0.0, 1.0], &[-0.0, 0.0, 1.0]), SideEffects::default());
        let nan = of(&[f32::NAN, -f32::NAN, 1.0, -1.0], &[1.0, -1.0, f32::NAN, -f32::NAN]);
        assert_eq!(nan.changed_signs, 0);
        let infinite = of(&[f32::INFINITY, f32::NEG_INFINITY, 5.0], &[-1.0, 1.0, 7.0]);
        assert_eq!(infinite.changed_signs, 2);
        let half: Vec<u8> = [0x7e00u16, 0x7c00].iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let minus: Vec<u8> = [0xbc00u16; 2].iter().flat_map(|bits| bits.to_le_bytes()).collect();
        assert_eq!(SideEffects::measure(DType::F16, &half, &minus).changed_signs, 1);
        assert_eq!(SideEffects::measure(DType::F8E4M3, &[0x7f, 0x7e], &[0xb8, 0xb8]).changed_signs, 1);
    }

    #[test]
    fn what_was_one_value_before_is_not_flattened() {
        // 3 of 4 are zeros before and after.
        let original: Vec<f32> =
            (0..4000u16).map(|at| if at % 4 == 0 { f32::from(at) } else { 0.0 }).collect();
        let decoded = vec![0.0; 4000];
        assert_eq!(measure(DType::F32, &original, &decoded).flattened, 0);
        let original: Vec<f32> = (0..4000u16).map(f32::from).collect();
        assert_eq!(measure(DType::F32, &original, &decoded).flattened, 3999);
    }

    #[test]
    fn columns_that_differ_are_all_sampled() {
        // All columns but the first are flat; 1,024 values at a fixed distance would be those of the first.
        let original: Vec<f32> = (0..1 << 18u32).map(|at| at as f32).collect();
        let decoded: Vec<f32> =
            (0..1 << 18u32).map(|at| if at % 256 == 0 { at as f32 } else { -1.0 }).collect();
        assert_eq!(measure(DType::F32, &original, &decoded).flattened, (1 << 18) - (1 << 10));
    }
}
