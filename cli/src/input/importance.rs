//! Weights of columns, by tensor name: the file of `pack --importance`.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use telecine::{Importance, Limits, MatrixShape};

use super::{Entry, Model};
use crate::failure::{Failure, Result};

/// A file with a vector of weights for some tensors of a model.
pub struct Weights {
    vectors: Model,
    by_name: HashMap<String, usize>,
}

impl Weights {
    /// Opens the file; a vector that no tensor of the model is named as was meant for another.
    pub fn open(path: &Path, model: &Model, limits: &Limits) -> Result<Self> {
        let vectors = Model::open(&[path.to_owned()], limits)?;
        let names = vectors.entries().iter().enumerate();
        let by_name: HashMap<_, _> = names.map(|(at, entry)| (entry.name.clone(), at)).collect();
        let names: HashSet<&str> = model.names().into_iter().collect();
        if vectors.entries().is_empty() {
            return Err(Failure::usage(format!("{}: it holds no vectors", path.display())));
        }
        if let Some(foreign) = vectors.entries().iter().find(|vector| !names.contains(&*vector.name)) {
            let message = format!("{}: no tensor of the input is named {:?}", path.display(), foreign.name);
            return Err(Failure::usage(message));
        }
        Ok(Self { vectors, by_name })
    }

    /// Refuses an output that is this file.
    pub fn check_not_read(&self, output: &Path) -> Result<()> {
        self.vectors.check_not_read(output)
    }

    /// The importance of a tensor's columns; `None` where the file has none.
    pub fn of(&self, entry: &Entry) -> Result<Option<Arc<Importance>>> {
        let Some(&at) = self.by_name.get(&entry.name) else { return Ok(None) };
        let vector = &self.vectors.entries()[at];
        let about = |failure: Failure| {
            let path = self.vectors.path(vector).display();
            failure.about(format!("{path}: tensor {:?}", entry.name))
        };
        let (held, cols) = (vector.values(), MatrixShape::of(&entry.shape).cols);
        if held != cols {
            return Err(about(Failure::usage(format!("{held} weights, but its rows have {cols} values"))));
        }
        let data = self.vectors.data(vector)?;
        let weights = data.tensor(vector)?.to_owned().to_f32();
        let importance = Importance::new(&weights).map_err(|error| about(error.into()))?;
        Ok(Some(Arc::new(importance)))
    }
}
