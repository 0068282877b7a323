//! A variational autoencoder as a latent-variable model.

mod inferred;
mod observed;
mod on_path;

use bbans_core::distributions::{Bins, GaussianBin, gaussian_bins, uniform_bins};
use bbans_core::{Codec, Independent, LatentModel, Result};
use bbans_nn::simd::Path;
use bbans_nn::{Posterior, TopDown, Vae};
use ndarray::Array2;

use crate::file_model::FileModel;
use inferred::Inferred;
use observed::ObservedCodec;
use on_path::OnPath;

/// A variational autoencoder: `p(z)` uniform over bins of equal mass, `q(z|x)` a diagonal Gaussian
/// over them, or of each group of latents given those above, `p(x|z)` Bernoulli or another that the
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
        Ok(self.on_path(ObservedCodec::new(&self.vae, z)?))
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
