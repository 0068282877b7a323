//! Layers beyond a chain of linear ones.

use super::Model;
use super::building::{Building, Pending};
use crate::file::Tensor;
use crate::import::layer::{Convolution, GraphLayer, Norm};
use crate::import::linear::{Affine, Linear};
use crate::ops::{self, Op, Shape};
use bbans_core::{Error, Result};

impl Building {
    pub(super) fn graph_layer(
        &mut self,
        model: &mut Model<'_, '_>,
        step: &GraphLayer,
        current: &str,
    ) -> Result<String> {
        let inputs = || vec![current.to_owned()];
        match step {
            GraphLayer::Convolution(layer) => self.convolution(model, layer, current),
            GraphLayer::LinearRows(options) => {
                let shape = self.shapes[current].clone();
                let Some((&inputs, others)) = shape.split_last() else {
                    return Err(Error::model("a value without axes"));
                };
                let linear = model.weights.linear(options, inputs, None)?;
                let (count, outputs) = (others.iter().product(), linear.outputs());
                let op = Op::Cells(ops::Cells { count, outputs });
                let rows = vec![inputs];
                let id = self.wait(model, &options.linear, op, current, linear, rows)?;
                if others.len() == 1 {
                    return Ok(id);
                }
                self.settle(model)?;
                let shape = [others, &[outputs]].concat();
                self.push(model, "", Op::Reshape(ops::Reshape { shape }), vec![id])
            }
            GraphLayer::GroupNorm(norm, groups) => {
                let (groups, eps) = (*groups, norm.eps);
                let channels = self.shapes[current].iter().take(1).copied().collect();
                let op = Op::GroupNorm(ops::GroupNorm { groups, eps });
                self.norm(model, norm, current, channels, |_| op)
            }
            GraphLayer::LayerNorm(norm) => {
                let eps = norm.eps;
                let last = self.shapes[current].last().copied();
                self.norm(model, norm, current, last.into_iter().collect(), |axes| {
                    Op::LayerNorm(ops::LayerNorm { axes, eps })
                })
            }
            GraphLayer::Op(op) => self.push(model, "", op.clone(), inputs()),
            GraphLayer::Slice { range, axis } => self.slice(model, *range, *axis, current),
            GraphLayer::Scale { scale, shift } => {
                self.scale(model, current, f64::from(*scale), f64::from(*shift))
            }
            GraphLayer::Residual { layers, shortcut } => {
                let shortcut = self.branch(model, shortcut, Some(current))?;
                let layers = self.branch(model, layers, Some(current))?;
                self.push(model, "", Op::Add(ops::Add {}), vec![shortcut, layers])
            }
            GraphLayer::As(name) => {
                self.named.insert(name.clone(), current.to_owned());
                Ok(current.to_owned())
            }
            GraphLayer::From(_) | GraphLayer::Constant(_) | GraphLayer::Branches(..) => {
                Err(Error::model("a layer that needs no value was given one"))
            }
        }
    }

    /// Several values brought together.
    pub(super) fn join(
        &mut self,
        model: &mut Model<'_, '_>,
        op: &Op,
        branches: Vec<String>,
    ) -> Result<String> {
        if !matches!(op, Op::Add(_) | Op::Mul(_)) {
            return self.push(model, "", op.clone(), branches);
        }
        // Of two at a time.
        let mut branches = branches.into_iter();
        let first = branches.next().ok_or_else(|| {
            Error::model("no branches; expected a list of at least two lists of layers")
        })?;
        branches.try_fold(first, |sum, branch| {
            self.push(model, "", op.clone(), vec![sum, branch])
        })
    }

    fn convolution(
        &mut self,
        model: &mut Model<'_, '_>,
        layer: &Convolution,
        current: &str,
    ) -> Result<String> {
        let shape = &self.shapes[current];
        let &[channels, ..] = shape.as_slice() else {
            return Err(Error::model("a value without axes"));
        };
        if shape.len() != 3 {
            return Err(Error::model(format!(
                "{} on a value of shape {shape:?}; expected [channels, rows, columns], which \
                 {{\"reshape\": [..]}} before it makes",
                layer.name
            )));
        }
        let (linear, kernel) = model.weights.convolution(layer)?;
        let groups = layer.options.groups;
        let rows = linear.inputs() / (kernel[0] * kernel[1]).max(1);
        if rows.saturating_mul(groups) != channels {
            return Err(Error::model(format!(
                "tensor {}.weight is for {} channels, the value has shape {shape:?}",
                layer.name,
                rows.saturating_mul(groups)
            )));
        }
        let op = layer.op(linear.outputs(), kernel);
        let rows = vec![kernel[0], kernel[1], rows];
        self.wait(model, &layer.name, op, current, linear, rows)
    }

    /// A norm with the tensors `weight` and `bias`, or of this shape without; the operation may depend on their number
    /// of axes.
    fn norm(
        &mut self,
        model: &mut Model<'_, '_>,
        norm: &Norm,
        current: &str,
        shape: Shape,
        op: impl FnOnce(usize) -> Op,
    ) -> Result<String> {
        let Norm { name, affine, .. } = norm;
        let (shape, weight, bias) = if *affine {
            let (shape, weight) = model.weights.any(&format!("{name}.weight"))?;
            let (of_bias, bias) = model.weights.any(&format!("{name}.bias"))?;
            if of_bias != shape {
                return Err(Error::model(format!(
                    "tensor {name}.bias has shape {of_bias:?}; expected {shape:?}"
                )));
            }
            (shape, weight, bias)
        } else {
            let count = shape.iter().product();
            (shape, vec![1.0; count], vec![0.0; count])
        };
        let id = self.push(model, name, op(shape.len()), vec![current.to_owned()])?;
        model.add_tensor(format!("{id}.weight"), shape.clone(), &weight)?;
        model.add_tensor(format!("{id}.bias"), shape, &bias)?;
        Ok(id)
    }

    /// A factor and a summand for each of the first axis.
    pub(super) fn affine(
        &mut self,
        model: &mut Model<'_, '_>,
        name: &str,
        current: &str,
        affine: &Affine,
    ) -> Result<String> {
        let op = Op::ScaleShift(ops::ScaleShift {});
        let id = self.push(model, name, op, vec![current.to_owned()])?;
        for (part, values) in [("scale", &affine.scale), ("shift", &affine.shift)] {
            model.add_tensor(format!("{id}.{part}"), vec![values.len()], values)?;
        }
        Ok(id)
    }

    pub(super) fn scale(
        &mut self,
        model: &mut Model<'_, '_>,
        current: &str,
        scale: f64,
        shift: f64,
    ) -> Result<String> {
        let channels = self.shapes[current].first().copied().unwrap_or(0);
        self.affine(model, "", current, &Affine::uniform(channels, scale, shift))
    }

    pub(super) fn flatten(&mut self, model: &mut Model<'_, '_>, current: &str) -> Result<String> {
        let shape = &self.shapes[current];
        if shape.len() == 1 {
            return Ok(current.to_owned());
        }
        let shape = vec![shape.iter().product()];
        let op = Op::Reshape(ops::Reshape { shape });
        self.push(model, "", op, vec![current.to_owned()])
    }

    pub(super) fn slice(
        &mut self,
        model: &mut Model<'_, '_>,
        [start, end]: [usize; 2],
        axis: usize,
        current: &str,
    ) -> Result<String> {
        let op = Op::Slice(ops::Slice { start, end });
        if axis == 0 {
            return self.push(model, "", op, vec![current.to_owned()]);
        }
        let count = self.shapes[current].len();
        if axis >= count {
            return Err(Error::model(format!(
                "axis {axis} of a value of shape {:?}",
                self.shapes[current]
            )));
        }
        // The axis first, and back.
        let others = (0..count).filter(|&a| a != axis);
        let axes: Vec<usize> = std::iter::once(axis).chain(others).collect();
        let back = (0..count).map(|a| axes.iter().position(|&b| b == a).unwrap_or(0));
        let back = back.collect();
        let permute = |axes| Op::Permute(ops::Permute { axes });
        let moved = self.push(model, "", permute(axes), vec![current.to_owned()])?;
        let part = self.push(model, "", op, vec![moved])?;
        self.push(model, "", permute(back), vec![part])
    }

    /// A layer of weights that batch norm may follow.
    pub(super) fn wait(
        &mut self,
        model: &mut Model<'_, '_>,
        name: &str,
        op: Op,
        input: &str,
        linear: Linear,
        rows: Vec<usize>,
    ) -> Result<String> {
        // Told here, where the layer is, and not where it becomes a node.
        let shape = op.operation().output(&[&self.shapes[input]]);
        let shape = shape.map_err(|e| e.context(name.to_owned()))?;
        let id = model.unique(name);
        self.shapes.insert(id.clone(), shape);
        self.pending = Some(Pending {
            id: id.clone(),
            op,
            input: input.to_owned(),
            linear,
            rows,
        });
        Ok(id)
    }

    /// Makes the pending layer a node.
    pub(super) fn settle(&mut self, model: &mut Model<'_, '_>) -> Result<()> {
        let Some(Pending {
            id,
            op,
            input,
            linear,
            rows,
        }) = self.pending.take()
        else {
            return Ok(());
        };
        let (weight, bias) = linear.tensors()?;
        let shape = [rows, vec![linear.outputs()]].concat();
        let weight = Tensor::new(shape, weight.values)?;
        model.tensors.insert(format!("{id}.weight"), weight);
        model.tensors.insert(format!("{id}.bias"), bias);
        self.push_node(id, op, vec![input]).map(|_| ())
    }
}
