//! Sums over many values, several side by side, because each waits for itself.

/// Sums side by side.
pub(crate) const LANES: usize = 8;

/// Visits every value with the number of its sum.
#[inline(always)]
pub(crate) fn in_lanes(values: &[f32], mut visit: impl FnMut(usize, f32)) {
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &value) in block.iter().enumerate() {
            visit(lane, value);
        }
    }
    for (lane, &value) in rest.iter().enumerate() {
        visit(lane, value);
    }
}
