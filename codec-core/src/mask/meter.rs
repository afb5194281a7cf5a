//! The measure of candidates: a coder that adds up the information of each bit.

use super::range::{Bit, Coder};

/// Measures what a stream would take.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// 2^-24 bits.
    cost: u64,
}

impl Meter {
    /// The measured size in bits.
    pub(super) fn bits(&self) -> i64 {
        (self.cost >> 24).cast_signed()
    }
}

impl Coder for Meter {
    const READS: bool = false;

    #[inline(always)]
    fn bit(&mut self, bit: bool, model: &mut Bit) -> bool {
        let share = if bit { model.zero.wrapping_neg() } else { model.zero };
        self.cost += 32 * (1 << 24) - log2(share);
        model.update(bit);
        bit
    }

    fn raw(&mut self, value: u32, bits: u32) -> u32 {
        self.cost += u64::from(bits) << 24;
        value
    }
}

/// `2^24 log2(1 + i / 256)`.
static LOGARITHMS: [u32; 257] = logarithms();

const fn logarithms() -> [u32; 257] {
    let mut table = [0; 257];
    let mut i = 0;
    while i < 256 {
        // Squaring doubles the logarithm: one bit of it a time.
        let (mut square, mut place) = ((256 + i as u64) << 22, 0);
        while place < 24 {
            square = (square * square) >> 30;
            table[i] <<= 1;
            if square >> 31 != 0 {
                table[i] |= 1;
                square >>= 1;
            }
            place += 1;
        }
        i += 1;
    }
    table[256] = 1 << 24;
    table
}

/// `2^24 log2(value)` of a value above 0, from a table with linear interpolation: integers only, so that choices are the same everywhere.
#[inline(always)]
fn log2(value: u32) -> u64 {
    let leading = value.leading_zeros();
    let mantissa = value << leading & 0x7fff_ffff;
    let place = (mantissa >> 23) as usize;
    let (low, high) = (u64::from(LOGARITHMS[place]), u64::from(LOGARITHMS[place + 1]));
    let part = u64::from(mantissa & 0x7f_ffff);
    (u64::from(31 - leading) << 24) + low + (((high - low) * part) >> 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_those_of_floats() {
        for value in [1, 2, 3, 65536, 70000, 1 << 31, u32::MAX - 65536, u32::MAX] {
            let exact = f64::from(value).log2();
            let got = log2(value) as f64 / f64::from(1 << 24);
            assert!((got - exact).abs() < 4e-6, "{value}: {got} for {exact}");
        }
    }
}
