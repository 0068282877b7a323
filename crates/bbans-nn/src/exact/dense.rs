//! The dense layer: `y_j = b_j; for k in 0..K { y_j = y_j + x_k * w_kj }`, `k` ascending, in `f32`,
//! each product and each sum rounded on its own.
//!
//! Values are `[inputs, lanes]` and `[outputs, lanes]`, one column a datum, as a coder takes them. The
//! kernel is vectorised over lanes and outputs `j`, never over `k`, so every path computes exactly
//! these sums.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};
use pulp::{Simd, WithSimd};

use crate::exact::product::Forward;
use crate::exact::simd::Path;
use bbans_core::{Error, Result};

/// Columns of a panel. A multiple of every vector's width.
pub(crate) const PANEL: usize = 32;

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
            return Err(Error::model(format!(
                "{} weights and {} biases for a dense layer from {inputs} to {outputs}",
                weight.len(),
                bias.len()
            )));
        }
        let count = outputs.div_ceil(PANEL);
        let mut packed = Aligned::zeros(count * inputs * PANEL);
        let panels = packed.get_mut().chunks_exact_mut(inputs * PANEL);
        for (panel, first) in panels.zip((0..outputs).step_by(PANEL)) {
            let columns = PANEL.min(outputs - first);
            for (line, weight) in panel
                .chunks_exact_mut(PANEL)
                .zip(weight.chunks_exact(outputs))
            {
                line[..columns].copy_from_slice(&weight[first..first + columns]);
            }
        }
        let mut padded = Aligned::zeros(count * PANEL);
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

    /// The layer on `x`, `[inputs, lanes]`; gives `[outputs, lanes]`.
    ///
    /// # Errors
    /// If `x` has another height, or a result is infinite or NaN.
    pub fn forward(&self, path: Path, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        let mut y = Array2::zeros((self.outputs, x.ncols()));
        if let Some(out) = y.as_slice_mut() {
            self.forward_outputs(path, x, 0..self.outputs, out)?;
        }
        Ok(y)
    }

    /// Some outputs of the layer on `x`, `[inputs, lanes]`, into `out`, row-major
    /// `[outputs.len(), lanes]`. Fastest from a multiple of 32 on.
    ///
    /// # Errors
    /// If a size does not fit, or a result is infinite or NaN.
    pub fn forward_outputs(
        &self,
        path: Path,
        x: ArrayView2<'_, f32>,
        outputs: Range<usize>,
        out: &mut [f32],
    ) -> Result<()> {
        let (inputs, lanes) = x.dim();
        self.check_inputs(inputs)?;
        if outputs.end > self.outputs || out.len() != outputs.len() * lanes {
            return Err(Error::model(format!(
                "room for {} values for outputs {outputs:?} of {} on {lanes} lanes",
                out.len(),
                self.outputs
            )));
        }
        let x = x.as_standard_layout();
        if let (Some(x), 1..) = (x.as_slice(), lanes) {
            self.product(path, &[x], lanes, outputs.start, out);
        }
        check_finite(path, out)
    }

    /// Outputs from `first` on, as many as `out` has room for, on inputs that fit, in parts, each
    /// `[_, lanes]`.
    pub(crate) fn product(
        &self,
        path: Path,
        parts: &[&[f32]],
        lanes: usize,
        first: usize,
        out: &mut [f32],
    ) {
        path.run(Forward {
            layer: self,
            parts,
            lanes,
            first,
            out,
        });
    }

    pub(crate) fn check_inputs(&self, found: usize) -> Result<()> {
        if found == self.inputs {
            return Ok(());
        }
        Err(Error::model(format!(
            "{found} inputs for a dense layer of {}",
            self.inputs
        )))
    }

    /// The weights of panel number `index`, `[inputs, PANEL]`.
    pub(crate) fn panel(&self, index: usize) -> &[f32] {
        let size = self.inputs * PANEL;
        &self.weights.get()[index * size..][..size]
    }

    /// The bias of panel number `index`, `[PANEL]`.
    pub(crate) fn bias(&self, index: usize) -> &[f32] {
        &self.bias.get()[index * PANEL..][..PANEL]
    }
}

/// Errors if a value is infinite or NaN.
pub(crate) fn check_finite(path: Path, values: &[f32]) -> Result<()> {
    if path.run(GreatestMagnitude(values)) < f32::INFINITY.to_bits() {
        return Ok(());
    }
    Err(Error::model(
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, word for word.
    fn definition(x: &Array2<f32>, weight: &[f32], bias: &[f32]) -> Array2<f32> {
        let outputs = bias.len();
        Array2::from_shape_fn((outputs, x.ncols()), |(j, lane)| {
            let mut y = bias[j];
            for (k, x) in x.column(lane).iter().enumerate() {
                y += x * weight[k * outputs + j];
            }
            y
        })
    }

    fn bits(values: &Array2<f32>) -> Vec<u32> {
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
            lanes in prop_oneof![1usize..17, 1usize..90], inputs in 1usize..40, outputs in 1usize..70,
            values in prop::collection::vec(value(), 6007),
        ) {
            let mut values = values.into_iter().cycle();
            let mut take = |n: usize| values.by_ref().take(n).map(|v| v + 0.0).collect::<Vec<f32>>();
            let (weight, bias) = (take(inputs * outputs), take(outputs));
            let x = Array2::from_shape_vec((inputs, lanes), take(lanes * inputs)).unwrap();
            let binary = x.t().mapv(|v| if v > 0.3 { 1u8 } else { 0 });
            let grey = x.t().mapv(|v| if v > 0.3 { v.to_bits() as u8 } else { 0 });
            let layer = Dense::new(inputs, outputs, &weight, &bias).unwrap();
            for path in Path::available() {
                let y = layer.forward(path, x.view()).unwrap();
                prop_assert_eq!(bits(&y), bits(&definition(&x, &weight, &bias)), "{}", path.name());
                for bytes in [&binary, &grey] {
                    let y = layer.forward_bytes(path, bytes.view()).unwrap();
                    let expected = definition(&bytes.t().mapv(f32::from), &weight, &bias);
                    prop_assert_eq!(bits(&y), bits(&expected), "{}", path.name());
                }
                // In parts.
                let (above, below) = x.as_slice().unwrap().split_at(inputs / 2 * lanes);
                let mut parts = Array2::zeros(y.dim());
                layer.product(path, &[above, below], lanes, 0, parts.as_slice_mut().unwrap());
                prop_assert_eq!(bits(&parts), bits(&y));
                // From any output on.
                let first = lanes % outputs;
                let mut part = vec![0.0; (outputs - first) * lanes];
                layer.forward_outputs(path, x.view(), first..outputs, &mut part).unwrap();
                prop_assert_eq!(
                    part.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
                    &bits(&y)[first * lanes..]
                );
            }
        }
    }

    #[test]
    fn infinite_results_are_an_error() {
        let layer = Dense::new(2, 1, &[f32::MAX, f32::MAX], &[0.0]).unwrap();
        let x = Array2::ones((2, 1));
        assert!(layer.forward(Path::detect(), x.view()).is_err());
        assert!(
            layer
                .forward_bytes(Path::detect(), x.t().mapv(|_| 1).view())
                .is_err()
        );
        assert!(
            layer
                .forward(Path::detect(), Array2::zeros((2, 1)).view())
                .is_ok()
        );
        assert!(
            layer
                .forward(Path::detect(), Array2::zeros((3, 1)).view())
                .is_err()
        );
        assert!(Dense::new(2, 2, &[0.0; 3], &[0.0; 2]).is_err());
    }
}
