//! Data as they lie in files, `[lanes, values]`, and as they are computed, `[values, lanes]`.

/// `[rows, columns]` as `[columns, rows]`, a square at a time, so that both stay in the nearest cache.
pub(crate) fn transposed<T: Copy + Default>(values: &[T], rows: usize, columns: usize) -> Vec<T> {
    const SQUARE: usize = 32;
    let mut out = vec![T::default(); values.len()];
    for first_row in (0..rows).step_by(SQUARE) {
        for first in (0..columns).step_by(SQUARE) {
            for row in first_row..rows.min(first_row + SQUARE) {
                for column in first..columns.min(first + SQUARE) {
                    out[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    out
}
