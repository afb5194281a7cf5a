//! Any bytes given to the container's readers, as a file and as a stream, are read or refused.

use telecine::{Container, Limits, StreamReader};

const LIMITS: Limits = {
    let mut limits = Limits::DEFAULT;
    limits.dimensions = 8;
    limits.tensor_values = 1 << 24;
    limits.chunk_values = 1 << 16;
    limits.packet_bytes = 1 << 16;
    limits.packets = 1 << 10;
    limits.name_bytes = 256;
    limits
};

pub(crate) fn container(data: &[u8]) {
    if let Ok(container) = Container::from_bytes(data.to_vec(), &LIMITS) {
        for entry in container.tensors() {
            for row in entry.rows.clone() {
                let _ = container.chunk(row);
            }
            let _ = container.chunks_holding(entry, 0..1);
        }
    }
    if let Ok(reader) = StreamReader::new(data, &LIMITS) {
        reader.for_each(drop);
    }
}
