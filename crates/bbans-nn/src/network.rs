//! A network: layers applied in order, each exactly specified.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, Slice};
use pulp::{Simd, WithSimd};

use crate::description::{Layer, MAX_DIM};
use crate::exact::dense::Dense;
use crate::exact::math;
use crate::exact::simd::Path;
use crate::file::ModelFile;
use bbans_core::{Error, Result};

/// Most outputs of a layer on all lanes: a gigabyte of them.
const MAX_VALUES: usize = 1 << 28;

/// Layers from `inputs` to `outputs`.
#[derive(Debug, Clone)]
pub struct Network {
    first: Dense,
    rest: Vec<Step>,
    outputs: usize,
    /// Outputs of each layer.
    widths: Vec<usize>,
}

#[derive(Debug, Clone)]
enum Step {
    Dense(Dense),
    Map(Activation),
    /// The same layer on that many parts of the inputs.
    Cells(Dense, usize),
    Tiles(Tiles),
}

/// Cells of pixels that are put together to an image.
#[derive(Debug, Clone, Copy)]
struct Tiles {
    rows: usize,
    columns: usize,
    height: usize,
    width: usize,
    channels: usize,
}

#[derive(Debug, Clone, Copy)]
enum Activation {
    Relu,
    Silu,
    Tanh,
    Sigmoid,
    Exp,
    Elu,
    Softplus,
}

impl Network {
    /// The network of `layers`, with the tensors of `file`, for `inputs` inputs and `outputs`
    /// outputs.
    ///
    /// # Errors
    /// If the first layer is not dense, a tensor is missing, or a shape does not fit.
    pub fn new(layers: &[Layer], file: &ModelFile, inputs: usize, outputs: usize) -> Result<Self> {
        let network = Self::of_layers(layers, file, inputs)?;
        network.expect_outputs(outputs)?;
        Ok(network)
    }

    pub(crate) fn expect_outputs(&self, outputs: usize) -> Result<()> {
        if self.outputs != outputs {
            return Err(Error::model(format!(
                "a network of the model ends with {} outputs; expected {outputs}",
                self.outputs
            )));
        }
        Ok(())
    }

    /// The same with as many outputs as its layers give.
    pub(crate) fn of_layers(layers: &[Layer], file: &ModelFile, inputs: usize) -> Result<Self> {
        let (mut width, mut widths) = (inputs, Vec::with_capacity(layers.len()));
        let mut steps = Vec::with_capacity(layers.len());
        for layer in layers {
            steps.push(match layer {
                Layer::Dense { name } => {
                    let dense = read_dense(file, name, width)?;
                    width = dense.outputs();
                    Step::Dense(dense)
                }
                Layer::Cells { name, count } => {
                    let dense = read_dense(file, name, parts(width, *count, name)?)?;
                    width = dense.outputs().saturating_mul(*count);
                    if width > MAX_DIM {
                        return Err(Error::model(format!(
                            "layer {name} has {width} outputs; the limit is {MAX_DIM}"
                        )));
                    }
                    Step::Cells(dense, *count)
                }
                &Layer::Tiles {
                    rows,
                    columns,
                    height,
                    width: columns_of_cell,
                } => {
                    let sizes = [rows, columns, height, columns_of_cell];
                    let pixels = sizes.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
                    Step::Tiles(Tiles {
                        rows,
                        columns,
                        height,
                        width: columns_of_cell,
                        channels: parts(width, pixels.unwrap_or(0), "tiles")?,
                    })
                }
                Layer::Neighbours { .. } => {
                    return Err(Error::model(
                        "neighbours are between the layers of a head, and nowhere else",
                    ));
                }
                Layer::Relu => Step::Map(Activation::Relu),
                Layer::Silu => Step::Map(Activation::Silu),
                Layer::Tanh => Step::Map(Activation::Tanh),
                Layer::Sigmoid => Step::Map(Activation::Sigmoid),
                Layer::Exp => Step::Map(Activation::Exp),
                Layer::Elu => Step::Map(Activation::Elu),
                Layer::Softplus => Step::Map(Activation::Softplus),
            });
            widths.push(width);
        }
        let mut steps = steps.into_iter();
        match steps.next() {
            Some(Step::Dense(first)) => Ok(Self {
                first,
                rest: steps.collect(),
                outputs: width,
                widths,
            }),
            _ => Err(Error::model("the first layer of a network must be dense")),
        }
    }

    /// The network on `x`, `[inputs, lanes]`; gives `[outputs, lanes]`.
    ///
    /// # Errors
    /// If the height is another, a layer on so many lanes is too large, or its result is infinite or
    /// NaN.
    pub fn forward(&self, path: Path, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        check_lanes(&self.widths, x.ncols())?;
        apply(&self.rest, path, self.first.forward(path, x)?)
    }

    /// The same on inputs in several parts, each `[_, lanes]`.
    pub(crate) fn forward_parts(
        &self,
        path: Path,
        parts: &[&[f32]],
        lanes: usize,
    ) -> Result<Array2<f32>> {
        check_lanes(&self.widths, lanes)?;
        apply(
            &self.rest,
            path,
            self.first.forward_parts(path, parts, lanes)?,
        )
    }

    /// The network on data, `[lanes, inputs]`, that are mostly zero; gives `[outputs, lanes]`.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn forward_bytes(&self, path: Path, x: ArrayView2<'_, u8>) -> Result<Array2<f32>> {
        check_lanes(&self.widths, x.nrows())?;
        apply(&self.rest, path, self.first.forward_bytes(path, x)?)
    }

    /// All layers but a last dense one on `x`, `[inputs, lanes]`: the outputs can then be had few at
    /// a time.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn forward_hidden(&self, path: Path, x: ArrayView2<'_, f32>) -> Result<Hidden<'_>> {
        check_lanes(self.held(), x.ncols())?;
        if self.rest.is_empty() {
            return Ok(Hidden {
                path,
                last: Some(&self.first),
                values: x.to_owned(),
            });
        }
        self.hidden(path, self.first.forward(path, x)?)
    }

    /// As [`Network::forward_hidden`], on inputs in several parts, each `[_, lanes]`.
    pub(crate) fn forward_hidden_parts(
        &self,
        path: Path,
        parts: &[&[f32]],
        lanes: usize,
    ) -> Result<Hidden<'_>> {
        check_lanes(self.held(), lanes)?;
        if self.rest.is_empty() {
            let inputs = self.first.inputs();
            let values = Array2::from_shape_vec((inputs, lanes), parts.concat());
            return Ok(Hidden {
                path,
                last: Some(&self.first),
                values: values.map_err(|_| Error::model("a head's inputs do not fit it"))?,
            });
        }
        self.hidden(path, self.first.forward_parts(path, parts, lanes)?)
    }

    /// Outputs of the layers that are held at a time: not those of a last dense one.
    fn held(&self) -> &[usize] {
        match (self.rest.last(), self.widths.split_last()) {
            (None | Some(Step::Dense(_)), Some((_, held))) => held,
            _ => &self.widths,
        }
    }

    /// From the first layer's outputs on, for a network of several layers.
    fn hidden(&self, path: Path, first: Array2<f32>) -> Result<Hidden<'_>> {
        let (last, values) = match self.rest.split_last() {
            Some((Step::Dense(last), inner)) => (Some(last), apply(inner, path, first)?),
            _ => (None, apply(&self.rest, path, first)?),
        };
        Ok(Hidden { path, last, values })
    }

    /// Output of every layer on `x`, `[inputs, lanes]`, in order: for comparisons.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn layers(&self, path: Path, x: ArrayView2<'_, f32>) -> Result<Vec<Array2<f32>>> {
        let mut outputs = vec![self.first.forward(path, x)?];
        for (i, step) in self.rest.iter().enumerate() {
            outputs.push(apply(std::slice::from_ref(step), path, outputs[i].clone())?);
        }
        Ok(outputs)
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }
}

/// A network whose last dense layer is still to be computed.
#[derive(Debug)]
pub struct Hidden<'a> {
    path: Path,
    last: Option<&'a Dense>,
    /// Inputs of the last layer, or the network's outputs if there is none.
    values: Array2<f32>,
}

impl Hidden<'_> {
    /// Some of the network's outputs into `out`, row-major `[outputs.len(), lanes]`. Fastest from a
    /// multiple of 32 on.
    ///
    /// # Errors
    /// If a size does not fit, or a result is infinite or NaN.
    pub fn outputs(&self, outputs: Range<usize>, out: &mut [f32]) -> Result<()> {
        if let Some(last) = self.last {
            return last.forward_outputs(self.path, self.values.view(), outputs, out);
        }
        let lanes = self.lanes();
        let values = self.values.as_slice().unwrap_or_default();
        match values.get(outputs.start * lanes..outputs.end * lanes) {
            Some(values) if values.len() == out.len() => {
                out.copy_from_slice(values);
                Ok(())
            }
            _ => Err(Error::model(format!(
                "room for {} values for outputs {outputs:?} on {lanes} lanes",
                out.len()
            ))),
        }
    }

    /// Number of lanes.
    pub fn lanes(&self) -> usize {
        self.values.ncols()
    }
}

/// Checks that layers of these widths have room in memory.
fn check_lanes(widths: &[usize], lanes: usize) -> Result<()> {
    match widths.iter().find(|w| w.saturating_mul(lanes) > MAX_VALUES) {
        None => Ok(()),
        Some(outputs) => Err(Error::model(format!(
            "a layer of {outputs} outputs on {lanes} lanes; the limit is {MAX_VALUES} numbers in all: \
             compress with fewer lanes"
        ))),
    }
}

/// Applies steps to the output of a layer.
fn apply(steps: &[Step], path: Path, mut y: Array2<f32>) -> Result<Array2<f32>> {
    for step in steps {
        match step {
            Step::Dense(dense) => y = dense.forward(path, y.view())?,
            Step::Cells(dense, count) => y = on_cells(dense, *count, path, &y)?,
            Step::Tiles(tiles) => y = tiles.put_together(&y),
            Step::Map(activation) => {
                if let Some(values) = y.as_slice_mut() {
                    path.run(Map {
                        activation: *activation,
                        values,
                    });
                }
            }
        }
    }
    Ok(y)
}

fn on_cells(dense: &Dense, count: usize, path: Path, x: &Array2<f32>) -> Result<Array2<f32>> {
    let (inputs, lanes) = (x.nrows() / count, x.ncols());
    let outputs = dense.outputs();
    let mut y = Array2::zeros((outputs * count, lanes));
    let parts = y.as_slice_mut().unwrap_or_default();
    for (i, part) in parts.chunks_exact_mut((outputs * lanes).max(1)).enumerate() {
        let cell = x.slice_axis(Axis(0), Slice::from(i * inputs..(i + 1) * inputs));
        dense.forward_outputs(path, cell, 0..outputs, part)?;
    }
    Ok(y)
}

impl Tiles {
    /// `[cells, pixels of a cell, channels, lanes]` to `[pixels, channels, lanes]`.
    fn put_together(&self, x: &Array2<f32>) -> Array2<f32> {
        let Self {
            rows,
            columns,
            height,
            width,
            channels,
        } = *self;
        let mut y = Array2::zeros(x.dim());
        let run = width * channels * x.ncols();
        if let (Some(from), Some(to), 1..) = (x.as_slice(), y.as_slice_mut(), run) {
            // Rows of a cell are runs of the image's rows.
            for (i, line) in from.chunks_exact(run).enumerate() {
                let (cell, line_of_cell) = (i / height, i % height);
                let row = cell / columns * height + line_of_cell;
                let at = row * columns + cell % columns;
                to[at * run..(at + 1) * run].copy_from_slice(line);
            }
        }
        debug_assert_eq!(x.nrows(), rows * columns * height * width * channels);
        y
    }
}

/// Size of each of `count` parts of a layer's inputs.
fn parts(inputs: usize, count: usize, name: &str) -> Result<usize> {
    if count == 0 || !inputs.is_multiple_of(count) {
        return Err(Error::model(format!(
            "layer {name} takes {count} parts of its inputs, of which there are {inputs}"
        )));
    }
    Ok(inputs / count)
}

fn read_dense(file: &ModelFile, name: &str, inputs: usize) -> Result<Dense> {
    let bias_name = format!("{name}.bias");
    let bias = file.tensors.get(&bias_name).ok_or_else(|| {
        Error::model(format!(
            "the model has no tensor {bias_name}; expected one of shape [outputs]"
        ))
    })?;
    let outputs = bias.values.len();
    if outputs > MAX_DIM {
        return Err(Error::model(format!(
            "layer {name} has {outputs} outputs; the limit is {MAX_DIM}"
        )));
    }
    let bias = file.tensor(&bias_name, &[outputs])?;
    let weight = file.tensor(&format!("{name}.weight"), &[inputs, outputs])?;
    Dense::new(inputs, outputs, &weight.values, &bias.values)
}

/// An activation in place.
struct Map<'a> {
    activation: Activation,
    values: &'a mut [f32],
}

impl WithSimd for Map<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        // The compiler vectorises these loops with the path's instructions.
        match self.activation {
            Activation::Relu => self.values.iter_mut().for_each(|v| *v = math::relu(*v)),
            Activation::Silu => self.values.iter_mut().for_each(|v| *v = math::silu(*v)),
            Activation::Tanh => self.values.iter_mut().for_each(|v| *v = math::tanh(*v)),
            Activation::Sigmoid => self.values.iter_mut().for_each(|v| *v = math::sigmoid(*v)),
            Activation::Exp => self.values.iter_mut().for_each(|v| *v = math::exp(*v)),
            Activation::Elu => self.values.iter_mut().for_each(|v| *v = math::elu(*v)),
            Activation::Softplus => self.values.iter_mut().for_each(|v| *v = math::softplus(*v)),
        }
    }
}
