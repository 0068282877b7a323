//! Data under way, one symbol after another.

use ndarray::Array2;

use bbans_core::{Causal, Error, Result, Walk};

use super::{Head, Symbol};
use crate::exact::simd::Path;
use crate::graph::Inputs;
use crate::likelihood::field::Field;

/// The likelihood of some latents: what the decoder gives for the positions.
#[derive(Debug)]
pub struct Positions<'a> {
    pub(crate) head: &'a Head,
    pub(crate) path: Path,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// `[positions * channels, lanes]`.
    pub(crate) values: Array2<f32>,
}

/// Data under way, all lanes at once: what is known so far.
#[derive(Debug)]
pub struct PositionsWalk<'a> {
    of: &'a Positions<'a>,
    /// The next position, and its next symbol.
    position: usize,
    symbol: usize,
    /// Of each stage what it sees of other positions: what stands for their symbols, or outputs of the stage before.
    fields: Vec<Field>,
    /// Inputs of the first stage, `[inputs, lanes]`.
    input: Vec<f32>,
    /// What the functions of symbols take, `[features + numbers, lanes]`: as much as is known.
    known: Vec<f32>,
}

impl Positions<'_> {
    /// `-log p(x)` in each lane, in `f64`, for bounds; `x` gives a lane's symbol of a dimension.
    ///
    /// # Errors
    /// If a network's result is infinite or NaN.
    pub fn nats(&self, x: impl Fn(usize, usize) -> u16) -> Result<Vec<f64>> {
        let (dims, lanes) = self.dim();
        let mut nats = vec![0.0; lanes];
        self.each(x, dims, |symbol, column, _| {
            symbol.add_nats(column, &mut nats)
        })?;
        Ok(nats)
    }

    /// `-log2 p` of every dimension, summed over the lanes, in `f64`.
    ///
    /// # Errors
    /// If a network's result is infinite or NaN.
    pub fn bits_of_dims(&self, x: impl Fn(usize, usize) -> u16) -> Result<Vec<f64>> {
        let (dims, lanes) = self.dim();
        let mut bits = vec![0.0; dims];
        self.each(x, dims, |symbol, column, dim| {
            let mut nats = vec![0.0; lanes];
            symbol.add_nats(column, &mut nats)?;
            bits[dim] = nats.iter().sum::<f64>() / std::f64::consts::LN_2;
            Ok(())
        })?;
        Ok(bits)
    }

    fn each(
        &self,
        x: impl Fn(usize, usize) -> u16,
        dims: usize,
        mut visit: impl FnMut(&Symbol, &[u16], usize) -> Result<()>,
    ) -> Result<()> {
        let mut walk = self.walk()?;
        let mut column = vec![0; self.values.ncols()];
        for dim in 0..dims {
            for (lane, symbol) in column.iter_mut().enumerate() {
                *symbol = x(lane, dim);
            }
            visit(&walk.next()?, &column, dim)?;
            walk.observe(&column)?;
        }
        Ok(())
    }
}

impl Causal for Positions<'_> {
    type Walk<'a>
        = PositionsWalk<'a>
    where
        Self: 'a;

    fn dim(&self) -> (usize, usize) {
        let positions = self.rows * self.columns;
        (positions * self.head.symbols.len(), self.values.ncols())
    }

    fn walk(&self) -> Result<PositionsWalk<'_>> {
        let lanes = self.values.ncols();
        let stages = self.head.stages.iter();
        let inputs = self.head.stages.first();
        let inputs = inputs.map_or(0, |stage| stage.graph.inputs().iter().flatten().sum());
        Ok(PositionsWalk {
            of: self,
            position: 0,
            symbol: 0,
            fields: stages
                .map(|stage| Field::new(stage.window, self.columns, lanes))
                .collect(),
            input: vec![0.0; inputs * lanes],
            known: Vec::new(),
        })
    }
}

impl PositionsWalk<'_> {
    /// What the stages give for the next position.
    fn features(&mut self) -> Result<()> {
        let Positions {
            head,
            path,
            columns,
            ref values,
            ..
        } = *self.of;
        let lanes = values.ncols();
        let (y, x) = (self.position / columns, self.position % columns);
        let channels = head.likelihood.window.channels * lanes;
        let own = self.position * channels;
        let own = values.as_slice().and_then(|v| v.get(own..own + channels));
        let own = own.ok_or_else(all_known)?;
        let (to_own, mut rest) = self.input.split_at_mut(own.len());
        to_own.copy_from_slice(own);
        if let Some(field) = self.fields.first() {
            for part in field.parts(y, x, false) {
                let (to, after) = rest.split_at_mut(part.len());
                to.copy_from_slice(part);
                rest = after;
            }
        }
        let mut features = Vec::new();
        for (i, stage) in head.stages.iter().enumerate() {
            let given = match i {
                0 => stage
                    .graph
                    .run(path, Inputs::Values(&[&self.input]), lanes)?,
                _ => {
                    let field = &mut self.fields[i];
                    field.pixel_mut(y, x).copy_from_slice(&features);
                    let parts = field.parts(y, x, true);
                    stage.graph.run(path, Inputs::Parts(&parts), lanes)?
                }
            };
            features = given.into_iter().next().unwrap_or_default();
        }
        self.known = features;
        Ok(())
    }
}

impl Walk for PositionsWalk<'_> {
    type Next<'a>
        = Symbol
    where
        Self: 'a;

    fn next(&mut self) -> Result<Symbol> {
        if self.symbol == 0 {
            self.features()?;
        }
        let Positions {
            head,
            path,
            ref values,
            ..
        } = *self.of;
        let net = head.symbols.get(self.symbol).ok_or_else(all_known)?;
        let lanes = values.ncols();
        let given = net.graph.run(path, Inputs::Values(&[&self.known]), lanes)?;
        let parameters = given.into_iter().next().unwrap_or_default();
        Ok(Symbol::new(net.kind, path, lanes, parameters))
    }

    fn observe(&mut self, symbols: &[u16]) -> Result<()> {
        let Positions {
            head,
            rows,
            columns,
            ref values,
            ..
        } = *self.of;
        if self.position >= rows * columns {
            return Err(all_known());
        }
        let net = head.symbols.get(self.symbol).ok_or_else(all_known)?;
        let lanes = values.ncols();
        let first = self.known.len();
        for i in 0..net.width() {
            for &symbol in symbols.iter().take(lanes) {
                self.known.push(net.number(symbol, i)?);
            }
        }
        let (y, x) = (self.position / columns, self.position % columns);
        if let Some(field) = self.fields.first_mut() {
            // After those of the symbols before.
            let before: usize = (head.symbols[..self.symbol].iter())
                .map(|net| net.width())
                .sum();
            let numbers = &self.known[first..];
            let to = &mut field.pixel_mut(y, x)[before * lanes..];
            to[..numbers.len()].copy_from_slice(numbers);
        }
        self.symbol += 1;
        if self.symbol == head.symbols.len() {
            (self.symbol, self.position) = (0, self.position + 1);
        }
        Ok(())
    }
}

fn all_known() -> Error {
    Error::model("all symbols of the data are known")
}
