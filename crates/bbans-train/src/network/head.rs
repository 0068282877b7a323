//! The head of a causal likelihood, fused where it can be.

use std::sync::Arc;

use bbans_nn::description::Graphs;
use bbans_nn::graph::{Function, Node};
use bbans_nn::likelihood::{CausalCategorical, EMBEDDING};
use bbans_nn::ops::Op;
use bbans_nn::{Description, Likelihood, Window};
use candle_core::{Device, Tensor};

use super::parameters::{Parameters, lock, width};
use super::positions::Positions;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::graph::{Graph, walk};
use crate::head::{Derivatives, Plan, Stage, causal_nats, nats_of_tensors};
use crate::objective::{self, Unit};

/// From what the decoder gives to the nats of the data.
pub(super) enum Head {
    /// The likelihood is not causal; the units that its parameters are in, if not its own.
    None(Option<Vec<Unit>>),
    /// One operation with its parameters.
    Fused(Arc<Plan>, Vec<Tensor>),
    /// Stages, and what stands for levels.
    Stages(Vec<Stage>, Option<Tensor>),
    /// One symbol after another.
    Positions(Positions),
}

impl Head {
    /// The head of a model, whose parameters are drawn.
    pub(super) fn new(
        graphs: &Graphs,
        likelihood: Likelihood,
        shape: &[usize],
        parameters: &mut Parameters<'_>,
        fuse: bool,
    ) -> Result<Self> {
        if let Likelihood::Autoregressive(likelihood) = likelihood {
            return Positions::new(graphs, likelihood, shape, parameters).map(Self::Positions);
        }
        let Some([mut inputs, _]) = likelihood.head() else {
            return Ok(Self::None(None));
        };
        let before = parameters.numbers;
        let mut stages = Vec::with_capacity(graphs.head.len());
        for (s, stage) in graphs.head.iter().enumerate() {
            let in_stage = |e: Error| e.context(format!("stage {s} of the head"));
            let shapes = [vec![inputs]];
            let outputs = walk(&stage.function, &shapes, |site| parameters.draw(site));
            let outputs = outputs.map_err(in_stage)?;
            let graph = Graph::new(&stage.function, &shapes, &parameters.builder());
            stages.push(Stage {
                above: stage.above,
                side: stage.side,
                graph: graph.map_err(in_stage)?,
            });
            let next = graphs
                .head
                .get(s + 1)
                .map_or([0, 0], |next| [next.above, next.side]);
            let seen = Window {
                channels: 0,
                above: next[0],
                side: next[1],
            };
            inputs = (seen.count() + 1).saturating_mul(width(&outputs));
        }
        let mut embedding = None;
        if let Likelihood::CausalCategorical(CausalCategorical {
            levels,
            embedding: depth,
            ..
        }) = likelihood
        {
            parameters.draw_embedding(EMBEDDING, levels, depth)?;
            embedding = Some(parameters.builder().get((levels, depth), EMBEDDING)?);
        }
        let fused = match fuse {
            true => fused(graphs, likelihood, shape, parameters)?,
            false => None,
        };
        match fused {
            Some((plan, tensors)) => Ok(Self::Fused(Arc::new(plan), tensors)),
            None => {
                // Every pixel has them, beside those of its neighbours.
                let pixels = shape.iter().product::<usize>();
                let of_head = (parameters.numbers - before).saturating_mul(2 * pixels);
                parameters.numbers = before.saturating_add(of_head);
                Ok(Self::Stages(stages, embedding))
            }
        }
    }

    /// `-log p(x|z)` of each lane, `[lanes]`, given what the decoder has of them.
    pub(super) fn nats(
        &self,
        description: &Description,
        decoded: &Tensor,
        batch: &Batch,
        derivatives: Derivatives,
    ) -> Result<Tensor> {
        let likelihood = description.likelihood;
        Ok(match self {
            Self::None(units) => {
                let differentiable = derivatives != Derivatives::None;
                objective::nats(
                    likelihood,
                    decoded,
                    units.as_deref(),
                    &batch.columns,
                    differentiable,
                )?
            }
            Self::Positions(positions) => positions.nats(decoded, batch, derivatives)?,
            Self::Fused(plan, weights) => {
                let flat = weights.iter().map(Tensor::flatten_all);
                let flat = flat.collect::<candle_core::Result<Vec<_>>>()?;
                let weights = Tensor::cat(&flat, 0)?;
                causal_nats(plan, &batch.rows, decoded, &weights, derivatives)?
            }
            Self::Stages(stages, embedding) => {
                let levels = batch.columns.iter().map(|&v| f32::from(v)).collect();
                let shape = [&description.data_shape[..], &[batch.lanes]].concat();
                let x = Tensor::from_vec(levels, shape, &Device::Cpu)?;
                let x = x.to_device(decoded.device())?;
                nats_of_tensors(likelihood, &x, decoded, stages, embedding.as_ref())?
            }
        })
    }
}

/// What a decoder ends with, if that is cells that are put together and nobody else takes them.
fn cells(decode: &Function) -> Option<(&Node, &Node)> {
    let [.., cells, tiles] = &decode.nodes[..] else {
        return None;
    };
    let takers = decode
        .nodes
        .iter()
        .flat_map(|node| &node.inputs)
        .chain(&decode.outputs);
    let alone = takers.filter(|name| **name == cells.id).count() == 1;
    let ends = tiles.inputs[..] == [cells.id.clone()] && decode.outputs[..] == [tiles.id.clone()];
    let are = matches!((&cells.op, &tiles.op), (Op::Cells(_), Op::Tiles(_)));
    (alone && ends && are).then_some((cells, tiles))
}

/// A decoder without the cells that it ends with.
pub(super) fn trunk(decode: &Function) -> Option<Function> {
    let (cells, _) = cells(decode)?;
    Some(Function {
        inputs: decode.inputs.clone(),
        nodes: decode.nodes[..decode.nodes.len() - 2].to_vec(),
        outputs: cells.inputs.clone(),
    })
}

/// The plan of a head that can be one operation on a CPU, and its parameters.
fn fused(
    graphs: &Graphs,
    likelihood: Likelihood,
    shape: &[usize],
    parameters: &Parameters<'_>,
) -> Result<Option<(Plan, Vec<Tensor>)>> {
    // The nodes of a stage must be a chain.
    let chained = |function: &Function| {
        let ids = function.nodes.iter().map(|node| &node.id);
        let before = function.inputs.iter().take(1).chain(ids);
        let mut links = function.nodes.iter().zip(before);
        links.all(|(node, before)| node.inputs[..] == [before.clone()])
    };
    let all_chained = graphs.head.iter().all(|stage| chained(&stage.function));
    let vars = lock(&parameters.vars);
    if !all_chained {
        return Ok(None);
    }
    let cells = cells(&graphs.decode);
    let of_head = graphs.head.iter().flat_map(|stage| &stage.function.nodes);
    let layers = (cells.iter().map(|(cells, _)| *cells)).chain(of_head);
    let (mut sizes, mut tensors) = (Vec::new(), Vec::new());
    for layer in layers.filter(|node| matches!(node.op, Op::Dense(_) | Op::Cells(_))) {
        for part in ["weight", "bias"] {
            let var = vars.get(&format!("{}.{part}", layer.id));
            let var = var.ok_or_else(|| Error::new(format!("no tensor of {}", layer.id)))?;
            if let [inputs, outputs] = *var.dims() {
                sizes.push([inputs, outputs]);
            }
            tensors.push(var.as_tensor().clone());
        }
    }
    tensors.extend(vars.get(EMBEDDING).map(|var| var.as_tensor().clone()));
    let cells = match cells.map(|(cells, tiles)| (&cells.op, &tiles.op)) {
        Some((Op::Cells(cells), Op::Tiles(tiles))) => Some((cells, tiles)),
        _ => None,
    };
    // What is not fused is composed.
    let plan = Plan::new(likelihood, shape, cells, &graphs.head, &sizes);
    Ok(plan.ok().map(|plan| (plan, tensors)))
}
