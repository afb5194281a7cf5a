//! Sums over many values, several side by side, because each waits for itself.

/// Sums side by side.
pub(crate) const LANES: usize = 16;

/// Visits values, as many at a time as there are sums; `fill` stands in for those that the last visit lacks.
///
/// A loop for each sum in `visit` is what compilers make vectors of.
#[inline(always)]
pub(crate) fn in_lanes<T: Copy>(mut values: &[T], fill: T, mut visit: impl FnMut([T; LANES])) {
    while !values.is_empty() {
        // One call, because compilers would not take two into the vectors of the function around.
        visit(next(&mut values, fill));
    }
}

/// The same for pairs of values, of which there are as many on both sides.
#[inline(always)]
pub(crate) fn pairs_in_lanes<T: Copy>(
    mut a: &[T],
    mut b: &[T],
    fill: T,
    mut visit: impl FnMut([T; LANES], [T; LANES]),
) {
    while !a.is_empty() {
        visit(next(&mut a, fill), next(&mut b, fill));
    }
}

/// Takes as many values as there are sums.
#[inline(always)]
fn next<T: Copy>(values: &mut &[T], fill: T) -> [T; LANES] {
    match values.split_first_chunk() {
        Some((block, rest)) => {
            *values = rest;
            *block
        }
        None => filled(std::mem::take(values), fill),
    }
}

#[cold]
#[inline(never)]
fn filled<T: Copy>(values: &[T], fill: T) -> [T; LANES] {
    std::array::from_fn(|lane| values.get(lane).copied().unwrap_or(fill))
}
