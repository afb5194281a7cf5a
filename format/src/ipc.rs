//! The frame that Arrow puts around record batches, read from bytes that may say anything.
//!
//! Every length is compared with the bytes that are there before it is used. Flatbuffers are verified with bounds that
//! grow with their own size, so that a small one cannot refer to the same part over and over.

use std::ops::Range;

use arrow_ipc::{Block, Message, MetadataVersion};
use flatbuffers::VerifierOptions;

use crate::batch::Batch;
use crate::error::{Place, Result};
use crate::schema::recognise;

const START: &[u8; 8] = b"ARROW1\0\0";
const END: &[u8; 6] = b"ARROW1";
/// The bytes before a message: a marker and the message's length.
pub(crate) const PREFIX: usize = 8;
const MARKER: [u8; 4] = [0xff; 4];
/// Writers pad to 64 bytes at most; whatever leaves a larger gap has lost a batch.
const PADDING: usize = 64;

/// The parts of a file: its version and where its batches are.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) version: (u16, u16),
    pub(crate) batches: Vec<Batch>,
}

impl Frame {
    /// Reads the frame of an Arrow IPC file and finds the columns of every batch.
    ///
    /// # Errors
    /// `NotThisFormat`, `NewerVersion`, and `Corrupt` for whatever contradicts itself, with the place.
    pub(crate) fn read(bytes: &[u8], place: &Place) -> Result<Self> {
        if !bytes.starts_with(START) {
            let found = String::from_utf8_lossy(&bytes[..bytes.len().min(8)]).into_owned();
            return Err(
                place.foreign(format!("it begins with {found:?}, not with \"ARROW1\" as Arrow files do"))
            );
        }
        let footer = footer_range(bytes).ok_or_else(|| {
            place.corrupt("the file does not end as Arrow files do: it is cut short, or was never finished")
        })?;
        let head = &bytes[footer.clone()];
        let table = arrow_ipc::root_as_footer_with_opts(&bounds(head), head)
            .map_err(|error| place.corrupt(format_args!("the footer is not one: {error}")))?;
        let schema = table.schema().ok_or_else(|| place.corrupt("the footer has no schema"))?;
        let version = recognise(schema, place)?;

        let mut end = leading_schema(bytes, footer.start)
            .ok_or_else(|| place.corrupt("the file does not begin with a schema message"))?;
        let blocks = table.recordBatches();
        let count = blocks.map_or(0, |blocks| blocks.len());
        let mut batches = Vec::with_capacity(count);
        for (index, block) in blocks.iter().flat_map(|blocks| blocks.iter()).enumerate() {
            let wrong = |reason: String| place.corrupt(format_args!("batch {index} of {count} {reason}"));
            let parts = block_parts(block, end, footer.start).map_err(wrong)?;
            let message = parse_message(&bytes[parts.message], &wrong)?;
            batches.push(find_batch(&message, parts.body.clone()).map_err(wrong)?);
            end = parts.body.end;
        }
        if footer.start - end > PREFIX + PADDING {
            return Err(place.corrupt(format_args!(
                "{} bytes between the last batch and the footer belong to no batch",
                footer.start - end
            )));
        }
        Ok(Self { version, batches })
    }
}

/// Reads the prefix of a message: its length, or `None` at the end marker of a stream.
///
/// # Errors
/// What the prefix is instead.
pub(crate) fn message_len(prefix: [u8; PREFIX]) -> Result<Option<u64>, String> {
    let [m0, m1, m2, m3, length @ ..] = prefix;
    if [m0, m1, m2, m3] != MARKER {
        return Err("does not begin with Arrow's marker".into());
    }
    match u64::try_from(i32::from_le_bytes(length)) {
        Ok(0) => Ok(None),
        Ok(length) => Ok(Some(length)),
        Err(_) => Err("has a negative length".into()),
    }
}

/// Verifies a message.
///
/// # Errors
/// What `wrong` makes of the reason.
pub(crate) fn parse_message<'a, E>(bytes: &'a [u8], wrong: &impl Fn(String) -> E) -> Result<Message<'a>, E> {
    let message = arrow_ipc::root_as_message_with_opts(&bounds(bytes), bytes)
        .map_err(|error| wrong(format!("is not a message: {error}")))?;
    if message.version() == MetadataVersion::V5 {
        Ok(message)
    } else {
        Err(wrong(format!("has Arrow's metadata version {:?}, not V5", message.version())))
    }
}

/// Finds the columns of a message that is a record batch with its body at `body`.
///
/// # Errors
/// What it is instead, as the rest of a sentence.
pub(crate) fn find_batch(message: &Message<'_>, body: Range<usize>) -> Result<Batch, String> {
    if usize::try_from(message.bodyLength()) != Ok(body.len()) {
        return Err(format!("says {} bytes of body where {} are", message.bodyLength(), body.len()));
    }
    let header = message.header_as_record_batch().ok_or("is a message of another kind")?;
    Batch::find(header, body)
}

/// The bounds of verifying a flatbuffer of these bytes.
fn bounds(bytes: &[u8]) -> VerifierOptions {
    VerifierOptions {
        max_depth: 32,
        max_tables: 1 << 12,
        max_apparent_size: bytes.len().saturating_mul(4).saturating_add(4096),
        ..VerifierOptions::default()
    }
}

/// The place of the footer: before its own length and the magic that ends the file.
fn footer_range(bytes: &[u8]) -> Option<Range<usize>> {
    let rest = bytes.strip_suffix(END)?;
    let (rest, length) = rest.split_last_chunk::<4>()?;
    let length = usize::try_from(i32::from_le_bytes(*length)).ok()?;
    let start = rest.len().checked_sub(length)?;
    (start >= START.len()).then_some(start..rest.len())
}

/// The end of the schema message that a file begins with.
fn leading_schema(bytes: &[u8], footer: usize) -> Option<usize> {
    // Some writers align the message to more than 8 bytes.
    let padded = bytes[START.len()..footer].as_chunks::<PREFIX>().0.iter().take(PADDING / PREFIX);
    let padding = PREFIX * padded.take_while(|&&bytes| bytes == [0; PREFIX]).count();
    let start = START.len() + padding;
    let prefix = bytes.get(start..footer)?.first_chunk::<PREFIX>()?;
    let length = usize::try_from(message_len(*prefix).ok()??).ok()?;
    let end = (start + PREFIX).checked_add(length)?;
    (end <= footer).then_some(end)
}

/// Where the parts of a block are.
struct Parts {
    message: Range<usize>,
    body: Range<usize>,
}

/// Checks a block of the footer, which must follow directly on what ends at `after`.
fn block_parts(block: &Block, after: usize, footer: usize) -> Result<Parts, String> {
    let parts = (|| {
        let start = usize::try_from(block.offset()).ok()?;
        let message = start.checked_add(PREFIX)?;
        let body = start.checked_add(usize::try_from(block.metaDataLength()).ok()?)?;
        let end = body.checked_add(usize::try_from(block.bodyLength()).ok()?)?;
        let follows = start.checked_sub(after).is_some_and(|gap| gap < PADDING);
        (follows && message <= body && end <= footer)
            .then_some(Parts { message: message..body, body: body..end })
    })();
    parts.ok_or_else(|| {
        format!(
            "is said to be at {} with {} + {} bytes, which is not after {after} and before the footer at {footer}",
            block.offset(),
            block.metaDataLength(),
            block.bodyLength()
        )
    })
}
