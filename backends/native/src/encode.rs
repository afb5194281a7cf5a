//! Writing a plane.

use telecine_core::{Effort, Quality, Result};

use crate::bytes::{RawWriter, write_varint};
use crate::cells::Cells;
use crate::context::{Classes, magnitudes};
use crate::entropy;
use crate::histogram::{Histogram, cheapest, cheapest_together};
use crate::model::{Alphabet, ESCAPES, REACH_OF_SAMPLES, REACH_OF_TRELLIS, code_distribution};
use crate::order::Order;
use crate::plane::{CONSTANT, PlaneSpec, code_escape, log2_lanes};
use crate::range::{Bit, Number, Writer};
use crate::rates::Rates;
use crate::search::{Grid, Input, Search, Shape};
use crate::table::TableModel;
use crate::trellis::Trellis;

/// Wanted standard deviation of coded symbols at most; what is wider gets raw bits. Wider tables waste their precision on
/// tails.
const SYMBOL_SPREAD: f32 = 12.0;
/// From this mean magnitude on, in spacings, levels cost about what a formula says.
const FEW_ZEROS: f32 = 0.7;
/// Below this spacing, in samples, the search counts that levels decode to whole samples.
const FINE: f32 = 4.0;

/// A mean this near to the middle, in steps, is taken for it.
const MIDDLE: f64 = 0.02;

/// Buffers for encoding planes.
#[derive(Debug, Default)]
pub(crate) struct PlaneEncoder {
    /// Set where instructions that not every machine has are left alone.
    is_portable: bool,
    /// Samples in coding order.
    coded: Vec<u16>,
    /// Samples on their way there.
    held: Vec<u16>,
    /// Levels of the search; none without one.
    levels: Vec<i32>,
    /// The number of each level's cell.
    numbers: Vec<u16>,
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
    order: Order,
    alphabets: Vec<Alphabet>,
    /// How often each cell occurs, numbered through all contexts.
    counts: Vec<u32>,
}

impl Models {
    fn cells(&self) -> Cells {
        Cells { trellis: self.trellis.log2_states > 0 }
    }
}

impl PlaneEncoder {
    /// An encoder that leaves alone instructions that not every machine has, or one that uses them.
    pub(crate) fn new(is_portable: bool) -> Self {
        Self { is_portable, ..Self::default() }
    }

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
        if !self.is_portable && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") {
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
        let mut models = match quality {
            Quality::Step(step) => self.model_values(spec, samples, step, effort),
            _ => self.model_levels(spec, samples, base(spec, range)),
        };
        if let Quality::Step(step) = quality
            && self.levels.iter().all(|&level| level == 0)
        {
            write_constant(nearest_constant(spec, samples, step), out);
            return Ok(());
        }
        self.write(&mut models, out)
    }

    /// Lossless: levels are samples around `base`.
    #[inline(always)]
    fn model_levels(&mut self, spec: &PlaneSpec, samples: &[u16], base: u16) -> Models {
        let mut classes = Classes::of(samples, base.into(), 1.0, spec.width);
        let mut order = Order::of(&classes, spec.height, spec.width);
        order.gather(samples, &mut self.held, &mut self.coded);
        // A loop, because `collect` would leave this function's instructions.
        let mut histograms = Vec::with_capacity(classes.contexts);
        for range in order.ranges() {
            histograms.push(Histogram::of_samples(&self.coded[range], base, &mut self.held));
        }
        let costs = |histograms: &[Histogram]| {
            let of_context = |histogram: &Histogram| histogram.costs(REACH_OF_SAMPLES);
            cheapest_together(&histograms.iter().map(of_context).collect::<Vec<_>>())
        };
        let (mut alphabets, bits) = costs(&histograms);
        if classes.contexts > 1 {
            let whole = [Histogram::sum(&histograms)];
            let single = costs(&whole);
            #[expect(clippy::cast_precision_loss, reason = "counts for a cost")]
            let classes_bits = 3.0 * (classes.rows.len() + classes.cols.len()) as f64;
            if single.1 <= bits + classes_bits {
                classes = Classes::single();
                order = Order::of(&classes, spec.height, spec.width);
                order.gather(samples, &mut self.held, &mut self.coded);
                (alphabets, histograms) = (single.0, whole.into());
            }
        }
        let cells = Cells { trellis: false };
        let counts = histograms.iter().zip(&alphabets).flat_map(|(h, a)| cells.counts_of(h, a)).collect();
        let mut start = 0;
        self.numbers.resize(samples.len(), 0);
        for (range, alphabet) in order.ranges().zip(&alphabets) {
            cells.number_samples(
                &self.coded[range.clone()],
                base,
                alphabet.raw,
                start,
                &mut self.numbers[range],
            );
            start += cells.count();
        }
        let log2_lanes = log2_lanes(spec.samples());
        Models { trellis: Trellis::NONE, log2_lanes, spacing: 1.0, base, classes, order, alphabets, counts }
    }

    /// Lossy: levels by search through a trellis.
    #[inline(always)]
    fn model_values(&mut self, spec: &PlaneSpec, samples: &[u16], step: f32, effort: Effort) -> Models {
        let log2_states = match effort {
            Effort::Fast => 3,
            Effort::Balanced => 6,
            Effort::Best => 8,
        };
        let trellis = Trellis::with_log2_states(log2_states).unwrap_or(Trellis::NONE);
        let fast = Trellis::with_log2_states(3).unwrap_or(Trellis::NONE);
        // Finer than the grid gains nothing, and keeps levels within 17 bits.
        let spacing = (step * trellis.spacing).clamp(0.5, 32_768.0);
        let (mid, inverse) = (1 << (spec.depth - 1), 1.0 / spacing);
        let classes = Classes::of(samples, mid.into(), inverse.into(), spec.width);
        let order = Order::of(&classes, spec.height, spec.width);
        let coded = if order.is_plain() {
            samples
        } else {
            order.gather(samples, &mut self.held, &mut self.coded);
            &self.coded
        };
        let sums: Vec<(f64, f64)> =
            order.ranges().map(|range| magnitudes(&coded[range], mid.into())).collect();
        #[expect(clippy::cast_possible_truncation, reason = "a mean")]
        let mean = |&(count, sum): &(f64, f64)| (sum / count.max(1.0)) as f32 * inverse;
        let means: Vec<f32> = sums.iter().map(mean).collect();
        let mut alphabets: Vec<Alphabet> = means.iter().map(|&mean| alphabet_of_mean(mean)).collect();
        let shapes: Vec<Shape> = means.iter().map(|&mean| Shape::of_mean(mean)).collect();
        // Formulas do for a quick search, but for levels that are mostly 0.
        let all = sums.iter().fold((0.0, 0.0), |all, own| (all.0 + own.0, all.1 + own.1));
        let is_fine = spacing < FINE;
        let passes = if effort == Effort::Fast && mean(&all) > FEW_ZEROS && !is_fine { 1 } else { 2 };
        let mut rates: Option<Rates> = None;
        let log2_lanes = log2_lanes(spec.samples());
        self.levels.resize(spec.samples(), 0);
        let cells = Cells { trellis: true };
        let lanes = 1 << log2_lanes;
        let (ends, shapes) = (&order.ends, &shapes);
        let input = Input { samples: coded, mid, inverse, ends, shapes, rates: None, lanes, grid: None };
        let mut grid = None;
        for pass in 0..passes {
            let last = pass + 1 == passes;
            let input = Input { rates: rates.as_ref(), grid, ..input };
            // Early passes only count.
            let trellis = if last { &trellis } else { &fast };
            self.search.run(self.is_portable, trellis, input, &mut self.levels);
            if !last {
                let counts = cells.number_all(&self.levels, &order, &alphabets, &mut self.numbers);
                let counts = slot_counts(cells, &mut alphabets, &counts);
                if is_fine {
                    grid = Some(Grid { spacing: spacing * gain(&self.levels, input), max: spec.max() });
                }
                rates = Some(Rates::of_counts(&alphabets, &counts));
            }
        }
        self.spare_raw_bits(&order, &mut alphabets);
        let counts = cells.number_all(&self.levels, &order, &alphabets, &mut self.numbers);
        // Not `map_or_else`, whose closure would lose the instructions of the function around.
        let spacing = match grid {
            Some(grid) => grid.spacing,
            None => spacing * gain(&self.levels, input),
        };
        Models { trellis, log2_lanes, spacing, base: 0, classes, order, alphabets, counts }
    }

    /// Takes raw bits back where coding them is cheaper: the spread foretells no peaks, such as many exact zeros.
    fn spare_raw_bits(&self, order: &Order, alphabets: &mut [Alphabet]) {
        let pairs = alphabets.iter_mut().zip(order.ranges()).filter(|(alphabet, _)| alphabet.raw > 0);
        for (alphabet, range) in pairs {
            let costs = Histogram::of_levels(&self.levels[range], 1).costs(REACH_OF_TRELLIS);
            let now =
                costs.iter().find(|(a, _)| a.raw == alphabet.raw).map_or(f64::INFINITY, |(_, bits)| *bits);
            // The estimate knows nothing of parities and little of tables: only a clear gain counts.
            match cheapest(&costs) {
                (spared, bits) if spared.raw < alphabet.raw && bits < 0.98 * now => *alphabet = spared,
                _ => (),
            }
        }
    }

    #[inline(always)]
    fn write(&mut self, models: &mut Models, out: &mut Vec<u8>) -> Result<()> {
        let cells = models.cells();
        let counts = slot_counts(cells, &mut models.alphabets, &models.counts);
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
                cells.trellis,
                symmetric,
            )?);
        }
        let lanes = 1 << models.log2_lanes;
        let (states, first_word) =
            entropy::encode(self.is_portable, &distributions, cells, &self.numbers, lanes, &mut self.words);
        if counts.iter().flatten().any(|counts| counts[counts.len() - ESCAPES..] != [0; ESCAPES]) {
            self.write_escapes(models, &mut side)?;
        }
        let side = side.finish();
        #[expect(clippy::cast_possible_truncation, reason = "at most MAX_CONTEXTS")]
        out.extend_from_slice(&[
            models.trellis.log2_states,
            models.log2_lanes | if symmetric { 0x80 } else { 0 },
            models.classes.contexts as u8,
        ]);
        if cells.trellis {
            out.extend_from_slice(&models.spacing.to_le_bytes());
        } else {
            out.extend_from_slice(&models.base.to_le_bytes());
        }
        write_varint(side.len() as u64, out);
        out.extend_from_slice(&side);
        let words = &self.words[first_word..];
        write_varint(words.len() as u64, out);
        out.extend(states.iter().flat_map(|state| state.to_le_bytes()));
        let start = out.len();
        out.resize(start + 2 * words.len(), 0);
        for (bytes, word) in out[start..].as_chunks_mut::<2>().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        self.write_raw(models, out);
        Ok(())
    }

    /// The uncoded bits of all levels.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the low bits")]
    fn write_raw(&self, models: &Models, out: &mut Vec<u8>) {
        let mut raw = RawWriter::new(out);
        for (range, alphabet) in models.order.ranges().zip(&models.alphabets) {
            match alphabet.raw {
                0 => (),
                count if models.cells().trellis => {
                    raw.push_all(&self.levels[range], |level| (level >> 1) as u16, count);
                }
                count => {
                    raw.push_all(&self.coded[range], |sample| sample.wrapping_sub(models.base), count);
                }
            }
        }
        raw.finish();
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "numbers are of 16 bits")]
    fn write_escapes(&self, models: &Models, side: &mut Writer) -> Result<()> {
        let cells = models.cells();
        let mut escape_models = (Number::default(), Bit::default());
        for (context, (range, alphabet)) in models.order.ranges().zip(&models.alphabets).enumerate() {
            let inside = cells.numbers_within(alphabet);
            let (first, count) = ((context * cells.count() + inside.start) as u16, inside.len() as u16);
            for (start, numbers) in range.clone().step_by(64).zip(self.numbers[range].chunks(64)) {
                // Escapes are rare: most runs have none.
                let furthest = |most: u16, number: &u16| most.max(number.wrapping_sub(first));
                if numbers.iter().fold(0, furthest) < count {
                    continue;
                }
                let escapes = |number: &u16| number.wrapping_sub(first) >= count;
                for (at, _) in (start..).zip(numbers).filter(|(_, number)| escapes(number)) {
                    let n = if cells.trellis {
                        self.levels[at] >> 1
                    } else {
                        i32::from(self.coded[at]) - i32::from(models.base)
                    };
                    code_escape(side, &mut escape_models, alphabet, n >> alphabet.raw)?;
                }
            }
        }
        Ok(())
    }
}

/// The factor on the levels that leaves the least squared error: rate pulls levels inwards, so it is above 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a ratio of sums")]
#[inline(always)]
fn gain(levels: &[i32], input: Input<'_>) -> f32 {
    const SIDE: usize = 16;
    const BLOCK: usize = 64 * SIDE;
    let (mut cross, mut energy) = (0f64, 0f64);
    for (levels, samples) in levels.chunks(BLOCK).zip(input.samples.chunks(BLOCK)) {
        // Sums of a block side by side, because each waits for itself.
        let (mut crosses, mut energies) = ([0f32; SIDE], [0f32; SIDE]);
        let mut add = |at: usize, level: i32, sample: u16| {
            let level = level as f32;
            crosses[at] += level * input.value(sample);
            energies[at] += level * level;
        };
        let (levels, last_levels) = levels.as_chunks::<SIDE>();
        let (samples, last_samples) = samples.as_chunks::<SIDE>();
        for (levels, samples) in levels.iter().zip(samples) {
            for at in 0..SIDE {
                add(at, levels[at], samples[at]);
            }
        }
        for (at, (&level, &sample)) in last_levels.iter().zip(last_samples).enumerate() {
            add(at, level, sample);
        }
        cross += crosses.iter().map(|&sum| f64::from(sum)).sum::<f64>();
        energy += energies.iter().map(|&sum| f64::from(sum)).sum::<f64>();
    }
    if energy > 0.0 { ((cross / energy) as f32).clamp(0.5, 2.0) } else { 1.0 }
}

/// Sets the reach of alphabets to what is cheapest; gives the counts by context, parity and slot.
fn slot_counts(cells: Cells, alphabets: &mut [Alphabet], counts: &[u32]) -> Vec<[Vec<u32>; 2]> {
    let pairs = alphabets.iter_mut().zip(counts.chunks_exact(cells.count()));
    pairs
        .map(|(alphabet, counts)| {
            alphabet.reach = cells.best_reach(counts);
            cells.slot_counts(alphabet, counts)
        })
        .collect()
}

/// The alphabet of a Gaussian with this mean magnitude, in units of the spacing, of any reach.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn alphabet_of_mean(mean: f32) -> Alphabet {
    let raw = (1.2533 * mean.max(1e-6) / 2.0 / SYMBOL_SPREAD).log2().ceil().clamp(0.0, 15.0);
    Alphabet { raw: raw as u8, reach: REACH_OF_TRELLIS }
}

/// The sample that stands for all where no level is worth its bits: the middle, where signed signals have their zero, unless
/// the mean is far from it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a mean"
)]
fn nearest_constant(spec: &PlaneSpec, samples: &[u16], step: f32) -> u16 {
    let sum: u64 = samples.iter().map(|&sample| u64::from(sample)).sum();
    let mean = sum as f64 / samples.len() as f64;
    let mid = f64::from(spec.mid());
    let chosen = if (mean - mid).abs() <= MIDDLE * f64::from(step) { mid } else { mean.round() };
    chosen as u16
}

fn write_constant(sample: u16, out: &mut Vec<u8>) {
    out.push(CONSTANT);
    out.extend_from_slice(&sample.to_le_bytes());
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

/// The sample that lossless levels count from: the middle, where signed signals have their zero and bits of floats
/// split well; the middle of what occurs where that is narrow and lies elsewhere.
fn base(spec: &PlaneSpec, (low, high): (u16, u16)) -> u16 {
    let mid = 1u16 << (spec.depth - 1);
    let near = |sample: u16| i32::from(sample.abs_diff(mid)) <= REACH_OF_SAMPLES;
    let narrow = i32::from(high.abs_diff(low)) <= 2 * REACH_OF_SAMPLES;
    if narrow && !(near(low) && near(high)) { low + (high - low) / 2 } else { mid }
}
