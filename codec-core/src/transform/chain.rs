//! Chains of transforms: their text form, forward and back.

use std::fmt;
use std::sync::Arc;

use super::{Basis, centre, column_scale, dct, hadamard, row_scale};
use crate::{Error, Importance, Limits, Result};

/// One reversible linear step on a chunk of `rows` × `cols` values.
///
/// Made by its constructors, which take nothing that a reader would refuse. The text form is a name, the version of its
/// definition, and parameters: `dct@1(32)`. Names are never reused; a definition that changes takes the next version.
#[derive(Debug, Clone, PartialEq)]
pub struct Transform(Step);

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Centre,
    RowScale,
    /// What the scales follow from; `None` in a chain read from text, which finds them in the side information and can
    /// only undo.
    ColumnScale(Option<Arc<Importance>>),
    Hadamard {
        block: usize,
        seed: u64,
    },
    Dct {
        block: usize,
    },
    Klt(Arc<Basis>),
}

impl Transform {
    /// `centre@1`: columns less their means over the chunk.
    pub fn centre() -> Self {
        Self(Step::Centre)
    }

    /// `row-scale@1`: rows over their rms. Not orthonormal.
    pub fn row_scale() -> Self {
        Self(Step::RowScale)
    }

    /// `column-scale@1`: columns over scales that are larger the less a column counts. Not orthonormal.
    ///
    /// [`Encoding::importance`](crate::Encoding::importance) puts it in front of a chain.
    pub fn column_scale(importance: Arc<Importance>) -> Self {
        Self(Step::ColumnScale(Some(importance)))
    }

    /// `hadamard@1(block,seed)`: random signs from the seed, then Walsh–Hadamard on blocks of each row.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a block that is not a power of two from 2 to 65,536 values.
    pub fn hadamard(block: u32, seed: u64) -> Result<Self> {
        if block.is_power_of_two() && (2..=65_536).contains(&block) {
            return Ok(Self(Step::Hadamard { block: block as usize, seed }));
        }
        Err(Error::invalid(format!("hadamard block {block} is not a power of two from 2 to 65536")))
    }

    /// `dct@1(block)`: DCT-II along the rows axis in blocks of rows.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a block other than 8, 16, 32 and 64 rows.
    pub fn dct(block: u32) -> Result<Self> {
        if [8, 16, 32, 64].contains(&block) {
            return Ok(Self(Step::Dct { block: block as usize }));
        }
        Err(Error::invalid(format!("dct block {block} is not 8, 16, 32 or 64")))
    }

    /// `klt@1(id)`: rows rotated by a basis; the id is its hash in 16 hexadecimal digits.
    pub fn klt(basis: Arc<Basis>) -> Self {
        Self(Step::Klt(basis))
    }

    /// The basis that it rotates rows by, if it does.
    pub fn basis(&self) -> Option<&Arc<Basis>> {
        match &self.0 {
            Step::Klt(basis) => Some(basis),
            _ => None,
        }
    }

    /// Whether it keeps sums of squares, up to rounding.
    pub fn is_orthonormal(&self) -> bool {
        // Centring moves the origin and keeps distances, which is what matters for errors.
        !matches!(self.0, Step::RowScale | Step::ColumnScale(_))
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
        let parameters = self::parameters(parameters);
        let number = |at: usize, default: u64| -> Result<u64> {
            parameters.get(at).map_or(Ok(default), |text| text.parse().map_err(|_| wrong()))
        };
        let small = |n: u64| u32::try_from(n).map_err(|_| wrong());
        let (transform, most) = match name {
            "centre" => (Self::centre(), 0),
            "row-scale" => (Self::row_scale(), 0),
            "column-scale" => (Self(Step::ColumnScale(None)), 0),
            "hadamard" => (Self::hadamard(small(number(0, 128)?)?, number(1, 0)?)?, 2),
            "dct" => (Self::dct(small(number(0, 32)?)?)?, 1),
            "klt" => {
                let id = parameters.first().and_then(|id| basis_id(id)).ok_or_else(wrong)?;
                let basis =
                    bases(id).ok_or_else(|| Error::invalid(format!("no basis {id:016x} is at hand")))?;
                (Self::klt(basis), 1)
            }
            _ => {
                return Err(Error::unsupported(format!(
                    "transform {name:?} is none that this release knows: centre, row-scale, column-scale, hadamard, dct, klt"
                )));
            }
        };
        if parameters.len() > most {
            return Err(wrong());
        }
        Ok(transform)
    }

    fn forward(&self, values: &mut [f32], cols: usize, step: f32, side: &mut Vec<u8>) -> Result<()> {
        match &self.0 {
            Step::Centre => centre::forward(values, cols, side),
            Step::RowScale => row_scale::forward(values, cols, side),
            Step::ColumnScale(importance) => {
                let importance = importance.as_ref().ok_or_else(|| {
                    Error::invalid(format!("{self} follows from importance: give weights, and no {self}"))
                })?;
                importance.check(cols as u64)?;
                column_scale::forward(values, importance, step, side);
            }
            Step::Hadamard { block, seed } => hadamard::forward(values, cols, *block, *seed),
            Step::Dct { block } => dct::forward(values, cols, *block),
            Step::Klt(basis) => {
                fits(basis, cols)?;
                basis.forward(values);
            }
        }
        Ok(())
    }

    fn inverse(&self, values: &mut [f32], rows: usize, cols: usize, side: &mut &[u8]) -> Result<()> {
        match &self.0 {
            Step::Centre => centre::inverse(values, cols, side)?,
            Step::RowScale => row_scale::inverse(values, rows, cols, side)?,
            Step::ColumnScale(_) => column_scale::inverse(values, cols, side)?,
            Step::Hadamard { block, seed } => hadamard::inverse(values, cols, *block, *seed),
            Step::Dct { block } => dct::inverse(values, cols, *block),
            Step::Klt(basis) => {
                fits(basis, cols)?;
                basis.inverse(values);
            }
        }
        Ok(())
    }
}

/// What stands between commas.
fn parameters(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|parameter| !parameter.is_empty()).collect()
}

/// A basis' id from its hexadecimal digits.
fn basis_id(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

fn fits(basis: &Basis, cols: usize) -> Result<()> {
    if basis.cols() == cols {
        return Ok(());
    }
    Err(Error::invalid(format!("a basis of {} columns cannot rotate rows of {cols}", basis.cols())))
}

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Step::Centre => f.write_str("centre@1"),
            Step::RowScale => f.write_str("row-scale@1"),
            Step::ColumnScale(_) => f.write_str("column-scale@1"),
            Step::Hadamard { block, seed } => write!(f, "hadamard@1({block},{seed})"),
            Step::Dct { block } => write!(f, "dct@1({block})"),
            Step::Klt(basis) => write!(f, "klt@1({:016x})", basis.id()),
        }
    }
}

/// A chain of transforms, applied first to last; the empty chain changes nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chain {
    steps: Vec<Transform>,
}

/// Steps of a chain, at most.
const MOST_STEPS: usize = 8;

impl Chain {
    /// A chain of these steps.
    ///
    /// # Errors
    /// [`Error::Invalid`] for more than 8 steps, [`Error::Limit`] for bases of more than
    /// [`Limits::basis_values`] in the default limits together.
    pub fn new(steps: Vec<Transform>) -> Result<Self> {
        if steps.len() > MOST_STEPS {
            return Err(Error::invalid(format!(
                "{} transforms in one chain, {MOST_STEPS} are the most",
                steps.len()
            )));
        }
        let values = steps.iter().filter_map(Transform::basis).map(|basis| basis.values().len() as u64).sum();
        Limits::check("values of a chain's bases", values, Limits::DEFAULT.basis_values)?;
        Ok(Self { steps })
    }

    /// The steps, first to last.
    pub fn steps(&self) -> &[Transform] {
        &self.steps
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The ids of the bases that a chain in text form names, each once; text that is no chain may name any.
    pub fn basis_ids(text: &str) -> Vec<u64> {
        let mut ids = Vec::new();
        for step in text.split('+').take(MOST_STEPS) {
            let id = step.trim().strip_prefix("klt").and_then(|rest| rest.split_once('('));
            let id = id.and_then(|(_, rest)| basis_id(parameters(rest.strip_suffix(')')?).first()?));
            ids.extend(id.filter(|id| !ids.contains(id)));
        }
        ids
    }

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
        Self::new(steps)
    }

    /// This chain behind a scaling of the columns by importance, which is left out where it would change nothing.
    pub(crate) fn behind_importance(&self, importance: &Arc<Importance>) -> Result<Self> {
        let mut steps = self.steps.clone();
        if !importance.is_uniform() {
            steps.insert(0, Transform::column_scale(importance.clone()));
        }
        Self::new(steps)
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
        let len = match &self.0 {
            Step::Centre => 4 + cols,
            Step::RowScale => rows,
            Step::ColumnScale(_) => cols,
            Step::Hadamard { .. } | Step::Dct { .. } | Step::Klt(_) => 0,
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
        chains.push(vec![Step::Centre]);
        for block in [8, 32, 64] {
            if rows >= 2 * block {
                chains.push(vec![Step::Centre, Step::Dct { block }]);
            }
        }
    }
    if cols >= 16 {
        chains.push(vec![Step::Hadamard { block: 128, seed: 0 }]);
    }
    let chain = |steps: Vec<Step>| Chain { steps: steps.into_iter().map(Transform).collect() };
    chains.into_iter().map(chain).collect()
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "noise")]
mod tests;
