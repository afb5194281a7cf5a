//! `.npz`: a ZIP archive of `.npy` members, stored or deflated.

use std::io::{Cursor, Read};
use std::path::Path;

use telecine::{CoreError, Limits};
use zip::ZipArchive;
use zip::result::ZipError;

use super::{Entry, Place, byte_len, npy};
use crate::failure::{Failure, Result};

/// A member of an archive.
#[derive(Debug, Clone)]
pub(super) struct Member {
    index: usize,
    header: usize,
    pub(super) fortran: bool,
}

/// A member is inflated as a whole: this many bytes at most.
const MAX_MEMBER: u64 = 8 << 30;

fn damaged(path: &Path) -> impl Fn(ZipError) -> Failure {
    move |error| Failure::damaged(path, format!("npz archive: {error}"))
}

/// The tensors of an archive, in its own order, named by their members without `.npy`.
pub(super) fn entries(path: &Path, map: &[u8], limits: &Limits) -> Result<Vec<Entry>> {
    let mut archive = ZipArchive::new(Cursor::new(map)).map_err(damaged(path))?;
    let over =
        |what, value, limit| Failure::from(CoreError::Limit { what, value, limit }).about(path.display());
    if archive.len() as u64 > limits.packets {
        return Err(over("members of an archive", archive.len() as u64, limits.packets));
    }
    let mut entries = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let member = archive.by_index(index).map_err(damaged(path))?;
        let full = member.name().map_err(damaged(path))?.into_owned();
        let Some(name) = full.strip_suffix(".npy").map(str::to_owned) else {
            let message = format!("member {full:?} of the archive is not an .npy array");
            return Err(Failure::damaged(path, message));
        };
        let size = member.size();
        if size > MAX_MEMBER {
            return Err(over("bytes of an archive's member", size, MAX_MEMBER));
        }
        let mut front = Vec::new();
        member
            .take(npy::MAX_HEADER as u64 + 12)
            .read_to_end(&mut front)
            .map_err(|error| Failure::damaged(path, format!("member {name:?}: {error}")))?;
        let header =
            npy::header(path, &front).map_err(|failure| failure.about(format!("member {name:?}")))?;
        let len = byte_len(path, &name, header.dtype, &header.shape, limits)? as u64;
        if size != header.len as u64 + len {
            let message =
                format!("member {name:?} of {size} bytes; shape {:?} takes {len} of them", header.shape);
            return Err(Failure::damaged(path, message));
        }
        let member = Member { index, header: header.len, fortran: header.fortran };
        entries.push(Entry {
            name,
            dtype: header.dtype,
            shape: header.shape,
            file: 0,
            place: Place::Member(member),
        });
    }
    Ok(entries)
}

/// The data of a member; never more than its header promised.
pub(super) fn inflate(path: &Path, map: &[u8], entry: &Entry, member: &Member) -> Result<Vec<u8>> {
    let len = byte_len(path, &entry.name, entry.dtype, &entry.shape, &Limits::default())?;
    let mut archive = ZipArchive::new(Cursor::new(map)).map_err(damaged(path))?;
    let file = archive.by_index(member.index).map_err(damaged(path))?;
    let mut bytes = Vec::new();
    // Grows with what is really there: a size that lies costs nothing.
    file.take((member.header + len) as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::damaged(path, format!("member {:?}: {error}", entry.name)))?;
    if bytes.len() != member.header + len {
        return Err(Failure::damaged(path, format!("member {:?} ends early", entry.name)));
    }
    bytes.drain(..member.header);
    Ok(bytes)
}
