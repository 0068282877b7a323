//! A* coding with dyadic splits, for one latent.
//!
//! The Poisson process of [`crate::PoissonFunctional`] as a tree: the first arrival in all symbols, then
//! the first later arrivals in each half of them, and so on. A part in which no arrival can beat the
//! best is never looked at, so the search ends after about `log2 max(q/p)` steps where `q/p` has one
//! peak. What is sent is the node: its depth, and the path to it. Source: Flamich, Markou &
//! Hernandez-Lobato 2022 (arXiv 2201.12857), AD* coding; A* sampling: Maddison, Tarlow & Minka 2014.
//!
//! Exact: the arrival with the least `t p/q` of the whole process is found, as there.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use bbans_core::distributions::Categorical;
use bbans_core::{Distribution, Error, Message, Result};

use crate::index::{pop_bits, push_bits};
use crate::pair::Pair;
use crate::shared::Shared;
use crate::{Choice, Code};

/// A* coding for one latent of `2^depth` symbols.
#[derive(Debug, Clone)]
pub struct DyadicSplits {
    depths: Categorical,
    max_depth: u32,
}

/// A place of the tree: `2^depth` plus the path.
type Node = u64;

/// Two words for the symbol, two for the waiting time.
const WORDS: usize = 4;

impl DyadicSplits {
    /// For latents of `2^max_depth` symbols; `depth_weights` are how often a depth, from 0 on, is
    /// sent, which is fixed per model. A depth that has no weight gets a small one.
    ///
    /// # Errors
    /// If `max_depth` is above 16, or a weight is no weight.
    pub fn new(max_depth: u32, depth_weights: &[f64]) -> Result<Self> {
        if max_depth > 16 {
            return Err(Error::invalid_argument(format!(
                "2^{max_depth} symbols; expected at most 2^16"
            )));
        }
        let weight = |d| depth_weights.get(d as usize).copied().unwrap_or(0.0) + 1e-3;
        let weights: Vec<f64> = (0..=max_depth).map(weight).collect();
        Ok(Self {
            depths: Categorical::from_weights(&weights)?,
            max_depth,
        })
    }

    /// The symbols below a node.
    fn symbols(&self, node: Node) -> (u32, u32) {
        let depth = node.ilog2();
        let width = 1 << (self.max_depth - depth);
        let first = (node - (1 << depth)) as u32 * width;
        (first, first + width)
    }
}

/// An arrival whose part of the tree is still to be searched.
struct Arrival {
    /// No arrival below comes before this.
    bound: f64,
    time: f64,
    node: Node,
}

impl PartialEq for Arrival {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Arrival {}

impl PartialOrd for Arrival {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Arrival {
    /// The least bound is the greatest: it comes first out of the heap.
    fn cmp(&self, other: &Self) -> Ordering {
        let order = other.bound.total_cmp(&self.bound);
        order.then(other.node.cmp(&self.node))
    }
}

/// Masses of a prior below each symbol, of 2^24.
fn start(p: &Categorical, symbol: u32) -> u32 {
    let interval = p.interval(&symbol);
    interval.map_or(bbans_core::TOTAL_MASS, |i| i.start())
}

/// The first symbol that arrives in a node, drawn from the prior there; `None` if it has no mass.
fn draw(p: &Categorical, (first, end): (u32, u32), shared: &mut Shared) -> Option<u32> {
    let (low, high) = (start(p, first), start(p, end));
    let quantile = low + (shared.uniform() * f64::from(high - low)) as u32;
    (high > low).then(|| p.locate(quantile.min(high - 1)).0)
}

impl Code for DyadicSplits {
    type Index = u64;

    /// `None` unless there is one latent, of `2^max_depth` symbols that all have mass in the prior.
    fn choose(&self, latents: &[Pair], shared: &mut Shared) -> Result<Option<Choice<u64>>> {
        let [pair] = latents else { return Ok(None) };
        let (p, ratios) = (pair.prior(), pair.ratios());
        let whole = (0..p.count() as u32).all(|s| p.interval(&s).is_some());
        if p.count() != 1 << self.max_depth || !whole {
            return Ok(None);
        }
        // The greatest ratio below each node.
        let leaves = ratios.len();
        let mut greatest = vec![0.0f64; 2 * leaves];
        greatest[leaves..].copy_from_slice(ratios);
        for node in (1..leaves).rev() {
            greatest[node] = greatest[2 * node].max(greatest[2 * node + 1]);
        }
        let mut heap = BinaryHeap::new();
        let (mut best, mut found, mut candidates) = (f64::INFINITY, (0, 0), 0);
        let arrive = |node: Node, after: f64, shared: &mut Shared| -> Result<(Arrival, u32)> {
            shared.seek(node, WORDS)?;
            let (first, end) = self.symbols(node);
            let symbol = draw(p, (first, end), shared).unwrap_or(first);
            let mass =
                f64::from(start(p, end) - start(p, first)) / f64::from(bbans_core::TOTAL_MASS);
            let time = after + shared.exponential() / mass;
            let bound = time / greatest[node as usize];
            Ok((Arrival { bound, time, node }, symbol))
        };
        let mut pending = vec![(1, 0.0)];
        loop {
            for (node, after) in pending.drain(..) {
                let (arrival, symbol) = arrive(node, after, shared)?;
                candidates += 1;
                let ratio = ratios[symbol as usize];
                if ratio > 0.0 && arrival.time / ratio < best {
                    best = arrival.time / ratio;
                    found = (node, symbol);
                }
                heap.push(arrival);
            }
            match heap.pop() {
                Some(next) if next.bound < best => {
                    // Below a single symbol later arrivals are only later.
                    if next.node.ilog2() < self.max_depth {
                        let children = [2 * next.node, 2 * next.node + 1];
                        pending.extend(children.map(|child| (child, next.time)));
                    }
                }
                _ => break,
            }
        }
        Ok(Some(Choice {
            z: vec![found.1],
            index: found.0,
            candidates,
        }))
    }

    fn push(&self, message: &mut Message, &node: &u64) -> Result<()> {
        let depth = node.checked_ilog2().filter(|&d| d <= self.max_depth);
        let depth = depth.ok_or_else(|| Error::invalid_argument("no node of the tree"))?;
        push_bits(message, depth, node - (1 << depth))?;
        let interval = self.depths.interval(&depth);
        message.push(
            0,
            interval.ok_or_else(|| Error::invalid_argument("no depth of the tree"))?,
        )
    }

    fn pop(&self, message: &mut Message, _: &mut Shared) -> Result<u64> {
        let depth = message.pop(0, &self.depths)?;
        Ok(1 << depth | pop_bits(message, depth)?)
    }

    fn receive(&self, prior: &[Categorical], &node: &u64, shared: &mut Shared) -> Result<Vec<u32>> {
        shared.seek(node, WORDS)?;
        let symbol = |p| draw(p, self.symbols(node), shared);
        let symbols: Option<Vec<u32>> = prior.iter().map(symbol).collect();
        symbols.ok_or_else(|| Error::corruption("part 1 names a node without mass"))
    }
}
