//! Pixels one after another: each one's distribution from its channels and from the pixels before it.

use ndarray::Array2;

use crate::description::{Layer, Likelihood, Window};
use crate::exact::math;
use crate::exact::simd::Path;
use crate::file::ModelFile;
use crate::network::{Hidden, Network};
use bbans_core::{Error, Result};

/// The network from a pixel's channels and neighbours to its logits: stages, before each but the first
/// of which the features of neighbours join the pixel's own.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    first: Network,
    rest: Vec<Stage>,
    likelihood: Likelihood,
    /// What stands for the levels of neighbours, `[levels, depth]`.
    table: Vec<f32>,
    depth: usize,
}

#[derive(Debug, Clone)]
struct Stage {
    /// The neighbours, and as channels the features of one.
    window: Window,
    network: Network,
}

impl Head {
    /// The head of a model with a causal likelihood.
    ///
    /// # Errors
    /// If a tensor is missing or a shape does not fit.
    pub(crate) fn new(
        layers: &[Layer],
        likelihood: Likelihood,
        file: &ModelFile,
    ) -> Result<Option<Self>> {
        let Some([inputs, outputs]) = likelihood.head() else {
            return Ok(None);
        };
        let mut stages = layers.split(|layer| matches!(layer, Layer::Neighbours { .. }));
        let first = Network::of_layers(stages.next().unwrap_or_default(), file, inputs)?;
        let mut features = first.outputs();
        let mut rest = Vec::new();
        let reaches = layers.iter().filter_map(|layer| match *layer {
            Layer::Neighbours { above, side } => Some([above, side]),
            _ => None,
        });
        for (layers, [above, side]) in stages.zip(reaches) {
            let window = Window {
                channels: features,
                above,
                side,
            };
            let inputs = (window.count() + 1).saturating_mul(features);
            let network = Network::of_layers(layers, file, inputs)?;
            features = network.outputs();
            rest.push(Stage { window, network });
        }
        if features != outputs {
            return Err(Error::model(format!(
                "the model's head ends with {features} outputs; expected {outputs}"
            )));
        }
        let (table, depth) = match likelihood {
            Likelihood::CausalCategorical {
                levels, embedding, ..
            } => {
                let shape = [levels, embedding];
                let table = file.tensor(crate::description::EMBEDDING, &shape)?;
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

/// Numbers for the pixels of the row under way and of those above that a window sees, and what is
/// beyond the edge. A new row takes the place of the one that is no longer seen.
#[derive(Debug)]
struct Field {
    values: Vec<f32>,
    /// The window in which they are looked at; its channels are how many of them a pixel has.
    window: Window,
    /// Pixels from a row to the next.
    stride: usize,
    lanes: usize,
}

impl Field {
    fn new(window: Window, width: usize, lanes: usize) -> Self {
        Self {
            values: vec![0.0; Self::numbers(window, width) * lanes],
            window,
            stride: width + 2 * window.side,
            lanes,
        }
    }

    /// How many numbers there are for a lane.
    fn numbers(window: Window, width: usize) -> usize {
        let pixels = (1 + window.above) * (width + 2 * window.side);
        pixels.saturating_mul(window.channels)
    }

    /// Numbers of a pixel.
    fn each(&self) -> usize {
        self.window.channels * self.lanes
    }

    /// Where a pixel's begin.
    fn start(&self, y: usize, x: usize) -> usize {
        let row = y % (1 + self.window.above);
        (row * self.stride + self.window.side + x) * self.each()
    }

    fn pixel_mut(&mut self, y: usize, x: usize) -> &mut [f32] {
        let (start, each) = (self.start(y, x), self.each());
        &mut self.values[start..start + each]
    }

    /// The pixels of the window, and with `own` the pixel itself: those of a row are one part.
    fn parts(&self, y: usize, x: usize, own: bool) -> Vec<&[f32]> {
        let Window { above, side, .. } = self.window;
        let part = |dy: usize| {
            // Rows above the first one are 0 still.
            let first = self.start(y + 1 + above - dy, x) - side * self.each();
            let count = if dy > 0 {
                2 * side + 1
            } else {
                side + usize::from(own)
            };
            &self.values[first..first + count * self.each()]
        };
        (0..=above).rev().map(part).collect()
    }
}

impl Channels<'_> {
    /// Number of symbols of a pixel.
    pub fn levels(&self) -> usize {
        self.head.likelihood.levels()
    }

    /// Numbers of pixels and of lanes.
    pub fn dim(&self) -> (usize, usize) {
        (self.height * self.width, self.values.ncols())
    }

    /// Images of which no pixel is known.
    pub fn images(&self) -> Images<'_> {
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
        Images {
            channels: self,
            next: 0,
            pixels,
            features: self.head.rest.iter().map(|s| field(s.window)).collect(),
            input: vec![0.0; inputs * lanes],
        }
    }
}

impl Images<'_> {
    /// The distribution of the next pixel, given those that are known.
    ///
    /// # Errors
    /// If all pixels are known, or a network's result is infinite or NaN.
    pub fn next_pixel(&mut self) -> Result<Pixel<'_>> {
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
        let mut network = &head.first;
        for (stage, field) in head.rest.iter().zip(&mut self.features) {
            let features = match before {
                None => network.forward_parts(path, &[&self.input], lanes)?,
                Some(before) => network.forward_parts(path, &before.parts(y, x, true), lanes)?,
            };
            let features = features.as_slice().unwrap_or_default();
            field.pixel_mut(y, x).copy_from_slice(features);
            before = Some(field);
            network = &stage.network;
        }
        let hidden = match before {
            None => network.forward_hidden_parts(path, &[&self.input], lanes)?,
            Some(before) => network.forward_hidden_parts(path, &before.parts(y, x, true), lanes)?,
        };
        Ok(Pixel {
            hidden,
            path,
            levels: head.likelihood.levels(),
        })
    }

    /// Makes the next pixel known: its level in each lane.
    ///
    /// # Errors
    /// If all pixels are known, or the model does not have such a level.
    pub fn set(&mut self, lanes: impl Iterator<Item = u8>) -> Result<()> {
        let c = self.channels;
        if self.next >= c.height * c.width {
            return Err(Error::model("all pixels of the images are known"));
        }
        let (count, depth) = (c.values.ncols(), c.head.depth);
        let to = self
            .pixels
            .pixel_mut(self.next / c.width, self.next % c.width);
        for (lane, level) in lanes.take(count).enumerate() {
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

/// The distribution of a pixel in all lanes.
#[derive(Debug)]
pub struct Pixel<'a> {
    hidden: Hidden<'a>,
    path: Path,
    levels: usize,
}

impl Pixel<'_> {
    /// Some of the pixel's logits, of `0` (above 0 or not) to `levels - 1` (that value if above 0; of
    /// two levels there is the first alone), `[logits.len(), lanes]`.
    ///
    /// # Errors
    /// If the network's result is infinite or NaN.
    pub fn logits(&self, logits: std::ops::Range<usize>) -> Result<Vec<f32>> {
        let mut out = vec![0.0; logits.len() * self.hidden.lanes()];
        self.hidden.outputs(logits, &mut out)?;
        Ok(out)
    }

    /// Masses, of `2^24`, of a level above 0, into `masses`, `[lanes]`.
    ///
    /// # Errors
    /// As [`Pixel::logits`].
    pub fn masses_above_zero<T>(
        &self,
        masses: &mut Vec<T>,
        of_mass: impl Fn(u32) -> T,
    ) -> Result<()> {
        let logits = self.logits(0..1)?;
        masses.clear();
        masses.extend(logits.iter().map(|&l| of_mass(math::bernoulli_mass(l))));
        Ok(())
    }

    /// The tables of the level less 1, if it is above 0, in some lanes, into `starts`,
    /// `[levels, lanes.len()]`: see [`Likelihood::starts`].
    ///
    /// # Errors
    /// As [`Pixel::logits`].
    pub fn starts_above_zero(&self, lanes: &[usize], starts: &mut Vec<u32>) -> Result<()> {
        let all = self.logits(1..self.levels)?;
        let rows = all.chunks_exact(self.hidden.lanes().max(1));
        let logits: Vec<f32> = rows.flat_map(|row| lanes.iter().map(|&l| row[l])).collect();
        starts.resize(self.levels * lanes.len(), 0);
        let levels = self.levels - 1;
        Likelihood::Categorical { levels }.starts(self.path, &logits, starts)?;
        Ok(())
    }
}
