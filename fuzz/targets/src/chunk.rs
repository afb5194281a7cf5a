//! Any chunk that a file may hold decodes or is refused: side information, transforms and tiling, behind the checksum.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use arbitrary::{Result, Unstructured};
use telecine::{
    Backend, Basis, ChunkDecoder, CodecId, CodedChunk, CoreError, DType, EncodeOptions, GroupSpec, Limits,
    Quality, Registry, default_registry,
};
use telecine_raw::Raw;

use crate::input::{samples, spec};

const LIMITS: Limits = {
    let mut limits = Limits::DEFAULT;
    limits.dimensions = 8;
    limits.tensor_values = 1 << 16;
    limits.chunk_values = 1 << 13;
    limits.packet_bytes = 1 << 16;
    limits.packets = 1 << 10;
    limits.name_bytes = 256;
    limits
};

static REGISTRY: LazyLock<Registry> = LazyLock::new(default_registry);

/// A basis of 2 columns: what a chain may name.
static BASES: LazyLock<[Arc<Basis>; 1]> =
    LazyLock::new(|| [Arc::new(Basis::new(2, vec![0.6, -0.8, 0.8, 0.6]).unwrap())]);

pub(crate) fn chunk(data: &[u8]) {
    let _ = decode(&mut Unstructured::new(data));
}

fn decode(input: &mut Unstructured<'_>) -> Result<()> {
    let dtype = *input.choose(DType::ALL)?;
    let cols = u64::from(input.arbitrary::<u8>()? % 65);
    let rows = u64::from(input.arbitrary::<u8>()?);
    let values = rows * cols;
    let (spec, codec, packet) = packet(input, dtype, rows, cols)?;
    let transform = chain(input)?;
    let side = side(input)?;
    let out = vec![0x5a; values as usize * dtype.size()];
    let mut chunk = CodedChunk::new(0..rows, values, codec, spec, Cow::Owned(packet));
    (chunk.transform, chunk.side) = (Cow::Owned(transform), Cow::Owned(side));
    let mut decoder = ChunkDecoder::new(&REGISTRY, &*BASES, LIMITS);
    let (mut first, mut again) = (out.clone(), out);
    let decoded = decoder.decode(dtype, &chunk, &mut first);
    match &decoded {
        Ok(()) | Err(CoreError::Corrupt(_) | CoreError::Limit { .. } | CoreError::Unavailable(_)) => (),
        Err(error) => panic!("neither decoded nor damaged: {error:?}"),
    }
    assert_eq!(decoder.decode(dtype, &chunk, &mut again).is_ok(), decoded.is_ok(), "at a second time");
    assert!(decoded.is_err() || first == again, "different values at a second time");
    Ok(())
}

/// A group that mostly fits the chunk, and its packet: the backend's, or the input's own bytes.
fn packet(
    input: &mut Unstructured<'_>,
    dtype: DType,
    rows: u64,
    cols: u64,
) -> Result<(GroupSpec, CodecId, Vec<u8>)> {
    let mode: u8 = input.arbitrary()?;
    let spec = if mode & 3 == 0 {
        spec(input, 1 << 13)?
    } else {
        // Planes of the chunk's own size; one for a grid, as many as bit-cast values need otherwise.
        let frames = if mode & 4 == 0 { 1 } else { dtype.size().div_ceil(2) as u32 };
        let depth = if mode & 8 == 0 || dtype.size() == 1 { 8 + mode % 9 } else { 16 };
        let (rows, cols) = (rows.max(1) as u32, cols.max(1) as u32);
        GroupSpec::new(frames, rows, cols, depth, &Limits::default()).unwrap()
    };
    if mode & 0x70 == 0 {
        let codec = *input.choose(&[CodecId::RAW, CodecId::ZSTD, CodecId::NATIVE])?;
        let length = input.arbitrary::<u16>()? as usize;
        return Ok((spec, codec, input.bytes(length.min(input.len()))?.to_vec()));
    }
    let samples = samples(input, &spec)?;
    let mut packet = Vec::new();
    let mut encoder = Raw.encoder(spec, &EncodeOptions::default()).unwrap();
    encoder.encode(&samples, Quality::Lossless, &mut packet).unwrap();
    Ok((spec, CodecId::RAW, packet))
}

/// A chain of transforms that this build knows, or any text.
fn chain(input: &mut Unstructured<'_>) -> Result<String> {
    let klt = format!("klt@1({:016x})", BASES[0].id());
    let steps = [
        "centre@1",
        "row-scale@1",
        "column-scale@1",
        "hadamard@1(128,0)",
        "hadamard@1(2,7)",
        "dct@1(8)",
        "dct@1(64)",
        &klt,
    ];
    match input.int_in_range(0..=5)? {
        0 => Ok("none".into()),
        1 => Ok(input.arbitrary::<&str>()?.chars().take(300).collect()),
        count => {
            let chosen = (1..count).map(|_| input.choose(&steps).copied()).collect::<Result<Vec<_>>>()?;
            Ok(chosen.join("+"))
        }
    }
}

/// Side information that begins as it should, mostly; what follows is the rest of the input.
fn side(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut side = Vec::new();
    let head: u8 = input.arbitrary()?;
    if head & 0xe0 != 0 {
        side.push(head & 3);
        if head & 1 != 0 {
            side.extend((f32::from(head >> 2) / 8.0).exp2().to_le_bytes());
            side.extend(f32::from(head >> 3).to_le_bytes());
        }
    }
    side.extend(input.bytes(input.len())?);
    Ok(side)
}
