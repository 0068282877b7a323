//! Values in other orders, as differences, and as bytes.

/// Each value less that `distance` before it, modulo 2^16; its low byte is that modulo 2^8.
pub(super) fn differences(values: &[u16], distance: usize) -> Vec<u16> {
    let before = std::iter::repeat_n(&0, distance).chain(values);
    let pairs = values.iter().zip(before);
    pairs.map(|(value, &b)| value.wrapping_sub(b)).collect()
}

/// Rows of `columns` values, column after column.
pub(super) fn transposed(values: &[u16], columns: usize) -> Vec<u16> {
    let column = |i| values.iter().skip(i).step_by(columns);
    (0..columns).flat_map(column).copied().collect()
}

/// Two bytes a value if they are `wide`, else the low one.
pub(super) fn little_endian(values: impl Iterator<Item = u16>, wide: bool) -> Vec<u8> {
    match wide {
        true => values.flat_map(u16::to_le_bytes).collect(),
        false => values.map(|v| v as u8).collect(),
    }
}

/// All low bytes, then all high bytes.
pub(super) fn planes(values: &[u16]) -> Vec<u8> {
    let low = values.iter().map(|&v| v as u8);
    let high = values.iter().map(|&v| (v >> 8) as u8);
    low.chain(high).collect()
}

/// Bits, the first one highest, each run of `row` filled up to a whole byte.
pub(in super::super) fn pack(bits: &[u8], row: usize) -> Vec<u8> {
    bits.chunks(row.min(bits.len()).max(1))
        .flat_map(|row| row.chunks(8))
        .map(|byte| {
            byte.iter()
                .enumerate()
                .fold(0, |packed, (i, &bit)| packed | (bit & 1) << (7 - i))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [u16; 8] = [3, 65535, 0, 256, 300, 7, 41, 40_000];

    #[test]
    fn bits_are_packed_from_the_top() {
        assert_eq!(pack(&[1, 0, 1], usize::MAX), [0b1010_0000]);
        assert_eq!(pack(&[1, 1, 1, 0, 0, 1], 3), [0b1110_0000, 0b0010_0000]);
    }

    #[test]
    fn sums_undo_differences() {
        for distance in [1, 2, 3, 20] {
            let mut sums = differences(&VALUES, distance);
            let low: Vec<u8> = sums.iter().map(|&v| v as u8).collect();
            let mut low_sums = low.clone();
            for i in distance..sums.len() {
                sums[i] = sums[i].wrapping_add(sums[i - distance]);
                low_sums[i] = low[i].wrapping_add(low_sums[i - distance]);
            }
            assert_eq!(sums, VALUES);
            assert_eq!(low_sums, VALUES.map(|v| v as u8));
        }
    }

    #[test]
    fn turning_back_undoes_transposing() {
        assert_eq!(transposed(&[1, 2, 3, 4, 5, 6], 3), [1, 4, 2, 5, 3, 6]);
        assert_eq!(transposed(&transposed(&VALUES, 2), 4), VALUES);
    }

    #[test]
    fn planes_are_the_bytes_of_all_values() {
        let planes = planes(&VALUES);
        let (low, high) = planes.split_at(VALUES.len());
        let joined: Vec<u8> = low.iter().zip(high).flat_map(|(&l, &h)| [l, h]).collect();
        assert_eq!(joined, little_endian(VALUES.into_iter(), true));
    }
}
