//! The head of a likelihood of one symbol after another: where all are known, a position is to its functions what a lane
//! is to others.

use std::ops::Range;
use std::sync::Arc;

use bbans_nn::Window;
use bbans_nn::description::{Graphs, Scaling, SymbolHead};
use bbans_nn::likelihood::{Autoregressive, Kind};
use candle_core::{Device, Tensor, Var};

use super::parameters::{Parameters, width};
use super::units;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::graph::{Graph, walk};
use crate::head::Derivatives;
use crate::neighbours::neighbours;
use crate::objective::{self, OfSymbol, Shared, Unit};

/// Columns, of all positions of some lanes, whose values stay in a processor's own cache.
const COLUMNS: usize = 1024;

/// The functions of positions and of their symbols.
pub(crate) struct Positions {
    likelihood: Autoregressive,
    rows: usize,
    columns: usize,
    stages: Vec<Stage>,
    symbols: Vec<Symbol>,
}

struct Stage {
    window: Window,
    graph: Graph,
}

struct Symbol {
    objective: Shared,
    levels: usize,
    scaling: Scaling,
    units: Option<Vec<Unit>>,
    /// What stands for it, `[levels, width]`; none: a number.
    embedding: Option<Tensor>,
    graph: Graph,
}

impl Positions {
    pub(super) fn new(
        graphs: &Graphs,
        likelihood: Autoregressive,
        shape: &[usize],
        parameters: &mut Parameters<'_>,
    ) -> Result<Self> {
        let [rows, columns] = likelihood.grid(shape)?;
        let before = parameters.numbers;
        let depth: usize = graphs.symbols.iter().map(SymbolHead::width).sum();
        let mut own = likelihood.window.channels;
        let mut window = Window {
            channels: depth,
            ..likelihood.window
        };
        let mut stages = Vec::with_capacity(graphs.head.len());
        for (s, stage) in graphs.head.iter().enumerate() {
            if s > 0 {
                window = Window {
                    channels: own,
                    above: stage.above,
                    side: stage.side,
                };
            }
            let inputs = window
                .count()
                .saturating_mul(window.channels)
                .saturating_add(own);
            let of_stage = |e: Error| e.context(format!("stage {s} of the head"));
            let shapes = [vec![inputs]];
            let outputs = walk(&stage.function, &shapes, |site| parameters.draw(site));
            own = width(&outputs.map_err(of_stage)?);
            let graph = Graph::new(&stage.function, &shapes, &parameters.builder());
            stages.push(Stage {
                window,
                graph: graph.map_err(of_stage)?,
            });
        }
        let mut known = 0;
        let mut symbols = Vec::with_capacity(graphs.symbols.len());
        for (i, symbol) in graphs.symbols.iter().enumerate() {
            let of_symbol = |e: Error| e.context(format!("symbol {i} of a position"));
            let shapes = [vec![own + known]];
            let objective: Shared = Arc::new(OfSymbol {
                kind: symbol.distribution,
                scaling: symbol.scaling,
            });
            let mut units = Some(objective.units());
            match units
                .as_ref()
                .and_then(|units| units::of_layers(&symbol.function, &shapes, units))
            {
                Some(layers) => parameters.end_in(layers),
                None => units = None,
            }
            let drawn = walk(&symbol.function, &shapes, |site| parameters.draw(site));
            drawn.map_err(of_symbol)?;
            let levels = symbol.distribution.levels();
            let embedding = match symbol.embedding {
                0 => None,
                width => {
                    let name = SymbolHead::embedding_name(i);
                    parameters.draw_table(&name, levels, width)?;
                    Some(parameters.builder().get((levels, width), &name)?)
                }
            };
            let graph = Graph::new(&symbol.function, &shapes, &parameters.builder());
            symbols.push(Symbol {
                objective,
                levels,
                scaling: symbol.scaling,
                units,
                embedding,
                graph: graph.map_err(of_symbol)?,
            });
            known += symbol.width();
        }
        // Every position has them.
        let of_head = (parameters.numbers - before).saturating_mul(rows * columns);
        parameters.numbers = before.saturating_add(of_head);
        Ok(Self {
            likelihood,
            rows,
            columns,
            stages,
            symbols,
        })
    }

    /// Data, `[dims, count]`, as the numbers that stand for them.
    pub(crate) fn scaled(&self, x: &[u16], count: usize) -> Result<Vec<f32>> {
        let mut numbers = Vec::with_capacity(x.len());
        for (column, symbol) in x.chunks_exact(count).zip(self.symbols.iter().cycle()) {
            let beyond = column.iter().find(|&&x| usize::from(x) >= symbol.levels);
            if let Some(x) = beyond {
                return Err(Error::new(format!(
                    "found the value {x}; expected 0 to {}, the levels of this symbol",
                    symbol.levels - 1
                )));
            }
            numbers.extend(column.iter().map(|&x| symbol.scaling.number(x)));
        }
        Ok(numbers)
    }

    /// `-log p(x|z)` of each lane, `[lanes]`, given what the decoder has of the positions.
    pub(super) fn nats(
        &self,
        decoded: &Tensor,
        batch: &Batch,
        derivatives: Derivatives,
    ) -> Result<Tensor> {
        let positions = self.rows * self.columns;
        let at_a_time = (COLUMNS / positions).max(1);
        let each = derivatives != Derivatives::Backward && decoded.device().is_cpu();
        if !each || batch.lanes <= at_a_time {
            let differentiable = derivatives != Derivatives::None;
            return self.nats_of_lanes(decoded, batch, 0..batch.lanes, differentiable);
        }
        let decoded = decoded.reshape(((), batch.lanes))?;
        let parts = (0..batch.lanes).step_by(at_a_time);
        let parts = parts.map(|first| first..batch.lanes.min(first + at_a_time));
        if derivatives == Derivatives::None {
            let of_part = |part: Range<usize>| {
                let of_part = decoded.narrow(1, part.start, part.len())?;
                self.nats_of_lanes(&of_part, batch, part, false)
            };
            let nats: Vec<Tensor> = parts.map(of_part).collect::<Result<_>>()?;
            return Ok(Tensor::cat(&nats, 0)?);
        }
        self.nats_of_parts(&decoded, batch, parts)
    }

    /// The same of some lanes after others, each with its derivatives at once, while all that they need is near: lanes
    /// count alike.
    fn nats_of_parts(
        &self,
        decoded: &Tensor,
        batch: &Batch,
        parts: impl Iterator<Item = Range<usize>>,
    ) -> Result<Tensor> {
        let parameters: Vec<&Tensor> = self.parameters().collect();
        let mut by_parameters: Vec<Option<Tensor>> = vec![None; parameters.len()];
        let (mut nats, mut by_decoded) = (Vec::new(), Vec::new());
        for part in parts {
            let own = decoded.detach().narrow(1, part.start, part.len())?;
            let own = Var::from_tensor(&own.contiguous()?)?;
            let of_part = self.nats_of_lanes(&own, batch, part, true)?;
            let mut grads = of_part.sum_all()?.backward()?;
            // candle's gradients keep a graph of their own, which is not wanted.
            let mut by = |of: &Tensor| grads.remove(of).map(|by| by.detach());
            for (sum, parameter) in by_parameters.iter_mut().zip(&parameters) {
                *sum = match (sum.take(), by(parameter)) {
                    (Some(sum), Some(by)) => Some((sum + by)?),
                    (sum, by) => sum.or(by),
                };
            }
            by_decoded.push(match by(&own) {
                Some(by) => by,
                None => own.zeros_like()?,
            });
            nats.push(of_part.detach());
        }
        // A function with these derivatives, and the value 0.
        let mut moved = (decoded * Tensor::cat(&by_decoded, 1)?)?.sum(0)?;
        for (parameter, by) in parameters.iter().zip(by_parameters) {
            if let Some(by) = by {
                let of_all = ((*parameter * by)?.sum_all()? / batch.lanes as f64)?;
                moved = moved.broadcast_add(&of_all)?;
            }
        }
        let moved = (&moved - moved.detach())?;
        Ok((Tensor::cat(&nats, 0)? + moved)?)
    }

    /// Of these lanes, which `decoded` has alone.
    fn nats_of_lanes(
        &self,
        decoded: &Tensor,
        batch: &Batch,
        part: Range<usize>,
        differentiable: bool,
    ) -> Result<Tensor> {
        let (rows, columns, lanes) = (self.rows, self.columns, part.len());
        let (positions, each) = (rows * columns, rows * columns * lanes);
        let channels = self.likelihood.window.channels;
        let columns_of = self.columns_of(batch, part);
        let known: Vec<Tensor> = (self.symbols.iter().zip(&columns_of))
            .map(|(symbol, x)| symbol.numbers(x, decoded.device()))
            .collect::<Result<_>>()?;
        let own = decoded.reshape((positions, channels, lanes))?;
        let own = own
            .transpose(0, 1)?
            .contiguous()?
            .reshape((channels, each))?;
        let mut features = own;
        for (s, stage) in self.stages.iter().enumerate() {
            let grid = [rows, columns, lanes];
            let input = match s {
                0 if stage.window.count() == 0 => features,
                0 => {
                    let all = Tensor::cat(&known, 0)?;
                    let seen = neighbours(&all, stage.window, grid)?;
                    Tensor::cat(&[features, seen], 0)?
                }
                _ if stage.window.count() == 0 => features,
                _ => {
                    let seen = neighbours(&features, stage.window, grid)?;
                    Tensor::cat(&[seen, features], 0)?
                }
            };
            features = one(stage.graph.run(&[input], each)?)?.reshape(((), each))?;
        }
        let mut total: Option<Tensor> = None;
        for (i, (symbol, x)) in self.symbols.iter().zip(&columns_of).enumerate() {
            let mut parts = vec![features.clone()];
            parts.extend_from_slice(&known[..i]);
            let input = match i {
                0 => features.clone(),
                _ => Tensor::cat(&parts, 0)?,
            };
            let given = one(symbol.graph.run(&[input], each)?)?;
            let nats = objective::nats_of(
                symbol.objective.clone(),
                &given,
                symbol.units.as_deref(),
                x,
                differentiable,
            )?;
            let nats = nats.reshape((positions, lanes))?.sum(0)?;
            total = Some(match total {
                None => nats,
                Some(total) => (total + nats)?,
            });
        }
        total.ok_or_else(|| Error::new("a position without symbols"))
    }

    /// All that is trained.
    fn parameters(&self) -> impl Iterator<Item = &Tensor> {
        let of_stages = self.stages.iter().flat_map(|stage| stage.graph.tensors());
        let of_symbols = self
            .symbols
            .iter()
            .flat_map(|symbol| symbol.graph.tensors().chain(&symbol.embedding));
        of_stages.chain(of_symbols)
    }

    /// Of each symbol of a position all its values in these lanes, `[positions, lanes]`.
    fn columns_of(&self, batch: &Batch, part: Range<usize>) -> Vec<Arc<[u16]>> {
        let (count, lanes) = (self.symbols.len(), batch.lanes);
        let of_symbol = |i: usize| {
            let rows = batch.columns.chunks_exact(lanes).skip(i).step_by(count);
            rows.flat_map(|row| &row[part.clone()]).copied().collect()
        };
        (0..count).map(of_symbol).collect()
    }
}

impl Symbol {
    /// What stands for values of it, `[width, values]`.
    fn numbers(&self, x: &[u16], device: &Device) -> Result<Tensor> {
        match &self.embedding {
            None => {
                let numbers = x.iter().map(|&x| self.scaling.number(x));
                Ok(Tensor::from_vec(numbers.collect(), (1, x.len()), device)?)
            }
            Some(table) => {
                let rows: Vec<u32> = x.iter().map(|&x| u32::from(x)).collect();
                let rows = Tensor::from_vec(rows, x.len(), device)?;
                Ok(table.index_select(&rows, 0)?.t()?.contiguous()?)
            }
        }
    }
}

fn one(mut outputs: Vec<Tensor>) -> Result<Tensor> {
    match (outputs.pop(), outputs.is_empty()) {
        (Some(output), true) => Ok(output),
        _ => Err(Error::new(
            "a function of a head gives other than one value",
        )),
    }
}
