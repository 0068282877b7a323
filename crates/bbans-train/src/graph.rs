//! A function of a description as it is trained.

use std::collections::BTreeMap;

use bbans_nn::graph::Function;
use bbans_nn::ops::{Op, Shape};
use candle_core::Tensor;
use candle_nn::VarBuilder;

use crate::error::{Error, Result};
use crate::ops;

/// A function with its parameters: nodes take values by their numbers, the inputs first.
pub(crate) struct Graph {
    steps: Vec<Step>,
    outputs: Vec<usize>,
}

struct Step {
    op: Op,
    inputs: Vec<usize>,
    tensors: Vec<Tensor>,
}

/// A node, the shapes of its inputs, and its tensors' names with theirs.
pub(crate) struct Site<'a> {
    pub op: &'a Op,
    pub inputs: Vec<&'a [usize]>,
    pub output: &'a [usize],
    pub tensors: Vec<(String, Shape)>,
}

/// Calls `f` at every node of a function on inputs of these shapes, with what it gives; gives the shapes of its outputs.
///
/// # Errors
/// If it is no graph, or an input does not fit its node, which is named.
pub(crate) fn walk(
    function: &Function,
    inputs: &[Shape],
    mut f: impl FnMut(&Site<'_>) -> Result<()>,
) -> Result<Vec<Shape>> {
    function.check()?;
    let mut shapes: BTreeMap<&str, Shape> = BTreeMap::new();
    for (name, shape) in function.inputs.iter().zip(inputs) {
        shapes.insert(name, shape.clone());
    }
    for node in &function.nodes {
        let of_inputs = node.inputs.iter().map(|name| of_value(&shapes, name));
        let of_inputs = of_inputs.collect::<Result<Vec<_>>>()?;
        let operation = node.op.operation();
        let output = operation.output(&of_inputs);
        let output = output.map_err(|e| e.context(format!("node {}", node.id)))?;
        let specs = operation.tensors(&of_inputs).into_iter();
        f(&Site {
            op: &node.op,
            inputs: of_inputs,
            output: &output,
            tensors: specs
                .map(|(part, shape)| (format!("{}.{part}", node.id), shape))
                .collect(),
        })?;
        shapes.insert(&node.id, output);
    }
    let outputs = function.outputs.iter();
    outputs
        .map(|name| of_value(&shapes, name).map(<[usize]>::to_vec))
        .collect()
}

fn of_value<'a>(shapes: &'a BTreeMap<&str, Shape>, name: &str) -> Result<&'a [usize]> {
    let shape = shapes.get(name).map(Vec::as_slice);
    shape.ok_or_else(|| Error::new(format!("{name} is no value that comes before it")))
}

impl Graph {
    /// The function with the parameters that its nodes name.
    ///
    /// # Errors
    /// If one is missing or of another shape.
    pub(crate) fn new(
        function: &Function,
        inputs: &[Shape],
        vars: &VarBuilder<'_>,
    ) -> Result<Self> {
        let names = function
            .inputs
            .iter()
            .chain(function.nodes.iter().map(|node| &node.id));
        let numbers: BTreeMap<&str, usize> = names.map(String::as_str).zip(0..).collect();
        let number = |name: &String| {
            let number = numbers.get(name.as_str()).copied();
            number.ok_or_else(|| Error::new(format!("{name} is no value of a function")))
        };
        let mut tensors = Vec::with_capacity(function.nodes.len());
        walk(function, inputs, |site| {
            let of_node = site.tensors.iter();
            let of_node = of_node.map(|(name, shape)| vars.get(shape.as_slice(), name));
            tensors.push(of_node.collect::<candle_core::Result<Vec<_>>>()?);
            Ok(())
        })?;
        let steps = function.nodes.iter().zip(tensors).map(|(node, tensors)| {
            Ok(Step {
                op: node.op.clone(),
                inputs: node.inputs.iter().map(number).collect::<Result<_>>()?,
                tensors,
            })
        });
        Ok(Self {
            steps: steps.collect::<Result<_>>()?,
            outputs: function.outputs.iter().map(number).collect::<Result<_>>()?,
        })
    }

    /// The parameters of its nodes.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.steps.iter().flat_map(|step| &step.tensors)
    }

    /// The outputs, of inputs `[shape.., lanes]`.
    pub(crate) fn run(&self, inputs: &[Tensor], lanes: usize) -> Result<Vec<Tensor>> {
        let mut values = inputs.to_vec();
        for step in &self.steps {
            let of_node: Vec<Tensor> = step.inputs.iter().map(|&i| values[i].clone()).collect();
            values.push(ops::forward(&step.op, &of_node, &step.tensors, lanes)?);
        }
        Ok(self.outputs.iter().map(|&i| values[i].clone()).collect())
    }
}
