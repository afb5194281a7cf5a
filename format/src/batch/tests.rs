//! Batches whose numbers lie, framed as Arrow frames them.

use flatbuffers::FlatBufferBuilder;

use super::*;

/// A batch of two rows as Arrow would frame it, each buffer with 24 bytes of its own.
struct Forged {
    rows: i64,
    nodes: Vec<(i64, i64)>,
    buffers: Vec<(i64, i64)>,
    body: usize,
}

impl Forged {
    fn new() -> Self {
        let count = |kind| match kind {
            Kind::Fixed(_) => 2,
            Kind::Text | Kind::Bytes => 3,
            Kind::Shape => 4,
        };
        let buffers: i64 = Column::ALL.iter().map(|column| count(column.kind())).sum();
        Self {
            rows: 2,
            nodes: vec![(2, 0); Column::ALL.len() + 1],
            buffers: (0..buffers).map(|index| (24 * index, 24)).collect(),
            body: 24 * usize::try_from(buffers).unwrap(),
        }
    }

    fn find(&self) -> Result<Batch, String> {
        let mut builder = FlatBufferBuilder::new();
        let nodes: Vec<_> =
            self.nodes.iter().map(|&(n, nulls)| arrow_ipc::FieldNode::new(n, nulls)).collect();
        let nodes = builder.create_vector(&nodes);
        let buffers: Vec<_> = self.buffers.iter().map(|&(at, len)| arrow_ipc::Buffer::new(at, len)).collect();
        let buffers = builder.create_vector(&buffers);
        let mut header = arrow_ipc::RecordBatchBuilder::new(&mut builder);
        header.add_length(self.rows);
        header.add_nodes(nodes);
        header.add_buffers(buffers);
        let header = header.finish();
        builder.finish(header, None);
        let header = flatbuffers::root::<arrow_ipc::RecordBatch<'_>>(builder.finished_data()).unwrap();
        Batch::find(header, 100..100 + self.body)
    }
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Forged), reason: &str) {
    let mut forged = Forged::new();
    change(&mut forged);
    let text = forged.find().unwrap_err();
    assert!(text.contains(reason), "{text}");
}

#[test]
fn claims_are_compared_with_the_body_before_they_are_used() {
    assert_eq!(Forged::new().find().unwrap().rows, 2);
    refused(|f| f.rows = -1, "negative number of rows");
    refused(|f| f.rows = 3, "`tensor` does not have the batch's 3 rows");
    refused(|f| f.nodes[5] = (1, 0), "`row_start` does not have the batch's 2 rows");
    refused(|f| f.nodes[7] = (-1, 0), "`values` has a field of negative length");
    refused(|f| f.nodes[1] = (2, 1), "`dtype` has nulls");
    refused(|f| f.nodes[3] = (4, 0), "`shape` has 24 bytes for 4 items of 8 bytes");
    refused(|f| f.buffers[1].1 = 11, "`tensor` has 11 bytes for 3 items of 4 bytes");
    refused(|f| f.buffers[11].1 = 7, "`chunk` has 7 bytes for 2 items of 4 bytes");
    refused(|f| f.body -= 1, "`payload` has a buffer of 24 bytes at");
    for (offset, length) in [(-8, 24), (0, -1), (i64::MAX, 24), (8, i64::MAX), (1 << 40, 24)] {
        refused(|f| f.buffers[2] = (offset, length), "beyond its body");
    }
    refused(|f| f.nodes.truncate(4), "`chunk` has too few field nodes");
    refused(|f| f.buffers.truncate(4), "`dtype` has too few buffers");
    for rows in [1 << 40, i64::MAX] {
        refused(|f| (f.rows, f.nodes) = (rows, vec![(rows, 0); 23]), "items of 4 bytes");
    }
}

#[test]
fn offsets_stay_within_their_own_buffer() {
    let batch = Forged::new().find().unwrap();
    let tensor = batch.slots[Column::Tensor as usize];
    for (offsets, row, expected) in [
        ([0i32, 3, 24], 0, Some(3)),
        ([0, 3, 24], 1, Some(21)),
        ([0, 3, 25], 1, None),
        ([0, -1, 24], 0, None),
        ([4, 3, 24], 0, None),
        ([i32::MIN, i32::MAX, 0], 0, None),
    ] {
        let mut bytes = vec![b'a'; 4000];
        for (index, offset) in offsets.iter().enumerate() {
            bytes[tensor.offsets + 4 * index..][..4].copy_from_slice(&offset.to_le_bytes());
        }
        let at = At { batch: &batch, bytes: &bytes, row };
        assert_eq!(at.text(Column::Tensor).ok().map(str::len), expected, "{offsets:?} row {row}");
        // Bytes that are no longer there are no reason to panic.
        let at = At { batch: &batch, bytes: &bytes[..tensor.offsets + 1], row };
        assert!(at.text(Column::Tensor).is_err());
    }
}
