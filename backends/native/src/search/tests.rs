//! The search against trying all paths, and its vectors against arrays.

use super::*;
use rand::{SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, StandardNormal};

/// Samples with a standard deviation of 2.5 spacings.
fn samples(count: usize) -> Vec<u16> {
    let mut rng = SmallRng::seed_from_u64(5);
    (0..count)
        .map(|_| {
            let v: f32 = StandardNormal.sample(&mut rng);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand")]
            let sample = (v * 2500.0 + 32_768.0) as u16;
            sample
        })
        .collect()
}

fn input<'a>(samples: &'a [u16], ends: &'a [usize], shapes: &'a [Shape], lanes: usize) -> Input<'a> {
    Input { samples, mid: 32_768, inverse: 0.001, ends, shapes, rates: None, lanes, grid: None }
}

/// The least cost over all paths, by trying every one.
fn exhaustive(trellis: &Trellis, values: &[f32], state: u32) -> f32 {
    let Some((&value, rest)) = values.split_first() else { return 0.0 };
    let parity = (state & 1).cast_signed();
    #[expect(clippy::cast_possible_truncation, reason = "a few units")]
    let floor = value.floor() as i32;
    let near = (floor - 4..=floor + 5).filter(|level| level & 1 == parity);
    near.map(|level| {
        (value - level as f32).powi(2) + exhaustive(trellis, rest, trellis.next(state, level >> 1))
    })
    .fold(f32::INFINITY, f32::min)
}

#[test]
fn the_search_finds_the_path_that_trying_all_finds() {
    let shapes = [Shape::flat()];
    let samples = samples(6);
    let input = input(&samples, &[6], &shapes, 1);
    let values: Vec<f32> = samples.iter().map(|&sample| input.value(sample)).collect();
    for log2_states in [2, 3, 6, 8] {
        let trellis = Trellis::with_log2_states(log2_states).unwrap();
        let mut levels = vec![0; values.len()];
        Search::default().run(false, &trellis, input, &mut levels);
        let found: f32 = values.iter().zip(&levels).map(|(v, &l)| (v - l as f32).powi(2)).sum();
        let least = exhaustive(&trellis, &values, 0);
        // Costs are rounded to 1/256.
        assert!((found - least).abs() < 6.0 / 256.0, "{log2_states}: {found} {least}");
        let mut state = 0u32;
        for &level in &levels {
            assert_eq!(level & 1, (state & 1).cast_signed(), "the parity is the state's");
            state = trellis.next(state, level >> 1);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
#[cfg_attr(
    not(all(target_feature = "avx2", target_feature = "bmi2")),
    ignore = "for Miri, with -Ctarget-feature=+avx2,+bmi2; tests/instructions.rs compares packets"
)]
fn avx2_finds_the_levels_that_portable_code_finds() {
    // Miri takes its time.
    const COUNT: usize = if cfg!(miri) { 130 } else { 5000 };
    let samples = samples(COUNT);
    // The last one's contexts change within steps, and one is empty.
    let shapes = [2.0, 0.4, 1.0, 3.0].map(Shape::of_mean);
    for ends in [&[COUNT][..], &[COUNT / 5 + 3, COUNT / 5 + 3, COUNT / 5 + 10, COUNT]] {
        let shapes = &shapes[..ends.len()];
        for (lanes, log2_states) in [(1, 3), (7, 2), (16, 6), (32, 3), (64, 8)] {
            let input = input(&samples, ends, shapes, lanes);
            let trellis = Trellis::with_log2_states(log2_states).unwrap();
            let (mut plain, mut fast) = (vec![0; COUNT], vec![1; COUNT]);
            let mut search = Search::default();
            search.run_by(Way::Portable, &trellis, input, &mut plain);
            search.run_by(Way::Avx2, &trellis, input, &mut fast);
            assert!(plain == fast, "{lanes} lanes, {ends:?}");
        }
    }
}
