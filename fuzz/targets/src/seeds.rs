//! What fuzzing starts from: golden vectors and other people's files in the form that each target reads, and noise.

use std::fs;
use std::path::{Path, PathBuf};

/// An input to start from.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The name of the vector that it was made of.
    pub name: String,
    /// What the target is given.
    pub bytes: Vec<u8>,
}

/// Inputs of noise for targets that make their own tensors and packets of an input.
const NOISE: u64 = 16;

/// The seeds of the target of this name, the same each time.
///
/// A tree without its vectors is not what it should be: then this panics, and says what is missing.
pub fn seeds(target: &str) -> Vec<Seed> {
    let mut seeds = match target {
        "container" => [
            files("format/tests/golden", &["arrow", "arrows"]),
            files("conformance/vectors/containers", &["arrow", "arrows"]),
        ]
        .concat(),
        "native_decode" => packets("backends/native/tests/golden/vectors", "tns1", 1 << 16),
        "native_differential" => {
            with_mode(2, packets("backends/native/tests/golden/vectors", "tns1", u64::MAX))
        }
        "zstd_decode" => with_mode(0, packets("conformance/vectors/packets", "zstd", u64::MAX)),
        "raw_decode" => with_mode(0, packets("conformance/vectors/packets", "raw0", u64::MAX)),
        "npy" | "npz" | "safetensors" => with_mode(0, files("cli/tests/files", &[target])),
        _ => Vec::new(),
    };
    seeds.extend((1..=NOISE).map(|number| Seed { name: format!("noise-{number}"), bytes: noise(number) }));
    seeds
}

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder with one of these extensions.
fn files(path: &str, extensions: &[&str]) -> Vec<Seed> {
    let folder = folder(path);
    let listed = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().and_then(|e| e.to_str()).is_some_and(|e| extensions.contains(&e)));
    assert!(!paths.is_empty(), "{} has no {extensions:?}", folder.display());
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| Seed { name: name(path), bytes: read(path) }).collect()
}

/// The packets that the index of a folder lists, of this codec and of this many samples at most, each behind its spec.
fn packets(path: &str, codec: &str, most: u64) -> Vec<Seed> {
    let folder = folder(path);
    let index = String::from_utf8(read(&folder.join("index.txt"))).unwrap();
    let seed = |line: &str| {
        // Names have no extension where a folder is of one codec; else the second column is a checksum.
        let mut words = line.split_whitespace();
        let name = words.next()?;
        let file = if name.contains('.') {
            words.next()?;
            folder.join(name)
        } else {
            folder.join(name).with_extension(codec)
        };
        let mut number = || words.next()?.parse::<u32>().ok();
        let (frames, height, width, depth) = (number()?, number()?, number()?, number()?);
        let samples = u64::from(frames) * u64::from(height) * u64::from(width);
        if samples > most || file.extension()? != codec {
            return None;
        }
        let mut bytes = vec![(frames - 1) as u8];
        bytes.extend((height as u16).to_le_bytes());
        bytes.extend((width as u16).to_le_bytes());
        bytes.push((depth - 8) as u8);
        bytes.extend(read(&file));
        Some(Seed { name: name.to_owned(), bytes })
    };
    let seeds: Vec<Seed> = index.lines().filter_map(seed).collect();
    assert!(!seeds.is_empty(), "{} has no packets of {codec}", folder.display());
    seeds
}

/// The same behind a byte that says how the rest is read.
fn with_mode(mode: u8, seeds: Vec<Seed>) -> Vec<Seed> {
    let before = |seed: Seed| Seed { bytes: [&[mode], &*seed.bytes].concat(), ..seed };
    seeds.into_iter().map(before).collect()
}

/// 64 to 1,024 bytes; xorshift.
fn noise(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..64 * number).map(|_| next()).collect()
}
