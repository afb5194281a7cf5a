//! Other people's files: any bytes are read as tensors or refused, raw ones and such as are well formed on the outside.

use std::io::{Cursor, Write};
use std::path::Path;

use arbitrary::{Result, Unstructured};
use telecine::Limits;
use telecine_cli::input::Model;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const LIMITS: Limits = {
    let mut limits = Limits::DEFAULT;
    limits.dimensions = 8;
    limits.tensor_values = 1 << 20;
    limits.chunk_values = 1 << 20;
    limits.packet_bytes = 1 << 20;
    limits.packets = 1 << 10;
    limits.name_bytes = 256;
    limits
};

/// Lists the tensors of a file and reads each; what is listed must be there, but for members that do not inflate.
fn read(name: &str, bytes: Vec<u8>) {
    let Ok(model) = Model::from_bytes(Path::new(name), bytes, &LIMITS) else { return };
    for entry in model.entries() {
        let data = match model.data(entry) {
            Ok(data) => data,
            Err(failure) => {
                assert!(name.ends_with(".npz"), "{failure:?}");
                assert_eq!(failure.status, 4, "{failure:?}");
                continue;
            }
        };
        let tensor = data.tensor(entry).unwrap();
        let bytes = tensor.read(0..entry.values());
        assert_eq!(bytes.len() as u64, entry.values() * entry.dtype.size() as u64);
    }
}

/// `.npy`: the input is the file, or dictionary and data of one, by its first byte.
pub(crate) fn npy(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    if mode & 1 == 0 {
        return read("fuzzed.npy", rest.to_vec());
    }
    if let Ok(file) = npy_file(&mut Unstructured::new(rest), mode) {
        read("fuzzed.npy", file);
    }
}

/// Magic and length around a dictionary of the input's bytes, then data of about the right length.
fn npy_file(input: &mut Unstructured<'_>, mode: u8) -> Result<Vec<u8>> {
    let data = usize::from(input.arbitrary::<u16>()? % 4096);
    let dict = match mode & 6 {
        0 => input.bytes(input.len())?.to_vec(),
        _ => {
            let descr = *input.choose(&[
                "<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "|i1", "<u8", "<u4", "|u1", "|b1", ">f4",
            ])?;
            let order = *input.choose(&["False", "True", "Maybe"])?;
            let dims: Vec<String> = (0..input.int_in_range(0..=5)?)
                .map(|_| Ok(input.arbitrary::<u8>()?.to_string()))
                .collect::<Result<_>>()?;
            let end = if dims.len() == 1 { "," } else { "" };
            let shape = dims.join(", ");
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}{end}), }}")
                .into_bytes()
        }
    };
    let mut file = b"\x93NUMPY".to_vec();
    let version = 1 + mode / 8 % 3;
    file.extend([version, 0]);
    match version {
        1 => file.extend((dict.len() as u16).to_le_bytes()),
        _ => file.extend((dict.len() as u32).to_le_bytes()),
    }
    file.extend(dict);
    file.resize(file.len() + data, mode);
    Ok(file)
}

/// `.npz`: the input is the archive, or members of one, some bytes of which are then changed.
pub(crate) fn npz(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    if mode & 1 == 0 {
        return read("fuzzed.npz", rest.to_vec());
    }
    if let Ok(file) = npz_file(&mut Unstructured::new(rest)) {
        read("fuzzed.npz", file);
    }
}

fn npz_file(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let damages: Vec<(u16, u8)> =
        (0..input.arbitrary::<u8>()? % 4).map(|_| input.arbitrary()).collect::<Result<_>>()?;
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for member in 0..input.int_in_range(1..=3)? {
        let (mode, how): (u8, u8) = input.arbitrary()?;
        let method = if how & 1 == 0 { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        let name = match how >> 1 & 3 {
            0 => format!("{}.npy", input.arbitrary::<&str>()?.chars().take(40).collect::<String>()),
            1 => "same.npy".to_owned(),
            _ => format!("folder/{member}.npy"),
        };
        // A name that the writer refuses ends the archive there.
        let options = SimpleFileOptions::default().compression_method(method);
        if archive.start_file(name, options).is_err() {
            break;
        }
        archive.write_all(&npy_file(input, mode)?).unwrap();
    }
    let mut bytes = archive.finish().unwrap().into_inner();
    for (at, change) in damages {
        let at = usize::from(at) % bytes.len();
        bytes[at] ^= change;
    }
    Ok(bytes)
}

/// `.safetensors`: the input is the file, or header and length of the data of one, by its first byte.
pub(crate) fn safetensors(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    if mode & 1 == 0 {
        return read("fuzzed.safetensors", rest.to_vec());
    }
    let input = &mut Unstructured::new(rest);
    let header = if mode & 2 == 0 { safetensors_header(input) } else { foreign_header(input) };
    let Ok((header, data)) = header else { return };
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.resize(file.len() + data, mode);
    read("fuzzed.safetensors", file);
}

/// The input's bytes as they are.
fn foreign_header(input: &mut Unstructured<'_>) -> Result<(Vec<u8>, usize)> {
    let data = usize::from(input.arbitrary::<u16>()? % 4096);
    Ok((input.bytes(input.len())?.to_vec(), data))
}

/// Tensors one after the other, each a little wrong now and then.
fn safetensors_header(input: &mut Unstructured<'_>) -> Result<(Vec<u8>, usize)> {
    let mut parts = Vec::new();
    let mut next = 0u64;
    for tensor in 0..input.int_in_range(0..=6)? {
        let (dtype, size) =
            *input.choose(&[("F32", 4), ("BF16", 2), ("F8_E4M3", 1), ("I64", 8), ("BOOL", 1), ("F4", 1)])?;
        let shape: Vec<u64> = (0..input.int_in_range(0..=4)?)
            .map(|_| Ok(u64::from(input.arbitrary::<u8>()? % 8)))
            .collect::<Result<_>>()?;
        let wrong: u8 = input.arbitrary()?;
        let start = next + u64::from(wrong == 1);
        let end = start + shape.iter().product::<u64>() * size + u64::from(wrong == 2);
        next = end;
        let name = match wrong {
            3 => input.arbitrary::<&str>()?.chars().take(300).collect(),
            4 => "same".to_owned(),
            _ => format!("layers.{tensor}"),
        };
        let name = name.replace(['"', '\\'], "?");
        parts.push(format!(
            r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#
        ));
    }
    let extra: u8 = input.arbitrary()?;
    Ok((format!("{{{}}}", parts.join(",")).into_bytes(), next as usize + usize::from(extra == 1)))
}
