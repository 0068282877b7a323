//! A function with the shapes of its inputs and its tensors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::exact::dense::PANEL;
use crate::file::Tensor;
use crate::graph::Function;
use crate::ops::{Kernel, Op, Shape};
use bbans_core::{Error, Result};

/// Most multiply-adds for a datum: a minute, about.
pub(crate) const MAX_MULTIPLY_ADDS: u64 = 1 << 41;

/// A function that is ready to be computed.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Shapes of all values: of the inputs, then of the nodes.
    pub(super) shapes: Vec<Shape>,
    pub(super) inputs: usize,
    pub(super) steps: Vec<Computation>,
    pub(super) outputs: Vec<usize>,
    /// Numbers of a lane that are held at a time, at most.
    pub(super) held: usize,
    /// The same without the last node's.
    pub(super) held_before_last: usize,
    multiply_adds: u64,
    cost: Cost,
}

/// What binding a function takes of the limits.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Multiply-adds for a datum, and [`EACH`] for every number that goes into a node or comes out.
    pub work: u64,
    /// Weights as kernels hold them: the last axis filled up to [`PANEL`].
    pub weights: u64,
}

impl Cost {
    /// Both together.
    ///
    /// # Errors
    /// If they are beyond a limit.
    pub(crate) fn add(self, other: Self) -> Result<Self> {
        let work = self.work.saturating_add(other.work);
        let weights = self.weights.saturating_add(other.weights);
        if work > MAX_MULTIPLY_ADDS {
            return Err(Error::model(format!(
                "with it a datum takes {work} multiply-adds; the limit is {MAX_MULTIPLY_ADDS}, where each \
                 number that a node takes or gives counts {EACH}"
            )));
        }
        if weights > MAX_WEIGHTS {
            return Err(Error::model(format!(
                "with it the model has {weights} weights; the limit is {MAX_WEIGHTS}, where outputs count as a \
                 multiple of {PANEL}"
            )));
        }
        Ok(Self { work, weights })
    }
}

/// What a number that goes into a node or comes out of it counts, in multiply-adds.
const EACH: u64 = 32;
/// Most weights of a model as kernels hold them: four gigabytes.
const MAX_WEIGHTS: u64 = 1 << 30;

/// The computation of a node's value.
#[derive(Debug, Clone)]
pub(super) struct Computation {
    pub kernel: Arc<dyn Kernel>,
    /// Its inputs' numbers.
    pub inputs: Vec<usize>,
    /// Values that nobody needs after it.
    pub last: Vec<usize>,
}

impl Function {
    /// The function for inputs of these shapes, with the tensors that its nodes name; their names are added to
    /// `used`.
    ///
    /// # Errors
    /// If the graph is none, a node's inputs or tensors do not fit it, or it computes too much; the node is named.
    pub fn bind(
        &self,
        inputs: &[Shape],
        tensors: &BTreeMap<String, Tensor>,
        used: &mut BTreeSet<String>,
    ) -> Result<Graph> {
        let (wires, outputs) = self.wires()?;
        if inputs.len() != self.inputs.len() {
            return Err(Error::model(format!(
                "{} values for a function of {} inputs",
                inputs.len(),
                self.inputs.len()
            )));
        }
        let shapes = inputs.iter().cloned().map(crate::ops::checked);
        let mut shapes = shapes.collect::<Result<Vec<_>>>()?;
        let (mut steps, mut multiply_adds) = (Vec::with_capacity(wires.len()), 0u64);
        let mut cost = Cost::default();
        for (node, wires) in self.nodes.iter().zip(wires) {
            let of_node: Vec<&[usize]> = wires.iter().map(|&i| &shapes[i][..]).collect();
            let in_node = |e: Error| e.context(format!("node {}", node.id));
            let bound = bind_node(&node.id, &node.op, &of_node, tensors, used, &mut cost)
                .map_err(in_node)?;
            multiply_adds = multiply_adds.saturating_add(bound.multiply_adds);
            shapes.push(bound.output);
            steps.push(Computation {
                kernel: bound.kernel,
                inputs: wires,
                last: Vec::new(),
            });
        }
        let [held, held_before_last] = lives(&shapes, inputs.len(), &mut steps, &outputs);
        Ok(Graph {
            shapes,
            inputs: inputs.len(),
            steps,
            outputs,
            held,
            held_before_last,
            multiply_adds,
            cost,
        })
    }
}

struct Bound {
    output: Shape,
    kernel: Arc<dyn Kernel>,
    multiply_adds: u64,
}

fn bind_node(
    id: &str,
    op: &Op,
    inputs: &[&[usize]],
    tensors: &BTreeMap<String, Tensor>,
    used: &mut BTreeSet<String>,
    cost: &mut Cost,
) -> Result<Bound> {
    let operation = op.operation();
    let output = operation.output(inputs)?;
    let multiply_adds = operation.multiply_adds(inputs);
    let specs = operation.tensors(inputs);
    let numbers = |shape: &[usize]| shape.iter().product::<usize>() as u64;
    let taken = inputs.iter().map(|shape| numbers(shape)).sum::<u64>() + numbers(&output);
    let packed = |shape: &Shape| match &shape[..] {
        [rows @ .., last] if !rows.is_empty() => {
            let last = last.next_multiple_of(PANEL) as u64;
            rows.iter()
                .fold(last, |n, &size| n.saturating_mul(size as u64))
        }
        other => numbers(other),
    };
    // Before anything is made of it.
    *cost = cost.add(Cost {
        work: multiply_adds.saturating_add(EACH.saturating_mul(taken)),
        weights: specs
            .iter()
            .map(|(_, shape)| packed(shape))
            .fold(0, u64::saturating_add),
    })?;
    let mut of_node = Vec::new();
    for (part, shape) in specs {
        let name = format!("{id}.{part}");
        of_node.push(crate::file::tensor(tensors, &name, &shape)?);
        if !used.insert(name) {
            // Its weights would be in memory as often as a text of a few bytes says.
            return Err(Error::model(format!(
                "two nodes of the model have the name {id}; expected one for each name"
            )));
        }
    }
    Ok(Bound {
        kernel: operation.kernel(inputs, &of_node)?.into(),
        multiply_adds,
        output,
    })
}

/// Notes which values nobody needs after a step; gives the most numbers that are held at a
/// time, in all and before the last step.
fn lives(
    shapes: &[Shape],
    inputs: usize,
    steps: &mut [Computation],
    outputs: &[usize],
) -> [usize; 2] {
    let size = |value: usize| shapes[value].iter().product::<usize>();
    let mut seen: BTreeSet<usize> = outputs.iter().copied().collect();
    for step in steps.iter_mut().rev() {
        let unseen = step.inputs.iter().filter(|&&value| seen.insert(value));
        step.last = unseen.copied().collect();
    }
    let mut now: usize = (0..inputs).map(size).fold(0, usize::saturating_add);
    let (mut most, mut before_last) = (now, now);
    for (i, step) in steps.iter().enumerate() {
        now = now.saturating_add(size(inputs + i));
        before_last = most;
        most = most.max(now);
        now -= step.last.iter().map(|&value| size(value)).sum::<usize>();
    }
    [most, before_last]
}

impl Graph {
    /// Shapes of the outputs.
    pub fn outputs(&self) -> impl Iterator<Item = &[usize]> {
        self.outputs.iter().map(|&value| &self.shapes[value][..])
    }

    /// Shapes of the inputs.
    pub fn inputs(&self) -> &[Shape] {
        &self.shapes[..self.inputs]
    }

    /// What it takes of the limits.
    pub(crate) fn cost(&self) -> Cost {
        self.cost
    }

    /// Multiplications with weights for a datum.
    pub fn multiply_adds(&self) -> u64 {
        self.multiply_adds
    }
}
