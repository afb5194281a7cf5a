//! Sums over many values, several side by side, because each waits for itself.

/// Sums side by side.
pub(crate) const LANES: usize = 16;

/// Visits values, as many at a time as there are sums; `fill` stands in for those that the last visit lacks.
///
/// A loop for each sum in `visit` is what compilers make vectors of.
#[inline(always)]
pub(crate) fn in_lanes<T: Copy>(values: &[T], fill: T, mut visit: impl FnMut([T; LANES])) {
    let mut rest = values;
    while !rest.is_empty() {
        // One call, because compilers would not take two into the vectors of the function around.
        let block = match rest.split_first_chunk() {
            Some((block, behind)) => {
                rest = behind;
                *block
            }
            None => filled(std::mem::take(&mut rest), fill),
        };
        visit(block);
    }
}

#[cold]
#[inline(never)]
fn filled<T: Copy>(values: &[T], fill: T) -> [T; LANES] {
    std::array::from_fn(|lane| values.get(lane).copied().unwrap_or(fill))
}

/// The same for pairs of values, of which there are as many on both sides.
#[inline(always)]
pub(crate) fn pairs_in_lanes<T: Copy>(
    a: &[T],
    b: &[T],
    fill: T,
    mut visit: impl FnMut([T; LANES], [T; LANES]),
) {
    let mut rest = b;
    in_lanes(a, fill, |a| {
        let b = match rest.split_first_chunk() {
            Some((block, behind)) => {
                rest = behind;
                *block
            }
            None => filled(std::mem::take(&mut rest), fill),
        };
        visit(a, b);
    });
}
