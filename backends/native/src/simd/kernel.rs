//! Decoding whole steps of all lanes, the same for every kind of vector.

use telecine_core::{Error, Result};

use super::vector::{RawPlan, Vector};
use crate::plane::MAX_LOG2_LANES;
use crate::symbols::{Cursor, Job, RARE, Tables, cell, lowest_cell};
use crate::table::SCALE;

/// No sample has raw bits.
const NONE: u8 = 0;
/// All samples have as many.
const UNIFORM: u8 = 1;
/// Contexts differ in how many.
const MIXED: u8 = 2;

/// Decodes whole steps of all lanes from the first sample on.
///
/// # Safety
/// The machine has the features that `V` is made for.
#[inline(always)]
pub(super) unsafe fn run<V: Vector>(
    job: &Job<'_>,
    tables: &Tables,
    cursor: &mut Cursor<'_>,
    samples: &mut [u16],
) -> Result<()> {
    let counts = || job.distributions.iter().map(|d| d.alphabet.raw);
    let raw = match (counts().min(), counts().max()) {
        (_, None | Some(0)) => NONE,
        (least, most) if least == most => UNIFORM,
        _ => MIXED,
    };
    // SAFETY: the caller's promise is passed on.
    unsafe {
        match (job.has_trellis(), job.contexts.is_empty(), raw) {
            (true, true, NONE) => steps::<V, true, false, NONE>(job, tables, cursor, samples),
            (true, true, _) => steps::<V, true, false, UNIFORM>(job, tables, cursor, samples),
            (true, false, NONE) => steps::<V, true, true, NONE>(job, tables, cursor, samples),
            (true, false, UNIFORM) => steps::<V, true, true, UNIFORM>(job, tables, cursor, samples),
            (true, false, _) => steps::<V, true, true, MIXED>(job, tables, cursor, samples),
            (false, true, NONE) => steps::<V, false, false, NONE>(job, tables, cursor, samples),
            (false, true, _) => steps::<V, false, false, UNIFORM>(job, tables, cursor, samples),
            (false, false, NONE) => steps::<V, false, true, NONE>(job, tables, cursor, samples),
            (false, false, UNIFORM) => steps::<V, false, true, UNIFORM>(job, tables, cursor, samples),
            (false, false, _) => steps::<V, false, true, MIXED>(job, tables, cursor, samples),
        }
    }
}

/// What does not change between steps.
struct Constants<V> {
    position: V,
    parity: V,
    h0: V,
    h1: V,
    rare: V,
    centre: V,
    raw: RawPlan,
    /// Raw bits by context.
    counts: [u8; 32],
}

#[inline(always)]
unsafe fn steps<V: Vector, const TRELLIS: bool, const CONTEXTS: bool, const RAW: u8>(
    job: &Job<'_>,
    tables: &Tables,
    cursor: &mut Cursor<'_>,
    samples: &mut [u16],
) -> Result<()> {
    let lanes = cursor.states.len();
    let vectors = lanes / V::LANES;
    let max = u16::try_from(job.max).unwrap_or(u16::MAX);
    let taps = job.trellis.taps();
    let raw_count = u32::from(job.distributions.first().map_or(0, |d| d.alphabet.raw));
    // SAFETY: the features are there by the caller's promise. Loads and stores: `states` and `paths` of the cursor
    // have `lanes` elements, `samples` of a step as many, and so have contexts where there are any, because `Way::run`
    // has checked that there is one for each sample. Gathers: contexts are below the number of distributions, there
    // are two tables of `SCALE` entries for each, a parity is 0 or 1, a position below `SCALE`. Words and raw bits:
    // their cursors were within their bytes when the step began, a step takes at most 128 bytes of either, a vector
    // reads at most 64 bytes from there, and `PADDING` bytes follow.
    unsafe {
        let constants = Constants {
            position: V::splat(SCALE - 1),
            parity: V::splat(SCALE),
            h0: V::splat(taps.0.cast_unsigned() << 11),
            h1: V::splat(taps.1.cast_unsigned() << 11),
            rare: V::splat((lowest_cell(TRELLIS) + RARE).cast_unsigned()),
            centre: V::splat(job.centre.cast_unsigned()),
            raw: RawPlan::new(raw_count),
            counts: raw_counts(job),
        };
        let mut states = [V::splat(0); 1 << MAX_LOG2_LANES];
        let mut paths = [V::splat(0); 1 << MAX_LOG2_LANES];
        for vector in 0..vectors {
            states[vector] = V::load(cursor.states.as_ptr().add(vector * V::LANES));
            paths[vector] = V::load(cursor.paths.as_ptr().add(vector * V::LANES)).shl::<11>();
        }
        let (mut word, word_bytes, raw_bits) = (cursor.word, job.word_bytes(), job.raw_bits());
        for (step, samples) in samples.chunks_exact_mut(lanes).enumerate() {
            for pair in (0..vectors).step_by(2) {
                let mut out = [V::splat(0); 2];
                for (half, out) in out.iter_mut().enumerate() {
                    let vector = pair + half;
                    *out = one::<V, TRELLIS, CONTEXTS, RAW>(
                        job,
                        tables,
                        cursor,
                        &constants,
                        (step * lanes, vector * V::LANES),
                        &mut word,
                        (&mut states[vector], &mut paths[vector]),
                    )?;
                }
                let to = samples.as_mut_ptr().add(pair * V::LANES);
                V::store_samples(out[0], out[1], max, to);
            }
            if RAW == UNIFORM {
                cursor.raw += lanes * raw_count as usize;
            }
            if word > word_bytes || cursor.raw > raw_bits {
                break;
            }
            cursor.at += lanes;
        }
        cursor.word = word;
        for vector in 0..vectors {
            states[vector].store(cursor.states.as_mut_ptr().add(vector * V::LANES));
            paths[vector].shr::<11>().store(cursor.paths.as_mut_ptr().add(vector * V::LANES));
        }
    }
    cursor.check(job)
}

/// The samples, not yet held within their range, of one vector, whose first is that of the step plus `lane`.
///
/// # Safety
/// As in [`steps`].
#[inline(always)]
unsafe fn one<V: Vector, const TRELLIS: bool, const CONTEXTS: bool, const RAW: u8>(
    job: &Job<'_>,
    tables: &Tables,
    cursor: &mut Cursor<'_>,
    constants: &Constants<V>,
    (step, lane): (usize, usize),
    word: &mut usize,
    (state, path): (&mut V, &mut V),
) -> Result<V> {
    let at = step + lane;
    // SAFETY: as in `steps`.
    unsafe {
        let mut place = state.and(constants.position);
        let parity = path.and(constants.parity);
        if TRELLIS {
            place = place.or(parity);
        }
        if CONTEXTS {
            place = place.or(V::load_bytes(job.contexts.as_ptr().add(at)).shl::<12>());
        }
        let entry = V::gather(tables.entries.as_ptr(), place);
        let frequency = entry.shr::<11>().and(constants.position);
        let product = frequency.mul(state.shr::<11>());
        let (refilled, taken) =
            product.add(entry.and(constants.position)).refill(job.words.as_ptr().add(*word));
        *state = refilled;
        *word += 2 * taken;
        let mut cells = if TRELLIS { entry.sar::<23>() } else { entry.sar::<22>() };
        // The low bit of each `n`, as a sign.
        let mut odd = entry.shl::<9>();
        if cells.any_below(constants.rare) {
            (cells, odd) = replace_rare::<V, RAW>(job, cursor, at, cells, parity, odd)?;
        }
        let mut level = cells;
        match RAW {
            UNIFORM => {
                let bit = cursor.raw + lane * constants.raw.count as usize;
                #[expect(clippy::cast_possible_truncation, reason = "below 8")]
                let bits = V::raw_bits(&constants.raw, job.raw.as_ptr().add(bit / 8), (bit % 8) as u32);
                let q = if TRELLIS { cells.sar::<1>() } else { cells };
                level = q.shl_all(constants.raw.count).or(bits);
                odd = bits.shl::<31>();
            }
            MIXED => {
                level = mixed::<V, TRELLIS>(job, cursor, &constants.counts, at, cells);
                odd = level.shl::<31>();
            }
            _ => (),
        }
        if TRELLIS {
            let moved = path.shr::<1>().xor(path.shl::<20>().where_negative(constants.h0));
            *path = moved.xor(odd.where_negative(constants.h1));
            if RAW != NONE {
                level = level.shl::<1>().or(parity.shr::<11>());
            }
            let spacing = job.spacing;
            level = if RAW == NONE { level.scale(spacing) } else { level.scale_within(spacing) };
        }
        Ok(level.add(constants.centre))
    }
}

/// Raw bits of each context, of which there are at most 24.
fn raw_counts(job: &Job<'_>) -> [u8; 32] {
    let mut counts = [0; 32];
    for (count, distribution) in counts.iter_mut().zip(job.distributions) {
        *count = distribution.alphabet.raw;
    }
    counts
}

/// Every `n` of a vector whose contexts have different numbers of raw bits.
///
/// # Safety
/// As in [`steps`].
#[inline(always)]
unsafe fn mixed<V: Vector, const TRELLIS: bool>(
    job: &Job<'_>,
    cursor: &mut Cursor<'_>,
    counts: &[u8; 32],
    at: usize,
    cells: V,
) -> V {
    let mut held = [0u32; 16];
    // SAFETY: as in `steps`; a vector has at most 16 lanes, and a lane at most 16 raw bits: those of the vector lie
    // within 33 bytes from the cursor on.
    unsafe {
        cells.store(held.as_mut_ptr());
        let mut bit = cursor.raw;
        for (lane, held) in held.iter_mut().enumerate().take(V::LANES) {
            let context = *job.contexts.get_unchecked(at + lane);
            let count = counts[usize::from(context % 32)];
            let q = if TRELLIS { held.cast_signed() >> 1 } else { held.cast_signed() };
            let bits = u32::from_le_bytes(job.raw.as_ptr().add(bit / 8).cast::<[u8; 4]>().read_unaligned());
            *held = q.cast_unsigned() << count | (bits >> (bit % 8)) & ((1 << count) - 1);
            bit += usize::from(count);
        }
        cursor.raw = bit;
        V::load(held.as_ptr())
    }
}

/// Cells with rare ones replaced, in the order of the lanes, and the low bits of their symbols as signs.
///
/// # Safety
/// As in [`steps`].
#[cold]
unsafe fn replace_rare<V: Vector, const RAW: u8>(
    job: &Job<'_>,
    cursor: &mut Cursor<'_>,
    at: usize,
    cells: V,
    parities: V,
    odd: V,
) -> Result<(V, V)> {
    let trellis = job.has_trellis();
    let (mut held, mut parity, mut signs) = ([0u32; 16], [0u32; 16], [0u32; 16]);
    // SAFETY: a vector has at most 16 lanes.
    unsafe {
        cells.store(held.as_mut_ptr());
        parities.store(parity.as_mut_ptr());
        odd.store(signs.as_mut_ptr());
    }
    // Levels beyond this leave any range of samples: products stay below 2^31.
    #[expect(clippy::cast_possible_truncation, reason = "a spacing is at least 1/16")]
    let far = (f64::from(1 << 20) / f64::from(job.spacing)) as i32;
    for lane in 0..V::LANES {
        let rare = held[lane].cast_signed() - lowest_cell(trellis);
        if rare >= RARE {
            continue;
        }
        if rare == RARE - 1 {
            return Err(Error::corrupt("a tns1 packet uses an empty table"));
        }
        let q = cursor.escaped(&job.distributions[job.context(at + lane)].alphabet, rare)?;
        let found = cell(q, usize::from(parity[lane] > 0), trellis);
        held[lane] = if RAW == NONE { found.clamp(-far, far) } else { found }.cast_unsigned();
        signs[lane] = q.cast_unsigned() << 31;
    }
    // SAFETY: as above.
    Ok(unsafe { (V::load(held.as_ptr()), V::load(signs.as_ptr())) })
}
