//! What the causal head is, and where everything lies.

use bbans_nn::description::Stage;
use bbans_nn::likelihood::CausalCategorical;
use bbans_nn::ops::{Cells, Op, Tiles};
use bbans_nn::{Likelihood, Window};

use super::planes::Layout;
use crate::error::{Error, Result};

/// The last layers of a causal model, from the features of cells to the pixels' distributions.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) window: Window,
    /// Number of symbols of a pixel.
    pub(super) levels: usize,
    /// Numbers that stand for a neighbour's level; none if it is its own number.
    pub(super) embedding: Option<usize>,
    /// Number of cells, and the layer that makes the channels of each of its features.
    pub(super) cells: Option<(usize, Part)>,
    /// Where a pixel's channels begin among those of its image.
    pub(super) offsets: Vec<usize>,
    /// The hidden layers, silu behind each.
    pub(super) blocks: Vec<Block>,
    /// The last layer.
    pub(super) output: Part,
    /// Where the embedding begins, behind all parts.
    pub(super) table: usize,
    pub(super) layout: Layout,
    /// Of every pixel, in its plane.
    pub(super) positions: Vec<usize>,
}

/// A weight `[inputs, outputs]` and a bias `[outputs]` among all weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

/// A hidden layer.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) part: Part,
    /// Its inputs, in order.
    pub(super) groups: Vec<Group>,
}

/// Inputs of a hidden layer: for each offset, of some planes the positions that lie there.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) first_plane: usize,
    pub(super) planes: usize,
    pub(super) offsets: Vec<isize>,
    /// Number of the first of the inputs.
    pub(super) first_input: usize,
}

impl Part {
    fn end(self) -> usize {
        self.start + (self.inputs + 1) * self.outputs
    }

    /// Weight and bias.
    pub(super) fn of(self, weights: &[f32]) -> (&[f32], &[f32]) {
        weights[self.start..self.end()].split_at(self.inputs * self.outputs)
    }

    /// The same of gradients.
    pub(super) fn of_mut(self, weights: &mut [f32]) -> (&mut [f32], &mut [f32]) {
        weights[self.start..self.end()].split_at_mut(self.inputs * self.outputs)
    }
}

impl Block {
    /// Where its inputs begin in the planes that it takes.
    pub(super) fn starts(&self, layout: Layout) -> Vec<usize> {
        let of_group =
            |g: &Group| layout.starts(g.first_plane, g.planes, g.offsets.iter().copied());
        self.groups.iter().flat_map(of_group).collect()
    }
}

impl Plan {
    /// Of a causal likelihood of images of this shape. `cells` are what the decoder ends with, if it is cells that are
    /// put together; `sizes` are inputs and outputs of the layers with weights, from the cells on.
    ///
    /// # Errors
    /// If the head is of operations that are not fused.
    pub(crate) fn new(
        likelihood: Likelihood,
        shape: &[usize],
        cells: Option<(&Cells, &Tiles)>,
        stages: &[Stage],
        sizes: &[[usize; 2]],
    ) -> Result<Self> {
        let (window, levels, embedding) = match likelihood {
            Likelihood::CausalBernoulli(window) => (window, 2, None),
            Likelihood::CausalCategorical(CausalCategorical {
                window,
                levels,
                embedding,
            }) => (window, levels, Some(embedding)),
            _ => return Err(Error::new("the likelihood is not causal")),
        };
        let &[height, width] = shape else {
            return Err(Error::new("a causal likelihood of data that are no images"));
        };
        let unknown = || Error::new("a fused head is of dense layers with silu between them");
        let mut sizes = sizes.iter();
        let mut start = 0;
        let mut part = || -> Result<Part> {
            let &[inputs, outputs] = sizes.next().ok_or_else(unknown)?;
            let part = Part {
                start,
                inputs,
                outputs,
            };
            start = part.end();
            Ok(part)
        };
        let tiles = cells;
        let whole = |t: &Tiles| [t.rows * t.height, t.columns * t.width] == [height, width];
        if tiles.is_some_and(|(_, tiles)| !whole(tiles)) {
            return Err(unknown());
        }
        let cells = match tiles {
            Some((cells, _)) => Some((cells.count, part()?)),
            None => None,
        };
        let cell = tiles.map_or([1, width], |(_, tiles)| [tiles.height, tiles.width]);
        let offset = |pixel: usize| {
            let (y, x) = (pixel / width, pixel % width);
            let cells = y / cell[0] * (width / cell[1]) + x / cell[1];
            let within = y % cell[0] * cell[1] + x % cell[1];
            (cells * cell[0] * cell[1] + within) * window.channels
        };
        // What each hidden layer sees: a window of pixels, or of features and itself.
        let (mut parts, mut windows) = (Vec::new(), vec![window]);
        let of_features = |above, side| Window {
            channels: 0,
            above,
            side,
        };
        let mut output = None;
        for (s, stage) in stages.iter().enumerate() {
            if s > 0 {
                windows.push(of_features(stage.above, stage.side));
            }
            let ops: Vec<&Op> = stage.function.nodes.iter().map(|node| &node.op).collect();
            if ops.is_empty() {
                return Err(unknown());
            }
            for pair in ops.chunks(2) {
                if output.is_some() || !matches!(pair[0], Op::Dense(_)) {
                    return Err(unknown());
                }
                match pair.get(1) {
                    Some(Op::Silu(_)) => {
                        parts.push(part()?);
                        if windows.len() < parts.len() {
                            windows.push(of_features(0, 0));
                        }
                    }
                    None => output = Some(part()?),
                    _ => return Err(unknown()),
                }
            }
        }
        let output = output.filter(|_| !parts.is_empty() && windows.len() == parts.len());
        let output = output.ok_or_else(unknown)?;
        let above = windows.iter().map(|w| w.above).max().unwrap_or(0);
        let side = windows.iter().map(|w| w.side).max().unwrap_or(0);
        let layout = Layout::new(height, width, above, side);
        let block = |(i, (&part, window)): (usize, (&Part, &Window))| {
            let offset = |(dy, dx): (isize, isize)| dy * layout.stride as isize + dx;
            let neighbours = window.neighbours().map(offset);
            let groups = match i {
                // Channels and then pixels.
                0 => vec![
                    Group {
                        first_plane: 0,
                        planes: window.channels,
                        offsets: vec![0],
                        first_input: 0,
                    },
                    Group {
                        first_plane: window.channels,
                        planes: embedding.unwrap_or(1),
                        offsets: neighbours.collect(),
                        first_input: window.channels,
                    },
                ],
                _ => vec![Group {
                    first_plane: 0,
                    planes: part.inputs / (window.count() + 1),
                    offsets: neighbours.chain([0]).collect(),
                    first_input: 0,
                }],
            };
            Block { part, groups }
        };
        let blocks = parts.iter().zip(&windows).enumerate();
        Ok(Self {
            height,
            width,
            window,
            levels,
            embedding,
            cells,
            offsets: (0..height * width).map(offset).collect(),
            blocks: blocks.map(block).collect(),
            output,
            table: output.end(),
            layout,
            positions: (0..height * width)
                .map(|pixel| pixel / width * layout.stride + pixel % width)
                .collect(),
        })
    }

    pub(super) fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Numbers that stand for a neighbour.
    pub(super) fn depth(&self) -> usize {
        self.embedding.unwrap_or(1)
    }

    /// What the decoder gives for an image before the head: features of cells or channels.
    pub(super) fn features(&self) -> usize {
        let channels = self.pixels() * self.window.channels;
        self.cells
            .map_or(channels, |(count, part)| count * part.inputs)
    }

    /// Number of weights, biases and embedded numbers.
    pub(super) fn weights(&self) -> usize {
        self.table + self.embedding.map_or(0, |e| self.levels * e)
    }
}
