//! The last rows and columns of pictures whose sides are no multiple of a block.
#![cfg(feature = "dav1d")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "small numbers; a test that fails says where"
)]

use rand::{SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, StandardNormal};
use telecine_av1::{Av1Decoder, Rav1e};
use telecine_core::{Backend, EncodeOptions, GroupSpec, Limits, Quality};

#[test]
fn edges_are_coded_as_well_as_the_middle() {
    for (height, width) in [(64, 72), (72, 64), (16, 24), (24, 104), (96, 96), (32, 40), (40, 48)] {
        let spec = GroupSpec::new(1, height, width, 12, &Limits::default()).unwrap();
        let mut rng = SmallRng::seed_from_u64(5);
        let samples: Vec<u16> = (0..spec.samples())
            .map(|_| {
                let value: f64 = StandardNormal.sample(&mut rng);
                (2048.0 + 100.0 * value).round() as u16
            })
            .collect();
        let mut packet = Vec::new();
        let mut encoder = Rav1e.encoder(spec, &EncodeOptions::default()).unwrap();
        encoder.encode(&samples, Quality::Step(64.0), &mut packet).unwrap();
        let mut back = vec![0; samples.len()];
        Av1Decoder.decoder(spec).unwrap().decode(&packet, &mut back).unwrap();
        let error = |holds: &dyn Fn(usize, usize) -> bool| {
            let at = (0..samples.len()).filter(|at| holds(at / width as usize, at % width as usize));
            let squares: Vec<f64> = at.map(|at| f64::from(samples[at].abs_diff(back[at])).powi(2)).collect();
            squares.iter().sum::<f64>() / squares.len() as f64 / (64.0f64.powi(2) / 12.0)
        };
        let (all, right) = (error(&|_, _| true), error(&|_, column| column + 8 >= width as usize));
        let bottom = error(&|row, _| row + 8 >= height as usize);
        assert!(
            right < 1.5 * all && bottom < 1.5 * all,
            "{height} × {width}: {all}, right {right}, bottom {bottom}"
        );
        println!("{height} × {width}: {all:.2}, right {right:.2}, bottom {bottom:.2}");
    }
}
