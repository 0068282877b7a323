//! The dense layer: `y_j = b_j; for k in 0..K { y_j = y_j + x_k * w_kj }`, `k` ascending, in `f32`,
//! each product and each sum rounded on its own.
//!
//! The kernel is vectorised over outputs `j` and rows, never over `k`, so every path computes
//! exactly these sums. A term whose input is zero may be left out: it adds +0 or -0 to a sum that
//! is never -0.

use ndarray::{Array2, ArrayView2};
use pulp::{Simd, WithSimd};

use crate::error::{Error, Result};
use crate::simd::Path;

/// Columns of a panel. A multiple of every vector's width.
const PANEL: usize = 32;

/// Weights and bias, packed for the kernel.
#[derive(Debug, Clone)]
pub struct Dense {
    inputs: usize,
    outputs: usize,
    /// Panels of [`PANEL`] columns, each `[inputs, PANEL]`; columns past the last are zero.
    weights: Aligned,
    /// Padded with zeros to whole panels.
    bias: Aligned,
}

/// Values that start on a cache line, so that no vector straddles two.
#[derive(Debug)]
struct Aligned {
    values: Vec<f32>,
    /// Index of the first value.
    start: usize,
}

impl Aligned {
    fn zeros(len: usize) -> Self {
        let values = vec![0.0f32; len + 16];
        let start = values.as_ptr().align_offset(64).min(16);
        Self { values, start }
    }

    fn get(&self) -> &[f32] {
        &self.values[self.start..self.values.len() - 16 + self.start]
    }

    fn get_mut(&mut self) -> &mut [f32] {
        let end = self.values.len() - 16 + self.start;
        &mut self.values[self.start..end]
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.get().len());
        copy.get_mut().copy_from_slice(self.get());
        copy
    }
}

impl Dense {
    /// A layer from `weight`, row-major `[inputs, outputs]`, and `bias`, `[outputs]`.
    ///
    /// # Errors
    /// If the sizes do not fit.
    pub fn new(inputs: usize, outputs: usize, weight: &[f32], bias: &[f32]) -> Result<Self> {
        if inputs == 0
            || outputs == 0
            || Some(weight.len()) != inputs.checked_mul(outputs)
            || bias.len() != outputs
        {
            return Err(Error::new(format!(
                "{} weights and {} biases for a dense layer from {inputs} to {outputs}",
                weight.len(),
                bias.len()
            )));
        }
        let panels = outputs.div_ceil(PANEL);
        let mut packed = Aligned::zeros(panels * inputs * PANEL);
        for (i, value) in packed.get_mut().iter_mut().enumerate() {
            let (panel, k, column) = (i / PANEL / inputs, i / PANEL % inputs, i % PANEL);
            let j = panel * PANEL + column;
            if j < outputs {
                *value = weight[k * outputs + j];
            }
        }
        let mut padded = Aligned::zeros(panels * PANEL);
        padded.get_mut()[..outputs].copy_from_slice(bias);
        Ok(Self {
            inputs,
            outputs,
            weights: packed,
            bias: padded,
        })
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The layer on `x`, `[rows, inputs]`; gives `[rows, outputs]`.
    ///
    /// # Errors
    /// If `x` has another width, or a result is infinite or NaN.
    pub fn forward(&self, path: Path, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        let x = x.as_standard_layout();
        let rows = self.check(x.view())?;
        let mut y = Array2::zeros((rows, self.outputs));
        if let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) {
            let sink = Rows {
                y,
                outputs: self.outputs,
            };
            path.run(Forward {
                layer: self,
                x,
                sink,
            });
        }
        finite(path, y)
    }

    /// `f` of every output on `x`, `[rows, inputs]`, output by output: row-major `[outputs, rows]`.
    ///
    /// # Errors
    /// If `x` has another width, or a result is infinite or NaN.
    #[inline(always)]
    pub fn forward_transposed<T: Copy + Default>(
        &self,
        path: Path,
        x: ArrayView2<'_, f32>,
        f: impl Fn(f32) -> T,
    ) -> Result<Array2<T>> {
        let x = x.as_standard_layout();
        let rows = self.check(x.view())?;
        let mut out = Array2::default((self.outputs, rows));
        let mut greatest = 0;
        if let (Some(x), Some(out), 1..) = (x.as_slice(), out.as_slice_mut(), rows) {
            let values = vec![[T::default(); PANEL]; rows];
            let sink = Transposed {
                out,
                values,
                f,
                greatest: &mut greatest,
            };
            path.run(Forward {
                layer: self,
                x,
                sink,
            });
        }
        if greatest < f32::INFINITY.to_bits() {
            Ok(out)
        } else {
            Err(not_finite())
        }
    }

    /// The layer on data `x`, `[rows, inputs]`, most of which are zero.
    ///
    /// # Errors
    /// If `x` has another width, or a result is infinite or NaN.
    pub fn forward_bytes(&self, path: Path, x: ArrayView2<'_, u8>) -> Result<Array2<f32>> {
        let x = x.as_standard_layout();
        let rows = self.check(x.view())?;
        let mut y = Array2::zeros((rows, self.outputs));
        if let (Some(x), Some(y)) = (x.as_slice(), y.as_slice_mut()) {
            path.run(ForwardSparse { layer: self, x, y });
        }
        finite(path, y)
    }

    fn check<T>(&self, x: ArrayView2<'_, T>) -> Result<usize> {
        if x.ncols() == self.inputs {
            return Ok(x.nrows());
        }
        Err(Error::new(format!(
            "{} inputs for a dense layer of {}",
            x.ncols(),
            self.inputs
        )))
    }

    fn panel(&self, index: usize) -> &[f32] {
        let size = self.inputs * PANEL;
        &self.weights.get()[index * size..][..size]
    }
}

fn finite(path: Path, y: Array2<f32>) -> Result<Array2<f32>> {
    let greatest = y
        .as_slice()
        .map(|values| path.run(GreatestMagnitude(values)));
    if greatest.is_some_and(|bits| bits < f32::INFINITY.to_bits()) {
        return Ok(y);
    }
    Err(not_finite())
}

#[cold]
fn not_finite() -> Error {
    Error::new(
        "the network computed an infinite value or NaN on these data; the model cannot code them",
    )
}

/// The greatest of the values' bits without their signs; infinity and NaN come above all numbers.
struct GreatestMagnitude<'a>(&'a [f32]);

impl WithSimd for GreatestMagnitude<'_> {
    type Output = u32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> u32 {
        self.0.iter().fold(0, |m, v| m.max(v.abs().to_bits()))
    }
}

/// Takes the results of a layer. A trait and no closure, so that it is compiled into the kernel and
/// with its instructions.
trait Sink {
    /// The columns of panel number `panel`, of all rows.
    fn take(&mut self, panel: usize, block: &[[f32; PANEL]]);
}

/// Into an array `[rows, outputs]`.
struct Rows<'a> {
    y: &'a mut [f32],
    outputs: usize,
}

impl Sink for Rows<'_> {
    #[inline(always)]
    fn take(&mut self, panel: usize, block: &[[f32; PANEL]]) {
        let columns = PANEL.min(self.outputs - panel * PANEL);
        for (y, values) in self.y.chunks_exact_mut(self.outputs).zip(block) {
            y[panel * PANEL..][..columns].copy_from_slice(&values[..columns]);
        }
    }
}

/// Through `f` into an array `[outputs, rows]`.
struct Transposed<'a, T, F> {
    out: &'a mut [T],
    /// Of one panel, `[rows]`.
    values: Vec<[T; PANEL]>,
    f: F,
    /// The greatest of the results' bits without their signs.
    greatest: &'a mut u32,
}

impl<T: Copy, F: Fn(f32) -> T> Sink for Transposed<'_, T, F> {
    #[inline(always)]
    fn take(&mut self, panel: usize, block: &[[f32; PANEL]]) {
        let mut greatest = 0;
        for (values, block) in self.values.iter_mut().zip(block) {
            for (value, &y) in values.iter_mut().zip(block) {
                *value = (self.f)(y);
                greatest = y.abs().to_bits().max(greatest);
            }
        }
        *self.greatest = greatest.max(*self.greatest);
        let rows = block.len();
        let columns = self.out[panel * PANEL * rows..]
            .chunks_exact_mut(rows)
            .take(PANEL);
        for (i, column) in columns.enumerate() {
            for (out, values) in column.iter_mut().zip(&self.values) {
                *out = values[i];
            }
        }
    }
}

/// The layer, panel by panel.
struct Forward<'a, K> {
    layer: &'a Dense,
    x: &'a [f32],
    sink: K,
}

impl<K: Sink> WithSimd for Forward<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { layer, x, mut sink } = self;
        let width = layer.inputs;
        let rows = x.len() / width;
        let mut block = vec![[0.0; PANEL]; rows];
        for panel in 0..layer.outputs.div_ceil(PANEL) {
            let weights = layer.panel(panel);
            let bias = &layer.bias.get()[panel * PANEL..][..PANEL];
            let mut row = 0;
            // Wide registers hold tiles of 8 rows, narrow ones of 4.
            if S::F32_LANES == 16 {
                while row + 8 <= rows {
                    tile::<S, 8>(
                        simd,
                        &x[row * width..],
                        width,
                        weights,
                        bias,
                        &mut block[row..],
                    );
                    row += 8;
                }
            }
            while row + 4 <= rows {
                tile::<S, 4>(
                    simd,
                    &x[row * width..],
                    width,
                    weights,
                    bias,
                    &mut block[row..],
                );
                row += 4;
            }
            while row < rows {
                tile::<S, 1>(
                    simd,
                    &x[row * width..],
                    width,
                    weights,
                    bias,
                    &mut block[row..],
                );
                row += 1;
            }
            sink.take(panel, &block);
        }
    }
}

/// `ROWS` rows times one panel, two vectors of columns at a time.
#[inline(always)]
fn tile<S: Simd, const ROWS: usize>(
    simd: S,
    x: &[f32],
    width: usize,
    weights: &[f32],
    bias: &[f32],
    out: &mut [[f32; PANEL]],
) {
    let rows: [&[f32]; ROWS] = std::array::from_fn(|r| &x[r * width..][..width]);
    let step = 2 * S::F32_LANES;
    let mut column = 0;
    while column < PANEL {
        let b = load2(simd, &bias[column..column + step]);
        let mut sums = [b; ROWS];
        for (k, weights) in weights.chunks_exact(PANEL).enumerate() {
            let w = load2(simd, &weights[column..column + step]);
            for r in 0..ROWS {
                // `k < width` for every row: the panel has `width` lines.
                let x = simd.splat_f32s(rows[r][k]);
                sums[r][0] = simd.add_f32s(sums[r][0], simd.mul_f32s(x, w[0]));
                sums[r][1] = simd.add_f32s(sums[r][1], simd.mul_f32s(x, w[1]));
            }
        }
        for r in 0..ROWS {
            store2(simd, &mut out[r][column..column + step], sums[r]);
        }
        column += step;
    }
}

#[inline(always)]
fn load2<S: Simd>(_: S, values: &[f32]) -> [S::f32s; 2] {
    let (vectors, _) = S::as_simd_f32s(values);
    [vectors[0], vectors[1]]
}

#[inline(always)]
fn store2<S: Simd>(_: S, out: &mut [f32], values: [S::f32s; 2]) {
    let (vectors, _) = S::as_mut_simd_f32s(out);
    vectors[0] = values[0];
    vectors[1] = values[1];
}

struct ForwardSparse<'a> {
    layer: &'a Dense,
    x: &'a [u8],
    y: &'a mut [f32],
}

impl WithSimd for ForwardSparse<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { layer, x, y } = self;
        // The inputs that are not zero, of all rows: (where in a panel, value).
        let mut active = Vec::with_capacity(x.len() / 4);
        let mut ends = Vec::with_capacity(x.len() / layer.inputs);
        for row in x.chunks_exact(layer.inputs) {
            push_active(row, &mut active);
            ends.push(active.len());
        }
        let panels = layer.outputs.div_ceil(PANEL);
        for first in (0..panels).step_by(2) {
            // Two panels at a time: more sums that do not wait for one another. An odd last one
            // is taken twice, which changes nothing.
            let pair = [first, (first + 1).min(panels - 1)];
            let weights = pair.map(|panel| layer.panel(panel));
            let bias = pair.map(|panel| &layer.bias.get()[panel * PANEL..][..PANEL]);
            let mut begin = 0;
            for (row, &end) in ends.iter().enumerate() {
                let mut out = [[0.0f32; PANEL]; 2];
                sparse_row(simd, &active[begin..end], weights, bias, &mut out);
                for (panel, out) in pair.into_iter().zip(&out) {
                    let columns = PANEL.min(layer.outputs - panel * PANEL);
                    let start = row * layer.outputs + panel * PANEL;
                    y[start..start + columns].copy_from_slice(&out[..columns]);
                }
                begin = end;
            }
        }
    }
}

/// Appends the values of a row that are not zero, with their places in a panel.
#[inline(always)]
fn push_active(row: &[u8], active: &mut Vec<(usize, f32)>) {
    let words = row.chunks_exact(8);
    let rest = words.remainder();
    for (i, bytes) in words.enumerate() {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        let mut word = u64::from_le_bytes(word);
        // Most words of an image are zero; of the others, byte by byte what is not.
        while word != 0 {
            let byte = word.trailing_zeros() / 8;
            let value = (word >> (8 * byte)) & 0xff;
            active.push(((8 * i + byte as usize) * PANEL, value as f32));
            word &= !(0xff << (8 * byte));
        }
    }
    let start = row.len() - rest.len();
    let on = rest.iter().enumerate().filter(|&(_, &v)| v != 0);
    active.extend(on.map(|(k, &v)| ((start + k) * PANEL, f32::from(v))));
}

/// One row times two panels, over the inputs that are not zero.
#[inline(always)]
fn sparse_row<S: Simd>(
    simd: S,
    active: &[(usize, f32)],
    weights: [&[f32]; 2],
    bias: [&[f32]; 2],
    out: &mut [[f32; PANEL]; 2],
) {
    let step = 2 * S::F32_LANES;
    let mut column = 0;
    while column < PANEL {
        let mut sums = bias.map(|b| load2(simd, &b[column..column + step]));
        for &(line, value) in active {
            let x = simd.splat_f32s(value);
            for (sums, weights) in sums.iter_mut().zip(weights) {
                let w = load2(simd, &weights[line + column..line + column + step]);
                sums[0] = simd.add_f32s(sums[0], simd.mul_f32s(x, w[0]));
                sums[1] = simd.add_f32s(sums[1], simd.mul_f32s(x, w[1]));
            }
        }
        for (out, sums) in out.iter_mut().zip(sums) {
            store2(simd, &mut out[column..column + step], sums);
        }
        column += step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, word for word.
    fn definition(x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        let outputs = bias.len();
        let mut y = bias.to_vec();
        for (k, x) in x.iter().enumerate() {
            for (j, y) in y.iter_mut().enumerate() {
                *y += x * weight[k * outputs + j];
            }
        }
        y
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|v| v.to_bits()).collect()
    }

    /// Values of wildly different magnitude, so that another order of sums gives other bits;
    /// subnormals and zeros of both signs among them.
    fn value() -> impl Strategy<Value = f32> {
        prop_oneof![
            4 => -1.0f32..1.0,
            2 => -1e6f32..1e6,
            1 => -1e-30f32..1e-30,
            1 => Just(f32::from_bits(3)),
            1 => Just(0.0),
            1 => Just(-0.0),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_path_computes_the_definition_bit_for_bit(
            rows in 1usize..20, inputs in 1usize..40, outputs in 1usize..70,
            values in prop::collection::vec(value(), 6000),
        ) {
            let mut values = values.into_iter().cycle();
            let mut take = |n: usize| values.by_ref().take(n).map(|v| v + 0.0).collect::<Vec<f32>>();
            let (weight, bias) = (take(inputs * outputs), take(outputs));
            let x = Array2::from_shape_vec((rows, inputs), take(rows * inputs)).unwrap();
            let bytes = x.mapv(|v| if v > 0.3 { 1u8 } else { 0 });
            let layer = Dense::new(inputs, outputs, &weight, &bias).unwrap();
            for path in Path::available() {
                let y = layer.forward(path, x.view()).unwrap();
                let sparse = layer.forward_bytes(path, bytes.view()).unwrap();
                for row in 0..rows {
                    let expected = definition(x.row(row).as_slice().unwrap(), &weight, &bias);
                    prop_assert_eq!(bits(y.row(row).as_slice().unwrap()), bits(&expected), "{}", path.name());
                    let floats: Vec<f32> = bytes.row(row).iter().map(|&b| f32::from(b)).collect();
                    let expected = definition(&floats, &weight, &bias);
                    prop_assert_eq!(bits(sparse.row(row).as_slice().unwrap()), bits(&expected), "{}", path.name());
                }
            }
        }
    }

    #[test]
    fn infinite_results_are_an_error() {
        let layer = Dense::new(2, 1, &[f32::MAX, f32::MAX], &[0.0]).unwrap();
        let x = Array2::ones((1, 2));
        assert!(layer.forward(Path::detect(), x.view()).is_err());
        assert!(
            layer
                .forward_bytes(Path::detect(), x.mapv(|_| 1).view())
                .is_err()
        );
        assert!(
            layer
                .forward(Path::detect(), Array2::zeros((1, 2)).view())
                .is_ok()
        );
        assert!(
            layer
                .forward(Path::detect(), Array2::zeros((1, 3)).view())
                .is_err()
        );
        assert!(Dense::new(2, 2, &[0.0; 3], &[0.0; 2]).is_err());
    }
}
