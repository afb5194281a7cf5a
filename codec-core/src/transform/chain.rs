//! Chains of transforms: their text form, forward and back.

use std::fmt;
use std::sync::Arc;

use super::{Basis, centre, column_scale, dct, hadamard, row_scale};
use crate::{Error, Importance, Result};

/// One reversible linear step on a chunk of `rows` × `cols` values.
///
/// The text form is a name, the version of its definition, and parameters: `dct@1(32)`. Names are never reused; a
/// definition that changes takes the next version.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Transform {
    /// `centre@1`: columns less their means over the chunk.
    Centre,
    /// `row-scale@1`: rows over their rms. Not orthonormal.
    RowScale,
    /// `column-scale@1`: columns over scales that are larger the less a column counts. Not orthonormal.
    ///
    /// [`Encoding::importance`](crate::Encoding::importance) puts it in front of a chain.
    ColumnScale {
        /// What the scales follow from; `None` in a chain read from text, which finds them in the side information and
        /// can only undo.
        importance: Option<Arc<Importance>>,
    },
    /// `hadamard@1(block,seed)`: random signs, then Walsh–Hadamard on blocks of each row.
    Hadamard {
        /// Values of a block, a power of two from 2 to 65,536.
        block: u32,
        /// Seed of the signs.
        seed: u64,
    },
    /// `dct@1(block)`: DCT-II along the rows axis in blocks of rows.
    Dct {
        /// Rows of a block: 8, 16, 32 or 64.
        block: u32,
    },
    /// `klt@1(id)`: rows rotated by a basis; the id is its hash in 16 hexadecimal digits.
    Klt {
        /// The basis.
        basis: Arc<Basis>,
    },
}

impl Transform {
    /// Whether it keeps sums of squares, up to rounding.
    pub fn is_orthonormal(&self) -> bool {
        // Centring moves the origin and keeps distances, which is what matters for errors.
        !matches!(self, Self::RowScale | Self::ColumnScale { .. })
    }

    fn check(&self) -> Result<()> {
        match self {
            Self::Hadamard { block, .. } if !(block.is_power_of_two() && (2..=65_536).contains(block)) => {
                Err(Error::invalid(format!("hadamard block {block} is not a power of two from 2 to 65536")))
            }
            Self::Dct { block } if ![8, 16, 32, 64].contains(block) => {
                Err(Error::invalid(format!("dct block {block} is not 8, 16, 32 or 64")))
            }
            _ => Ok(()),
        }
    }

    /// Parses one step; the version and, for all but `klt`, the parameters may be left out.
    fn parse(text: &str, bases: &dyn Fn(u64) -> Option<Arc<Basis>>) -> Result<Self> {
        let wrong =
            || Error::invalid(format!("transform {text:?} is not written as name@version(parameters)"));
        let (head, parameters) = match text.split_once('(') {
            Some((head, rest)) => (head, rest.strip_suffix(')').ok_or_else(wrong)?),
            None => (text, ""),
        };
        let (name, version) = head.split_once('@').unwrap_or((head, "1"));
        if version != "1" {
            return Err(Error::unsupported(format!(
                "transform {name} of version {version} is newer than this build, which knows version 1: upgrade"
            )));
        }
        let parameters: Vec<&str> = parameters.split(',').map(str::trim).filter(|p| !p.is_empty()).collect();
        let number = |at: usize, default: u64| -> Result<u64> {
            parameters.get(at).map_or(Ok(default), |text| text.parse().map_err(|_| wrong()))
        };
        let small = |n: u64| u32::try_from(n).map_err(|_| wrong());
        let (transform, most) = match name {
            "centre" => (Self::Centre, 0),
            "row-scale" => (Self::RowScale, 0),
            "column-scale" => (Self::ColumnScale { importance: None }, 0),
            "hadamard" => (Self::Hadamard { block: small(number(0, 128)?)?, seed: number(1, 0)? }, 2),
            "dct" => (Self::Dct { block: small(number(0, 32)?)? }, 1),
            "klt" => {
                let id =
                    parameters.first().and_then(|id| u64::from_str_radix(id, 16).ok()).ok_or_else(wrong)?;
                let basis =
                    bases(id).ok_or_else(|| Error::invalid(format!("no basis {id:016x} is at hand")))?;
                (Self::Klt { basis }, 1)
            }
            _ => {
                return Err(Error::unsupported(format!(
                    "transform {name:?} is none of centre, row-scale, column-scale, hadamard, dct, klt"
                )));
            }
        };
        if parameters.len() > most {
            return Err(wrong());
        }
        transform.check()?;
        Ok(transform)
    }

    fn forward(&self, values: &mut [f32], cols: usize, step: f32, side: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Centre => centre::forward(values, cols, side),
            Self::RowScale => row_scale::forward(values, cols, side),
            Self::ColumnScale { importance } => {
                let importance = importance.as_ref().ok_or_else(|| {
                    Error::invalid(format!("{self} follows from importance: give weights, and no {self}"))
                })?;
                importance.check(cols as u64)?;
                column_scale::forward(values, importance, step, side);
            }
            Self::Hadamard { block, seed } => hadamard::forward(values, cols, *block as usize, *seed),
            Self::Dct { block } => dct::forward(values, cols, *block as usize),
            Self::Klt { basis } => {
                fits(basis, cols)?;
                basis.forward(values);
            }
        }
        Ok(())
    }

    fn inverse(&self, values: &mut [f32], rows: usize, cols: usize, side: &mut &[u8]) -> Result<()> {
        match self {
            Self::Centre => centre::inverse(values, cols, side)?,
            Self::RowScale => row_scale::inverse(values, rows, cols, side)?,
            Self::ColumnScale { .. } => column_scale::inverse(values, cols, side)?,
            Self::Hadamard { block, seed } => hadamard::inverse(values, cols, *block as usize, *seed),
            Self::Dct { block } => dct::inverse(values, cols, *block as usize),
            Self::Klt { basis } => {
                fits(basis, cols)?;
                basis.inverse(values);
            }
        }
        Ok(())
    }
}

fn fits(basis: &Basis, cols: usize) -> Result<()> {
    if basis.cols() == cols {
        return Ok(());
    }
    Err(Error::invalid(format!("a basis of {} columns cannot rotate rows of {cols}", basis.cols())))
}

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Centre => f.write_str("centre@1"),
            Self::RowScale => f.write_str("row-scale@1"),
            Self::ColumnScale { .. } => f.write_str("column-scale@1"),
            Self::Hadamard { block, seed } => write!(f, "hadamard@1({block},{seed})"),
            Self::Dct { block } => write!(f, "dct@1({block})"),
            Self::Klt { basis } => write!(f, "klt@1({:016x})", basis.id()),
        }
    }
}

/// A chain of transforms, applied first to last; the empty chain changes nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chain {
    /// The steps.
    pub steps: Vec<Transform>,
}

impl Chain {
    /// Reads what [`Display`](fmt::Display) writes: `none`, or steps joined by `+`, such as `centre@1+dct@1(32)`.
    ///
    /// `bases` finds the basis of a KLT by its id.
    ///
    /// # Errors
    /// [`Error::Invalid`] for wrong parameters or a basis that is not at hand, [`Error::Unsupported`] for a transform
    /// or version that this build does not know.
    pub fn parse(text: &str, bases: &dyn Fn(u64) -> Option<Arc<Basis>>) -> Result<Self> {
        if text == "none" {
            return Ok(Self::default());
        }
        let steps =
            text.split('+').map(|step| Transform::parse(step.trim(), bases)).collect::<Result<Vec<_>>>()?;
        let chain = Self { steps };
        chain.check_len()?;
        Ok(chain)
    }

    fn check_len(&self) -> Result<()> {
        if self.steps.len() > 8 {
            return Err(Error::invalid(format!(
                "{} transforms in one chain, 8 are the most",
                self.steps.len()
            )));
        }
        Ok(())
    }

    /// This chain behind a scaling of the columns by importance, which is left out where it would change nothing.
    pub(crate) fn behind_importance(&self, importance: &Arc<Importance>) -> Result<Self> {
        let mut chain = self.clone();
        if !importance.is_uniform() {
            chain.steps.insert(0, Transform::ColumnScale { importance: Some(importance.clone()) });
        }
        chain.check_len()?;
        Ok(chain)
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether errors keep their size through the inverse, up to rounding.
    pub fn is_orthonormal(&self) -> bool {
        self.steps.iter().all(Transform::is_orthonormal)
    }

    /// Transforms `rows` × `cols` finite values in place; appends what the inverse needs to `side`.
    ///
    /// `step` is that of the quantiser that follows: a scaling of columns leaves out what lies below its noise.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `values` are not `rows` × `cols`, or a basis has another number of columns.
    pub fn forward(
        &self,
        values: &mut [f32],
        rows: usize,
        cols: usize,
        step: f32,
        side: &mut Vec<u8>,
    ) -> Result<()> {
        check_shape(values, rows, cols)?;
        self.steps.iter().try_for_each(|transform| transform.forward(values, cols, step, side))
    }

    /// Undoes [`Chain::forward`]; takes its bytes off the front of `side`.
    ///
    /// # Errors
    /// As [`Chain::forward`], and [`Error::Corrupt`] when `side` ends early.
    pub fn inverse(&self, values: &mut [f32], rows: usize, cols: usize, side: &mut &[u8]) -> Result<()> {
        check_shape(values, rows, cols)?;
        // Parameters were written first to last, steps are undone last to first.
        let parts = self
            .steps
            .iter()
            .map(|step| step.take_parameters(rows, cols, side))
            .collect::<Result<Vec<_>>>()?;
        let undo = self.steps.iter().zip(parts).rev();
        undo.into_iter().try_for_each(|(step, mut part)| step.inverse(values, rows, cols, &mut part))
    }
}

impl Transform {
    /// Takes this step's parameters off the front of `side`.
    fn take_parameters<'s>(&self, rows: usize, cols: usize, side: &mut &'s [u8]) -> Result<&'s [u8]> {
        let len = match self {
            Self::Centre => 4 + cols,
            Self::RowScale => rows,
            Self::ColumnScale { .. } => cols,
            Self::Hadamard { .. } | Self::Dct { .. } | Self::Klt { .. } => 0,
        };
        let (part, rest) = side.split_at_checked(len).ok_or_else(|| {
            Error::corrupt(format!("side information ends within the parameters of {self}"))
        })?;
        *side = rest;
        Ok(part)
    }
}

fn check_shape(values: &[f32], rows: usize, cols: usize) -> Result<()> {
    if cols > 0 && rows.checked_mul(cols) == Some(values.len()) {
        return Ok(());
    }
    Err(Error::invalid(format!("{} values are not {rows} rows of {cols}", values.len())))
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return f.write_str("none");
        }
        for (at, step) in self.steps.iter().enumerate() {
            write!(f, "{}{step}", if at == 0 { "" } else { "+" })?;
        }
        Ok(())
    }
}

/// Which transform an encoding uses.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum TransformChoice {
    /// Whatever measures cheapest on a sample of the tensor at the target.
    #[default]
    Auto,
    /// This chain.
    Chain(Chain),
}

/// The chains that automatic choice tries on chunks of `rows` × `cols`, simplest first.
///
/// Trained weights want none; keys, values and hidden states want centring and a DCT over tokens (design measurements:
/// `docs/transforms.md`); a rotation helps where few values stand out.
pub fn candidates(rows: usize, cols: usize) -> Vec<Chain> {
    let mut chains = vec![Vec::new()];
    if cols >= 2 && rows >= 16 {
        chains.push(vec![Transform::Centre]);
        for block in [8, 32, 64] {
            if rows >= 2 * block as usize {
                chains.push(vec![Transform::Centre, Transform::Dct { block }]);
            }
        }
    }
    if cols >= 16 {
        chains.push(vec![Transform::Hadamard { block: 128, seed: 0 }]);
    }
    chains.into_iter().map(|steps| Chain { steps }).collect()
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "noise")]
mod tests;
