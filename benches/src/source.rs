//! Sources of values: distributions with a known bound, and tensors of files.

use std::path::Path;

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, Exp1, Gamma, StandardNormal, StudentT};
use safetensors::{Dtype, SafeTensors};

/// A matrix and its bound.
#[derive(Debug, Clone)]
pub struct Source {
    /// What it is.
    pub name: String,
    /// Number of columns.
    pub columns: usize,
    /// Row by row.
    pub values: Vec<f32>,
    /// What the bound follows from.
    pub bound: Bound,
}

/// A lower bound of the rate at a mean squared error.
#[derive(Debug, Clone)]
pub enum Bound {
    /// `½ log2(variance / D)`: Shannon's for a Gaussian, and an upper limit of the bound for everything else.
    Gaussian {
        /// The variance.
        variance: f64,
    },
    /// Shannon's lower bound of a density: `h − ½ log2(2πe D)`.
    Entropy {
        /// Differential entropy in bits.
        entropy: f64,
    },
    /// Gaussians of known variances: reverse water-filling.
    Scales {
        /// The variances, each of as many values.
        variances: Vec<f64>,
    },
}

impl Bound {
    /// Bits per value at mean squared error `error`.
    #[must_use]
    pub fn rate(&self, error: f64) -> f64 {
        match self {
            Self::Gaussian { variance } => (0.5 * (variance / error).log2()).max(0.0),
            Self::Entropy { entropy } => {
                let noise = 0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E * error).log2();
                (entropy - noise).max(0.0)
            }
            Self::Scales { variances } => {
                let count = variances.len() as f64;
                let (mut low, mut high) = (0.0, variances.iter().copied().fold(0.0, f64::max));
                for _ in 0..60 {
                    let level = 0.5 * (low + high);
                    let filled = variances.iter().map(|v| v.min(level)).sum::<f64>() / count;
                    if filled < error { low = level } else { high = level }
                }
                variances.iter().map(|v| (0.5 * (v / high).log2()).max(0.0)).sum::<f64>() / count
            }
        }
    }
}

/// 2²⁰ values of each distribution, 512 columns.
#[must_use]
pub fn distributions() -> Vec<Source> {
    let (count, columns) = (1usize << 20, 512usize);
    let mut rng = SmallRng::seed_from_u64(20_261_124);
    let normal: Vec<f32> = (0..count).map(|_| StandardNormal.sample(&mut rng)).collect();
    let signed = |magnitude: f64, rng: &mut SmallRng| if rng.random() { magnitude } else { -magnitude };
    let mut out = vec![Source {
        name: "N(0,1)".into(),
        columns,
        bound: Bound::Gaussian { variance: variance(&normal) },
        values: normal.clone(),
    }];
    let laplace = |rng: &mut SmallRng| {
        let magnitude: f64 = Exp1.sample(rng);
        signed(magnitude, rng)
    };
    // Densities ½e^−|x|; ¼e^−√|x| (|x| is the square of a Gamma(2) variate); Student's t with 4 degrees of freedom.
    let log2_e = std::f64::consts::LOG2_E;
    out.push(of("Laplace", columns, 1.0 + log2_e, (0..count).map(|_| laplace(&mut rng))));
    if let Ok(gamma) = Gamma::new(2.0, 1.0) {
        let draw = |_| {
            let root: f64 = gamma.sample(&mut rng);
            signed(root * root, &mut rng)
        };
        out.push(of("GGD 0.5", columns, 2.0 + 2.0 * log2_e, (0..count).map(draw)));
    }
    if let Ok(student) = StudentT::new(4.0) {
        // h = 5/2 (ψ(5/2) − ψ(2)) + ln(2 B(2, ½)) in nats, with B(2, ½) = 4/3.
        let nats = 2.5 * (0.703_156_640_645_243_2 - 0.422_784_335_098_467_1) + (8f64 / 3.0).ln();
        let draws = (0..count).map(|_| student.sample(&mut rng));
        out.push(of("Student t4", columns, nats * log2_e, draws));
    }
    for (name, of_row) in [("rows scaled", true), ("columns scaled", false)] {
        let number = if of_row { count / columns } else { columns };
        let scales: Vec<f64> = (0..number)
            .map(|_| {
                let log: f64 = StandardNormal.sample(&mut rng);
                (0.5 * log).exp()
            })
            .collect();
        let place = |at: usize| if of_row { at / columns } else { at % columns };
        let values =
            normal.iter().enumerate().map(|(at, v)| (f64::from(*v) * scales[place(at)]) as f32).collect();
        let variances = scales.iter().map(|scale| scale * scale).collect();
        out.push(Source { name: name.into(), columns, values, bound: Bound::Scales { variances } });
    }
    out
}

fn of(name: &str, columns: usize, entropy: f64, values: impl Iterator<Item = f64>) -> Source {
    let values = values.map(|value| value as f32).collect();
    Source { name: name.into(), columns, values, bound: Bound::Entropy { entropy } }
}

fn variance(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / values.len() as f64
}

/// The matrices of at least 2¹⁴ values of a safetensors file, with Gaussian bounds.
///
/// # Errors
/// A file that cannot be read, in words.
pub fn tensors(path: &Path) -> Result<Vec<Source>, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut out = Vec::new();
    for (name, view) in file.tensors() {
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::BF16 => {
                let halves = view.data().as_chunks::<2>().0;
                halves.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect()
            }
            _ => continue,
        };
        let columns = view.shape().last().copied().unwrap_or(0);
        if view.shape().len() < 2 || values.len() < 1 << 14 {
            continue;
        }
        let bound = Bound::Gaussian { variance: variance(&values) };
        out.push(Source { name, columns, values, bound });
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(out)
}
