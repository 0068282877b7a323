//! Linear layers in `f64`, and what is folded into them.

use std::ops::Range;

use crate::file::Tensor;
use bbans_core::{Error, Result};

/// `y = b + x W`.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    /// `[inputs, outputs]`.
    weight: Vec<f64>,
    /// `[outputs]`.
    bias: Vec<f64>,
}

/// `y = x * scale + shift`, element by element.
#[derive(Debug, Clone)]
pub(super) struct Affine {
    pub(super) scale: Vec<f64>,
    pub(super) shift: Vec<f64>,
}

impl Affine {
    /// The same for all of `width` elements.
    pub(super) fn uniform(width: usize, scale: f64, shift: f64) -> Self {
        Self {
            scale: vec![scale; width],
            shift: vec![shift; width],
        }
    }

    /// This one, and then another of the same width.
    pub(super) fn then(mut self, next: &Self) -> Self {
        let all = self.scale.iter_mut().zip(&mut self.shift);
        for ((scale, shift), (s, t)) in all.zip(next.scale.iter().zip(&next.shift)) {
            *scale *= s;
            *shift = *shift * s + t;
        }
        self
    }
}

impl Linear {
    /// Weights `[inputs, outputs]`, bias `[outputs]`.
    pub(super) fn new(weight: Vec<f64>, bias: Vec<f64>) -> Self {
        Self { weight, bias }
    }

    pub(super) fn outputs(&self) -> usize {
        self.bias.len()
    }

    pub(super) fn inputs(&self) -> usize {
        self.weight.len() / self.bias.len().max(1)
    }

    /// `y(affine(x))` as a layer of `x`.
    pub(super) fn fold_inputs(&mut self, affine: &Affine) {
        let rows = self.weight.chunks_exact_mut(self.bias.len());
        for (row, (scale, shift)) in rows.zip(affine.scale.iter().zip(&affine.shift)) {
            for (w, b) in row.iter_mut().zip(&mut self.bias) {
                *b += shift * *w;
                *w *= scale;
            }
        }
    }

    /// `affine(y(x))` as a layer of `x`.
    pub(super) fn fold_outputs(&mut self, affine: &Affine) {
        for row in self.weight.chunks_exact_mut(self.bias.len()) {
            for (w, scale) in row.iter_mut().zip(&affine.scale) {
                *w *= scale;
            }
        }
        for (b, (scale, shift)) in self
            .bias
            .iter_mut()
            .zip(affine.scale.iter().zip(&affine.shift))
        {
            *b = *b * scale + shift;
        }
    }

    /// Some outputs times `scale`, plus `shift`.
    pub(super) fn scale_outputs(&mut self, outputs: Range<usize>, scale: f64, shift: f64) {
        let mut affine = Affine::uniform(self.bias.len(), 1.0, 0.0);
        affine.scale[outputs.clone()].fill(scale);
        affine.shift[outputs].fill(shift);
        self.fold_outputs(&affine);
    }

    /// The outputs in another order: output `i` is what output `from(i)` was.
    pub(super) fn reorder(&mut self, from: impl Fn(usize) -> usize) {
        let n = self.bias.len();
        for row in self.weight.chunks_exact_mut(n) {
            let old = row.to_vec();
            row.iter_mut()
                .enumerate()
                .for_each(|(i, w)| *w = old[from(i)]);
        }
        self.bias = (0..n).map(|i| self.bias[from(i)]).collect();
    }

    /// Layers of the same inputs side by side.
    pub(super) fn concatenate(layers: Vec<Self>) -> Result<Self> {
        let inputs = layers.first().map_or(0, Self::inputs);
        if layers.iter().any(|layer| layer.inputs() != inputs) {
            return Err(Error::model("heads of different inputs"));
        }
        let mut weight = Vec::new();
        for i in 0..inputs {
            for layer in &layers {
                let n = layer.outputs();
                weight.extend_from_slice(&layer.weight[i * n..(i + 1) * n]);
            }
        }
        let bias = layers.into_iter().flat_map(|layer| layer.bias).collect();
        Ok(Self { weight, bias })
    }

    /// Weight `[inputs, outputs]` and bias, rounded to `f32`.
    pub(super) fn tensors(&self) -> Result<(Tensor, Tensor)> {
        let round = |values: &[f64]| values.iter().map(|&v| v as f32).collect();
        let too_large = |e: Error| e.context("a layer after batch norm was folded into it");
        Ok((
            Tensor::new(vec![self.inputs(), self.outputs()], round(&self.weight))
                .map_err(too_large)?,
            Tensor::new(vec![self.outputs()], round(&self.bias)).map_err(too_large)?,
        ))
    }
}
