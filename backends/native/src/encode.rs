//! Writing a plane.

use telecine_core::{Effort, Quality, Result};

use crate::bytes::{RawWriter, write_varint};
use crate::context::{Classes, magnitudes};
use crate::entropy;
use crate::model::{Alphabet, Distribution, ESCAPES, REACH_OF_SAMPLES, REACH_OF_TRELLIS, code_distribution};
use crate::plane::{CONSTANT, MAX_LOG2_LANES, PlaneSpec, code_escape, log2_lanes, split};
use crate::range::{Bit, Number, Writer};
use crate::rates::Rates;
use crate::shape::Shape;
use crate::table::{SCALE, SCALE_BITS, TableModel};
use crate::trellis::Trellis;
use crate::viterbi::{Input, Search};

/// Wanted standard deviation of coded symbols; what is wider gets raw bits.
const SYMBOL_SPREAD: f32 = 12.0;

/// Buffers for encoding planes.
#[derive(Debug, Default)]
pub(crate) struct PlaneEncoder {
    values: Vec<f32>,
    levels: Vec<i32>,
    contexts: Vec<u8>,
    /// The number of each level's symbol among those of all distributions.
    symbols: Vec<u32>,
    words: Vec<u16>,
    search: Search,
}

/// What a plane's levels are coded with.
struct Models {
    trellis: Trellis,
    log2_lanes: u8,
    spacing: f32,
    /// The sample of level 0, without a trellis.
    base: u16,
    classes: Classes,
    alphabets: Vec<Alphabet>,
}

impl PlaneEncoder {
    /// Appends the plane.
    ///
    /// # Errors
    /// None that is known: coding what a writer is given does not fail.
    pub(crate) fn encode(
        &mut self,
        spec: &PlaneSpec,
        samples: &[u16],
        quality: Quality,
        effort: Effort,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") {
            // SAFETY: the features were detected on the line above.
            return unsafe { self.encode_avx2(spec, samples, quality, effort, out) };
        }
        self.encode_here(spec, samples, quality, effort, out)
    }

    /// The same code for wider vectors; no result depends on it.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi2")]
    fn encode_avx2(
        &mut self,
        spec: &PlaneSpec,
        samples: &[u16],
        quality: Quality,
        effort: Effort,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.encode_here(spec, samples, quality, effort, out)
    }

    #[inline(always)]
    fn encode_here(
        &mut self,
        spec: &PlaneSpec,
        samples: &[u16],
        quality: Quality,
        effort: Effort,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let lowest = samples.iter().fold(u16::MAX, |low, &sample| low.min(sample));
        let highest = samples.iter().fold(0, |high, &sample| high.max(sample));
        let range = (lowest, highest);
        if range.0 >= range.1 {
            write_constant(range.1, out);
            return Ok(());
        }
        let models = match quality {
            Quality::Step(step) => self.model_values(spec, samples, step, effort),
            _ => self.model_levels(spec, samples, base(spec, range)),
        };
        if models.trellis.log2_states > 0 && self.levels.iter().all(|&level| level == 0) {
            write_constant(1 << (spec.depth - 1), out);
            return Ok(());
        }
        self.write(spec, &models, out)
    }

    /// Lossless: levels are samples around `base`.
    #[expect(clippy::cast_precision_loss, reason = "17 bits fit f32")]
    fn model_levels(&mut self, spec: &PlaneSpec, samples: &[u16], base: u16) -> Models {
        let trellis = Trellis::with_log2_states(0).unwrap_or(Trellis::NONE);
        self.levels.clear();
        self.levels.extend(samples.iter().map(|&sample| i32::from(sample) - i32::from(base)));
        self.values.clear();
        self.values.extend(self.levels.iter().map(|&level| level as f32));
        let mut best: Option<(f64, Classes, Vec<Alphabet>)> = None;
        for classes in [Classes::of(&self.values, spec.width), Classes::single()] {
            if best.is_some() && best.as_ref().is_some_and(|(_, c, _)| c.contexts == 1) {
                break;
            }
            classes.contexts(spec.height, spec.width, &mut self.contexts);
            let mut cost = 3.0 * (classes.rows.len() + classes.cols.len()) as f64;
            let mut alphabets = Vec::with_capacity(classes.contexts);
            for context in 0..classes.contexts {
                let levels = self.levels.iter().zip(&self.contexts);
                let own = levels.filter(|(_, c)| usize::from(**c) == context).map(|(level, _)| *level);
                let (alphabet, bits) = cheapest(alphabet_costs(own, REACH_OF_SAMPLES));
                alphabets.push(alphabet);
                cost += bits;
            }
            if best.as_ref().is_none_or(|(least, _, _)| cost < *least) {
                best = Some((cost, classes, alphabets));
            }
        }
        let (_, classes, alphabets) = best.unwrap_or((0.0, Classes::single(), Vec::new()));
        classes.contexts(spec.height, spec.width, &mut self.contexts);
        Models {
            trellis,
            log2_lanes: log2_lanes(spec.samples(), MAX_LOG2_LANES),
            spacing: 1.0,
            base,
            classes,
            alphabets,
        }
    }

    /// Lossy: levels by search through a trellis.
    #[expect(clippy::cast_precision_loss, reason = "17 bits fit f32")]
    #[inline(always)]
    fn model_values(&mut self, spec: &PlaneSpec, samples: &[u16], step: f32, effort: Effort) -> Models {
        let (log2_states, passes) = match effort {
            Effort::Fast => (3, 1),
            Effort::Balanced => (6, 2),
            Effort::Best => (8, 2),
        };
        let trellis = Trellis::with_log2_states(log2_states).unwrap_or(Trellis::NONE);
        let fast = Trellis::with_log2_states(3).unwrap_or(Trellis::NONE);
        // Finer than the grid gains nothing, and keeps levels within 17 bits.
        let spacing = (step * trellis.spacing).clamp(0.5, 32768.0);
        self.values.clear();
        let (mid, inverse) = (spec.mid(), 1.0 / spacing);
        self.values.extend(samples.iter().map(|&sample| (i32::from(sample) - mid) as f32 * inverse));
        let classes = Classes::of(&self.values, spec.width);
        classes.contexts(spec.height, spec.width, &mut self.contexts);
        let sums = magnitudes(&self.contexts, &self.values, classes.contexts);
        #[expect(clippy::cast_possible_truncation, reason = "a mean")]
        let scales: Vec<f32> = sums.iter().map(|&(count, sum)| (sum / count.max(1.0)) as f32).collect();
        let raw = |mean: f32| (1.2533 * mean / 2.0 / SYMBOL_SPREAD).log2().ceil().clamp(0.0, 15.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let mut alphabets: Vec<Alphabet> =
            scales.iter().map(|&mean| Alphabet { raw: raw(mean.max(1e-6)) as u8, reach: REACH_OF_TRELLIS }).collect();
        let shapes: Vec<Shape> = scales.iter().map(|&mean| Shape::of_mean(mean)).collect();
        let mut rates: Option<Rates> = None;
        // More lanes decode faster; their states are a 0.004th of a bit for 64 lanes of 2^18 values.
        let most = if effort == Effort::Fast { MAX_LOG2_LANES } else { MAX_LOG2_LANES - 1 };
        let log2_lanes = log2_lanes(spec.samples(), most);
        let lanes = 1usize << log2_lanes;
        self.levels.clear();
        self.levels.resize(spec.samples(), 0);
        for pass in 0..passes {
            // Early passes only count.
            let trellis = if pass + 1 < passes { &fast } else { &trellis };
            let input = Input {
                values: &self.values,
                contexts: &self.contexts,
                shapes: &shapes,
                rates: rates.as_ref(),
                lanes,
            };
            self.search.run(trellis, input, &mut self.levels);
            self.set_reaches(&mut alphabets);
            if pass + 1 < passes {
                let counts = self.count(&alphabets, true);
                let distributions = distributions_for_search(&alphabets, &counts);
                rates = Some(Rates::of_distributions(&distributions));
            }
        }
        self.spare_raw_bits(&mut alphabets);
        let spacing = spacing * self.gain();
        Models { trellis, log2_lanes, spacing, base: 0, classes, alphabets }
    }

    /// Sets the reach of every alphabet to what its levels need, as far as decoding tables go.
    #[inline(always)]
    fn set_reaches(&self, alphabets: &mut [Alphabet]) {
        let mut furthest = [[0u32; 4]; 256];
        for (contexts, levels) in self.contexts.chunks(4).zip(self.levels.chunks(4)) {
            for (at, (&context, level)) in contexts.iter().zip(levels).enumerate() {
                let most = &mut furthest[usize::from(context)][at];
                *most = (*most).max((level >> 1).unsigned_abs());
            }
        }
        for (alphabet, furthest) in alphabets.iter_mut().zip(furthest) {
            let furthest = furthest.into_iter().fold(0, u32::max) >> alphabet.raw;
            alphabet.reach = i32::try_from(furthest).unwrap_or(i32::MAX).min(REACH_OF_TRELLIS);
        }
    }

    /// Takes raw bits back where coding them is cheaper: the spread foretells no peaks, such as many exact zeros.
    fn spare_raw_bits(&self, alphabets: &mut [Alphabet]) {
        for (context, alphabet) in alphabets.iter_mut().enumerate().filter(|(_, alphabet)| alphabet.raw > 0) {
            let levels = self.levels.iter().zip(&self.contexts);
            let own = levels.filter(|(_, c)| usize::from(**c) == context).map(|(level, _)| level >> 1);
            let costs = alphabet_costs(own, REACH_OF_TRELLIS);
            let now =
                costs.iter().find(|(a, _)| a.raw == alphabet.raw).map_or(f64::INFINITY, |(_, bits)| *bits);
            // The estimate knows nothing of parities and little of tables: only a clear gain counts.
            match cheapest(costs) {
                (spared, bits) if spared.raw < alphabet.raw && bits < 0.98 * now => *alphabet = spared,
                _ => (),
            }
        }
    }

    /// The factor on the levels that leaves the least squared error: rate pulls levels inwards, so it is above 1.
    #[expect(clippy::cast_possible_truncation, reason = "a ratio of sums")]
    #[inline(always)]
    fn gain(&self) -> f32 {
        const SIDE: usize = 8;
        let (mut cross, mut energy) = ([0f64; SIDE], [0f64; SIDE]);
        let (levels, values) = (self.levels.chunks_exact(SIDE), self.values.chunks_exact(SIDE));
        let rest = levels.remainder().iter().zip(values.remainder());
        let mut add = |at: usize, level: i32, value: f32| {
            let level = f64::from(level);
            cross[at] += level * f64::from(value);
            energy[at] += level * level;
        };
        for (&level, &value) in rest {
            add(0, level, value);
        }
        for (levels, values) in levels.zip(values) {
            for at in 0..SIDE {
                add(at, levels[at], values[at]);
            }
        }
        let (cross, energy) = (cross.iter().sum::<f64>(), energy.iter().sum::<f64>());
        if energy > 0.0 { ((cross / energy) as f32).clamp(0.5, 2.0) } else { 1.0 }
    }

    /// Sets the symbols of all levels and counts them by context, parity and slot.
    #[expect(clippy::cast_possible_truncation, reason = "at most 2048 slots in each of 48 tables")]
    #[inline(always)]
    fn count(&mut self, alphabets: &[Alphabet], trellis: bool) -> Vec<[Vec<u32>; 2]> {
        let mut starts = Vec::with_capacity(alphabets.len());
        let mut total = 0usize;
        for alphabet in alphabets {
            starts.push([total as u32, (total + alphabet.slots()) as u32]);
            total += 2 * alphabet.slots();
        }
        // Two counts side by side, because each waits for itself.
        let mut counts = [vec![0u32; total], vec![0u32; total]];
        self.symbols.clear();
        self.symbols.resize(self.levels.len(), 0);
        let levels = self.levels.chunks(2).zip(self.contexts.chunks(2));
        for ((levels, contexts), symbols) in levels.zip(self.symbols.chunks_mut(2)) {
            for at in 0..levels.len() {
                let context = usize::from(contexts[at]);
                let alphabet = &alphabets[context];
                let (parity, n) = split(levels[at], trellis);
                let symbol = starts[context][parity] + alphabet.slot(n >> alphabet.raw) as u32;
                counts[at][symbol as usize] += 1;
                symbols[at] = symbol;
            }
        }
        let [first, second] = counts;
        let mut counts = first.iter().zip(second).map(|(a, b)| a + b);
        let mut next = |alphabet: &Alphabet| counts.by_ref().take(alphabet.slots()).collect();
        alphabets.iter().map(|alphabet| [next(alphabet), next(alphabet)]).collect()
    }

    #[inline(always)]
    fn write(&mut self, spec: &PlaneSpec, models: &Models, out: &mut Vec<u8>) -> Result<()> {
        let trellis = models.trellis.log2_states > 0;
        let counts = self.count(&models.alphabets, trellis);
        let symmetric = prefers_symmetry(&models.alphabets, &counts);
        let mut side = Writer::new();
        models.classes.code(&mut side)?;
        let mut table_models = (Number::default(), TableModel::default());
        let mut distributions = Vec::with_capacity(models.alphabets.len());
        for (alphabet, counts) in models.alphabets.iter().zip(&counts) {
            distributions.push(code_distribution(
                &mut side,
                &mut table_models,
                *alphabet,
                Some(counts),
                trellis,
                symmetric,
            )?);
        }
        let states = entropy::encode(&distributions, &self.symbols, 1 << models.log2_lanes, &mut self.words);
        let raw = self.write_raw(&models.alphabets, trellis);
        if counts.iter().flatten().any(|counts| counts[counts.len() - ESCAPES..].iter().any(|&c| c > 0)) {
            self.write_escapes(&models.alphabets, trellis, &mut side)?;
        }
        let side = side.finish();
        #[expect(clippy::cast_possible_truncation, reason = "at most MAX_CONTEXTS")]
        out.extend_from_slice(&[
            models.trellis.log2_states,
            models.log2_lanes | if symmetric { 0x80 } else { 0 },
            models.classes.contexts as u8,
        ]);
        if trellis {
            out.extend_from_slice(&models.spacing.to_le_bytes());
        } else {
            out.extend_from_slice(&models.base.to_le_bytes());
        }
        debug_assert_eq!(self.levels.len(), spec.samples());
        write_varint(side.len() as u64, out);
        out.extend_from_slice(&side);
        write_varint(self.words.len() as u64, out);
        out.extend(states.iter().flat_map(|state| state.to_le_bytes()));
        let start = out.len();
        out.resize(start + 2 * self.words.len(), 0);
        for (bytes, word) in out[start..].as_chunks_mut::<2>().0.iter_mut().zip(&self.words) {
            *bytes = word.to_le_bytes();
        }
        raw.finish(out);
        Ok(())
    }

    /// The uncoded bits of all levels.
    fn write_raw(&self, alphabets: &[Alphabet], trellis: bool) -> RawWriter {
        let mut raw = RawWriter::default();
        if alphabets.iter().all(|alphabet| alphabet.raw == 0) {
            return raw;
        }
        for (&level, &context) in self.levels.iter().zip(&self.contexts) {
            let count = alphabets[usize::from(context)].raw;
            let (_, n) = split(level, trellis);
            raw.push(n.cast_unsigned() & ((1 << count) - 1), count);
        }
        raw
    }

    fn write_escapes(&self, alphabets: &[Alphabet], trellis: bool, side: &mut Writer) -> Result<()> {
        let mut models = (Number::default(), Bit::default());
        for (&level, &context) in self.levels.iter().zip(&self.contexts) {
            let alphabet = &alphabets[usize::from(context)];
            let (_, n) = split(level, trellis);
            let q = n >> alphabet.raw;
            if alphabet.slot(q) >= alphabet.slots() - ESCAPES {
                code_escape(side, &mut models, alphabet, q)?;
            }
        }
        Ok(())
    }
}

fn write_constant(sample: u16, out: &mut Vec<u8>) {
    out.push(CONSTANT);
    out.extend_from_slice(&sample.to_le_bytes());
}

/// Smoothed distributions for the next pass of the search: it may use what the last pass did not.
fn distributions_for_search(alphabets: &[Alphabet], counts: &[[Vec<u32>; 2]]) -> Vec<Distribution> {
    let smooth = |counts: &Vec<u32>| {
        let total = f64::from(counts.iter().sum::<u32>().max(1));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most SCALE")]
        let frequency =
            |&count: &u32| (f64::from(count) / total * f64::from(SCALE)).max(0.4).round().max(1.0) as u16;
        counts.iter().map(frequency).collect::<Vec<u16>>()
    };
    let pairs = alphabets.iter().zip(counts);
    pairs
        .map(|(&alphabet, [even, odd])| Distribution { alphabet, frequencies: [smooth(even), smooth(odd)] })
        .collect()
}

/// Whether halves of tables do: the two sides of each differ by no more than chance.
fn prefers_symmetry(alphabets: &[Alphabet], counts: &[[Vec<u32>; 2]]) -> bool {
    let mut excess = 0f64;
    for (alphabet, tables) in alphabets.iter().zip(counts) {
        for (parity, table) in tables.iter().enumerate() {
            for q in 0..=alphabet.reach {
                let mirrored = if alphabet.raw == 0 && parity == 0 { -q } else { -1 - q };
                let a = f64::from(table[alphabet.slot(q)]);
                let b = f64::from(table[alphabet.slot(mirrored)]);
                let bits = |n: f64| if n > 0.0 { n * (2.0 * n / (a + b)).log2() } else { 0.0 };
                // What two entries would save, less what the second costs.
                excess += bits(a) + bits(b) - if a + b > 0.0 { 4.0 } else { 0.0 };
            }
        }
    }
    excess <= 0.0
}

/// The alphabets of a reach of at most `most`, one for each number of raw bits, with their costs in bits.
#[expect(clippy::cast_precision_loss, reason = "counts for a cost")]
fn alphabet_costs(levels: impl Iterator<Item = i32>, most: i32) -> Vec<(Alphabet, f64)> {
    // Samples of 16 bits around any base: 17 bits with the sign.
    let offset = 1i32 << 16;
    let mut histogram = vec![0u32; 1 << 17];
    let mut total = 0u32;
    for level in levels {
        histogram[(level + offset).unsigned_abs() as usize] += 1;
        total += 1;
    }
    let mut costs = Vec::with_capacity(16);
    for raw in 0..16 {
        let half = histogram.len() / 2;
        let used = |(at, _): (usize, &u32)| if at >= half { at - half } else { half - 1 - at };
        let furthest =
            histogram.iter().enumerate().filter(|(_, count)| **count > 0).map(used).max().unwrap_or(0);
        let n = f64::from(total);
        let mut bits = n * f64::from(raw);
        for &count in histogram.iter().filter(|&&count| count > 0) {
            // No symbol costs more than the precision of frequencies.
            bits += f64::from(count) * (n / f64::from(count)).log2().min(f64::from(SCALE_BITS)) + 6.0;
        }
        bits += furthest as f64 * 0.1;
        let reach = i32::try_from(furthest).unwrap_or(i32::MAX);
        if reach <= most {
            costs.push((Alphabet { raw, reach }, bits));
        }
        histogram = histogram.chunks_exact(2).map(|pair| pair[0] + pair[1]).collect();
    }
    costs
}

/// The alphabet of least cost, the fewer raw bits first.
fn cheapest(costs: Vec<(Alphabet, f64)>) -> (Alphabet, f64) {
    let least = costs.into_iter().min_by(|a, b| a.1.total_cmp(&b.1));
    least.unwrap_or((Alphabet { raw: 0, reach: 0 }, f64::INFINITY))
}

/// The sample that lossless levels count from: the middle, where signed signals have their zero and bits of floats
/// split well; the middle of what occurs where that is narrow and lies elsewhere.
fn base(spec: &PlaneSpec, (low, high): (u16, u16)) -> u16 {
    let mid = 1u16 << (spec.depth - 1);
    let near = |sample: u16| i32::from(sample.abs_diff(mid)) <= REACH_OF_SAMPLES;
    let narrow = i32::from(high.abs_diff(low)) <= 2 * REACH_OF_SAMPLES;
    if narrow && !(near(low) && near(high)) { low + (high - low) / 2 } else { mid }
}
