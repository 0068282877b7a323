//! The dense layer: `y_j = b_j; for k in 0..K { y_j = y_j + x_k * w_kj }`, `k` ascending, in `f32`,
//! each product and each sum rounded on its own.
//!
//! Values are `[inputs, lanes]` and `[outputs, lanes]`, one column a datum, as a coder takes them. The
//! kernel is vectorised over lanes and outputs `j`, never over `k`, so every path computes exactly
//! these sums.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};
use pulp::{Simd, WithSimd};

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

    /// The layer on inputs in several parts, one after another, each `[_, lanes]`; gives
    /// `[outputs, lanes]`.
    ///
    /// # Errors
    /// As [`Dense::forward`].
    pub(crate) fn forward_parts(
        &self,
        path: Path,
        parts: &[&[f32]],
        lanes: usize,
    ) -> Result<Array2<f32>> {
        let inputs = parts.iter().map(|part| part.len()).sum::<usize>() / lanes.max(1);
        self.check_inputs(inputs)?;
        let mut y = Array2::zeros((self.outputs, lanes));
        let out = y.as_slice_mut().unwrap_or_default();
        if lanes > 0 {
            self.product(path, parts, lanes, 0, out);
        }
        check_finite(path, out)?;
        Ok(y)
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

/// Outputs from `first` on, as many as `out` has room for.
struct Forward<'a> {
    layer: &'a Dense,
    /// The inputs in parts, `[_, lanes]`.
    parts: &'a [&'a [f32]],
    lanes: usize,
    first: usize,
    /// `[_, lanes]`.
    out: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            layer,
            parts,
            lanes,
            first,
            out,
        } = self;
        let vector = S::F32_LANES;
        let whole = lanes.next_multiple_of(vector);
        if whole == lanes {
            return forward(simd, layer, parts, lanes, first, out);
        }
        // A vector of lanes would be mostly empty: vectors of outputs then, as many as there are
        // registers for.
        match vector {
            16 if lanes < 16 => return narrow::<S, 4, 2>(simd, layer, parts, lanes, first, out),
            8 if lanes < 8 => return narrow::<S, 2, 4>(simd, layer, parts, lanes, first, out),
            4 if lanes < 4 => return narrow::<S, 1, 8>(simd, layer, parts, lanes, first, out),
            _ => {}
        }
        // Lanes that make the last vector whole, and are left out of the result.
        let mut wide = vec![0.0; layer.inputs * whole];
        let rows = parts.iter().flat_map(|part| part.chunks_exact(lanes));
        for (wide, x) in wide.chunks_exact_mut(whole).zip(rows) {
            wide[..lanes].copy_from_slice(x);
        }
        let mut wide_out = vec![0.0; out.len() / lanes * whole];
        forward(simd, layer, &[&wide], whole, first, &mut wide_out);
        for (out, wide) in out
            .chunks_exact_mut(lanes)
            .zip(wide_out.chunks_exact(whole))
        {
            out.copy_from_slice(&wide[..lanes]);
        }
    }
}

/// Most inputs of a run: their values, of four vectors of lanes, stay in the nearest cache while all
/// outputs of the panel use them.
const RUN: usize = 96;

/// The layer for whole vectors of lanes.
#[inline(always)]
fn forward<S: Simd>(
    simd: S,
    layer: &Dense,
    parts: &[&[f32]],
    lanes: usize,
    first: usize,
    out: &mut [f32],
) {
    for (panel, column, sums) in panels(first, lanes, out) {
        let mut weights = layer.panel(panel);
        let mut bias = Some(&layer.bias(panel)[column..]);
        for part in parts {
            let inputs = part.len() / lanes;
            let run = inputs.div_ceil(inputs.div_ceil(RUN).max(1)).max(1);
            for x in part.chunks(run * lanes) {
                let (these, rest) = weights.split_at(x.len() / lanes * PANEL);
                add_run(simd, x, lanes, &these[column..], bias.take(), sums);
                weights = rest;
            }
        }
    }
}

/// Adds the terms of the inputs from `first` on, `[_, lanes]`, to all sums, `[outputs, lanes]`, for whole
/// vectors of lanes; the first inputs start from the bias.
#[inline(always)]
pub(crate) fn add_terms<S: Simd>(
    simd: S,
    layer: &Dense,
    first: usize,
    x: &[f32],
    lanes: usize,
    sums: &mut [f32],
) {
    for (panel, _, sums) in panels(0, lanes, sums) {
        let weights = &layer.panel(panel)[first * PANEL..];
        let bias = (first == 0).then(|| layer.bias(panel));
        add_run(simd, x, lanes, weights, bias, sums);
    }
}

/// Outputs from `first` on by panels: the panel's number, the first of its columns, and their part of
/// `out`, `[_, lanes]`.
#[inline(always)]
fn panels(
    first: usize,
    lanes: usize,
    out: &mut [f32],
) -> impl Iterator<Item = (usize, usize, &mut [f32])> {
    let (mut start, mut rest) = (first, out);
    std::iter::from_fn(move || {
        let (panel, column) = (start / PANEL, start % PANEL);
        let outputs = (PANEL - column).min(rest.len() / lanes);
        let (sums, next) = std::mem::take(&mut rest).split_at_mut(outputs * lanes);
        (start, rest) = (start + outputs, next);
        (outputs > 0).then_some((panel, column, sums))
    })
}

/// Adds the terms of a run of inputs to the sums of some outputs of a panel, `[_, lanes]`; the first
/// run starts from the bias.
#[inline(always)]
fn add_run<S: Simd>(
    simd: S,
    x: &[f32],
    lanes: usize,
    weights: &[f32],
    bias: Option<&[f32]>,
    sums: &mut [f32],
) {
    let vector = S::F32_LANES;
    let outputs = sums.len() / lanes;
    // Of 32 wide registers 24 hold sums: 6 outputs by 4 vectors; of 16 narrow ones 12: 6 by 2.
    let wide = vector == 16;
    let mut lane = 0;
    while lane < lanes {
        let vectors = match (lanes - lane) / vector {
            4.. if wide => 4,
            2.. => 2,
            _ => 1,
        };
        let mut output = 0;
        while output < outputs {
            let height = match outputs - output {
                // Of 8, twice 4 and not 6 and twice 1.
                6 | 7 | 9.. if !wide || vectors == 4 => 6,
                8.. if wide && vectors < 4 => 8,
                4.. => 4,
                _ => 1,
            };
            let weights = &weights[output..];
            let bias = bias.map(|bias| &bias[output..]);
            let sums = &mut sums[output * lanes..][..height * lanes];
            match (height, vectors) {
                (6, 4) => tile::<S, 6, 4>(simd, x, lanes, lane, weights, bias, sums),
                (6, 2) => tile::<S, 6, 2>(simd, x, lanes, lane, weights, bias, sums),
                (6, _) => tile::<S, 6, 1>(simd, x, lanes, lane, weights, bias, sums),
                (8, 2) => tile::<S, 8, 2>(simd, x, lanes, lane, weights, bias, sums),
                (8, _) => tile::<S, 8, 1>(simd, x, lanes, lane, weights, bias, sums),
                (4, 4) => tile::<S, 4, 4>(simd, x, lanes, lane, weights, bias, sums),
                (4, 2) => tile::<S, 4, 2>(simd, x, lanes, lane, weights, bias, sums),
                (4, _) => tile::<S, 4, 1>(simd, x, lanes, lane, weights, bias, sums),
                (_, 4) => tile::<S, 1, 4>(simd, x, lanes, lane, weights, bias, sums),
                (_, 2) => tile::<S, 1, 2>(simd, x, lanes, lane, weights, bias, sums),
                (_, _) => tile::<S, 1, 1>(simd, x, lanes, lane, weights, bias, sums),
            }
            output += height;
        }
        lane += vectors * vector;
    }
}

/// The sums of `OUTPUTS` outputs by `VECTORS` vectors of lanes from `lane` on, in registers.
#[inline(always)]
fn tile<S: Simd, const OUTPUTS: usize, const VECTORS: usize>(
    simd: S,
    x: &[f32],
    lanes: usize,
    lane: usize,
    weights: &[f32],
    bias: Option<&[f32]>,
    sums: &mut [f32],
) {
    let width = VECTORS * S::F32_LANES;
    let mut registers = [[simd.splat_f32s(0.0); VECTORS]; OUTPUTS];
    for (j, registers) in registers.iter_mut().enumerate() {
        match bias {
            Some(bias) => *registers = [simd.splat_f32s(bias[j]); VECTORS],
            None => {
                let (sums, _) = S::as_simd_f32s(&sums[j * lanes + lane..][..width]);
                registers.copy_from_slice(sums);
            }
        }
    }
    for (x, weights) in x.chunks_exact(lanes).zip(weights.chunks(PANEL)) {
        let (x, _) = S::as_simd_f32s(&x[lane..lane + width]);
        for (registers, &weight) in registers.iter_mut().zip(&weights[..OUTPUTS]) {
            let weight = simd.splat_f32s(weight);
            for (sum, &x) in registers.iter_mut().zip(x) {
                *sum = simd.add_f32s(*sum, simd.mul_f32s(x, weight));
            }
        }
    }
    for (registers, sums) in registers.iter().zip(sums.chunks_exact_mut(lanes)) {
        let (sums, _) = S::as_mut_simd_f32s(&mut sums[lane..lane + width]);
        sums.copy_from_slice(registers);
    }
}

/// The layer for a few lanes: `LANES` at a time by a panel, which is `VECTORS` vectors.
#[inline(always)]
fn narrow<S: Simd, const LANES: usize, const VECTORS: usize>(
    simd: S,
    layer: &Dense,
    parts: &[&[f32]],
    lanes: usize,
    first: usize,
    out: &mut [f32],
) {
    for (panel, column, sums) in panels(first, lanes, out) {
        let mut lane = 0;
        while lane < lanes {
            let at = (panel, column, lane, lanes);
            if lane + LANES <= lanes {
                narrow_tile::<S, LANES, VECTORS>(simd, layer, parts, at, sums);
                lane += LANES;
            } else {
                narrow_tile::<S, 1, VECTORS>(simd, layer, parts, at, sums);
                lane += 1;
            }
        }
    }
}

/// All sums of a panel for `LANES` lanes, in registers; those from `column` on go to `sums`,
/// `[_, lanes]`, from `lane` on.
#[inline(always)]
fn narrow_tile<S: Simd, const LANES: usize, const VECTORS: usize>(
    simd: S,
    layer: &Dense,
    parts: &[&[f32]],
    (panel, column, lane, lanes): (usize, usize, usize, usize),
    sums: &mut [f32],
) {
    let (bias, _) = S::as_simd_f32s(layer.bias(panel));
    let mut registers = [[simd.splat_f32s(0.0); VECTORS]; LANES];
    for registers in &mut registers {
        registers.copy_from_slice(bias);
    }
    let mut weights = layer.panel(panel).chunks_exact(PANEL);
    for part in parts {
        for (x, weights) in part.chunks_exact(lanes).zip(&mut weights) {
            let (weights, _) = S::as_simd_f32s(weights);
            for (registers, &x) in registers.iter_mut().zip(&x[lane..lane + LANES]) {
                let x = simd.splat_f32s(x);
                for (sum, &weight) in registers.iter_mut().zip(&weights[..VECTORS]) {
                    *sum = simd.add_f32s(*sum, simd.mul_f32s(x, weight));
                }
            }
        }
    }
    for (i, registers) in registers.iter().enumerate() {
        let mut values = [0.0; PANEL];
        let (vectors, _) = S::as_mut_simd_f32s(&mut values);
        vectors.copy_from_slice(registers);
        for (sums, &value) in sums.chunks_exact_mut(lanes).zip(&values[column..]) {
            sums[lane + i] = value;
        }
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
                let parts = layer.forward_parts(path, &[above, below], lanes).unwrap();
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
