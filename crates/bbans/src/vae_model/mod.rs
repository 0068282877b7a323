//! A variational autoencoder as a latent-variable model.

use std::ops::Range;

use bbans_core::distributions::{
    Bernoulli, Bins, GaussianBin, Table, Tables, Tabulated, gaussian_bins, uniform_bins,
};
use bbans_core::{Codec, Columns, Distribution, Error, Independent, LatentModel, Message, Result};
use bbans_nn::simd::Path;
use bbans_nn::{Channels, Decoded, Inference, Likelihood, Posterior, Vae};
use ndarray::{Array2, ArrayView2, Axis, Slice};

use crate::file_model::FileModel;

/// A variational autoencoder: `p(z)` uniform over bins of equal mass, `q(z|x)` a diagonal Gaussian
/// over them, or of each layer of latents given those above, `p(x|z)` Bernoulli or another that the
/// model file names.
#[derive(Debug, Clone)]
pub struct VaeModel {
    vae: Vae,
    bins: Bins,
}

impl VaeModel {
    /// The model of a file that `bbans train` wrote.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Model`] if the bytes are no model.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::new(Vae::from_bytes(bytes)?)
    }

    /// The model of networks that were read already.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Model`] if its bins are none.
    pub fn new(vae: Vae) -> Result<Self> {
        let bins = Bins::new(vae.edges())?;
        Ok(Self { vae, bins })
    }

    /// The same model on another SIMD path, which gives the same bytes.
    #[must_use]
    pub fn with_path(self, path: Path) -> Self {
        Self {
            vae: self.vae.with_path(path),
            bins: self.bins,
        }
    }

    /// `q(z_l | x, z_<l)` of a layer of latents as distributions over bins, for the values `z`,
    /// `[latents, lanes]`, of those above.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Model`] if the model cannot be evaluated there.
    pub fn posterior_distributions(
        &self,
        inference: &Inference<'_>,
        layer: usize,
        z: ArrayView2<'_, f32>,
    ) -> Result<Independent<Array2<GaussianBin<'_>>>> {
        let Posterior {
            mean,
            inverse_sigma,
            ..
        } = inference.posterior(layer, z)?;
        self.vae.path().vectorize(
            #[inline(always)]
            || gaussian_bins(&self.bins, &mean, &inverse_sigma),
        )
    }

    /// The networks.
    pub fn vae(&self) -> &Vae {
        &self.vae
    }
}

impl LatentModel for VaeModel {
    type X = u8;
    type Z = u16;

    fn dims(&self) -> usize {
        self.vae.dims()
    }

    fn posterior_bits(&self) -> f64 {
        f64::from(self.vae.description().latent.bin_precision) * self.vae.latents() as f64
    }

    fn prior(&self, lanes: usize) -> Result<impl Codec<Symbol = Array2<u16>>> {
        let precision = self.vae.description().latent.bin_precision;
        Ok(self.on_path(uniform_bins(lanes, self.vae.latents(), precision)?))
    }

    fn likelihood(&self, z: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u8>>> {
        if self.vae.likelihood().window().is_some() {
            let z = self.vae.latents_of_bins(z.view())?;
            let channels = self.vae.channels(z.view())?;
            let channels = channels.ok_or_else(|| Error::model("a model without its head"))?;
            return Ok(self.on_path(Pixels::Causal(channels)));
        }
        let decoded = self.vae.decode(z.view())?;
        Ok(self.on_path(match self.vae.likelihood() {
            Likelihood::Bernoulli => Pixels::Binary(Independent(Bits(decoded))),
            _ => Pixels::Grey(Tabulated(Levels(decoded))),
        }))
    }

    fn posterior(&self, x: &Array2<u8>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        Ok(self.on_path(Inferred {
            model: self,
            inference: self.vae.infer(x.view())?,
            lanes: x.nrows(),
        }))
    }
}

impl VaeModel {
    fn on_path<C>(&self, codec: C) -> OnPath<C> {
        OnPath {
            codec,
            path: self.vae.path(),
        }
    }
}

/// The posterior, `q(z|x) = prod_l q(z_l | x, z_<l)`: what is popped first is pushed last.
struct Inferred<'a> {
    model: &'a VaeModel,
    inference: Inference<'a>,
    lanes: usize,
}

impl Codec for Inferred<'_> {
    type Symbol = Array2<u16>;

    #[inline(always)]
    fn push(&self, message: &mut Message, z: &Array2<u16>) -> Result<()> {
        let Self {
            model,
            inference,
            lanes,
        } = self;
        let expected = (*lanes, model.vae.latents());
        if z.dim() != expected {
            return Err(Error::invalid_argument(format!(
                "latents of [lanes, latents] = {:?} for a codec of {expected:?}",
                z.dim()
            )));
        }
        let layers = model.vae.latent_layers();
        let last = layers.last().map_or(0, |last| last.start);
        let before = z.slice_axis(Axis(1), Slice::from(..last));
        let values = model.vae.latents_of_bins(before)?;
        for (l, layer) in layers.into_iter().enumerate().rev() {
            let codec = model.posterior_distributions(inference, l, values.view())?;
            let latents = z.slice_axis(Axis(1), Slice::from(layer));
            codec.push(message, &latents.to_owned())?;
        }
        Ok(())
    }

    #[inline(always)]
    fn pop(&self, message: &mut Message) -> Result<Array2<u16>> {
        let Self {
            model, inference, ..
        } = self;
        let latents = model.vae.latents();
        let (mut z, mut values) = (
            Array2::zeros((self.lanes, latents)),
            Array2::zeros((latents, self.lanes)),
        );
        for (l, layer) in model.vae.latent_layers().into_iter().enumerate() {
            let codec = model.posterior_distributions(inference, l, values.view())?;
            let popped = codec.pop(message)?;
            (z.slice_axis_mut(Axis(1), Slice::from(layer.clone()))).assign(&popped);
            if layer.end < latents {
                let of_layer = model.vae.latents_of_bins(popped.view());
                (values.slice_axis_mut(Axis(0), Slice::from(layer))).assign(&of_layer?);
            }
        }
        Ok(z)
    }
}

/// The likelihood of any kind.
enum Pixels<'a> {
    Binary(Independent<Bits<'a>>),
    Grey(Tabulated<Levels<'a>>),
    Causal(Channels<'a>),
}

impl Codec for Pixels<'_> {
    type Symbol = Array2<u8>;

    #[inline(always)]
    fn push(&self, message: &mut Message, symbol: &Array2<u8>) -> Result<()> {
        match self {
            Self::Binary(codec) => codec.push(message, symbol),
            Self::Grey(codec) => codec.push(message, symbol),
            Self::Causal(channels) => push_causal(channels, message, symbol),
        }
    }

    #[inline(always)]
    fn pop(&self, message: &mut Message) -> Result<Array2<u8>> {
        match self {
            Self::Binary(codec) => codec.pop(message),
            Self::Grey(codec) => codec.pop(message),
            Self::Causal(channels) => pop_causal(channels, message),
        }
    }
}

/// Pushes images `[lanes, pixels]`, the last pixel first. What the decoder will find for a pixel is
/// computed as it will be, from the first pixel on, and kept until then.
#[inline(always)]
fn push_causal(channels: &Channels<'_>, message: &mut Message, x: &Array2<u8>) -> Result<()> {
    let (pixels, lanes) = channels.dim();
    if x.dim() != (lanes, pixels) {
        return Err(Error::invalid_argument(format!(
            "images of [lanes, pixels] = {:?} for a codec of {:?}",
            x.dim(),
            (lanes, pixels)
        )));
    }
    let levels = channels.levels();
    let mut images = channels.images();
    let mut all_masses = Vec::with_capacity(pixels * lanes);
    // Lanes and intervals of the levels above 0, and how many there are before each pixel.
    let (mut values, mut firsts) = (Vec::new(), Vec::with_capacity(pixels));
    let (mut masses, mut starts) = (Vec::new(), Vec::new());
    for (pixel, column) in x.columns().into_iter().enumerate() {
        let distribution = images.next_pixel()?;
        distribution.masses_above_zero(&mut masses, Bernoulli::new)?;
        all_masses.extend_from_slice(&masses);
        firsts.push(values.len());
        let above: Vec<usize> = (0..lanes).filter(|&lane| column[lane] > 0).collect();
        if levels > 2 && !above.is_empty() {
            distribution.starts_above_zero(&above, &mut starts)?;
            for (i, &lane) in above.iter().enumerate() {
                let interval = Table::new(&starts, i, above.len())?.interval(&(column[lane] - 1));
                values.push((lane, interval.ok_or_else(|| no_level(column[lane], pixel))?));
            }
        }
        images.set(column.iter().copied())?;
    }
    let mut column = vec![0; lanes];
    for pixel in (0..pixels).rev() {
        for (lane, interval) in values.drain(firsts[pixel]..).rev() {
            message.push(lane, interval)?;
        }
        for (to, &level) in column.iter_mut().zip(x.column(pixel)) {
            *to = u8::from(level > 0);
        }
        message.push_column(&all_masses[pixel * lanes..][..lanes], &column)?;
    }
    Ok(())
}

/// Pops images `[lanes, pixels]`, pixel by pixel: for all lanes whether it is above 0, then for those
/// where it is the level.
#[inline(always)]
fn pop_causal(channels: &Channels<'_>, message: &mut Message) -> Result<Array2<u8>> {
    let (pixels, lanes) = channels.dim();
    let levels = channels.levels();
    let mut x = Array2::zeros((lanes, pixels));
    let mut images = channels.images();
    let (mut masses, mut starts, mut column) = (Vec::new(), Vec::new(), vec![0; lanes]);
    for pixel in 0..pixels {
        let distribution = images.next_pixel()?;
        distribution.masses_above_zero(&mut masses, Bernoulli::new)?;
        message.pop_column(&masses, &mut column)?;
        let above: Vec<usize> = (0..lanes).filter(|&lane| column[lane] > 0).collect();
        if levels > 2 && !above.is_empty() {
            distribution.starts_above_zero(&above, &mut starts)?;
            for (i, &lane) in above.iter().enumerate() {
                column[lane] = 1 + message.pop(lane, &Table::new(&starts, i, above.len())?)?;
            }
        }
        images.set(column.iter().copied())?;
        for (to, &level) in x.column_mut(pixel).iter_mut().zip(&column) {
            *to = level;
        }
    }
    Ok(x)
}

fn no_level(level: u8, pixel: usize) -> Error {
    Error::invalid_argument(format!(
        "the model has no level {level}, which pixel {pixel} has"
    ))
}

/// Tables of masses that follow from what the decoder network computes while they are coded.
struct Levels<'a>(Decoded<'a>);

impl Tables for Levels<'_> {
    fn dim(&self) -> (usize, usize) {
        self.0.dim()
    }

    fn parameters(&self) -> usize {
        self.0.likelihood().parameters()
    }

    fn levels(&self) -> usize {
        self.0.likelihood().levels()
    }

    fn prepare(&self, dims: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        self.0.parameters(dims, out)
    }

    fn starts(&self, parameters: &[f32], starts: &mut [u32]) -> Result<()> {
        self.0.starts(parameters, starts)
    }
}

/// Bernoulli distributions that the decoder network computes while they are coded.
struct Bits<'a>(Decoded<'a>);

impl Columns for Bits<'_> {
    type Distribution = Bernoulli;

    fn dim(&self) -> (usize, usize) {
        self.0.dim()
    }

    fn columns<'a>(
        &'a self,
        dims: Range<usize>,
        space: &'a mut Vec<Bernoulli>,
    ) -> Result<&'a [Bernoulli]> {
        self.0.bernoulli_masses(dims, space, Bernoulli::new)?;
        Ok(space)
    }
}

/// A codec that runs with the instructions of a SIMD path. Its arithmetic is on integers and on
/// doubles whose rounding is corrected: the path changes the time alone.
struct OnPath<C> {
    codec: C,
    path: Path,
}

impl<C: Codec> Codec for OnPath<C> {
    type Symbol = C::Symbol;

    fn push(&self, message: &mut Message, symbol: &Self::Symbol) -> Result<()> {
        self.path.vectorize(
            #[inline(always)]
            || self.codec.push(message, symbol),
        )
    }

    fn pop(&self, message: &mut Message) -> Result<Self::Symbol> {
        self.path.vectorize(
            #[inline(always)]
            || self.codec.pop(message),
        )
    }
}

impl FileModel for VaeModel {
    fn fingerprint(&self) -> [u8; 32] {
        self.vae.fingerprint()
    }

    fn name(&self) -> &str {
        &self.vae.description().name
    }

    fn shape(&self) -> &[usize] {
        &self.vae.description().data_shape
    }

    fn levels(&self) -> usize {
        self.vae.likelihood().levels()
    }
}
