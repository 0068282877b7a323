//! The tensors of a safetensors file, of any floating-point type.

use std::collections::BTreeSet;

use safetensors::tensor::{Dtype, SafeTensors};

use crate::description::MAX_DIM;
use crate::import::layer::{BatchNorm, Convolution, LinearLayer};
use crate::import::linear::{Affine, Linear};
use bbans_core::{Error, Result};

/// The tensors, and which of them were asked for.
pub(super) struct Weights<'a> {
    file: SafeTensors<'a>,
    used: BTreeSet<String>,
}

impl<'a> Weights<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).map_err(|e| {
            Error::model("not a safetensors file; write one with safetensors.torch.save_file")
                .because(e)
        })?;
        Ok(Self {
            file,
            used: BTreeSet::new(),
        })
    }

    /// Names of the tensors that nobody asked for.
    pub(super) fn unused(&self) -> Vec<String> {
        let mut names: Vec<String> = self.file.names().iter().map(ToString::to_string).collect();
        names.retain(|name| !self.used.contains(name));
        names.sort();
        names
    }

    /// A layer of `inputs` inputs and, where that is known, `outputs` outputs.
    pub(super) fn linear(
        &mut self,
        layer: &LinearLayer,
        inputs: usize,
        outputs: Option<usize>,
    ) -> Result<Linear> {
        let name = format!("{}.weight", layer.linear);
        let shape = self.shape(&name)?;
        let found = match (shape.as_slice(), layer.transposed) {
            (&[_, outputs], true) | (&[outputs, _], false) => Some(outputs),
            _ => None,
        };
        let outputs = outputs.or(found).unwrap_or_default();
        if outputs == 0 || outputs > MAX_DIM {
            return Err(Error::model(format!(
                "tensor {name} has shape {shape:?}; expected [outputs, inputs]"
            )));
        }
        let expected = if layer.transposed {
            [inputs, outputs]
        } else {
            [outputs, inputs]
        };
        let values = self.tensor(&name, &expected)?;
        let weight = if layer.transposed {
            values
        } else {
            let rows = 0..inputs;
            rows.flat_map(|i| (0..outputs).map(move |o| (o, i)))
                .map(|(o, i)| values[o * inputs + i])
                .collect()
        };
        let bias = if layer.bias {
            self.tensor(&format!("{}.bias", layer.linear), &[outputs])?
        } else {
            vec![0.0; outputs]
        };
        Ok(Linear::new(weight, bias))
    }

    /// A convolution as rows of weights `[rows * columns * inputs / groups, outputs]`, with the size of its kernel.
    pub(super) fn convolution(&mut self, layer: &Convolution) -> Result<(Linear, [usize; 2])> {
        let name = format!("{}.weight", layer.name);
        let shape = self.shape(&name)?;
        let groups = layer.options.groups;
        let &[first, second, rows, columns] = shape.as_slice() else {
            let expected = if layer.transposed {
                "[inputs, outputs / groups, rows, columns]"
            } else {
                "[outputs, inputs / groups, rows, columns]"
            };
            return Err(Error::model(format!(
                "tensor {name} has shape {shape:?}; expected {expected}"
            )));
        };
        if groups == 0 || shape.contains(&0) || !first.is_multiple_of(groups) {
            return Err(Error::model(format!(
                "tensor {name} has shape {shape:?}; expected one for {groups} groups"
            )));
        }
        let values = self.tensor(&name, &shape)?;
        // Of each group; PyTorch's two kinds have inputs and outputs the other way round.
        let [inputs, outputs] = if layer.transposed {
            [first / groups, second.saturating_mul(groups)]
        } else {
            [second, first]
        };
        let at = |k: usize, output: usize| {
            if layer.transposed {
                (output / second * inputs + k) * second + output % second
            } else {
                output * inputs + k
            }
        };
        let mut weight = Vec::with_capacity(values.len());
        for place in 0..rows * columns {
            for k in 0..inputs {
                weight.extend((0..outputs).map(|o| values[at(k, o) * rows * columns + place]));
            }
        }
        let bias = if layer.options.bias {
            self.tensor(&format!("{}.bias", layer.name), &[outputs])?
        } else {
            vec![0.0; outputs]
        };
        Ok((Linear::new(weight, bias), [rows, columns]))
    }

    /// A tensor of any shape.
    pub(super) fn any(&mut self, name: &str) -> Result<(Vec<usize>, Vec<f64>)> {
        let shape = self.shape(name)?;
        let values = self.tensor(name, &shape)?;
        Ok((shape, values))
    }

    /// Batch norm in evaluation mode: `(x - running_mean) / sqrt(running_var + eps) * weight + bias`
    /// (Ioffe & Szegedy 2015).
    pub(super) fn batch_norm(&mut self, layer: &BatchNorm, width: usize) -> Result<Affine> {
        let name = &layer.batch_norm;
        // PyTorch's count of training steps, which evaluation has no use for.
        self.used.insert(format!("{name}.num_batches_tracked"));
        let mut tensor = |part: &str| self.tensor(&format!("{name}.{part}"), &[width]);
        let (mean, variance) = (tensor("running_mean")?, tensor("running_var")?);
        let (weight, bias) = if layer.affine {
            (tensor("weight")?, tensor("bias")?)
        } else {
            (vec![1.0; width], vec![0.0; width])
        };
        if let Some(v) = variance.iter().find(|&&v| v + layer.eps <= 0.0) {
            return Err(Error::model(format!(
                "tensor {name}.running_var has the value {v}; expected a variance"
            )));
        }
        let scale: Vec<f64> = weight
            .iter()
            .zip(&variance)
            .map(|(w, v)| w / (v + layer.eps).sqrt())
            .collect();
        let shift = bias
            .iter()
            .zip(mean.iter().zip(&scale))
            .map(|(b, (m, s))| b - m * s)
            .collect();
        Ok(Affine { scale, shift })
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>> {
        let view = self.file.tensor(name).map_err(|_| {
            let mut names: Vec<_> = self.file.names().iter().map(ToString::to_string).collect();
            names.sort();
            names.truncate(40);
            Error::model(format!(
                "the weights have no tensor {name}; there are: {}",
                names.join(", ")
            ))
        })?;
        Ok(view.shape().to_vec())
    }

    /// The values of a tensor that must have this shape.
    fn tensor(&mut self, name: &str, expected: &[usize]) -> Result<Vec<f64>> {
        let shape = self.shape(name)?;
        if shape != expected {
            return Err(Error::model(format!(
                "tensor {name} has shape {shape:?}; expected {expected:?}"
            )));
        }
        let view = self
            .file
            .tensor(name)
            .map_err(|e| Error::model(format!("tensor {name}")).because(e))?;
        let data = view.data();
        let values: Vec<f64> = match view.dtype() {
            Dtype::F64 => of(data, f64::from_le_bytes),
            Dtype::F32 => of(data, |b| f64::from(f32::from_le_bytes(b))),
            Dtype::F16 => of(data, |b| half::f16::from_le_bytes(b).to_f64()),
            Dtype::BF16 => of(data, |b| half::bf16::from_le_bytes(b).to_f64()),
            other => {
                return Err(Error::model(format!(
                    "tensor {name} has type {other:?}; expected F64, F32, F16 or BF16"
                )));
            }
        };
        if let Some(i) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::model(format!(
                "tensor {name}: value {i} is {}; weights must be finite",
                values[i]
            )));
        }
        self.used.insert(name.to_owned());
        Ok(values)
    }
}

/// Numbers of `N` bytes each.
fn of<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|&chunk| value(chunk))
        .collect()
}
