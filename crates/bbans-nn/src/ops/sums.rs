//! Sums over many values, in an order that vectorises whatever the number of lanes.

/// Partial sums, a power of two.
const PARTS: usize = 16;

/// The sums of `term(x)` over `x`, `[_, lanes]`, into `sums`, `[lanes]`: of each lane 16 partial sums from +0 on, part
/// `p` of the values `p`, `p + 16`, .. in this order; then the sum of the parts, in ascending order from part 0
/// on.
#[inline(always)]
pub(super) fn sums(x: &[f32], sums: &mut [f32], term: impl Fn(f32, usize) -> f32) {
    let lanes = sums.len();
    let mut parts = vec![0.0f32; PARTS * lanes];
    for x in x.chunks(PARTS * lanes) {
        for (parts, x) in parts.chunks_exact_mut(lanes).zip(x.chunks_exact(lanes)) {
            for (lane, (part, &x)) in parts.iter_mut().zip(x).enumerate() {
                *part += term(x, lane);
            }
        }
    }
    let (first, rest) = parts.split_at(lanes);
    sums.copy_from_slice(first);
    for part in rest.chunks_exact(lanes) {
        for (sum, part) in sums.iter_mut().zip(part) {
            *sum += part;
        }
    }
}

/// The definition for one lane, for tests.
#[cfg(test)]
pub(super) fn definition(values: impl Iterator<Item = f32>) -> f32 {
    let mut parts = [0.0f32; PARTS];
    for (i, value) in values.enumerate() {
        parts[i % PARTS] += value;
    }
    parts[1..].iter().fold(parts[0], |sum, part| sum + part)
}
