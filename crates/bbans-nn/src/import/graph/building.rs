//! A function as it is built from layers.

use std::collections::{BTreeMap, BTreeSet};

use super::{Model, Names};
use crate::graph::{Function, Node};
use crate::import::layer::{ArchLayer, GraphLayer};
use crate::import::linear::Linear;
use crate::ops::{self, Op, Shape};
use bbans_core::{Error, Result};

/// A function as it is built.
#[derive(Default)]
pub(super) struct Building {
    /// For names of nodes, and for messages.
    pub(super) part: String,
    /// What it may take.
    pub(super) known: Names,
    pub(super) inputs: Vec<String>,
    pub(super) nodes: Vec<Node>,
    pub(super) outputs: Vec<String>,
    /// Of its inputs and nodes.
    pub(super) shapes: BTreeMap<String, Shape>,
    /// Names that its own layers give.
    pub(super) named: BTreeMap<String, String>,
    /// A layer that is still to be rounded: batch norm may follow.
    pub(super) pending: Option<Pending>,
}

/// A layer of weights that batch norm may still be folded into.
pub(super) struct Pending {
    pub(super) id: String,
    pub(super) op: Op,
    pub(super) input: String,
    pub(super) linear: Linear,
    /// Shape of the weight but for its last axis, the outputs.
    pub(super) rows: Vec<usize>,
}

impl Building {
    pub(super) fn new(part: &str, known: Names) -> Self {
        Self {
            part: part.to_owned(),
            known,
            ..Self::default()
        }
    }

    pub(super) fn function(self, outputs: Vec<String>) -> Function {
        Function {
            inputs: self.inputs,
            nodes: self.nodes,
            outputs,
        }
    }

    /// Adds those of its nodes that others take to its outputs.
    pub(super) fn export(&mut self, taken: &BTreeSet<&String>) {
        for node in &self.nodes {
            if taken.contains(&node.id) && !self.outputs.contains(&node.id) {
                self.outputs.push(node.id.clone());
            }
        }
    }

    /// Takes an input back that no node turned out to use.
    pub(super) fn drop_unused_input(&mut self, input: &str) {
        let used = self
            .nodes
            .iter()
            .any(|n| n.inputs.iter().any(|i| i == input));
        if !used {
            self.inputs.retain(|i| i != input);
        }
    }

    /// The value of a name.
    pub(super) fn from(&mut self, name: &str) -> Result<String> {
        if let Some(id) = self.named.get(name) {
            return Ok(id.clone());
        }
        let Some((id, shape)) = self.known.get(name).cloned() else {
            let known = self.named.keys().chain(self.known.keys());
            let known: Vec<&str> = known.map(String::as_str).collect();
            return Err(Error::model(format!(
                "no value {name}; there are: {}",
                known.join(", ")
            )));
        };
        if !self.inputs.contains(&id) {
            self.inputs.push(id.clone());
            self.shapes.insert(id.clone(), shape);
        }
        Ok(id)
    }

    /// The value as one of its nodes, so that it may be an output.
    pub(super) fn own(&mut self, model: &mut Model<'_, '_>, id: String) -> Result<String> {
        if !self.inputs.contains(&id) {
            return Ok(id);
        }
        let shape = self.shapes[&id].clone();
        self.push(model, "", Op::Reshape(ops::Reshape { shape }), vec![id])
    }

    /// A node; without a name it gets one.
    pub(super) fn push(
        &mut self,
        model: &mut Model<'_, '_>,
        name: &str,
        op: Op,
        inputs: Vec<String>,
    ) -> Result<String> {
        let id = match name {
            "" => model.unique(&format!("{}/{}", self.part, self.nodes.len())),
            name => model.unique(name),
        };
        self.push_node(id, op, inputs)
    }

    pub(super) fn push_node(&mut self, id: String, op: Op, inputs: Vec<String>) -> Result<String> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|i| &self.shapes[i][..]).collect();
        let shape = op.operation().output(&shapes)?;
        self.shapes.insert(id.clone(), shape);
        let node = Node {
            id: id.clone(),
            op,
            inputs,
        };
        self.nodes.push(node);
        Ok(id)
    }

    /// The value after some layers.
    pub(super) fn layers(
        &mut self,
        model: &mut Model<'_, '_>,
        steps: &[ArchLayer],
        current: Option<&str>,
    ) -> Result<String> {
        let last = self.branch(model, steps, current);
        last.map_err(|e| e.context(self.part.clone()))
    }

    /// The same within others.
    pub(super) fn branch(
        &mut self,
        model: &mut Model<'_, '_>,
        steps: &[ArchLayer],
        current: Option<&str>,
    ) -> Result<String> {
        let last = self.unsettled(model, steps, current)?;
        self.settle(model)?;
        Ok(last)
    }

    /// The same, where the last layer may be pending.
    pub(super) fn unsettled(
        &mut self,
        model: &mut Model<'_, '_>,
        steps: &[ArchLayer],
        current: Option<&str>,
    ) -> Result<String> {
        let mut current = current.map(str::to_owned);
        for (i, step) in steps.iter().enumerate() {
            let next = self.step(model, step, current.as_deref());
            current = Some(next.map_err(|e| e.context(format!("layer {i}")))?);
        }
        current.ok_or_else(|| {
            Error::model("no layers, and no value to begin with; expected {\"from\": NAME} first")
        })
    }

    fn step(
        &mut self,
        model: &mut Model<'_, '_>,
        step: &ArchLayer,
        current: Option<&str>,
    ) -> Result<String> {
        if let (ArchLayer::Identity, Some(current)) = (step, current) {
            return Ok(current.to_owned());
        }
        // Of linear_rows the rows are the channels, which are not its outputs.
        if let (ArchLayer::BatchNorm(options), Some(pending)) = (step, &mut self.pending)
            && !matches!(pending.op, Op::Cells(_))
        {
            let affine = model
                .weights
                .batch_norm(options, pending.linear.outputs())?;
            pending.linear.fold_outputs(&affine);
            return Ok(pending.id.clone());
        }
        self.settle(model)?;
        // Layers that need no value to begin with.
        match step {
            ArchLayer::Graph(GraphLayer::From(name)) => return self.from(name),
            ArchLayer::Graph(GraphLayer::Constant(name)) => {
                let (shape, values) = model.weights.any(name)?;
                let op = Op::Constant(ops::Constant {
                    shape: shape.clone(),
                });
                let id = self.push(model, name, op, Vec::new())?;
                model.add_tensor(format!("{id}.value"), shape, &values)?;
                return Ok(id);
            }
            ArchLayer::Graph(GraphLayer::Branches(op, lists)) => {
                let branches = lists.iter().map(|steps| self.branch(model, steps, current));
                let branches = branches.collect::<Result<Vec<_>>>()?;
                return self.join(model, op, branches);
            }
            _ => {}
        }
        let current = current.ok_or_else(|| {
            Error::model("no value to begin with; expected {\"from\": NAME} first")
        })?;
        match step {
            ArchLayer::Linear(options) => {
                let inputs = self.shapes[current].iter().product();
                let linear = model.weights.linear(options, inputs, None)?;
                let op = Op::Dense(ops::Dense {
                    outputs: linear.outputs(),
                });
                self.wait(model, &options.linear, op, current, linear, vec![inputs])
            }
            ArchLayer::BatchNorm(options) => {
                let channels = self.shapes[current].first().copied().unwrap_or(0);
                let affine = model.weights.batch_norm(options, channels)?;
                self.affine(model, &options.batch_norm, current, &affine)
            }
            ArchLayer::Activation(layer) => {
                let op = layer
                    .activation()
                    .ok_or_else(|| Error::model("no activation"))?;
                self.push(model, "", op, vec![current.to_owned()])
            }
            ArchLayer::Identity => Ok(current.to_owned()),
            ArchLayer::Flatten => self.flatten(model, current),
            ArchLayer::Graph(step) => self.graph_layer(model, step, current),
        }
    }
}
