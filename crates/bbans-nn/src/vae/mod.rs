//! A latent-variable model as the codec needs it: parameters of the posterior and of the
//! likelihood, exactly specified.

mod decoded;
mod top_down;
mod values;

use std::collections::BTreeSet;
use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, Slice, Zip};

pub use decoded::Decoded;
pub use top_down::{Posterior, TopDown};

use crate::description::{BinKind, Description, Networks};
use crate::exact::simd::Path;
use crate::file::bins::{self, CENTRES, EDGES, MASSES};
use crate::file::{ModelFile, fingerprint};
use crate::graph::{Graph, Inputs, MAX_MULTIPLY_ADDS, check_room};
use crate::likelihood::{Channels, Colours, Head, Likelihood, Positions, autoregressive};
use crate::vae::values::{Bound, Values};
use bbans_core::{Error, Result};

/// Most channels and features of all pixels and lanes: a gigabyte of them.
const MAX_CHANNELS: usize = 1 << 28;

/// A variational autoencoder with Gaussian latents, in one group or in several.
#[derive(Debug, Clone)]
pub struct Vae {
    description: Description,
    fingerprint: [u8; 32],
    dims: usize,
    functions: Bound,
    /// Of a causal likelihood.
    head: Option<Head>,
    /// Of a likelihood of one symbol after another.
    symbols: Option<autoregressive::Head>,
    edges: Vec<f32>,
    centres: Vec<f32>,
    /// Of the bins under the prior, unless all are equal.
    masses: Option<Vec<u32>>,
    path: Path,
}

/// What the posterior `q(z|x)` of some data depends on.
#[derive(Debug, Clone)]
pub struct Inference<'a> {
    vae: &'a Vae,
    /// The features are known.
    values: Values,
}

impl Vae {
    /// The model of a file's bytes.
    ///
    /// # Errors
    /// If the bytes are not a model, or its parts do not fit together.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::new(&ModelFile::from_bytes(bytes)?)
    }

    /// The model of a file.
    ///
    /// # Errors
    /// If its parts do not fit together.
    pub fn new(file: &ModelFile) -> Result<Self> {
        let description = file.description.clone();
        description.validate()?;
        let dims = description.dims()?;
        let mut used = BTreeSet::new();
        let Cut {
            edges,
            centres,
            masses,
        } = Cut::new(file, &mut used)?;
        let graphs = description.graphs(&file.tensors)?;
        // A chain takes values in a row, of whatever shape.
        let shape = match &description.networks {
            Networks::Chains(_) => vec![dims],
            Networks::Graphs(_) => description.data_shape.clone(),
        };
        let functions = Bound::new(
            &graphs,
            &shape,
            description.likelihood.outputs(&description.data_shape)?,
            &file.tensors,
            &mut used,
        )?;
        let head = Head::new(&graphs.head, description.likelihood, file, &mut used)?;
        let symbols = match description.likelihood {
            Likelihood::Autoregressive(likelihood) => Some(autoregressive::Head::new(
                &graphs, likelihood, file, &mut used,
            )?),
            _ => None,
        };
        if matches!(description.networks, Networks::Graphs(_)) {
            check_used(file, &used)?;
        }
        let vae = Self {
            fingerprint: fingerprint(file)?,
            dims,
            functions,
            head,
            symbols,
            edges,
            centres,
            masses,
            path: Path::detect(),
            description,
        };
        match vae.multiply_adds() {
            0..=MAX_MULTIPLY_ADDS => Ok(vae),
            found => Err(Error::model(format!(
                "a datum takes {found} multiply-adds; the limit is {MAX_MULTIPLY_ADDS}"
            ))),
        }
    }

    /// The same model on another SIMD path; its results are the same.
    #[must_use]
    pub fn with_path(mut self, path: Path) -> Self {
        self.path = path;
        self
    }

    /// The SIMD path that is used.
    pub fn path(&self) -> Path {
        self.path
    }

    /// What the model is.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// BLAKE3 over everything that the codec reads; docs/format/fingerprint.md says in which order.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Number of observed dimensions of one datum.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Number of latents of one datum.
    pub fn latents(&self) -> usize {
        self.description.latent.dim
    }

    /// The inner edges of the bins, ascending.
    pub fn edges(&self) -> &[f32] {
        &self.edges
    }

    /// The centres of the bins: the values that they stand for.
    pub fn centres(&self) -> &[f32] {
        &self.centres
    }

    /// The mass of each bin under the prior, of [`bbans_core::TOTAL_MASS`]; none if all have the same.
    pub fn masses(&self) -> Option<&[u32]> {
        self.masses.as_deref()
    }

    /// The function from data to features; none without latents.
    pub fn encoder(&self) -> Option<&Graph> {
        self.functions.encode.as_ref()
    }

    /// The function to the parameters of the likelihood.
    pub fn decoder(&self) -> &Graph {
        &self.functions.decode.graph
    }

    /// Multiply-adds of all functions, each once, for a datum; a head counts for each pixel.
    pub fn multiply_adds(&self) -> u64 {
        let Bound {
            encode,
            start,
            groups,
            decode,
            ..
        } = &self.functions;
        let of_groups = groups.iter().flat_map(|group| {
            let functions = group.prior.iter().chain([&group.posterior]);
            functions.chain(&group.update)
        });
        let wired = start.iter().chain(of_groups).chain([decode]);
        let graphs = encode.iter().chain(wired.map(|wired| &wired.graph));
        let of_head = self.head.as_ref().map_or(0, Head::multiply_adds);
        let of_symbols = (self.symbols.as_ref()).map_or(0, autoregressive::Head::multiply_adds);
        let each = of_head.saturating_add(of_symbols);
        let times = (self.dims / self.likelihood().kind().dims()) as u64;
        graphs
            .map(Graph::multiply_adds)
            .fold(each.saturating_mul(times), u64::saturating_add)
    }

    /// Numbers of the latents of each group, from the top, which is the order of inference.
    pub fn latent_groups(&self) -> Vec<Range<usize>> {
        let mut first = 0;
        let range = |count: usize| {
            first += count;
            first - count..first
        };
        let counts = self.functions.groups.iter().map(|group| group.count);
        counts.map(range).collect()
    }

    /// What the posterior `q(z|x)` of data `[lanes, dims]` depends on.
    ///
    /// # Errors
    /// If the width is another, or the network's result is infinite or NaN.
    pub fn infer(&self, x: ArrayView2<'_, u16>) -> Result<Inference<'_>> {
        let lanes = x.nrows();
        let mut values = Values::new(&self.functions, lanes)?;
        let Some(encode) = &self.functions.encode else {
            return Ok(Inference { vae: self, values });
        };
        let features = if let Some(head) = &self.symbols {
            let numbers = head.scaled(x)?;
            encode.run(self.path, Inputs::Values(&[&numbers]), lanes)?
        } else if self.likelihood().levels() <= 256 {
            let x = x.as_standard_layout();
            let symbols = x.as_slice().unwrap_or_default();
            let bytes: Vec<u8> = symbols.iter().map(|&symbol| symbol as u8).collect();
            encode.run(self.path, Inputs::Bytes(&bytes), lanes)?
        } else {
            let numbers: Vec<f32> = x.t().iter().map(|&symbol| f32::from(symbol)).collect();
            encode.run(self.path, Inputs::Values(&[&numbers]), lanes)?
        };
        for (value, numbers) in features.into_iter().enumerate() {
            values.set(value, numbers);
        }
        Ok(Inference { vae: self, values })
    }

    /// Latents of which none is known, without data.
    ///
    /// # Errors
    /// If the network's result is infinite or NaN.
    pub fn top_down(&self, lanes: usize) -> Result<TopDown<'_>> {
        TopDown::new(self, Values::new(&self.functions, lanes)?)
    }

    /// All latents `[latents, lanes]`, known, in units of their priors.
    fn all_known(&self, e: ArrayView2<'_, f32>) -> Result<TopDown<'_>> {
        if e.nrows() != self.latents() {
            return Err(Error::model(format!(
                "{} latents for a model of {}",
                e.nrows(),
                self.latents()
            )));
        }
        let mut latents = self.top_down(e.ncols())?;
        for group in self.latent_groups() {
            latents.set(e.slice_axis(Axis(0), Slice::from(group)))?;
        }
        Ok(latents)
    }

    /// The latents `[latents, lanes]` that bin numbers `[lanes, latents]` stand for, in units of their priors: the
    /// centres of the bins.
    ///
    /// # Errors
    /// If a bin number is too large.
    pub fn latents_of_bins(&self, bins: ArrayView2<'_, u16>) -> Result<Array2<f32>> {
        let (lanes, latents) = bins.dim();
        let mut z = Array2::zeros((latents, lanes));
        let mut valid = true;
        Zip::from(&mut z).and(bins.t()).for_each(|z, &bin| {
            match self.centres.get(usize::from(bin)) {
                Some(&centre) => *z = centre,
                None => valid = false,
            }
        });
        if valid {
            Ok(z)
        } else {
            Err(Error::model(
                "a latent in a bin that the model does not have",
            ))
        }
    }

    /// The distribution of the observed dimensions.
    pub fn likelihood(&self) -> Likelihood {
        self.description.likelihood
    }

    /// Parameters of the observed dimensions, `[dims * parameters, lanes]`, for latents
    /// `[latents, lanes]` in units of their priors: for a Bernoulli likelihood the logits.
    ///
    /// # Errors
    /// If the height is another, or the network's result is infinite or NaN.
    pub fn parameters(&self, e: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        let latents = self.all_known(e)?;
        let parameters = latents.values()?.run(self.path, &self.functions.decode)?;
        let parameters = parameters.into_iter().next().unwrap_or_default();
        let outputs = parameters.len() / e.ncols().max(1);
        Array2::from_shape_vec((outputs, e.ncols()), parameters)
            .map_err(|_| Error::model("decode does not give the likelihood's parameters"))
    }

    /// The likelihood `p(x|z)` for latents `[latents, lanes]` in units of their priors.
    ///
    /// # Errors
    /// As [`Vae::parameters`], or if so many lanes have no room.
    pub fn decode(&self, e: ArrayView2<'_, f32>) -> Result<Observed<'_>> {
        if let Some(head) = &self.head {
            return self.channels(head, e).map(Observed::Head);
        }
        if let Some(head) = &self.symbols {
            return self.positions(head, e).map(Observed::Positions);
        }
        let latents = self.all_known(e)?;
        let hidden = latents
            .values()?
            .hidden(self.path, &self.functions.decode)?;
        Ok(match self.likelihood() {
            Likelihood::ColourLogistics(likelihood) => {
                Observed::Colours(Colours::new(hidden, likelihood, self.path, self.dims))
            }
            likelihood => {
                Observed::Independent(Decoded::new(hidden, likelihood, self.path, self.dims))
            }
        })
    }

    /// What a head depends on.
    fn channels<'a>(&self, head: &'a Head, e: ArrayView2<'_, f32>) -> Result<Channels<'a>> {
        let (Some(window), &[height, width]) = (
            self.likelihood().window(),
            self.description.data_shape.as_slice(),
        ) else {
            return Err(Error::model(
                "a causal likelihood of data that are no images",
            ));
        };
        check_channels(
            (self.dims * window.channels).saturating_add(head.kept(window, width)),
            e.ncols(),
        )?;
        Ok(Channels {
            head,
            path: self.path,
            window,
            height,
            width,
            values: self.parameters(e)?,
        })
    }
}

impl Vae {
    /// What the symbols of positions depend on.
    fn positions<'a>(
        &self,
        head: &'a autoregressive::Head,
        e: ArrayView2<'_, f32>,
    ) -> Result<Positions<'a>> {
        let Likelihood::Autoregressive(likelihood) = self.likelihood() else {
            return Err(Error::model("a likelihood without symbols of positions"));
        };
        let [rows, columns] = likelihood.grid(&self.description.data_shape)?;
        let channels = (rows * columns).saturating_mul(likelihood.window.channels);
        check_channels(channels.saturating_add(head.kept(columns)), e.ncols())?;
        Ok(Positions {
            head,
            path: self.path,
            rows,
            columns,
            values: self.parameters(e)?,
        })
    }
}

fn check_channels(each: usize, lanes: usize) -> Result<()> {
    if each.saturating_mul(lanes) <= MAX_CHANNELS {
        return Ok(());
    }
    Err(Error::model(format!(
        "{lanes} lanes of {each} channels and features each; the limit is {MAX_CHANNELS} numbers \
         in all: use fewer lanes"
    )))
}

/// The likelihood of some latents, by how its dimensions hang together.
#[derive(Debug)]
pub enum Observed<'a> {
    /// Each by itself.
    Independent(Decoded<'a>),
    /// Pixels given those before them, by a head.
    Head(Channels<'a>),
    /// Channels of a pixel given those before them.
    Colours(Colours<'a>),
    /// Symbols given those before them, by a head.
    Positions(Positions<'a>),
}

impl Observed<'_> {
    /// `-log p(x|z)` in each lane, in `f64` and without integer masses, for bounds; `x` gives a lane's symbol of a
    /// dimension, one of the likelihood's.
    ///
    /// # Errors
    /// If the network's result is infinite or NaN.
    pub fn nats(&self, x: impl Fn(usize, usize) -> u16) -> Result<Vec<f64>> {
        match self {
            Self::Independent(decoded) => decoded.nats(x),
            Self::Head(channels) => channels.nats(x),
            Self::Colours(colours) => colours.nats(x),
            Self::Positions(positions) => positions.nats(x),
        }
    }
}

/// How the prior of a latent is cut into bins, as a file's tensors have it.
#[derive(Default)]
struct Cut {
    edges: Vec<f32>,
    centres: Vec<f32>,
    masses: Option<Vec<u32>>,
}

impl Cut {
    /// Adds to `used` the names of the tensors; none without latents.
    fn new(file: &ModelFile, used: &mut BTreeSet<String>) -> Result<Self> {
        let latent = &file.description.latent;
        if latent.is_none() {
            return Ok(Self::default());
        }
        let count = 1usize << latent.bin_precision;
        let mut take = |name: &str, size: usize| -> Result<Vec<f32>> {
            used.insert(name.to_owned());
            Ok(file.tensor(name, &[size])?.values.clone())
        };
        let edges = take(EDGES, count - 1)?;
        if !edges.is_sorted() {
            return Err(Error::model(format!("the values of {EDGES} do not ascend")));
        }
        let masses = match latent.bins {
            BinKind::EqualMass => None,
            BinKind::Masses => Some(bins::masses(&take(MASSES, count)?)?),
        };
        Ok(Self {
            edges,
            centres: take(CENTRES, count)?,
            masses,
        })
    }
}

/// Checks that somebody uses every tensor of a file.
fn check_used(file: &ModelFile, used: &BTreeSet<String>) -> Result<()> {
    match file.tensors.keys().find(|name| !used.contains(*name)) {
        None => Ok(()),
        Some(name) => Err(Error::model(format!(
            "no node uses the tensor {name}; expected tensors named {{id}}.{{part}} after the nodes"
        ))),
    }
}

impl<'a> Inference<'a> {
    /// The same for every datum `count` times, one after another.
    ///
    /// # Errors
    /// If so many lanes have no room.
    pub fn repeated(&self, count: usize) -> Result<Self> {
        let lanes = self.values.lanes.saturating_mul(count);
        check_room(self.vae.functions.size, lanes)?;
        Ok(Self {
            vae: self.vae,
            values: self.values.repeated(count),
        })
    }

    /// Latents of which none is known.
    ///
    /// # Errors
    /// If the network's result is infinite or NaN.
    pub fn top_down(&self) -> Result<TopDown<'a>> {
        TopDown::new(self.vae, self.values.clone())
    }
}
