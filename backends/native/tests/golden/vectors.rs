//! The vectors: one for each feature of the bitstream that the encoder writes; it never writes a trellis of 4 states.

use telecine_core::{Effort, GroupSpec, Limits, Quality};

use crate::part::{Kind, Part};

/// One vector, and how it came about.
pub(crate) struct Vector {
    pub(crate) name: &'static str,
    pub(crate) spec: GroupSpec,
    pub(crate) samples: Vec<u16>,
    pub(crate) quality: Quality,
    pub(crate) effort: Effort,
    /// Whether the parts of a packet and what they decode to have the feature.
    pub(crate) exercises: fn(&[Part], &[u16]) -> bool,
}

/// A generator (xorshift): the same numbers for ever.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// About normal, of variance 1.
    fn normal(&mut self) -> f32 {
        self.next().to_le_bytes().iter().map(|&byte| f32::from(byte.cast_signed())).sum::<f32>() / 209.0
    }

    /// Normal once in `rarity` times, otherwise 0.
    fn rare(&mut self, rarity: u64) -> f32 {
        if self.next().is_multiple_of(rarity) { self.normal() } else { 0.0 }
    }
}

/// Planes of samples around the middle: `value` is told frame, row, column and noise.
fn planes(
    (frames, height, width, depth): (u32, u32, u32, u8),
    value: impl Fn(usize, usize, usize, &mut Noise) -> f32,
) -> (GroupSpec, Vec<u16>) {
    let spec = GroupSpec::new(frames, height, width, depth, &Limits::default()).unwrap();
    let (mid, max) = (f32::from(spec.mid_sample()), f32::from(spec.max_sample()));
    let (height, width) = (height as usize, width as usize);
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let sample = |at: usize| {
        let value = value(at / width / height, at / width % height, at % width, &mut noise);
        (mid + value).round().clamp(0.0, max) as u16
    };
    (spec, (0..spec.samples()).map(sample).collect())
}

/// One plane.
fn plane(
    (height, width, depth): (u32, u32, u8),
    value: impl Fn(usize, usize, &mut Noise) -> f32,
) -> (GroupSpec, Vec<u16>) {
    planes((1, height, width, depth), |_, row, col, noise| value(row, col, noise))
}

/// Scales of rows that fall from the first to the last, by this many octaves.
fn falling(row: usize, rows: usize, octaves: f32) -> f32 {
    (-octaves * row as f32 / rows as f32).exp2()
}

/// Scales of rows in no order, over this many octaves.
fn shuffled(row: usize, octaves: f32) -> f32 {
    let mixed = Noise(row as u64 + 1).next();
    (-octaves * (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as f32 / 16.0).exp2()
}

/// All vectors; more may follow, none may change.
pub(crate) fn vectors() -> Vec<Vector> {
    let mut all = Vec::new();
    let mut add = |name, (spec, samples), quality, effort, exercises: fn(&[Part], &[u16]) -> bool| {
        all.push(Vector { name, spec, samples, quality, effort, exercises });
    };
    let (lossless, fast) = (Quality::Lossless, Effort::Fast);

    let constant = plane((40, 50, 16), |_, _, _| 1000.0);
    add("constant", constant, lossless, fast, |parts, _| parts[0].constant == Some(33768));

    let normal = || plane((32, 64, 16), |_, _, noise| 500.0 * noise.normal());
    add("trellis-of-8-states", normal(), Quality::Step(400.0), fast, |parts, _| {
        parts[0].states == 8 && parts[0].contexts == 1 && parts[0].lanes == 1
    });
    add("trellis-of-64-states", normal(), Quality::Step(400.0), Effort::Balanced, |parts, _| {
        parts[0].states == 64
    });
    add("trellis-of-256-states", normal(), Quality::Step(400.0), Effort::Best, |parts, _| {
        parts[0].states == 256
    });
    let eight = plane((32, 64, 8), |_, _, noise| 20.0 * noise.normal());
    add("depth-8", eight.clone(), Quality::Step(12.0), fast, |parts, _| parts[0].states == 8);
    add("depth-8-lossless", eight, lossless, fast, |parts, _| parts[0].states == 1);
    add("symmetric-tables", normal(), Quality::Step(300.0), fast, |parts, _| parts[0].symmetric);
    let positive = plane((32, 64, 16), |_, _, noise| 500.0 * noise.normal().abs());
    add("tables-without-symmetry", positive, Quality::Step(200.0), fast, |parts, _| !parts[0].symmetric);

    let drifting = plane((64, 100, 16), |row, _, noise| 3000.0 * falling(row, 64, 7.0) * noise.normal());
    add("contexts-that-drift", drifting, Quality::Step(400.0), fast, |parts, _| {
        parts[0].contexts > 4 && parts[0].drifts
    });
    let jumping = plane((64, 100, 16), |row, _, noise| 3000.0 * shuffled(row, 7.0) * noise.normal());
    add("contexts-that-do-not-drift", jumping, Quality::Step(400.0), fast, |parts, _| {
        parts[0].contexts > 4 && !parts[0].drifts
    });

    let wide = plane((32, 48, 16), |_, _, noise| 6000.0 * noise.normal());
    add("raw-bits", wide, Quality::Step(60.0), fast, |parts, samples| {
        parts[0].contexts == 1 && parts[0].raw > 0 && parts[0].raw % (samples.len() / 8) == 0
    });
    let mixed = plane((48, 64, 16), |row, _, noise| 8000.0 * shuffled(row, 9.0) * noise.normal());
    add("raw-bits-of-some-contexts", mixed, Quality::Step(60.0), fast, |parts, samples| {
        parts[0].contexts > 1 && parts[0].raw > 0 && parts[0].raw % (samples.len() / 8) != 0
    });
    // Without raw bits, a level beyond the largest reach must have escaped.
    let far = plane((32, 64, 16), |row, col, noise| {
        let far = if (row * 64 + col) % 301 == 7 { 90.0 } else { 1.0 };
        300.0 * far * noise.normal()
    });
    add("escapes", far, Quality::Step(100.0), fast, |parts, samples| {
        let furthest = samples.iter().map(|sample| sample.abs_diff(32768)).max().unwrap();
        parts[0].raw == 0 && f32::from(furthest) > 2.0 * 126.0 * parts[0].spacing
    });

    let narrow = plane((32, 64, 16), |_, _, noise| 2.5 * noise.normal());
    add("lossless", narrow, lossless, fast, |parts, _| parts[0].states == 1 && parts[0].raw == 0);
    let elsewhere = plane((32, 64, 16), |_, _, noise| 9000.0 + 30.0 * noise.normal());
    add("lossless-away-from-the-middle", elsewhere, lossless, fast, |parts, _| parts[0].base > 40000);
    let halves =
        plane((32, 64, 16), |_, _, noise| 256.0 * noise.rare(3).round() + (noise.next() % 256) as f32);
    add("lossless-with-8-raw-bits", halves, lossless, fast, |parts, samples| {
        parts[0].contexts == 1 && parts[0].raw == samples.len()
    });
    let scales = plane((64, 64, 16), |row, _, noise| 400.0 * falling(row, 64, 8.0) * noise.normal());
    add("lossless-contexts", scales, lossless, fast, |parts, _| parts[0].contexts > 2);

    let frames = planes((3, 24, 32, 16), |frame, _, _, noise| 300.0 * frame as f32 * noise.normal());
    add("several-frames", frames, Quality::Step(250.0), Effort::Balanced, |parts, _| {
        parts.len() == 3 && parts[0].constant == Some(32768) && parts[2].states == 64
    });

    // Large planes for vectors of lanes; next to no bits each. Odd sizes end within a step of all lanes.
    let odd = |height, width, depth| plane((height, width, depth), |_, _, noise| 900.0 * noise.rare(60));
    let step = Quality::Step(800.0);
    add("2-lanes", odd(81, 103, 16), step, fast, |parts, _| parts[0].lanes == 2);
    add("4-lanes", odd(129, 131, 16), step, fast, |parts, _| parts[0].lanes == 4);
    add("8-lanes", odd(181, 183, 16), step, Effort::Balanced, |parts, _| parts[0].lanes == 8);
    add("16-lanes", odd(257, 259, 16), step, Effort::Best, |parts, _| parts[0].lanes == 16);
    add("32-lanes", odd(363, 365, 16), step, fast, |parts, _| parts[0].lanes == 32);
    let sparse = plane((1025, 1031, 8), |_, _, noise| 3.0 * noise.rare(1000));
    add("64-lanes-lossless", sparse, lossless, fast, |parts, _| parts[0].lanes == 64);
    // Contexts, raw bits and escapes at once, in rows that stand out.
    let busy = |height, period| {
        plane((height, 257, 16), |row, col, noise| match row % period {
            0 => 9000.0 * noise.normal(),
            1..8 if col == row => 30_000.0,
            1..8 => 500.0 * noise.rare(4),
            _ => 0.0,
        })
    };
    add("16-lanes-at-once", busy(257, 64), Quality::Step(60.0), fast, |parts, _| {
        parts[0].lanes == 16 && parts[0].contexts > 1 && parts[0].raw > 0
    });
    add("32-lanes-at-once", busy(513, 64), Quality::Step(60.0), fast, |parts, _| {
        parts[0].lanes == 32 && parts[0].contexts > 1 && parts[0].raw > 0
    });
    add("64-lanes-at-once", busy(4097, 1024), lossless, fast, |parts, _| {
        parts[0].lanes == 64 && parts[0].contexts > 1 && parts[0].raw > 0
    });

    let bits = plane((9, 7, 11), |_, _, noise| (noise.next() % 2048) as f32 - 1024.0);
    add("stored", bits, lossless, fast, |parts, _| parts[0].kinds == [Kind::Stored]);
    let joined = planes((40, 2, 3, 16), |_, _, _, noise| 40.0 * noise.normal());
    add("planes-as-one", joined.clone(), lossless, fast, |parts, _| {
        parts[0].is_joined && parts[0].states == 1
    });
    add("planes-as-one-lossy", joined, Quality::Step(20.0), fast, |parts, _| {
        parts[0].is_joined && parts[0].states == 8
    });
    let ramp = plane((1, 2048, 16), |_, col, noise| 20.0 * col as f32 - 20_000.0 + 9.0 * noise.normal());
    add("differences", ramp, lossless, fast, |parts, _| {
        matches!(*parts[0].kinds, [Kind::Differences(1), ..])
    });
    let smooth =
        plane((32, 64, 16), |row, col, noise| (row * row) as f32 * 11.0 + 300.0 * col as f32 + noise.rare(3));
    add("differences-of-differences", smooth, lossless, fast, |parts, _| {
        matches!(*parts[0].kinds, [Kind::Differences(64), Kind::Differences(1), ..])
    });
    // Blocks of fill, of others and of both; the last ones are narrower than 32.
    let scattered = plane((48, 77, 16), |row, col, noise| match (row / 16, col / 32) {
        (0, 1) | (1, 0) => 500.0 * noise.normal() + 1.0,
        (2, _) => 500.0 * noise.rare(6),
        _ => 0.0,
    });
    add("mask", scattered.clone(), lossless, fast, |parts, _| parts[0].kinds == [Kind::Masked]);
    add("mask-lossy", scattered, Quality::Step(40.0), fast, |parts, _| {
        parts[0].kinds == [Kind::Masked] && parts[0].states == 8
    });
    // As many others in each row that has any: rows of different scale stay rows, and have contexts.
    let pruned = plane((128, 128, 16), |row, col, noise| match (row % 3, (col + row) % 4) {
        (0, _) | (_, 0 | 2) => 0.0,
        _ => 3000.0 * falling(row, 128, 9.0) * (noise.normal().abs() + 0.1),
    });
    add("mask-that-leaves-rows", pruned, Quality::Step(30.0), fast, |parts, _| {
        parts[0].kinds == [Kind::Masked] && parts[0].contexts > 1
    });
    let few = plane((32, 64, 16), |_, _, noise| 1371.0 * (3.0 * noise.normal()).round());
    add("palette", few, lossless, fast, |parts, _| matches!(*parts[0].kinds, [Kind::Palette(10..)]));
    // A multiple of the row before, at times by one of a few numbers more.
    let all_at_once = plane((64, 50, 16), |row, _, noise| {
        (900 * row) as f32
            + if noise.next().is_multiple_of(3) { 0.0 } else { 77.0 * (noise.next() % 9) as f32 }
    });
    add("differences-mask-palette", all_at_once, lossless, fast, |parts, _| parts[0].kinds.len() > 2);
    let coarse = plane((32, 64, 9), |_, _, noise| 60.0 * noise.normal());
    add("levels-at-whole-samples", coarse, Quality::Step(2.5), Effort::Balanced, |parts, _| {
        parts[0].states == 64 && parts[0].spacing < 2.0
    });
    all
}
