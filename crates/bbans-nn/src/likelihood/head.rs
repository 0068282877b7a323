//! Pixels one after another: each one's distribution from its channels and from the pixels before it.

use std::collections::BTreeSet;

use ndarray::Array2;

use crate::description::Stage;
use crate::exact::simd::Path;
use crate::file::ModelFile;
use crate::graph::{Function, Graph, Inputs};
use crate::likelihood::field::Field;
use crate::likelihood::{CausalCategorical, EMBEDDING, Hurdle, Likelihood, Window};
use bbans_core::{Causal, Error, Result, Walk};

/// The network from a pixel's channels and neighbours to its logits: stages, before each but the first
/// of which the features of neighbours join the pixel's own.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    first: Graph,
    rest: Vec<BoundStage>,
    likelihood: Likelihood,
    /// What stands for the levels of neighbours, `[levels, depth]`.
    table: Vec<f32>,
    depth: usize,
}

#[derive(Debug, Clone)]
struct BoundStage {
    /// The neighbours, and as channels the features of one.
    window: Window,
    graph: Graph,
}

impl Head {
    /// The head of a model with a causal likelihood; names of its tensors are added to `used`.
    ///
    /// # Errors
    /// If a tensor is missing or a shape does not fit.
    pub(crate) fn new(
        stages: &[Stage],
        likelihood: Likelihood,
        file: &ModelFile,
        used: &mut BTreeSet<String>,
    ) -> Result<Option<Self>> {
        let (Some([inputs, outputs]), Some((first, others))) =
            (likelihood.head(), stages.split_first())
        else {
            return Ok(None);
        };
        let mut bind = |function: &Function, inputs: usize| {
            let graph = function
                .bind(&[vec![inputs]], &file.tensors, used)
                .map_err(|e| e.context("the head"))?;
            let mut outputs = graph.outputs();
            match (outputs.next(), outputs.next()) {
                (Some(shape), None) => Ok((shape.iter().product(), graph.clone())),
                _ => Err(Error::model(
                    "a stage of the head has several outputs; expected 1",
                )),
            }
        };
        let (mut features, first) = bind(&first.function, inputs)?;
        let mut rest = Vec::new();
        for &Stage {
            above,
            side,
            ref function,
        } in others
        {
            let window = Window {
                channels: features,
                above,
                side,
            };
            let graph;
            (features, graph) = bind(function, (window.count() + 1).saturating_mul(features))?;
            rest.push(BoundStage { window, graph });
        }
        if features != outputs {
            return Err(Error::model(format!(
                "the model's head ends with {features} outputs; expected {outputs}"
            )));
        }
        let (table, depth) = match likelihood {
            Likelihood::CausalCategorical(CausalCategorical {
                levels, embedding, ..
            }) => {
                let table = file.tensor(EMBEDDING, &[levels, embedding])?;
                used.insert(EMBEDDING.to_owned());
                (table.values.clone(), embedding)
            }
            _ => (vec![0.0, 1.0], 1),
        };
        Ok(Some(Self {
            first,
            rest,
            likelihood,
            table,
            depth,
        }))
    }

    /// Multiply-adds of a pixel.
    pub(crate) fn multiply_adds(&self) -> u64 {
        let of_rest = self.rest.iter().map(|stage| stage.graph.multiply_adds());
        of_rest.fold(self.first.multiply_adds(), u64::saturating_add)
    }

    /// Numbers that are kept of an image of this width while it is under way, besides its channels.
    pub(crate) fn kept(&self, window: Window, width: usize) -> usize {
        let pixels = Window {
            channels: self.depth,
            ..window
        };
        let input = window.channels + window.count() * self.depth;
        let fields = self.rest.iter().map(|stage| stage.window);
        let fields = fields.chain([pixels]).map(|w| Field::numbers(w, width));
        fields.fold(input, usize::saturating_add)
    }
}

/// The likelihood of some latents under a causal model: what the decoder gives for the pixels.
#[derive(Debug)]
pub struct Channels<'a> {
    pub(crate) head: &'a Head,
    pub(crate) path: Path,
    pub(crate) window: Window,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// `[pixels * channels, lanes]`.
    pub(crate) values: Array2<f32>,
}

/// Images under way, all lanes at once: the pixels that are known so far.
#[derive(Debug)]
pub struct Images<'a> {
    channels: &'a Channels<'a>,
    /// The next pixel.
    next: usize,
    /// What stands for the pixels, `[depth, lanes]` each.
    pixels: Field,
    /// Of each stage but the last its outputs, `[features, lanes]` each.
    features: Vec<Field>,
    /// Inputs of the first stage, `[inputs, lanes]`.
    input: Vec<f32>,
}

impl Channels<'_> {
    /// `-log p(x)` in each lane, in `f64`, for bounds; `x` gives a lane's symbol of a pixel.
    ///
    /// # Errors
    /// If a network's result is infinite or NaN.
    pub fn nats(&self, x: impl Fn(usize, usize) -> u16) -> Result<Vec<f64>> {
        let (pixels, lanes) = self.dim();
        let (mut images, mut nats) = (self.walk()?, vec![0.0; lanes]);
        let mut column = vec![0; lanes];
        for pixel in 0..pixels {
            for (lane, symbol) in column.iter_mut().enumerate() {
                *symbol = x(lane, pixel);
            }
            images.next()?.add_nats(&column, &mut nats)?;
            images.observe(&column)?;
        }
        Ok(nats)
    }
}

impl Causal for Channels<'_> {
    type Walk<'a>
        = Images<'a>
    where
        Self: 'a;

    fn dim(&self) -> (usize, usize) {
        (self.height * self.width, self.values.ncols())
    }

    /// Images of which no pixel is known.
    fn walk(&self) -> Result<Images<'_>> {
        let lanes = self.values.ncols();
        let field = |window| Field::new(window, self.width, lanes);
        let mut pixels = field(Window {
            channels: self.head.depth,
            ..self.window
        });
        // Beyond the edge pixels are 0.
        let depth = self.head.depth;
        let rows = pixels.values.chunks_exact_mut(lanes.max(1));
        for (row, value) in rows.zip(self.head.table[..depth].iter().cycle()) {
            row.fill(*value);
        }
        let inputs = self.window.channels + self.window.count() * depth;
        Ok(Images {
            channels: self,
            next: 0,
            pixels,
            features: self.head.rest.iter().map(|s| field(s.window)).collect(),
            input: vec![0.0; inputs * lanes],
        })
    }
}

impl Walk for Images<'_> {
    type Next<'a>
        = Hurdle<'a>
    where
        Self: 'a;

    fn next(&mut self) -> Result<Hurdle<'_>> {
        let Channels {
            head,
            path,
            window,
            width,
            ref values,
            ..
        } = *self.channels;
        let lanes = values.ncols();
        let (y, x) = (self.next / width, self.next % width);
        let own = self.next * window.channels * lanes;
        let own = values
            .as_slice()
            .and_then(|v| v.get(own..own + window.channels * lanes));
        let own = own.ok_or_else(|| Error::model("all pixels of the images are known"))?;
        let (to_own, mut rest) = self.input.split_at_mut(own.len());
        to_own.copy_from_slice(own);
        for part in self.pixels.parts(y, x, false) {
            let (to, after) = rest.split_at_mut(part.len());
            to.copy_from_slice(part);
            rest = after;
        }
        let mut before: Option<&Field> = None;
        let mut graph = &head.first;
        for (stage, field) in head.rest.iter().zip(&mut self.features) {
            let features = match before {
                None => graph.run(path, Inputs::Values(&[&self.input]), lanes)?,
                Some(before) => graph.run(path, Inputs::Parts(&before.parts(y, x, true)), lanes)?,
            };
            let features = features.first().map_or(&[][..], |features| features);
            field.pixel_mut(y, x).copy_from_slice(features);
            before = Some(field);
            graph = &stage.graph;
        }
        let hidden = match before {
            None => graph.hidden(path, Inputs::Values(&[&self.input]), lanes)?,
            Some(before) => graph.hidden(path, Inputs::Parts(&before.parts(y, x, true)), lanes)?,
        };
        Ok(Hurdle::new(hidden, path, head.likelihood.levels()))
    }

    fn observe(&mut self, symbols: &[u16]) -> Result<()> {
        let c = self.channels;
        if self.next >= c.height * c.width {
            return Err(Error::model("all pixels of the images are known"));
        }
        let (count, depth) = (c.values.ncols(), c.head.depth);
        let to = self
            .pixels
            .pixel_mut(self.next / c.width, self.next % c.width);
        for (lane, &level) in symbols.iter().enumerate().take(count) {
            let row = usize::from(level) * depth;
            let Some(row) = c.head.table.get(row..row + depth) else {
                return Err(Error::model(format!(
                    "a pixel of level {level}; the model has levels below {}",
                    c.head.likelihood.levels()
                )));
            };
            for (e, value) in row.iter().enumerate() {
                to[e * count + lane] = *value;
            }
        }
        self.next += 1;
        Ok(())
    }
}
