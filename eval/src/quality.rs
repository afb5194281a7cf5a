//! Perplexity, and the divergence from a reference.

use std::fs::File;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use memmap2::{Mmap, MmapMut};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What a model makes of a text, beside what the reference made of it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Quality {
    /// Tokens that were scored.
    pub tokens: usize,
    /// `exp` of the mean negative log-likelihood of the next token.
    pub perplexity: f64,
    /// The same for the reference.
    pub reference: f64,
    /// Mean Kullback–Leibler divergence from the reference's distribution, in nats.
    pub divergence: f64,
    /// Share of tokens for which both find the same word most likely.
    pub same_top: f64,
}

/// Log-probabilities of the reference model, on disk: they are larger than everything else together.
#[derive(Debug)]
pub struct Reference {
    map: Mmap,
    vocabulary: usize,
}

/// Writes the reference's log-probabilities, window after window.
#[derive(Debug)]
pub struct ReferenceWriter {
    map: MmapMut,
    path: PathBuf,
    part: PathBuf,
    at: usize,
    vocabulary: usize,
}

impl ReferenceWriter {
    /// A file for `rows` scored tokens.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: &Path, rows: usize, vocabulary: usize) -> Result<Self> {
        let part = path.with_extension("part");
        let about = |error| Error::io(&part, error);
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&part);
        let file = file.map_err(about)?;
        file.set_len((rows * vocabulary * 4) as u64).map_err(about)?;
        // SAFETY: the file was made by this process for itself; it is renamed only when complete.
        let map = unsafe { MmapMut::map_mut(&file) }.map_err(about)?;
        Ok(Self { map, path: path.to_owned(), part, at: 0, vocabulary })
    }

    /// Takes the logits after each token but the last of a window.
    ///
    /// # Errors
    /// [`Error::Runtime`].
    pub fn window(&mut self, logits: &Tensor) -> Result<()> {
        let rows: Vec<Vec<f32>> = scored(logits)?.to_vec2()?;
        let width = 4 * self.vocabulary;
        let out = &mut self.map[self.at * width..][..rows.len() * width];
        out.par_chunks_exact_mut(width).zip(&rows).for_each(|(out, row)| {
            let total = log_sum_exp(row);
            for (bytes, logit) in out.as_chunks_mut::<4>().0.iter_mut().zip(row) {
                *bytes = (logit - total).to_le_bytes();
            }
        });
        self.at += rows.len();
        Ok(())
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self) -> Result<()> {
        self.map.flush().map_err(|error| Error::io(&self.part, error))?;
        std::fs::rename(&self.part, &self.path).map_err(|error| Error::io(&self.path, error))
    }
}

impl Reference {
    /// The log-probabilities of `rows` scored tokens.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] for a file of another size.
    pub fn open(path: &Path, rows: usize, vocabulary: usize) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        // SAFETY: a file in this command's own cache folder, which nothing writes to after it was renamed.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| Error::io(path, error))?;
        if map.len() != rows * vocabulary * 4 {
            return Err(Error::input(format!("{}: is not of {rows} tokens: delete it", path.display())));
        }
        Ok(Self { map, vocabulary })
    }

    fn row(&self, at: usize) -> &[[u8; 4]] {
        self.map[at * self.vocabulary * 4..][..self.vocabulary * 4].as_chunks().0
    }
}

/// Sums over windows.
#[derive(Debug, Default)]
pub struct Score {
    tokens: usize,
    loss: f64,
    reference: f64,
    divergence: f64,
    same: usize,
}

impl Score {
    /// Takes the logits of a window against the reference's, which start at its scored token `at`.
    ///
    /// # Errors
    /// [`Error::Runtime`].
    pub fn window(
        &mut self,
        logits: &Tensor,
        tokens: &[u32],
        reference: &Reference,
        at: usize,
    ) -> Result<()> {
        let rows: Vec<Vec<f32>> = scored(logits)?.to_vec2()?;
        let sums = rows
            .par_iter()
            .enumerate()
            .map(|(index, row)| score(row, reference.row(at + index), tokens[index + 1] as usize))
            .reduce(|| [0.0; 4], |a, b| std::array::from_fn(|i| a[i] + b[i]));
        self.tokens += rows.len();
        self.loss += sums[0];
        self.reference += sums[1];
        self.divergence += sums[2];
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        {
            self.same += sums[3] as usize;
        }
        Ok(())
    }

    /// Means over everything that was taken.
    #[expect(clippy::cast_precision_loss, reason = "counts of tokens")]
    pub fn quality(&self) -> Quality {
        let count = self.tokens as f64;
        Quality {
            tokens: self.tokens,
            perplexity: (self.loss / count).exp(),
            reference: (self.reference / count).exp(),
            divergence: self.divergence / count,
            same_top: self.same as f64 / count,
        }
    }
}

/// Loss, the reference's loss, divergence, whether the likeliest word is the same.
fn score(logits: &[f32], reference: &[[u8; 4]], next: usize) -> [f64; 4] {
    let total = log_sum_exp(logits);
    let mut divergence = 0f64;
    let (mut top, mut top_reference) = ((0, f32::NEG_INFINITY), (0, f32::NEG_INFINITY));
    for (block, (logits, reference)) in logits.chunks(1024).zip(reference.chunks(1024)).enumerate() {
        let mut sum = 0f32;
        for (index, (&logit, bytes)) in logits.iter().zip(reference).enumerate() {
            let log_p = f32::from_le_bytes(*bytes);
            sum += log_p.exp() * (log_p - (logit - total));
            if logit > top.1 {
                top = (block * 1024 + index, logit);
            }
            if log_p > top_reference.1 {
                top_reference = (block * 1024 + index, log_p);
            }
        }
        divergence += f64::from(sum);
    }
    let same = if top.0 == top_reference.0 { 1.0 } else { 0.0 };
    [f64::from(total - logits[next]), -f64::from(f32::from_le_bytes(reference[next])), divergence, same]
}

fn log_sum_exp(logits: &[f32]) -> f32 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 =
        logits.chunks(1024).map(|block| f64::from(block.iter().map(|l| (l - most).exp()).sum::<f32>())).sum();
    #[expect(clippy::cast_possible_truncation, reason = "beside logits, which are f32")]
    {
        most + sum.ln() as f32
    }
}

/// All logits but those after the last token, which no token follows.
fn scored(logits: &Tensor) -> Result<Tensor> {
    Ok(logits.narrow(0, 0, logits.dim(0)? - 1)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn logits(rows: &[[f32; 3]]) -> Tensor {
        Tensor::from_slice(rows.as_flattened(), (rows.len(), 3), &Device::Cpu).unwrap()
    }

    #[test]
    fn perplexity_and_divergence_by_hand() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reference");
        let mut writer = ReferenceWriter::create(&path, 1, 3).unwrap();
        let half = 0.5f32.ln();
        let quarter = 0.25f32.ln();
        writer.window(&logits(&[[half, quarter, quarter], [0.0; 3]])).unwrap();
        writer.finish().unwrap();
        let reference = Reference::open(&path, 1, 3).unwrap();
        assert!(Reference::open(&path, 2, 3).is_err());

        let mut same = Score::default();
        same.window(&logits(&[[half + 5.0, quarter + 5.0, quarter + 5.0], [0.0; 3]]), &[0, 1], &reference, 0)
            .unwrap();
        let quality = same.quality();
        assert!((quality.perplexity - 4.0).abs() < 1e-5 && (quality.reference - 4.0).abs() < 1e-5);
        assert!(quality.divergence.abs() < 1e-6 && quality.same_top == 1.0);

        let mut other = Score::default();
        other.window(&logits(&[[0.0, 0.0, 1.0], [0.0; 3]]), &[0, 0], &reference, 0).unwrap();
        let total = (2.0 + 1f64.exp()).ln();
        let expected =
            0.5 * (0.5f64.ln() + total) + 0.25 * (0.25f64.ln() + total) + 0.25 * (0.25f64.ln() + total - 1.0);
        let quality = other.quality();
        assert!((quality.divergence - expected).abs() < 1e-6 && quality.same_top == 0.0);
        assert!((quality.perplexity - total.exp()).abs() < 1e-4);
    }
}
