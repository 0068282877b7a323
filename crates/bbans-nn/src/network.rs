//! A network: layers applied in order, each exactly specified.

use ndarray::{Array2, ArrayView2};
use pulp::{Simd, WithSimd};

use crate::dense::Dense;
use crate::description::{Layer, MAX_DIM};
use crate::error::{Error, Result};
use crate::math;
use crate::model_file::ModelFile;
use crate::simd::Path;

/// Layers from `inputs` to `outputs`.
#[derive(Debug, Clone)]
pub struct Network {
    first: Dense,
    rest: Vec<Step>,
    outputs: usize,
}

#[derive(Debug, Clone)]
enum Step {
    Dense(Dense),
    Map(Activation),
}

#[derive(Debug, Clone, Copy)]
enum Activation {
    Relu,
    Silu,
    Tanh,
    Sigmoid,
    Exp,
}

impl Network {
    /// The network of `layers`, with the tensors of `file`, for `inputs` inputs and `outputs`
    /// outputs.
    ///
    /// # Errors
    /// If the first layer is not dense, a tensor is missing, or a shape does not fit.
    pub fn new(layers: &[Layer], file: &ModelFile, inputs: usize, outputs: usize) -> Result<Self> {
        let mut width = inputs;
        let mut steps = Vec::with_capacity(layers.len());
        for layer in layers {
            steps.push(match layer {
                Layer::Dense { name } => {
                    let dense = read_dense(file, name, width)?;
                    width = dense.outputs();
                    Step::Dense(dense)
                }
                Layer::Relu => Step::Map(Activation::Relu),
                Layer::Silu => Step::Map(Activation::Silu),
                Layer::Tanh => Step::Map(Activation::Tanh),
                Layer::Sigmoid => Step::Map(Activation::Sigmoid),
                Layer::Exp => Step::Map(Activation::Exp),
            });
        }
        if width != outputs {
            return Err(Error::new(format!(
                "a network of the model ends with {width} outputs; expected {outputs}"
            )));
        }
        let mut steps = steps.into_iter();
        match steps.next() {
            Some(Step::Dense(first)) => Ok(Self {
                first,
                rest: steps.collect(),
                outputs,
            }),
            _ => Err(Error::new("the first layer of a network must be dense")),
        }
    }

    /// The network on `x`, `[rows, inputs]`; gives `[rows, outputs]`.
    ///
    /// # Errors
    /// If the width is another, or a layer's result is infinite or NaN.
    pub fn forward(&self, path: Path, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        finish(&self.rest, path, self.first.forward(path, x)?, &mut |_| {})
    }

    /// `f` of every output of the network on `x`, `[rows, inputs]`, output by output: row-major
    /// `[outputs, rows]`.
    ///
    /// # Errors
    /// As [`Network::forward`].
    #[inline(always)]
    pub fn forward_transposed<T: Copy + Default>(
        &self,
        path: Path,
        x: ArrayView2<'_, f32>,
        f: impl Fn(f32) -> T,
    ) -> Result<Array2<T>> {
        match self.rest.split_last() {
            Some((Step::Dense(last), inner)) => {
                let y = finish(inner, path, self.first.forward(path, x)?, &mut |_| {})?;
                last.forward_transposed(path, y.view(), f)
            }
            Some(_) => {
                let y = self.forward(path, x)?;
                Ok(Array2::from_shape_fn(
                    (self.outputs, y.nrows()),
                    |(j, row)| f(y[(row, j)]),
                ))
            }
            None => self.first.forward_transposed(path, x, f),
        }
    }

    /// The network on data, `[rows, inputs]`, that are mostly zero.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn forward_bytes(&self, path: Path, x: ArrayView2<'_, u8>) -> Result<Array2<f32>> {
        finish(
            &self.rest,
            path,
            self.first.forward_bytes(path, x)?,
            &mut |_| {},
        )
    }

    /// Output of every layer on `x`, in order: for comparisons.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn layers(&self, path: Path, x: ArrayView2<'_, f32>) -> Result<Vec<Array2<f32>>> {
        let mut outputs = Vec::new();
        finish(&self.rest, path, self.first.forward(path, x)?, &mut |y| {
            outputs.push(y.clone())
        })?;
        Ok(outputs)
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }
}

/// Applies steps to the output of the first layer; `see` is shown every layer's output.
fn finish(
    steps: &[Step],
    path: Path,
    first: Array2<f32>,
    see: &mut dyn FnMut(&Array2<f32>),
) -> Result<Array2<f32>> {
    let mut y = first;
    see(&y);
    for step in steps {
        match step {
            Step::Dense(dense) => y = dense.forward(path, y.view())?,
            Step::Map(activation) => {
                if let Some(values) = y.as_slice_mut() {
                    path.run(Map {
                        activation: *activation,
                        values,
                    });
                }
            }
        }
        see(&y);
    }
    Ok(y)
}

fn read_dense(file: &ModelFile, name: &str, inputs: usize) -> Result<Dense> {
    let bias_name = format!("{name}.bias");
    let bias = file.tensors.get(&bias_name).ok_or_else(|| {
        Error::new(format!(
            "the model has no tensor {bias_name}; expected one of shape [outputs]"
        ))
    })?;
    let outputs = bias.values.len();
    if outputs > MAX_DIM {
        return Err(Error::new(format!(
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
        }
    }
}
