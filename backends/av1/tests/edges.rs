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
use telecine_video::Bitstream;

#[test]
fn edges_are_coded_as_well_as_the_middle() {
    let small = [(64, 72), (72, 64), (16, 24), (24, 104), (96, 96), (32, 40), (40, 48)];
    let large = [(128, 136), (136, 128), (144, 200), (160, 152)];
    let sizes = small.map(|size| (size, true)).into_iter().chain(large.map(|size| (size, false)));
    for ((height, width), is_monochrome) in sizes {
        let depth = if is_monochrome { 12 } else { 10 };
        let spec = GroupSpec::new(1, height, width, depth, &Limits::default()).unwrap();
        let unit = f64::from(spec.mid_sample()) / 2048.0;
        let mut rng = SmallRng::seed_from_u64(5);
        let samples: Vec<u16> = (0..spec.samples())
            .map(|_| {
                let value: f64 = StandardNormal.sample(&mut rng);
                (unit * (2048.0 + 100.0 * value)).round() as u16
            })
            .collect();
        let mut packet = Vec::new();
        let mut encoder =
            Rav1e.encoder(spec, &EncodeOptions::default().with_monochrome(is_monochrome)).unwrap();
        encoder.encode(&samples, Quality::Step(unit as f32 * 64.0), &mut packet).unwrap();
        let mut back = vec![0; samples.len()];
        Av1Decoder.decoder(spec).unwrap().decode(&packet, &mut back).unwrap();
        let error = |holds: &dyn Fn(usize, usize) -> bool| {
            let at = (0..samples.len()).filter(|at| holds(at / width as usize, at % width as usize));
            let squares: Vec<f64> = at.map(|at| f64::from(samples[at].abs_diff(back[at])).powi(2)).collect();
            squares.iter().sum::<f64>() / squares.len() as f64 / ((unit * 64.0).powi(2) / 12.0)
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

#[test]
fn streams_say_that_their_pictures_are_of_420_or_of_luma_alone() {
    let depths = Rav1e.info().capabilities.depths.iter().map(|depth| (*depth, 1));
    for (depth, chroma) in depths.chain([(8, 0), (12, 0)]) {
        let spec = GroupSpec::new(1, 128, 144, depth, &Limits::default()).unwrap();
        let samples: Vec<u16> = (0..spec.samples()).map(|at| (at * 37 % 251) as u16).collect();
        let mut packet = Vec::new();
        let options = EncodeOptions::default().with_monochrome(chroma == 0);
        let mut encoder = Rav1e.encoder(spec, &options).unwrap();
        encoder.encode(&samples, Quality::Step(30.0), &mut packet).unwrap();
        let header = Bitstream::Av1.header(&packet).unwrap();
        assert_eq!((header.chroma, header.depth), (chroma, depth), "{header:?}");
    }
    let spec = GroupSpec::new(1, 128, 144, 12, &Limits::default()).unwrap();
    assert!(Rav1e.encoder(spec, &EncodeOptions::default()).is_err());
}
