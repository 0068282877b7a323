//! Chains of layers as the graphs that they are.

use std::collections::{BTreeMap, BTreeSet};

use super::MAX_DIM;
use super::chains::{Chains, Layer};
use super::graphs::{Graphs, Group, Stage};
use crate::file::{Tensor, tensor};
use crate::graph::{Function, Node};
use crate::likelihood::{Likelihood, Window};
use crate::ops::{self, Op};
use bbans_core::{Error, Result};

impl Chains {
    /// The same networks as graphs, of data of a shape and `latents` latents; the tensors tell the
    /// number of a layer's outputs.
    pub(super) fn graphs(
        &self,
        shape: &[usize],
        latents: usize,
        likelihood: &Likelihood,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<Graphs> {
        let taken = Taken::new(self);
        let data = (taken.free("data"), shape.iter().product());
        let mut encode = Chain::new(&taken, "encoder", vec![data]);
        encode.layers(&self.encoder, tensors)?;
        encode.flatten();
        let mut values = vec![(encode.last(), encode.width)];
        let mut groups = Vec::new();
        for (l, layer) in self.hierarchy.iter().enumerate() {
            let mut posterior = Chain::new(&taken, &format!("posterior.{l}"), values.clone());
            posterior.layers(&layer.layers, tensors)?;
            let name = taken.free(&format!("z/{l}"));
            groups.push(group(&name, posterior, layer.latents)?);
            values.push((name, layer.latents));
        }
        if groups.is_empty() {
            let posterior = Chain::new(&taken, "posterior", values.clone());
            let name = taken.free("z");
            groups.push(group(&name, posterior, latents)?);
            values.push((name, latents));
        }
        let mut decode = Chain::new(&taken, "decoder", values.split_off(1));
        decode.layers(&self.decoder, tensors)?;
        decode.check_outputs(likelihood.outputs(shape)?)?;
        Ok(Graphs {
            encode: Some(encode.function()),
            start: None,
            groups,
            decode: decode.function(),
            head: self.stages(&taken, likelihood, tensors)?,
            symbols: Vec::new(),
        })
    }

    /// The head, cut where neighbours join.
    fn stages(
        &self,
        taken: &Taken<'_>,
        likelihood: &Likelihood,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<Vec<Stage>> {
        let Some([inputs, _]) = likelihood.head() else {
            return Ok(Vec::new());
        };
        let mut reaches = self.head.iter().filter_map(|layer| match *layer {
            Layer::Neighbours { above, side } => Some([above, side]),
            _ => None,
        });
        let (mut stages, mut inputs, mut reach) = (Vec::new(), inputs, [0, 0]);
        for layers in self
            .head
            .split(|layer| matches!(layer, Layer::Neighbours { .. }))
        {
            let part = format!("head/{}", stages.len());
            let mut chain = Chain::new(taken, &part, vec![(taken.free("pixel"), inputs)]);
            chain.layers(layers, tensors)?;
            let width = chain.width;
            let [above, side] = reach;
            let stage = Stage {
                above,
                side,
                function: chain.function(),
            };
            stages.push(stage);
            if let Some([above, side]) = reaches.next() {
                reach = [above, side];
                let window = Window {
                    channels: width,
                    above,
                    side,
                };
                inputs = (window.count() + 1).saturating_mul(width);
            }
        }
        Ok(stages)
    }
}

/// Latents whose posterior is the two halves of what a chain gives.
fn group(name: &str, mut posterior: Chain<'_>, latents: usize) -> Result<Group> {
    posterior.check_outputs(2 * latents)?;
    posterior.flatten();
    let whole = posterior.last();
    let mut half = |name: &str, start: usize| {
        let op = Op::Slice(ops::Slice {
            start,
            end: start + latents,
        });
        let id = posterior.taken.free(&format!("{}/{name}", posterior.part));
        posterior.nodes.push(Node {
            id: id.clone(),
            op,
            inputs: vec![whole.clone()],
        });
        id
    };
    let outputs = vec![half("mean", 0), half("log_sigma", latents)];
    Ok(Group {
        latents: name.to_owned(),
        shape: vec![latents],
        prior: None,
        posterior: Function {
            outputs,
            ..posterior.function()
        },
        update: None,
    })
}

/// The names of the layers, which values without one of theirs must not have.
struct Taken<'a>(BTreeSet<&'a str>);

impl<'a> Taken<'a> {
    fn new(chains: &'a Chains) -> Self {
        let names = chains.layers().filter_map(|layer| match layer {
            Layer::Dense { name } | Layer::Cells { name, .. } => Some(name.as_str()),
            _ => None,
        });
        Self(names.collect())
    }

    /// The name, or one like it that no layer has.
    fn free(&self, name: &str) -> String {
        let mut free = name.to_owned();
        while self.0.contains(free.as_str()) {
            free.push('\'');
        }
        free
    }
}

/// A chain as it becomes a function.
struct Chain<'a> {
    taken: &'a Taken<'a>,
    part: String,
    /// Names of the inputs.
    inputs: Vec<String>,
    nodes: Vec<Node>,
    /// Number of values after the last node.
    width: usize,
    /// Whether they have one axis.
    flat: bool,
}

impl<'a> Chain<'a> {
    /// Of inputs of one axis, one after another.
    fn new(taken: &'a Taken<'a>, part: &str, inputs: Vec<(String, usize)>) -> Self {
        let width = inputs
            .iter()
            .fold(0usize, |n, (_, width)| n.saturating_add(*width));
        let inputs: Vec<String> = inputs.into_iter().map(|(name, _)| name).collect();
        let mut chain = Self {
            taken,
            part: part.to_owned(),
            inputs: inputs.clone(),
            nodes: Vec::new(),
            width,
            flat: true,
        };
        if inputs.len() > 1 {
            let id = chain.id();
            let op = Op::Concat(ops::Concat {});
            chain.nodes.push(Node { id, op, inputs });
        }
        chain
    }

    /// A name for the next node.
    fn id(&self) -> String {
        (self.taken).free(&format!("{}/{}", self.part, self.nodes.len()))
    }

    /// Name of the last value.
    fn last(&self) -> String {
        let node = self.nodes.last().map(|node| &node.id);
        node.or(self.inputs.first()).cloned().unwrap_or_default()
    }

    fn push(&mut self, id: String, op: Op) {
        let inputs = vec![self.last()];
        self.nodes.push(Node { id, op, inputs });
    }

    fn layers(&mut self, layers: &[Layer], tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        if !matches!(layers.first(), Some(Layer::Dense { .. })) {
            return Err(Error::model("the first layer of a network must be dense"));
        }
        layers
            .iter()
            .try_for_each(|layer| self.layer(layer, tensors))
    }

    fn layer(&mut self, layer: &Layer, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        let (id, op) = match layer {
            Layer::Dense { name } => {
                let outputs = outputs(tensors, name, self.width)?;
                (self.width, self.flat) = (outputs, true);
                (name.clone(), Op::Dense(ops::Dense { outputs }))
            }
            Layer::Cells { name, count } => {
                let count = *count;
                let outputs = outputs(tensors, name, parts(self.width, count, name)?)?;
                (self.width, self.flat) = (outputs.saturating_mul(count), false);
                if self.width > MAX_DIM {
                    return Err(Error::model(format!(
                        "layer {name} has {} outputs; the limit is {MAX_DIM}",
                        self.width
                    )));
                }
                (name.clone(), Op::Cells(ops::Cells { count, outputs }))
            }
            &Layer::Tiles {
                rows,
                columns,
                height,
                width,
            } => {
                self.flat = false;
                let tiles = ops::Tiles {
                    rows,
                    columns,
                    height,
                    width,
                };
                (self.id(), Op::Tiles(tiles))
            }
            other => match other.activation() {
                Some(op) => (self.id(), op),
                None => {
                    return Err(Error::model(
                        "neighbours are between the layers of a head, and nowhere else",
                    ));
                }
            },
        };
        self.push(id, op);
        Ok(())
    }

    /// Gives the values one axis.
    fn flatten(&mut self) {
        if !self.flat {
            let shape = vec![self.width];
            self.push(self.id(), Op::Reshape(ops::Reshape { shape }));
            self.flat = true;
        }
    }

    fn check_outputs(&self, outputs: usize) -> Result<()> {
        if self.width != outputs {
            return Err(Error::model(format!(
                "a network of the model ends with {} outputs; expected {outputs}",
                self.width
            )));
        }
        Ok(())
    }

    fn function(self) -> Function {
        let outputs = vec![self.last()];
        Function {
            inputs: self.inputs,
            nodes: self.nodes,
            outputs,
        }
    }
}

impl Layer {
    /// The operation of an activation.
    pub(crate) fn activation(&self) -> Option<Op> {
        Some(match self {
            Self::Relu => Op::Relu(ops::Relu {}),
            Self::Silu => Op::Silu(ops::Silu {}),
            Self::Tanh => Op::Tanh(ops::Tanh {}),
            Self::Sigmoid => Op::Sigmoid(ops::Sigmoid {}),
            Self::Exp => Op::Exp(ops::Exp {}),
            Self::Elu => Op::Elu(ops::Elu {}),
            Self::Softplus => Op::Softplus(ops::Softplus {}),
            Self::Dense { .. }
            | Self::Cells { .. }
            | Self::Tiles { .. }
            | Self::Neighbours { .. } => {
                return None;
            }
        })
    }
}

/// Number of outputs of a dense layer.
fn outputs(tensors: &BTreeMap<String, Tensor>, name: &str, inputs: usize) -> Result<usize> {
    let bias = format!("{name}.bias");
    let outputs = tensors.get(&bias).map(|bias| bias.values.len());
    let outputs = outputs.ok_or_else(|| {
        Error::model(format!(
            "the model has no tensor {bias}; expected one of shape [outputs]"
        ))
    })?;
    if outputs > MAX_DIM {
        return Err(Error::model(format!(
            "layer {name} has {outputs} outputs; the limit is {MAX_DIM}"
        )));
    }
    tensor(tensors, &format!("{name}.weight"), &[inputs, outputs])?;
    Ok(outputs)
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
