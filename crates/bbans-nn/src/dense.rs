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
            path.run(Forward { layer: self, x, y });
        }
        finite(path, y)
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
    Err(Error::new(
        "the network computed an infinite value or NaN on these data; the model cannot code them",
    ))
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

struct Forward<'a> {
    layer: &'a Dense,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { layer, x, y } = self;
        for panel in 0..layer.outputs.div_ceil(PANEL) {
            let weights = layer.panel(panel);
            let bias = &layer.bias.get()[panel * PANEL..][..PANEL];
            let columns = PANEL.min(layer.outputs - panel * PANEL);
            let mut write = |row: usize, values: &[f32; PANEL]| {
                let start = row * layer.outputs + panel * PANEL;
                y[start..start + columns].copy_from_slice(&values[..columns]);
            };
            let (rows, width) = (x.len() / layer.inputs, layer.inputs);
            let mut row = 0;
            // Wide registers hold tiles of 8 rows, narrow ones of 4.
            if S::F32_LANES == 16 {
                while row + 8 <= rows {
                    tile::<S, 8>(simd, &x[row * width..], width, weights, bias, |r, v| {
                        write(row + r, v)
                    });
                    row += 8;
                }
            }
            while row + 4 <= rows {
                tile::<S, 4>(simd, &x[row * width..], width, weights, bias, |r, v| {
                    write(row + r, v)
                });
                row += 4;
            }
            while row < rows {
                tile::<S, 1>(simd, &x[row * width..], width, weights, bias, |r, v| {
                    write(row + r, v)
                });
                row += 1;
            }
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
    mut write: impl FnMut(usize, &[f32; PANEL]),
) {
    let rows: [&[f32]; ROWS] = std::array::from_fn(|r| &x[r * width..][..width]);
    let mut out = [[0.0f32; PANEL]; ROWS];
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
    for (r, values) in out.iter().enumerate() {
        write(r, values);
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
        let rows = x.len() / layer.inputs;
        // The inputs that are not zero, of all rows: (where in a panel, value).
        let mut active = Vec::with_capacity(x.len() / 4);
        let mut ends = Vec::with_capacity(rows);
        for row in x.chunks_exact(layer.inputs) {
            let on = row.iter().enumerate().filter(|&(_, &v)| v != 0);
            active.extend(on.map(|(k, &v)| (k * PANEL, f32::from(v))));
            ends.push(active.len());
        }
        for panel in 0..layer.outputs.div_ceil(PANEL) {
            let weights = layer.panel(panel);
            let bias = &layer.bias.get()[panel * PANEL..][..PANEL];
            let columns = PANEL.min(layer.outputs - panel * PANEL);
            let mut begin = 0;
            for (row, &end) in ends.iter().enumerate() {
                let mut out = [0.0f32; PANEL];
                sparse_row(simd, &active[begin..end], weights, bias, &mut out);
                let start = row * layer.outputs + panel * PANEL;
                y[start..start + columns].copy_from_slice(&out[..columns]);
                begin = end;
            }
        }
    }
}

/// One row times one panel, over the inputs that are not zero.
#[inline(always)]
fn sparse_row<S: Simd>(
    simd: S,
    active: &[(usize, f32)],
    weights: &[f32],
    bias: &[f32],
    out: &mut [f32; PANEL],
) {
    let step = 2 * S::F32_LANES;
    let mut column = 0;
    while column < PANEL {
        let mut sums = load2(simd, &bias[column..column + step]);
        for &(line, value) in active {
            let w = load2(simd, &weights[line + column..line + column + step]);
            let x = simd.splat_f32s(value);
            sums[0] = simd.add_f32s(sums[0], simd.mul_f32s(x, w[0]));
            sums[1] = simd.add_f32s(sums[1], simd.mul_f32s(x, w[1]));
        }
        store2(simd, &mut out[column..column + step], sums);
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
