//! `.safetensors`: eight bytes of header length, a JSON header, data; and the index of a sharded model.
//!
//! The header is parsed here and not by the `safetensors` crate, which takes the last of two tensors of one name.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use telecine::{DType, Limits};

use super::{Entry, Place, byte_len};
use crate::failure::{Failure, Result};

/// The longest header, as the format's own implementation has it.
const MAX_HEADER: u64 = 100_000_000;
/// The longest index of a sharded model.
const MAX_INDEX: u64 = 256 << 20;

/// Names in this format and ours.
pub const DTYPES: &[(&str, DType)] = &[
    ("F64", DType::F64),
    ("F32", DType::F32),
    ("F16", DType::F16),
    ("BF16", DType::Bf16),
    ("F8_E4M3", DType::F8E4M3),
    ("F8_E5M2", DType::F8E5M2),
    ("I64", DType::I64),
    ("I32", DType::I32),
    ("I16", DType::I16),
    ("I8", DType::I8),
    ("U64", DType::U64),
    ("U32", DType::U32),
    ("U16", DType::U16),
    ("U8", DType::U8),
    ("BOOL", DType::Bool),
];

#[derive(Deserialize)]
struct Info {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// The header, in its own order, with repeated names refused.
struct Header(Vec<(String, Info)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Tensors;
        impl<'de> Visitor<'de> for Tensors {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Header, A::Error> {
                let mut tensors = Vec::new();
                let mut seen = HashSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(serde::de::Error::custom(format!("the name {name:?} comes twice")));
                    }
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        tensors.push((name, map.next_value()?));
                    }
                }
                Ok(Header(tensors))
            }
        }
        deserializer.deserialize_map(Tensors)
    }
}

/// The tensors of a file, in the order of their data.
pub(super) fn entries(path: &Path, map: &[u8], limits: &Limits) -> Result<Vec<Entry>> {
    let (head, rest) = map.split_first_chunk::<8>().ok_or_else(|| {
        Failure::damaged(path, format!("{} bytes are too few for a safetensors file", map.len()))
    })?;
    let header_len = u64::from_le_bytes(*head);
    if header_len > MAX_HEADER || header_len > rest.len() as u64 {
        let message = format!("the header claims {header_len} bytes; the file has {}", map.len());
        return Err(Failure::damaged(path, format!("{message}: truncated, or not a safetensors file")));
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most MAX_HEADER")]
    let (header, data) = rest.split_at(header_len as usize);
    let Header(tensors) = serde_json::from_slice(header)
        .map_err(|error| Failure::damaged(path, format!("the header is not what it should be: {error}")))?;
    Limits::check("tensors of a file", tensors.len() as u64, limits.packets)
        .map_err(|error| Failure::from(error).about(path.display()))?;
    let base = 8 + header.len();
    let mut found = Vec::with_capacity(tensors.len());
    for (name, info) in tensors {
        found.push((info.data_offsets, entry(path, base, data.len(), name, info, limits)?));
    }
    found.sort_by_key(|(offsets, _)| *offsets);
    let mut next = 0;
    for ((start, end), entry) in &found {
        if *start != next {
            let what = if *start < next { "overlaps the one before" } else { "leaves a gap before it" };
            return Err(Failure::damaged(path, format!("tensor {:?} at byte {start} {what}", entry.name)));
        }
        next = *end;
    }
    if next != data.len() as u64 {
        let message = format!("the tensors end at byte {next} of {} of data", data.len());
        return Err(Failure::damaged(path, message));
    }
    Ok(found.into_iter().map(|(_, entry)| entry).collect())
}

fn entry(path: &Path, base: usize, held: usize, name: String, info: Info, limits: &Limits) -> Result<Entry> {
    let Some(&(_, dtype)) = DTYPES.iter().find(|(known, _)| *known == info.dtype) else {
        let known: Vec<_> = DTYPES.iter().map(|(known, _)| *known).collect();
        return Err(Failure::usage(format!(
            "{}: tensor {name:?} has dtype {:?}; those that are read are {}",
            path.display(),
            info.dtype,
            known.join(" ")
        )));
    };
    let len = byte_len(path, &name, dtype, &info.shape, limits)? as u64;
    let (start, end) = info.data_offsets;
    if end > held as u64 || end.checked_sub(start) != Some(len) {
        return Err(Failure::damaged(
            path,
            format!("tensor {name:?} takes {len} bytes, but lies at {start}..{end} of {held}: truncated?"),
        ));
    }
    #[expect(clippy::cast_possible_truncation, reason = "within the mapped file")]
    let place = Place::Plain { start: base + start as usize, fortran: false };
    Ok(Entry { name, dtype, shape: info.shape, file: 0, place })
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The shards of an index, in the order of their names, each with the tensors that it should hold.
pub(super) fn shards(path: &Path) -> Result<Vec<(PathBuf, Vec<String>)>> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_INDEX + 1).read_to_end(&mut text))
        .map_err(|error| Failure::io(path, "cannot be read", &error))?;
    if text.len() as u64 > MAX_INDEX {
        return Err(Failure::damaged(path, format!("an index of over {MAX_INDEX} bytes")));
    }
    let index: Index = serde_json::from_slice(&text)
        .map_err(|error| Failure::damaged(path, format!("not the index of a safetensors model: {error}")))?;
    let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (tensor, shard) in index.weight_map {
        shards.entry(shard).or_default().push(tensor);
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let resolve = |(shard, tensors): (String, Vec<String>)| {
        let plain = Path::new(&shard).file_name().is_some_and(|name| name == shard.as_str());
        if !plain || !shard.ends_with(".safetensors") {
            let message =
                format!("shard {shard:?} is not the plain name of a .safetensors file beside the index");
            return Err(Failure::damaged(path, message));
        }
        Ok((folder.join(shard), tensors))
    };
    shards.into_iter().map(resolve).collect()
}

/// Checks that a shard holds the tensors that the index names.
pub(super) fn check_shard(index: &Path, shard: &Path, entries: &[Entry], wanted: &[String]) -> Result<()> {
    let held: HashSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    match wanted.iter().find(|name| !held.contains(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Failure::damaged(index, format!("tensor {name:?} is not in {}", shard.display()))),
    }
}
