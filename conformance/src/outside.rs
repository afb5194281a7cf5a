//! Decoders that others wrote, for codecs that are not Telecine's own.

use std::io::Read;

use telecine_core::{CodecId, GroupSpec};

/// A decoder from elsewhere.
pub(crate) struct Outside {
    /// Its name.
    pub(crate) name: &'static str,
    /// Decodes a packet to the samples of a group.
    pub(crate) decode: fn(&GroupSpec, &[u8]) -> Result<Vec<u16>, String>,
}

/// The decoder from elsewhere for a codec, where the suite knows one.
pub(crate) fn decoder(codec: CodecId) -> Option<Outside> {
    (codec == CodecId::ZSTD).then_some(Outside { name: "ruzstd", decode: ruzstd })
}

/// A Zstandard frame over byte planes, low bytes first, by a decoder that shares no line with libzstd.
fn ruzstd(spec: &GroupSpec, packet: &[u8]) -> Result<Vec<u16>, String> {
    let (mut bytes, count) = (Vec::new(), spec.samples());
    let mut rest = packet;
    let decoder = ruzstd::decoding::StreamingDecoder::new(&mut rest).map_err(|error| error.to_string())?;
    // One byte more than there should be: enough to see that there are more.
    decoder.take(2 * count as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let wanted = if spec.depth == 8 { count } else { 2 * count };
    if bytes.len() != wanted || !rest.is_empty() {
        return Err(format!("{} bytes where {wanted} belong, {} bytes left over", bytes.len(), rest.len()));
    }
    let (low, high) = bytes.split_at(count);
    let high = high.iter().copied().chain(std::iter::repeat(0));
    Ok(low.iter().zip(high).map(|(&low, high)| u16::from_le_bytes([low, high])).collect())
}
