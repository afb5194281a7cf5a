//! Reading a plane: the plain way, which every fast one must agree with.

use telecine_core::{Error, Result};

use crate::bytes::{RawReader, read_length, take, take_array};
use crate::context::{Classes, MAX_CONTEXTS};
use crate::model::{Alphabet, code_distribution};
use crate::plane::{LOWEST, MAX_LOG2_LANES, PlaneSpec, code_escape};
use crate::range::{Bit, Number, Reader};
use crate::table::{SCALE, SCALE_BITS, TableModel};
use crate::trellis::Trellis;

/// Buffers for decoding planes.
#[derive(Debug, Default)]
pub(crate) struct PlaneDecoder {
    contexts: Vec<u8>,
}

/// An entry of a decoding table: the symbol at one position of the scale.
#[derive(Debug, Clone, Copy)]
struct Entry {
    frequency: u16,
    /// Position within the symbol.
    offset: u16,
    slot: u16,
}

impl PlaneDecoder {
    /// Fills `samples` from the packet part, which must end where the plane does.
    pub(crate) fn decode(&mut self, spec: &PlaneSpec, mut bytes: &[u8], samples: &mut [u16]) -> Result<()> {
        let head = take(&mut bytes, 3)?;
        let trellis = Trellis::with_log2_states(head[0])
            .ok_or_else(|| Error::corrupt(format!("a tns1 trellis of 2^{} states", head[0])))?;
        let (log2_lanes, symmetric, contexts) = (head[1] & 0x7f, head[1] & 0x80 != 0, usize::from(head[2]));
        if log2_lanes > MAX_LOG2_LANES || !(1..=MAX_CONTEXTS).contains(&contexts) {
            return Err(Error::corrupt(format!(
                "2^{log2_lanes} lanes, {contexts} contexts in a tns1 packet"
            )));
        }
        let has_trellis = trellis.log2_states > 0;
        let (mut spacing, mut base) = (1.0, 0);
        if has_trellis {
            spacing = f32::from_le_bytes(take_array(&mut bytes)?);
        } else {
            base = i32::from(u16::from_le_bytes(take_array(&mut bytes)?));
        }
        if !(spacing.is_finite() && spacing > 0.0) {
            return Err(Error::corrupt(format!("a tns1 packet states a spacing of {spacing}")));
        }
        let side_len = read_length(&mut bytes)?;
        let mut side = Reader::new(take(&mut bytes, side_len)?);
        let classes = if contexts == 1 {
            Classes::single()
        } else {
            Classes { contexts, rows: vec![0; spec.height], cols: vec![0; spec.width] }.code(&mut side)?
        };
        classes.contexts(spec.height, spec.width, &mut self.contexts);
        let mut models = (Number::default(), TableModel::default());
        let mut alphabets = Vec::with_capacity(contexts);
        let mut tables: Vec<Vec<Entry>> = Vec::with_capacity(2 * contexts);
        for _ in 0..contexts {
            let any = Alphabet { raw: 0, reach: 0 };
            let distribution = code_distribution(&mut side, &mut models, any, None, has_trellis, symmetric)?;
            alphabets.push(distribution.alphabet);
            tables.extend(distribution.frequencies.iter().map(|frequencies| entries(frequencies)));
        }
        let word_count = read_length(&mut bytes)?;
        let lanes = 1usize << log2_lanes;
        let mut states: Vec<u32> =
            take(&mut bytes, 4 * lanes)?.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
        if states.iter().any(|&state| state < LOWEST) {
            return Err(Error::corrupt("a lane of a tns1 packet starts below its bound"));
        }
        let word_bytes =
            word_count.checked_mul(2).ok_or_else(|| Error::corrupt("a tns1 packet of too many words"))?;
        let mut words = take(&mut bytes, word_bytes)?.as_chunks::<2>().0.iter();
        let mut raw = RawReader::new(bytes);
        let mut trellis_states = vec![0u16; lanes];
        let mut escapes = (Number::default(), Bit::default());
        let max = (1i32 << spec.depth) - 1;
        for (at, sample) in samples.iter_mut().enumerate() {
            let lane = at & (lanes - 1);
            let context = usize::from(self.contexts[at]);
            let parity = trellis_states[lane] & 1;
            let table = &tables[2 * context + usize::from(parity)];
            let state = &mut states[lane];
            let entry = table
                .get((*state & (SCALE - 1)) as usize)
                .ok_or_else(|| Error::corrupt("a tns1 packet uses an empty table"))?;
            *state = u32::from(entry.frequency) * (*state >> SCALE_BITS) + u32::from(entry.offset);
            if *state < LOWEST {
                let word = words.next().ok_or_else(|| Error::corrupt("a tns1 packet runs out of words"))?;
                *state = *state << 16 | u32::from(u16::from_le_bytes(*word));
            }
            let alphabet = &alphabets[context];
            let q = match alphabet.symbol(usize::from(entry.slot)) {
                Ok(q) => q,
                Err(parity) => {
                    let q = code_escape(&mut side, &mut escapes, alphabet, 0)?;
                    if q & 1 != parity {
                        return Err(Error::corrupt("an escaped level of a tns1 packet has the wrong parity"));
                    }
                    q
                }
            };
            let n = (q << alphabet.raw) | raw.take(alphabet.raw)?;
            let level = if has_trellis { 2 * n + i32::from(parity) } else { n };
            trellis_states[lane] = trellis.next(trellis_states[lane], n);
            let value = if has_trellis { spec.mid() + reconstruct(level, spacing) } else { base + level };
            *sample = u16::try_from(value.clamp(0, max)).unwrap_or(u16::MAX);
        }
        if words.next().is_some() || !raw.is_done() || states.iter().any(|&state| state != LOWEST) {
            return Err(Error::corrupt("a tns1 packet goes on after its last sample"));
        }
        Ok(())
    }
}

/// The sample distance from the middle that a level stands for.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "clamped to 24 bits")]
fn reconstruct(level: i32, spacing: f32) -> i32 {
    (level as f32 * spacing).clamp(-1e6, 1e6).round_ties_even() as i32
}

fn entries(frequencies: &[u16]) -> Vec<Entry> {
    let mut out = Vec::with_capacity(if frequencies.is_empty() { 0 } else { SCALE as usize });
    for (slot, &frequency) in (0u16..).zip(frequencies) {
        out.extend((0..frequency).map(|offset| Entry { frequency, offset, slot }));
    }
    out
}
