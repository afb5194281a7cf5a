//! Reading a part of levels: it is taken apart, then its samples are decoded the fastest way there is here.

use telecine_core::{Error, Result};

use crate::bytes::{read_length, take, take_array};
use crate::context::{Classes, MAX_CONTEXTS};
use crate::model::{Alphabet, Distribution, code_distribution};
use crate::order::Order;
use crate::plain::Plain;
use crate::plane::{LOWEST, MAX_LOG2_LANES, PlaneSpec, SPACINGS};
use crate::range::{Bit, Number, Reader};
use crate::simd::Way;
use crate::symbols::{Cursor, Job, PADDING, Tables};
use crate::table::TableModel;
use crate::trellis::Trellis;

/// Contexts of fewer samples are decoded without tables: filling those would take longer.
const FEW: usize = 512;

/// Buffers for decoding planes.
#[derive(Debug)]
pub(crate) struct PlaneDecoder {
    /// `None` decodes without tables.
    way: Option<Way>,
    tables: Tables,
    /// Samples in coding order.
    coded: Vec<u16>,
    /// Samples on their way from there.
    held: Vec<u16>,
    words: Vec<u8>,
    raw: Vec<u8>,
}

impl PlaneDecoder {
    /// A decoder that goes this way; without one, the plain way.
    pub(crate) fn new(way: Option<Way>) -> Self {
        let (coded, held) = (Vec::new(), Vec::new());
        Self { way, tables: Tables::default(), coded, held, words: Vec::new(), raw: Vec::new() }
    }

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
        if !SPACINGS.contains(&spacing) {
            return Err(Error::corrupt(format!("a tns1 packet states a spacing of {spacing}")));
        }
        let side_len = read_length(&mut bytes)?;
        let mut side = Reader::new(take(&mut bytes, side_len)?);
        let classes = if contexts == 1 {
            Classes::single()
        } else {
            Classes { contexts, rows: vec![0; spec.height], cols: vec![0; spec.width] }.code(&mut side)?
        };
        let order = Order::of(&classes, spec.height, spec.width);
        let mut models = (Number::default(), TableModel::default());
        let mut distributions = Vec::with_capacity(contexts);
        for _ in 0..contexts {
            let any = Alphabet { raw: 0, reach: 0 };
            distributions.push(code_distribution(&mut side, &mut models, any, None, has_trellis, symmetric)?);
        }
        let word_count = read_length(&mut bytes)?;
        let lanes = 1usize << log2_lanes;
        let states: Vec<u32> =
            take(&mut bytes, 4 * lanes)?.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
        if states.iter().any(|&state| !(LOWEST..LOWEST << 16).contains(&state)) {
            return Err(Error::corrupt("a lane of a tns1 packet starts outside its bounds"));
        }
        let word_bytes =
            word_count.checked_mul(2).ok_or_else(|| Error::corrupt("a tns1 packet of too many words"))?;
        pad(take(&mut bytes, word_bytes)?, &mut self.words);
        pad(bytes, &mut self.raw);
        let job = Job {
            trellis,
            spacing,
            centre: if has_trellis { spec.mid() } else { base },
            max: i32::from(spec.max()),
            words: &self.words,
            raw: &self.raw,
        };
        let escapes = (Number::default(), Bit::default());
        let mut cursor = Cursor { states, paths: vec![0; lanes], word: 0, raw: 0, side, escapes };
        let coded = if order.is_plain() {
            &mut *samples
        } else {
            self.coded.resize(samples.len(), 0);
            &mut self.coded
        };
        decode_all(self.way, &mut self.tables, &job, &distributions, &order, &mut cursor, coded)?;
        if !order.is_plain() {
            order.scatter(&self.coded, &mut self.held, samples);
        }
        let all_taken = cursor.word == word_bytes && cursor.raw.div_ceil(8) == bytes.len();
        if !all_taken || cursor.states.iter().any(|&state| state != LOWEST) {
            return Err(Error::corrupt("a tns1 packet goes on after its last sample"));
        }
        Ok(())
    }
}

/// Decodes samples in coding order.
fn decode_all(
    way: Option<Way>,
    tables: &mut Tables,
    job: &Job<'_>,
    distributions: &[Distribution],
    order: &Order,
    cursor: &mut Cursor<'_>,
    samples: &mut [u16],
) -> Result<()> {
    let lanes = cursor.states.len();
    for (distribution, mut range) in distributions.iter().zip(order.ranges()) {
        let plain = Plain::of(distribution);
        if let Some(way) = way.filter(|_| lanes > 1 && range.len() >= FEW) {
            // Whole steps of all lanes; what comes before and after is decoded plainly.
            let whole = range.start.next_multiple_of(lanes)..range.end / lanes * lanes;
            plain.run(job, cursor, range.start % lanes, &mut samples[range.start..whole.start])?;
            tables.fill(distribution, job.has_trellis());
            way.run(job, tables, cursor, &mut samples[whole.clone()])?;
            range.start = whole.end;
        }
        plain.run(job, cursor, range.start % lanes, &mut samples[range])?;
    }
    Ok(())
}

/// Copies bytes that vectors will be read from.
fn pad(bytes: &[u8], padded: &mut Vec<u8>) {
    padded.clear();
    padded.extend_from_slice(bytes);
    padded.resize(bytes.len() + PADDING, 0);
}
