//! The order of an array's axes.

/// The values of an array in row-major order, each of `size` bytes, with its axes in the opposite order.
pub(in crate::data) fn reverse_axes(values: &[u8], axes: &[usize], size: usize) -> Vec<u8> {
    let mut reversed = Vec::with_capacity(values.len());
    // From the last axis, which is the first of the result: its size, and bytes from one place to the next.
    let mut stride = size;
    let steps = axes.iter().rev().map(|&axis| {
        let step = (axis, stride);
        stride *= axis;
        step
    });
    let steps: Vec<(usize, usize)> = steps.collect();
    let mut place = vec![0; steps.len()];
    let mut at = 0;
    while let Some(value) = values.get(at..at + size) {
        reversed.extend_from_slice(value);
        let mut axis = steps.len();
        loop {
            let Some(before) = axis.checked_sub(1) else {
                return reversed;
            };
            axis = before;
            let (len, step) = steps[axis];
            place[axis] += 1;
            at += step;
            if place[axis] < len {
                break;
            }
            at -= len * step;
            place[axis] = 0;
        }
    }
    reversed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_reversed_and_back() {
        let values: Vec<u8> = (0..24).collect();
        let reversed = reverse_axes(&values, &[2, 3, 4], 1);
        // [l][k][j] of the result is [j][k][l].
        for (j, k, l) in [(0, 0, 0), (1, 0, 0), (0, 2, 1), (1, 2, 3)] {
            assert_eq!(reversed[(l * 3 + k) * 2 + j], values[(j * 3 + k) * 4 + l]);
        }
        assert_eq!(reverse_axes(&reversed, &[4, 3, 2], 1), values);
        let pairs = reverse_axes(&values, &[3, 4], 2);
        assert_eq!(pairs[..6], [0, 1, 8, 9, 16, 17]);
        assert!(reverse_axes(&[], &[0, 3], 1).is_empty());
    }
}
