//! Loops over many values that compilers make vectors of, in functions for more instructions than the program's.

/// Sums side by side, because each waits for itself.
pub(crate) const LANES: usize = 16;

/// Values that are counted in 32 bits before the sums are widened: narrow sums make wider vectors.
pub(crate) const COUNTED: usize = 1 << 14;

/// Values that are converted before they are appended: few enough for the first-level cache.
const APPENDED: usize = 512;

/// Appends each value as `to` makes it: as `Vec::extend` does with a `map`, but within the vectors of the function around.
#[inline(always)]
pub(crate) fn append<T: Copy, U: Copy + Default>(values: &[T], out: &mut Vec<U>, to: impl Fn(T) -> U) {
    out.reserve(values.len());
    let mut block = [U::default(); APPENDED];
    for values in values.chunks(APPENDED) {
        for (slot, &value) in block.iter_mut().zip(values) {
            *slot = to(value);
        }
        out.extend_from_slice(&block[..values.len()]);
    }
}

/// Visits values, as many at a time as there are sums; `fill` stands in for those that the last visit lacks.
///
/// A loop for each sum in `visit` is what compilers make vectors of. Adapters that take closures, such as `map`, they do not
/// take into a function of more instructions than the program's.
#[inline(always)]
pub(crate) fn in_lanes<T: Copy>(values: &[T], fill: T, mut visit: impl FnMut(&[T; LANES])) {
    let (blocks, rest) = values.as_chunks();
    let last = (!rest.is_empty()).then(|| filled(rest, fill));
    // One call, because compilers would not take two into the vectors of the function around; by reference, because copies
    // go through memory in pieces of another size than they are read in, for which processors wait.
    for block in blocks.iter().chain(&last) {
        visit(block);
    }
}

/// The same for pairs of values, of which there are as many on both sides.
#[inline(always)]
pub(crate) fn pairs_in_lanes<T: Copy>(
    a: &[T],
    b: &[T],
    fill: T,
    mut visit: impl FnMut(&[T; LANES], &[T; LANES]),
) {
    let ((blocks, rest), (other_blocks, other_rest)) = (a.as_chunks(), b.as_chunks());
    let last = (!rest.is_empty()).then(|| (filled(rest, fill), filled(other_rest, fill)));
    let last = last.iter().map(|(a, b)| (a, b));
    for (a, b) in blocks.iter().zip(other_blocks).chain(last) {
        visit(a, b);
    }
}

#[cold]
#[inline(never)]
fn filled<T: Copy>(values: &[T], fill: T) -> [T; LANES] {
    std::array::from_fn(|lane| values.get(lane).copied().unwrap_or(fill))
}
