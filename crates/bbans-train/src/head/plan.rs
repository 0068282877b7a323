//! What the causal head is, and where everything lies.

use bbans_nn::{Description, Layer, Likelihood, Window};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::error::{Error, Result};

/// The last layers of a causal model, from the features of cells to the pixels' distributions.
///
/// Images lie in rows of `stride` positions: their width and as many more as a window reaches to
/// the side, which stay 0 and separate a row from the next.
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
    /// Behind all parts.
    pub(super) table: usize,
    pub(super) stride: usize,
    /// Positions around the image that hold 0.
    pub(super) margin: usize,
}

/// A weight `[inputs, outputs]` and a bias `[outputs]` among all weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

/// A hidden layer on a pixel's features and those of its neighbours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) part: Part,
    pub(super) above: usize,
    pub(super) side: usize,
}

impl Part {
    fn end(self) -> usize {
        self.start + (self.inputs + 1) * self.outputs
    }

    /// Weight and bias.
    pub(super) fn of(self, weights: &[f32]) -> (ArrayView2<'_, f32>, &[f32]) {
        let (w, b) = weights[self.start..self.end()].split_at(self.inputs * self.outputs);
        let w = ArrayView2::from_shape((self.inputs, self.outputs), w);
        (w.unwrap_or_else(|_| ArrayView2::from(&[[0.0; 1]; 0])), b)
    }

    /// The same of gradients.
    pub(super) fn of_mut(self, weights: &mut [f32]) -> (ArrayViewMut2<'_, f32>, &mut [f32]) {
        let part = &mut weights[self.start..self.end()];
        let (w, b) = part.split_at_mut(self.inputs * self.outputs);
        let w = ArrayViewMut2::from_shape((self.inputs, self.outputs), w);
        (
            w.unwrap_or_else(|_| ArrayViewMut2::from(&mut [[0.0; 1]; 0])),
            b,
        )
    }
}

impl Block {
    /// Features of one pixel that the layer takes.
    pub(super) fn features(&self) -> usize {
        self.part.inputs / (self.above * (2 * self.side + 1) + self.side + 1)
    }

    /// For every run of neighbours that lie side by side: the first's position relative to the
    /// pixel, how many they are, and the first of their inputs.
    pub(super) fn runs(
        &self,
        stride: usize,
    ) -> impl Iterator<Item = (isize, usize, usize)> + use<> {
        let Self { above, side, .. } = *self;
        let (features, line) = (self.features(), 2 * side + 1);
        (0..=above).map(move |i| {
            let shift = -(((above - i) * stride + side) as isize);
            let count = if i < above { line } else { side + 1 };
            (shift, count, i * line * features)
        })
    }
}

impl Plan {
    /// Of a model with a causal likelihood; `sizes` are inputs and outputs of the layers with
    /// weights from the last of the decoder, if it is one of cells, on.
    ///
    /// # Errors
    /// If the head is of layers that cannot be trained here.
    pub(crate) fn new(description: &Description, sizes: &[[usize; 2]]) -> Result<Self> {
        let (window, levels, embedding) = match description.likelihood {
            Likelihood::CausalBernoulli(window) => (window, 2, None),
            Likelihood::CausalCategorical {
                window,
                levels,
                embedding,
            } => (window, levels, Some(embedding)),
            _ => return Err(Error::new("the likelihood is not causal")),
        };
        let &[height, width] = description.data_shape.as_slice() else {
            return Err(Error::new("a causal likelihood of data that are no images"));
        };
        let unknown = || Error::new("training knows heads of dense layers with silu between them");
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
        let tiles = Self::tiles(description);
        let cells = match tiles {
            Some((count, _)) => Some((count, part()?)),
            None => None,
        };
        let cell = tiles.map_or([1, width], |(_, cell)| cell);
        let offset = |pixel: usize| {
            let (y, x) = (pixel / width, pixel % width);
            let cells = y / cell[0] * (width / cell[1]) + x / cell[1];
            let within = y % cell[0] * cell[1] + x % cell[1];
            (cells * cell[0] * cell[1] + within) * window.channels
        };
        let mut blocks = Vec::new();
        let mut reach = [0, 0];
        let mut layers = description.head.iter().peekable();
        let output = loop {
            match layers.next() {
                Some(&Layer::Neighbours { above, side }) if !blocks.is_empty() => {
                    reach = [above, side]
                }
                Some(Layer::Dense { .. }) if layers.peek().is_none() && reach == [0, 0] => {
                    break part()?;
                }
                Some(Layer::Dense { .. }) if layers.next() == Some(&Layer::Silu) => {
                    let [above, side] = std::mem::take(&mut reach);
                    blocks.push(Block {
                        part: part()?,
                        above,
                        side,
                    });
                }
                _ => return Err(unknown()),
            }
        };
        if blocks.is_empty() {
            return Err(unknown());
        }
        let side = blocks.iter().map(|b| b.side).max().unwrap_or(0);
        let above = blocks.iter().map(|b| b.above).max().unwrap_or(0);
        let stride = width + side;
        Ok(Self {
            height,
            width,
            window,
            levels,
            embedding,
            cells,
            offsets: (0..height * width).map(offset).collect(),
            blocks,
            output,
            table: output.end(),
            stride,
            margin: above * stride + side,
        })
    }

    /// If the decoder ends with cells that are put together: their number, and a cell's rows and
    /// columns.
    pub(crate) fn tiles(description: &Description) -> Option<(usize, [usize; 2])> {
        match description.decoder.as_slice() {
            [
                ..,
                Layer::Cells { count, .. },
                Layer::Tiles { height, width, .. },
            ] => Some((*count, [*height, *width])),
            _ => None,
        }
    }

    pub(super) fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Positions of an image, those that separate its rows included.
    pub(super) fn positions(&self) -> usize {
        self.height * self.stride
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
