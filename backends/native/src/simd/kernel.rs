//! Decoding whole steps of all lanes, the same for every kind of vector.

use telecine_core::{Error, Result};

use super::vector::{RawPlan, Vector};
use crate::model::Alphabet;
use crate::plane::MAX_LOG2_LANES;
use crate::symbols::{Cursor, Job, RARE, Tables, cell, lowest_cell};
use crate::table::SCALE;

/// Decodes whole steps of all lanes.
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
    // SAFETY: the caller's promise is passed on.
    unsafe {
        match (job.has_trellis(), tables.alphabet.raw > 0) {
            (true, false) => steps::<V, true, false>(job, tables, cursor, samples),
            (true, true) => steps::<V, true, true>(job, tables, cursor, samples),
            (false, false) => steps::<V, false, false>(job, tables, cursor, samples),
            (false, true) => steps::<V, false, true>(job, tables, cursor, samples),
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
}

#[inline(always)]
unsafe fn steps<V: Vector, const TRELLIS: bool, const RAW: bool>(
    job: &Job<'_>,
    tables: &Tables,
    cursor: &mut Cursor<'_>,
    samples: &mut [u16],
) -> Result<()> {
    let lanes = cursor.states.len();
    let vectors = lanes / V::LANES;
    let max = u16::try_from(job.max).unwrap_or(u16::MAX);
    let taps = job.trellis.taps();
    let raw_count = u32::from(tables.alphabet.raw);
    #[expect(clippy::cast_possible_truncation, reason = "below 8")]
    let skip = (cursor.raw % 8) as u32;
    // SAFETY: the features are there by the caller's promise. Loads and stores: `states` and `paths` of the cursor
    // have `lanes` elements, `samples` of a step as many. Gathers: there are two tables of `SCALE` entries, a parity is
    // 0 or 1, a position below `SCALE`. Words and raw bits: their cursors were within their bytes when the step began,
    // a step takes at most 128 bytes of either, a vector reads at most 64 bytes from there, and `PADDING` bytes follow.
    // The plan for raw bits holds for all vectors of 8 lanes and more: the bits of 8 samples are whole bytes.
    unsafe {
        let constants = Constants {
            position: V::splat(SCALE - 1),
            parity: V::splat(SCALE),
            h0: V::splat(taps.0.cast_unsigned() << 11),
            h1: V::splat(taps.1.cast_unsigned() << 11),
            rare: V::splat((lowest_cell(TRELLIS) + RARE).cast_unsigned()),
            centre: V::splat(job.centre.cast_unsigned()),
            raw: RawPlan::new(raw_count, skip),
        };
        let mut states = [V::splat(0); 1 << MAX_LOG2_LANES];
        let mut paths = [V::splat(0); 1 << MAX_LOG2_LANES];
        for vector in 0..vectors {
            states[vector] = V::load(cursor.states.as_ptr().add(vector * V::LANES));
            paths[vector] = V::load(cursor.paths.as_ptr().add(vector * V::LANES)).shl::<11>();
        }
        let (mut word, word_bytes, raw_bits) = (cursor.word, job.word_bytes(), job.raw_bits());
        for samples in samples.chunks_exact_mut(lanes) {
            for pair in (0..vectors).step_by(2) {
                let mut out = [V::splat(0); 2];
                for (half, out) in out.iter_mut().enumerate() {
                    let vector = pair + half;
                    *out = one::<V, TRELLIS, RAW>(
                        job,
                        tables,
                        cursor,
                        &constants,
                        vector * V::LANES,
                        &mut word,
                        (&mut states[vector], &mut paths[vector]),
                    )?;
                }
                let to = samples.as_mut_ptr().add(pair * V::LANES);
                V::store_samples(out[0], out[1], max, to);
            }
            cursor.raw += lanes * raw_count as usize;
            if word > word_bytes || cursor.raw > raw_bits {
                break;
            }
        }
        cursor.word = word;
        for vector in 0..vectors {
            states[vector].store(cursor.states.as_mut_ptr().add(vector * V::LANES));
            paths[vector].shr::<11>().store(cursor.paths.as_mut_ptr().add(vector * V::LANES));
        }
    }
    cursor.check(job)
}

/// The samples, not yet held within their range, of one vector, whose first lane is `lane`.
///
/// # Safety
/// As in [`steps`].
#[inline(always)]
unsafe fn one<V: Vector, const TRELLIS: bool, const RAW: bool>(
    job: &Job<'_>,
    tables: &Tables,
    cursor: &mut Cursor<'_>,
    constants: &Constants<V>,
    lane: usize,
    word: &mut usize,
    (state, path): (&mut V, &mut V),
) -> Result<V> {
    // SAFETY: as in `steps`.
    unsafe {
        let mut place = state.and(constants.position);
        let parity = path.and(constants.parity);
        if TRELLIS {
            place = place.or(parity);
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
            (cells, odd) = replace_rare::<V, RAW>(job, &tables.alphabet, cursor, cells, parity, odd)?;
        }
        let mut level = cells;
        if RAW {
            let bit = cursor.raw + lane * constants.raw.count as usize;
            #[expect(clippy::cast_possible_truncation, reason = "below 8")]
            let bits = V::raw_bits(&constants.raw, job.raw.as_ptr().add(bit / 8), (bit % 8) as u32);
            let q = if TRELLIS { cells.sar::<1>() } else { cells };
            level = q.shl_all(constants.raw.count).or(bits);
            odd = bits.shl::<31>();
        }
        if TRELLIS {
            let moved = path.shr::<1>().xor(path.shl::<20>().where_negative(constants.h0));
            *path = moved.xor(odd.where_negative(constants.h1));
            if RAW {
                level = level.shl::<1>().or(parity.shr::<11>());
            }
            let spacing = job.spacing;
            level = if RAW { level.scale_within(spacing) } else { level.scale(spacing) };
        }
        Ok(level.add(constants.centre))
    }
}

/// Cells with rare ones replaced, in the order of the lanes, and the low bits of their symbols as signs.
///
/// # Safety
/// As in [`steps`].
#[cold]
unsafe fn replace_rare<V: Vector, const RAW: bool>(
    job: &Job<'_>,
    alphabet: &Alphabet,
    cursor: &mut Cursor<'_>,
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
        let q = cursor.escaped(alphabet, rare)?;
        let found = cell(q, usize::from(parity[lane] > 0), trellis);
        held[lane] = if RAW { found } else { found.clamp(-far, far) }.cast_unsigned();
        signs[lane] = q.cast_unsigned() << 31;
    }
    // SAFETY: as above.
    Ok(unsafe { (V::load(held.as_ptr()), V::load(signs.as_ptr())) })
}
