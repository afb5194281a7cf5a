//! What an error in each tensor costs: the file of `pack --sensitivity`.

use std::collections::BTreeMap;
use std::path::Path;

use globset::{Glob, GlobMatcher};

use super::Model;
use crate::failure::{Failure, Result};

/// Numbers by name, and by glob.
pub struct Sensitivities {
    numbers: BTreeMap<String, f64>,
    globs: Vec<(String, GlobMatcher)>,
}

impl Sensitivities {
    /// Reads the file. A name or glob that fits no tensor of the model was meant for another, and two globs that fit one
    /// tensor leave open which of them counts.
    pub fn open(path: &Path, model: &Model) -> Result<Self> {
        let about = |message: String| Failure::usage(format!("{}: {message}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| Failure::io(path, "read", &error))?;
        let numbers: BTreeMap<String, f64> = serde_json::from_str(&text)
            .map_err(|error| about(format!("is no JSON object of names and numbers: {error}")))?;
        let mut globs = Vec::with_capacity(numbers.len());
        for (name, number) in &numbers {
            if !(number.is_finite() && *number > 0.0) {
                return Err(about(format!("{name:?} is {number}: sensitivities are positive numbers")));
            }
            let matcher = Glob::new(name).map_err(|error| about(error.to_string()))?.compile_matcher();
            if !model.entries().iter().any(|entry| &entry.name == name || matcher.is_match(&entry.name)) {
                return Err(about(format!("{name:?} fits no tensor of the input")));
            }
            globs.push((name.clone(), matcher));
        }
        let sensitivities = Self { numbers, globs };
        for entry in model.entries() {
            if let [first, second, ..] = sensitivities.fitting(&entry.name)[..] {
                return Err(about(format!("{first:?} and {second:?} both fit tensor {:?}", entry.name)));
            }
        }
        Ok(sensitivities)
    }

    /// Its own name, or else every glob that fits.
    fn fitting(&self, name: &str) -> Vec<&str> {
        if let Some((name, _)) = self.numbers.get_key_value(name) {
            return vec![name];
        }
        self.globs.iter().filter(|(_, glob)| glob.is_match(name)).map(|(text, _)| text.as_str()).collect()
    }

    /// The sensitivity of a tensor; 1 where none is given.
    pub fn of(&self, name: &str) -> f64 {
        self.fitting(name).first().map_or(1.0, |fitting| self.numbers[*fitting])
    }
}
