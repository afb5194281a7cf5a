//! The trellis codes: Ungerboeck's rate-1/2 codes on the union codebook.
//!
//! A level is `m = 2n + z0`; the state's low bit is `z0`, and `z1 = n & 1` drives the next state. Polynomials from
//! Ungerboeck, "Channel coding with multilevel/phase signals", IEEE Trans. Inf. Theory 28 (1982), table I.

/// One trellis code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Trellis {
    /// log2 of the number of states; 0 is no trellis: every level is allowed everywhere.
    pub(crate) log2_states: u8,
    h0: u16,
    h1: u16,
    /// Spacing of the union codebook in units of the uniform quantiser step with the same mean squared error.
    pub(crate) spacing: f32,
}

const CODES: [Trellis; 5] = [
    Trellis { log2_states: 0, h0: 0, h1: 0, spacing: 1.0 },
    Trellis { log2_states: 2, h0: 0o5, h1: 0o2, spacing: 0.555 },
    Trellis { log2_states: 3, h0: 0o13, h1: 0o4, spacing: 0.567 },
    Trellis { log2_states: 6, h0: 0o103, h1: 0o24, spacing: 0.583 },
    Trellis { log2_states: 8, h0: 0o515, h1: 0o362, spacing: 0.589 },
];

impl Trellis {
    /// Every level is allowed everywhere.
    pub(crate) const NONE: Self = CODES[0];

    /// The code with this many states.
    pub(crate) fn with_log2_states(log2_states: u8) -> Option<Self> {
        CODES.into_iter().find(|code| code.log2_states == log2_states)
    }

    /// What an odd state and an odd `n` flip in half the state.
    pub(crate) fn taps(&self) -> (i32, i32) {
        (i32::from(self.h0 >> 1), i32::from(self.h1 >> 1))
    }

    /// The state after a level with this `n` at this state.
    #[inline(always)]
    pub(crate) fn next(&self, state: u32, n: i32) -> u32 {
        let z0 = if state & 1 == 1 { u32::from(self.h0 >> 1) } else { 0 };
        let z1 = if n & 1 == 1 { u32::from(self.h1 >> 1) } else { 0 };
        state >> 1 ^ z0 ^ z1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_reached_from_two_others() {
        for code in &CODES[1..] {
            let mut reached = vec![0; 1 << code.log2_states];
            for state in 0..1u32 << code.log2_states {
                for n in [0, 1] {
                    reached[code.next(state, n) as usize] += 1;
                }
            }
            assert!(reached.iter().all(|&times| times == 2), "{code:?} {reached:?}");
        }
    }
}
