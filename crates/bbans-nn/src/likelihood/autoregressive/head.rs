//! The networks of a likelihood of one symbol after another, bound to their tensors.

use std::collections::BTreeSet;

use ndarray::ArrayView2;

use super::symbol::no_level;
use super::{Autoregressive, SymbolKind};
use crate::description::{Graphs, Scaling, SymbolHead};
use crate::file::ModelFile;
use crate::graph::Graph;
use crate::likelihood::{Kind, Window};
use bbans_core::{Error, Result};

/// The networks from what is known to the parameters of symbols: stages for each position, before each but the first
/// of which the features of neighbours join the position's own; and then a function for each of its symbols.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(super) likelihood: Autoregressive,
    pub(super) stages: Vec<Stage>,
    pub(super) symbols: Vec<SymbolNet>,
}

/// A stage.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    /// The neighbours, and as channels the features of one; of the first stage the likelihood's window.
    pub(super) window: Window,
    pub(super) graph: Graph,
}

/// What is computed for a symbol.
#[derive(Debug, Clone)]
pub(super) struct SymbolNet {
    pub(super) kind: SymbolKind,
    pub(super) graph: Graph,
    pub(super) scaling: Scaling,
    /// What stands for it in the head, `[levels, width]`, unless it is the one number.
    embedding: Option<(Vec<f32>, usize)>,
}

impl SymbolNet {
    /// How many numbers stand for a symbol.
    pub(super) fn width(&self) -> usize {
        self.embedding.as_ref().map_or(1, |(_, width)| *width)
    }

    /// Number `i` of those that stand for a symbol.
    ///
    /// # Errors
    /// If the symbol is beyond the levels.
    #[inline(always)]
    pub(super) fn number(&self, symbol: u16, i: usize) -> Result<f32> {
        if usize::from(symbol) >= self.kind.levels() {
            return Err(no_level(symbol));
        }
        let of_table = |(table, width): &(Vec<f32>, usize)| {
            let number = table.get(usize::from(symbol) * width + i);
            number.copied().ok_or_else(|| no_level(symbol))
        };
        match &self.embedding {
            None => Ok(self.scaling.number(symbol)),
            Some(table) => of_table(table),
        }
    }
}

impl Head {
    /// The head of a model with such a likelihood; names of its tensors are added to `used`.
    ///
    /// # Errors
    /// If a tensor is missing or a shape does not fit.
    pub(crate) fn new(
        graphs: &Graphs,
        likelihood: Autoregressive,
        file: &ModelFile,
        used: &mut BTreeSet<String>,
    ) -> Result<Self> {
        let depth = graphs.symbols.iter().map(SymbolHead::width).sum();
        let mut stages = Vec::with_capacity(graphs.head.len());
        let (mut window, mut own) = (
            Window {
                channels: depth,
                ..likelihood.window
            },
            likelihood.window.channels,
        );
        for (i, stage) in graphs.head.iter().enumerate() {
            if i > 0 {
                window = Window {
                    channels: own,
                    above: stage.above,
                    side: stage.side,
                };
            }
            let inputs = (window.count().saturating_mul(window.channels)).saturating_add(own);
            let graph = (stage.function)
                .bind(&[vec![inputs]], &file.tensors, used)
                .map_err(|e| e.context(format!("stage {i} of the head")))?;
            own = one_output(&graph)?;
            stages.push(Stage { window, graph });
        }
        let mut known = 0;
        let mut symbols = Vec::with_capacity(graphs.symbols.len());
        for (i, symbol) in graphs.symbols.iter().enumerate() {
            let in_symbol = |e: Error| e.context(format!("symbol {i} of a position"));
            let graph = (symbol.function)
                .bind(&[vec![own + known]], &file.tensors, used)
                .map_err(in_symbol)?;
            let (found, expected) = (
                one_output(&graph).map_err(in_symbol)?,
                symbol.distribution.parameters(),
            );
            if found != expected {
                return Err(in_symbol(Error::model(format!(
                    "a function of {found} outputs; expected {expected}, the parameters of its distribution"
                ))));
            }
            let levels = symbol.distribution.levels();
            let embedding = match symbol.embedding {
                0 => None,
                width => {
                    let name = SymbolHead::embedding_name(i);
                    let table = file.tensor(&name, &[levels, width])?.values.clone();
                    used.insert(name);
                    Some((table, width))
                }
            };
            known += symbol.width();
            symbols.push(SymbolNet {
                kind: symbol.distribution,
                graph,
                scaling: symbol.scaling,
                embedding,
            });
        }
        Ok(Self {
            likelihood,
            stages,
            symbols,
        })
    }

    /// Data, `[lanes, dims]`, as the numbers that stand for them, `[dims, lanes]`: what the encoder takes.
    ///
    /// # Errors
    /// If a symbol is beyond its levels.
    pub(crate) fn scaled(&self, x: ArrayView2<'_, u16>) -> Result<Vec<f32>> {
        let mut numbers = Vec::with_capacity(x.len());
        for (column, net) in x.columns().into_iter().zip(self.symbols.iter().cycle()) {
            for &symbol in column {
                if usize::from(symbol) >= net.kind.levels() {
                    return Err(no_level(symbol));
                }
                numbers.push(net.scaling.number(symbol));
            }
        }
        Ok(numbers)
    }

    /// Multiply-adds of a position.
    pub(crate) fn multiply_adds(&self) -> u64 {
        let of_stages = self.stages.iter().map(|stage| stage.graph.multiply_adds());
        let of_symbols = (self.symbols.iter()).map(|symbol| symbol.graph.multiply_adds());
        of_stages.chain(of_symbols).fold(0, u64::saturating_add)
    }

    /// Numbers that are kept of a datum of so many columns while it is under way, besides its channels.
    pub(crate) fn kept(&self, columns: usize) -> usize {
        let fields = self.stages.iter().map(|stage| {
            let Window {
                channels,
                above,
                side,
            } = stage.window;
            let positions = (1 + above) * (columns + 2 * side);
            positions.saturating_mul(channels)
        });
        let inputs = self.stages.iter().map(|stage| stage.graph.inputs());
        let inputs = inputs.flatten().flatten().copied();
        fields.chain(inputs).fold(0, usize::saturating_add)
    }
}

fn one_output(graph: &Graph) -> Result<usize> {
    let mut outputs = graph.outputs();
    match (outputs.next(), outputs.next()) {
        (Some(shape), None) => Ok(shape.iter().product()),
        _ => Err(Error::model(
            "a function of a head with several outputs; expected 1",
        )),
    }
}
