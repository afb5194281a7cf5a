//! What an error in each tensor costs: the file of `pack --sensitivity`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::Model;
use crate::failure::{Failure, Result};
use crate::select::select;

/// Numbers by the name of a tensor.
pub struct Sensitivities(HashMap<String, f64>);

impl Sensitivities {
    /// Reads the file. A name or glob that fits no tensor of the model was meant for another, and two globs that fit one
    /// tensor leave open which of them counts; a tensor's own name counts before globs.
    pub fn open(path: &Path, model: &Model) -> Result<Self> {
        let about = |message: String| Failure::usage(format!("{}: {message}", path.display()));
        let text = std::fs::read(path).map_err(|error| Failure::io(path, "read", &error))?;
        let numbers: BTreeMap<String, f64> = serde_json::from_slice(&text)
            .map_err(|error| about(format!("is no JSON object of names and numbers: {error}")))?;
        if let Some((name, number)) =
            numbers.iter().find(|(_, number)| !(number.is_finite() && **number > 0.0))
        {
            return Err(about(format!("{name:?} is {number}: sensitivities are positive numbers")));
        }
        let (patterns, names): (Vec<&str>, _) = (numbers.keys().map(String::as_str).collect(), model.names());
        let numbers: Vec<f64> = numbers.values().copied().collect();
        let fits = select(&path.display().to_string(), &patterns, &names)?;
        let mut by_name = HashMap::with_capacity(names.len());
        for (name, fit) in names.iter().zip(fits) {
            let at = match (fit.name, fit.globs) {
                (Some(at), _) => at,
                (None, Some((first, last))) if first < last => {
                    let (first, last) = (patterns[first], patterns[last]);
                    return Err(about(format!("{first:?} and {last:?} both fit tensor {name:?}")));
                }
                (None, Some((at, _))) => at,
                (None, None) => continue,
            };
            by_name.insert((*name).to_owned(), numbers[at]);
        }
        Ok(Self(by_name))
    }

    /// The sensitivity of a tensor; 1 where none is given.
    pub fn of(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(1.0)
    }
}
