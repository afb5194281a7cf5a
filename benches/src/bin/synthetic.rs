//! Writes the distributions with a known bound as tensors of a file, for commands that read files.
//!
//! `synthetic OUT.safetensors`: one f32 tensor of 2048 × 512 values for each.

use std::path::Path;
use std::process::ExitCode;

use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use telecine_benches::source;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("synthetic: the file to write is missing");
        return ExitCode::FAILURE;
    };
    match write(Path::new(&path)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("synthetic: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(path: &Path) -> Result<(), safetensors::SafeTensorError> {
    let sources = source::distributions();
    let bytes: Vec<Vec<u8>> =
        sources.iter().map(|source| source.values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let mut views = Vec::with_capacity(sources.len());
    for (source, bytes) in sources.iter().zip(&bytes) {
        let shape = vec![source.values.len() / source.columns, source.columns];
        views.push((source.name.replace('.', ","), TensorView::new(Dtype::F32, shape, bytes)?));
    }
    serialize_to_file(views, None, path)
}
