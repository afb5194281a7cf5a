//! Other people's caches: rounding by token and by channel, KIVI, llama.cpp's rotated 4 bits, 8-bit floats.

use telecine::TensorBuf;

use super::coder::Coder;
use super::measure;
use crate::Result;
use crate::candle::kv_cache::Half;
use crate::rivals::{Grid, Matrix, Origin, Quantised, fp8, on_tokens, rotated, rtn};
use crate::rows::Rows;
use crate::setup::Setup;

/// Tokens of a block.
const BLOCK: usize = 128;
/// Values that share a scale in KIVI (arXiv 2402.02750) and llama.cpp's `q4_0`.
const GROUP: usize = 32;

/// How a block, `[tokens, channels]`, is quantised.
type Plain = Box<dyn Fn(Half, &Matrix<'_>) -> Result<Quantised>>;

pub(super) fn rows(setup: &mut Setup, rows: &mut Rows) -> Result<()> {
    let mut ways: Vec<(&str, String, Plain)> = Vec::new();
    for bits in [2, 3, 4] {
        let setting = format!("{bits} bits");
        ways.push(("RTN by token", setting.clone(), Box::new(move |_, m| rtn(m, &Grid::by_row(bits)))));
        ways.push((
            "RTN by channel",
            setting.clone(),
            Box::new(move |_, m| by_channel(m, &Grid::by_row(bits))),
        ));
        if bits == 3 {
            continue;
        }
        let grid = Grid { origin: Origin::Minimum, ..Grid::new(bits, GROUP) };
        ways.push((
            "KIVI",
            setting,
            Box::new(move |half, m| match half {
                Half::Keys => by_channel(m, &grid),
                Half::Values => rtn(m, &grid),
            }),
        ));
    }
    let dim = setup.config.head_dim();
    let grid = Grid { origin: Origin::Symmetric, ..Grid::new(4, GROUP) };
    ways.push((
        "q4_0, rotated",
        "4 bits".to_owned(),
        Box::new(move |_, m| rotated(m, dim, &|m| rtn(m, &grid))),
    ));
    ways.push(("fp8 E4M3", "8 bits".to_owned(), Box::new(|_, m| fp8(m))));
    for (series, setting, plain) in ways {
        let code = |_: usize, half: Half, block: &TensorBuf| on_tokens(block, |matrix| plain(half, matrix));
        measure(setup, rows, series, &setting, BLOCK, Coder::new(&code, false, 0))?;
    }
    Ok(())
}

/// Groups along tokens.
fn by_channel(matrix: &Matrix<'_>, grid: &Grid) -> Result<Quantised> {
    let Matrix { rows, cols, values } = *matrix;
    let turned: Vec<f32> = (0..rows * cols).map(|at| values[at % rows * cols + at / rows]).collect();
    let mut coded = rtn(&Matrix { rows: cols, cols: rows, values: &turned }, grid)?;
    coded.values = (0..rows * cols).map(|at| coded.values[at % cols * rows + at / cols]).collect();
    Ok(coded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_unlike_ranges_keep_theirs() {
        let values: Vec<f32> =
            (0..64).map(|at| if at % 2 == 0 { at as f32 * 100.0 } else { at as f32 }).collect();
        let matrix = Matrix { rows: 32, cols: 2, values: &values };
        let grid = Grid { origin: Origin::Minimum, ..Grid::new(4, GROUP) };
        let coded = by_channel(&matrix, &grid).unwrap();
        assert_eq!(coded.bits, 64 * 4 + 2 * 32);
        let pairs = values.iter().zip(&coded.values).enumerate();
        for (at, (before, after)) in pairs {
            let step = if at % 2 == 0 { 6200.0 } else { 62.0 } / 15.0;
            assert!((before - after).abs() <= 0.55 * step, "{at}: {before} {after}");
        }
    }
}
