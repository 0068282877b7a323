//! A variational autoencoder as a latent-variable model.

mod inferred;
mod observed;
mod on_path;
mod prior;

use bbans_core::distributions::{Bins, Categorical, GaussianBin, gaussian_bins};
use bbans_core::{Codec, Error, Independent, LatentModel, PRECISION, Result, TOTAL_MASS};
use bbans_format::container::Header;
use bbans_nn::description::Values;
use bbans_nn::simd::Path;
use bbans_nn::{ModelFile, Posterior, TopDown, Vae};
use ndarray::Array2;
use std::ops::Range;

use crate::file_model::FileModel;
use inferred::Inferred;
use observed::ObservedCodec;
use on_path::OnPath;
use prior::PriorCodec;

/// Edges that nobody asks for, of a model without latents.
const NOT_CUT: [f32; 1] = [0.0];

/// A variational autoencoder: `p(z)` over bins of equal mass or of the masses in the model file, `q(z|x)` a diagonal Gaussian
/// over them, or of each group of latents given those above, `p(x|z)` Bernoulli or another that the
/// model file names. Without latents it is `p(x)` alone.
#[derive(Debug, Clone)]
pub struct VaeModel {
    vae: Vae,
    bins: Bins,
    /// Of the bins under the prior, unless all have the same mass.
    masses: Option<Categorical<u16>>,
    /// The model itself, where files are to carry it.
    packed: Option<Vec<u8>>,
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
        let bins = match vae.latents() {
            0 => Bins::new(&NOT_CUT)?,
            _ => Bins::new(vae.edges())?,
        };
        let table = |masses| Categorical::from_masses(masses)?.over();
        let masses = vae.masses().map(table).transpose()?;
        Ok(Self {
            vae,
            bins,
            masses,
            packed: None,
        })
    }

    /// The model of a file, for files that carry it: they need nothing else to be decoded.
    ///
    /// # Errors
    /// As [`VaeModel::new`].
    pub fn embedded(file: &ModelFile) -> Result<Self> {
        let packed = file.pack()?;
        // What a reader will have of it.
        let model = Self::new(Vae::new(&ModelFile::unpack(&packed)?)?)?;
        Ok(Self {
            packed: Some(packed),
            ..model
        })
    }

    /// The model that a file carries, if it does.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Model`] if it is none, [`bbans_core::ErrorKind::Corruption`] if it is another than the
    /// header says or damaged.
    pub fn of_header(header: &Header) -> Result<Option<Self>> {
        let Some(packed) = &header.model else {
            return Ok(None);
        };
        let model = Self::new(Vae::new(&ModelFile::unpack(packed)?)?)?;
        if !header.is_of(&model.vae.fingerprint()) {
            return Err(Error::corruption(
                "the model in the file is another than the one that its header names; the file is damaged",
            ));
        }
        Ok(Some(model))
    }

    /// The same model on another SIMD path, which gives the same bytes.
    #[must_use]
    pub fn with_path(self, path: Path) -> Self {
        Self {
            vae: self.vae.with_path(path),
            ..self
        }
    }

    /// `q(z_l | x, z_<l)` of the next group of latents as distributions over bins.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Model`] if the model cannot be evaluated there.
    pub fn posterior_distributions(
        &self,
        latents: &TopDown<'_>,
    ) -> Result<Independent<Array2<GaussianBin<'_>>>> {
        let Posterior {
            mean,
            inverse_sigma,
            ..
        } = latents.posterior()?;
        self.vae.path().vectorize(
            #[inline(always)]
            || gaussian_bins(&self.bins, &mean, &inverse_sigma),
        )
    }

    /// The mass of a bin under the prior, of [`TOTAL_MASS`]; none if there is no such bin.
    pub fn prior_mass(&self, bin: u16) -> Option<u32> {
        match self.vae.masses() {
            Some(masses) => masses.get(usize::from(bin)).copied(),
            None => (usize::from(bin) < self.bins.count())
                .then_some(TOTAL_MASS / self.bins.count() as u32),
        }
    }

    /// The networks.
    pub fn vae(&self) -> &Vae {
        &self.vae
    }
}

impl LatentModel for VaeModel {
    type X = u16;
    type Z = u16;

    fn dims(&self) -> usize {
        self.vae.dims()
    }

    fn latents(&self) -> usize {
        self.vae.latents()
    }

    fn groups(&self) -> Vec<usize> {
        self.vae.latent_groups().iter().map(Range::len).collect()
    }

    fn posterior_bits(&self) -> f64 {
        self.bits_of_latent() * self.vae.latents() as f64
    }

    fn prior(&self, lanes: usize) -> Result<impl Codec<Symbol = Array2<u16>>> {
        Ok(self.on_path(PriorCodec::new(self, lanes)?))
    }

    fn likelihood(&self, z: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        Ok(self.on_path(ObservedCodec::new(&self.vae, z)?))
    }

    fn posterior(&self, x: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        Ok(self.on_path(Inferred {
            model: self,
            inference: self.vae.infer(x.view())?,
            lanes: x.nrows(),
        }))
    }
}

impl VaeModel {
    /// Bits that a latent takes where its posterior is the prior: its greatest entropy, as a rule.
    fn bits_of_latent(&self) -> f64 {
        let Some(masses) = self.vae.masses() else {
            return f64::from(self.vae.description().latent.bin_precision);
        };
        // In integers: the number of initial words is the same everywhere.
        let bits = |&mass: &u32| u64::from(mass) * u64::from(PRECISION - mass.ilog2());
        masses.iter().map(bits).sum::<u64>() as f64 / f64::from(TOTAL_MASS)
    }

    fn on_path<C>(&self, codec: C) -> OnPath<C> {
        OnPath {
            codec,
            path: self.vae.path(),
        }
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

    fn values(&self) -> Values {
        self.vae.description().values.clone()
    }

    fn embedded(&self) -> Option<&[u8]> {
        self.packed.as_deref()
    }
}
