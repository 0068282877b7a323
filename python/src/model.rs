//! Models.

use std::borrow::Cow;
use std::sync::Arc;

use bbans::ndarray::{Array2, Axis, Slice};
use bbans::nn::import::{Arch, import, import_description};
use bbans::nn::{Description, ModelFile};
use bbans::{Error, FileModel, LatentModel, Memory, VaeModel};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArray3, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::codecs::{Codec, OfModel, Part};
use crate::errors::OrRaise;
use crate::message::check_lanes;
use crate::streams::Watch;
use crate::symbols::{symbols, turned};

/// Most draws of the latents of a datum, which are computed side by side.
const MAX_SAMPLES: usize = 1 << 16;

/// Draws of latents between two looks at the signals.
const WATCHED: usize = 1 << 11;

/// Names of the built-in models, the program's default first.
#[pyfunction]
pub(crate) fn models() -> Vec<&'static str> {
    bbans_models::MODELS
        .iter()
        .map(|model| model.name)
        .collect()
}

/// A variational autoencoder that codes data.
#[pyclass(frozen, module = "bbans._bbans")]
pub(crate) struct Model {
    pub(crate) model: Arc<VaeModel>,
    bytes: Cow<'static, [u8]>,
}

impl Model {
    pub(crate) fn of_bytes(bytes: Cow<'static, [u8]>) -> bbans::Result<Self> {
        let model = Arc::new(VaeModel::from_bytes(&bytes)?);
        Ok(Self { model, bytes })
    }

    /// The built-in model of this fingerprint.
    pub(crate) fn built_in(is: impl Fn(&[u8; 32]) -> bool) -> Option<&'static str> {
        let found = bbans_models::MODELS
            .iter()
            .find(|model| is(&model.fingerprint));
        found.map(|model| model.name)
    }
}

/// Latents `[latents, lanes]` as an array `[lanes, latents]`.
fn rows<'py>(py: Python<'py>, values: &Array2<f32>) -> Bound<'py, PyArray2<f32>> {
    turned(values.view()).into_pyarray(py)
}

type OfDraws<'py> = [Bound<'py, PyArray1<f64>>; 4];

#[pymethods]
impl Model {
    /// The built-in model of a name.
    #[staticmethod]
    fn named(py: Python<'_>, name: &str) -> PyResult<Self> {
        let found = bbans_models::named(name).ok_or_else(|| {
            Error::invalid_argument(format!(
                "no model {name}; expected a file, or one of the built-in models: {}",
                bbans_models::names()
            ))
        });
        let bytes = found.or_raise(py)?.bytes;
        py.detach(|| Self::of_bytes(bytes.into())).or_raise(py)
    }

    /// The model of a model file's bytes.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: Vec<u8>) -> PyResult<Self> {
        py.detach(|| Self::of_bytes(data.into())).or_raise(py)
    }

    /// The bytes of the model file.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.bytes)
    }

    #[getter]
    fn name(&self) -> &str {
        FileModel::name(&*self.model)
    }

    #[getter]
    fn fingerprint(&self) -> String {
        hexadecimal(&self.model.fingerprint())
    }

    #[getter]
    fn shape(&self) -> Vec<usize> {
        self.model.shape().to_vec()
    }

    #[getter]
    fn dims(&self) -> usize {
        self.model.dims()
    }

    #[getter]
    fn levels(&self) -> usize {
        self.model.levels()
    }

    #[getter]
    fn latents(&self) -> usize {
        self.model.latents()
    }

    #[getter]
    fn groups(&self) -> Vec<usize> {
        self.model.groups()
    }

    /// The description, as JSON.
    fn description_json(&self, py: Python<'_>) -> PyResult<String> {
        let json = serde_json::to_string(self.model.vae().description());
        json.map_err(Error::model).or_raise(py)
    }

    /// Bits of each datum: the bound, its two parts, and the importance-weighted bound.
    fn elbo<'py>(
        &self,
        py: Python<'py>,
        header: Vec<u8>,
        values: Py<PyArray1<u8>>,
        samples: usize,
        seed: u64,
    ) -> PyResult<OfDraws<'py>> {
        let watch = Watch::new(None);
        let bounds = py.detach(|| {
            if samples > MAX_SAMPLES {
                return Err(Error::invalid_argument(format!(
                    "a bound of {samples} samples of z; expected 1 to {MAX_SAMPLES}"
                )));
            }
            let x = symbols(&self.model, header, values)?;
            let mut bounds = Vec::with_capacity(x.nrows());
            for x in x.axis_chunks_iter(Axis(0), (WATCHED / samples.max(1)).max(1)) {
                watch.check_signals()?;
                let first = bounds.len() as u64;
                bounds.extend(bbans::elbo(&self.model, x, samples, seed, first)?);
            }
            Ok(bounds)
        });
        let bounds = watch.result(bounds.or_raise(py))?;
        let array = |of: fn(&bbans::Elbo) -> f64| {
            bounds.iter().map(of).collect::<Vec<f64>>().into_pyarray(py)
        };
        Ok([
            array(bbans::Elbo::bits),
            array(|e| e.kl_bits),
            array(|e| e.reconstruction_bits),
            array(|e| e.importance_bits),
        ])
    }

    /// The bytes of a data file of `count` samples.
    fn samples_file<'py>(
        &self,
        py: Python<'py>,
        count: usize,
        seed: u64,
    ) -> PyResult<Bound<'py, PyArray1<u8>>> {
        let watch = Watch::new(None);
        let file = py.detach(|| {
            let symbols = bbans::samples(&self.model, count, seed, || watch.check_signals())?;
            bbans::samples_file(&self.model, symbols, count)
        });
        Ok(watch.result(file.or_raise(py))?.into_pyarray(py))
    }

    /// Means and log standard deviations of the posterior, `[count, latents]` each.
    fn encode<'py>(
        &self,
        py: Python<'py>,
        header: Vec<u8>,
        values: Py<PyArray1<u8>>,
        noise: Option<PyReadonlyArray2<'py, f32>>,
    ) -> PyResult<[Bound<'py, PyArray2<f32>>; 2]> {
        let noise = noise.map(|noise| turned(noise.as_array()));
        let found = py.detach(|| {
            let x = symbols(&self.model, header, values)?;
            posterior(&self.model, &x, noise.as_ref())
        });
        let found = found.or_raise(py)?;
        Ok([rows(py, &found[0]), rows(py, &found[1])])
    }

    /// The likelihood's parameters for latents `[count, latents]`: `[count, dims, parameters]`.
    fn decode<'py>(
        &self,
        py: Python<'py>,
        latents: PyReadonlyArray2<'py, f32>,
    ) -> PyResult<Bound<'py, PyArray3<f32>>> {
        let e = turned(latents.as_array());
        let (dims, count) = (self.model.dims(), e.ncols());
        let parameters = py.detach(|| {
            let parameters = turned(self.model.vae().parameters(e.view())?.view());
            let each = parameters.ncols() / dims.max(1);
            let shape = (count, dims, each);
            parameters.into_shape_with_order(shape).map_err(|_| {
                Error::invalid_argument("dimensions share their parameters; there are none of each")
            })
        });
        Ok(parameters.or_raise(py)?.into_pyarray(py))
    }

    /// The model with bins that fit these data, what its bins cost over the bound before, and what they cost now.
    fn fit_bins(
        &self,
        py: Python<'_>,
        header: Vec<u8>,
        values: Py<PyArray1<u8>>,
    ) -> PyResult<(Self, f64, f64)> {
        let fitted = py.detach(|| {
            let x = symbols(&self.model, header, values)?;
            let fitted = bbans::fit_bins(&ModelFile::from_bytes(&self.bytes)?, x.view())?;
            let model = Self::of_bytes(fitted.file.to_bytes()?.into())?;
            Ok::<_, Error>((model, fitted.cost_before, fitted.cost))
        });
        fitted.or_raise(py)
    }

    /// The symbols of values, `[count, dims]`.
    fn symbols<'py>(
        &self,
        py: Python<'py>,
        header: Vec<u8>,
        values: Py<PyArray1<u8>>,
    ) -> PyResult<Bound<'py, PyArray2<u16>>> {
        let x = py.detach(|| symbols(&self.model, header, values));
        Ok(x.or_raise(py)?.into_pyarray(py))
    }

    /// `p(z)` of so many lanes.
    fn prior(&self, py: Python<'_>, lanes: usize) -> PyResult<Codec> {
        check_lanes(lanes).or_raise(py)?;
        Ok(self.part(Part::Prior(lanes)))
    }

    /// `p(x|z)` of bin numbers `[lanes, latents]`.
    fn likelihood(&self, z: PyReadonlyArray2<'_, u16>) -> Codec {
        self.part(Part::Likelihood(z.as_array().to_owned()))
    }

    /// `q(z|x)` of symbols `[lanes, dims]`.
    fn posterior(&self, x: PyReadonlyArray2<'_, u16>) -> Codec {
        self.part(Part::Posterior(x.as_array().to_owned()))
    }
}

impl Model {
    fn part(&self, part: Part) -> Codec {
        Codec::new(OfModel {
            model: self.model.clone(),
            part,
        })
    }
}

/// Means and log standard deviations of all groups, `[latents, lanes]`, each at `mean + sigma * noise` of those above.
fn posterior(
    model: &VaeModel,
    x: &Array2<u16>,
    noise: Option<&Array2<f32>>,
) -> bbans::Result<[Array2<f32>; 2]> {
    let vae = model.vae();
    let shape = (vae.latents(), x.nrows());
    if let Some(noise) = noise.filter(|noise| noise.dim() != shape) {
        return Err(Error::invalid_argument(format!(
            "noise of [count, latents] = {:?}; expected {:?}",
            (noise.ncols(), noise.nrows()),
            (shape.1, shape.0)
        )));
    }
    let mut found = [Array2::zeros(shape), Array2::zeros(shape)];
    let mut latents = vae.infer(x.view())?.top_down()?;
    for group in vae.latent_groups() {
        let group = Slice::from(group);
        let posterior = latents.posterior()?;
        let mut e = posterior.mean.clone();
        if let Some(noise) = noise {
            let noise = noise.slice_axis(Axis(0), group);
            e += &(posterior.log_sigma.mapv(f32::exp) * noise);
        }
        latents.set(e.view())?;
        for (all, of_group) in found
            .iter_mut()
            .zip([&posterior.mean, &posterior.log_sigma])
        {
            all.slice_axis_mut(Axis(0), group).assign(of_group);
        }
    }
    Ok(found)
}

/// The model of weights and the description of its layers, and the names of tensors that nothing uses.
#[pyfunction]
pub(crate) fn import_arch(
    py: Python<'_>,
    weights: Vec<u8>,
    arch: &str,
) -> PyResult<(Model, Vec<String>)> {
    let imported = py.detach(|| {
        let fields = Description::fields_of_json(arch)?;
        let imported = match fields.contains_key("encode") {
            true => import_description(&weights, &Description::from_json(arch)?)?,
            false => import(&weights, &Arch::from_json(arch)?)?,
        };
        let model = Model::of_bytes(imported.file.to_bytes()?.into())?;
        Ok::<_, Error>((model, imported.unused))
    });
    imported.or_raise(py)
}

/// Digits of a fingerprint or a digest.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of what is restored in memory.
pub(crate) fn taken<'py>(py: Python<'py>, memory: &Memory) -> Bound<'py, PyArray1<u8>> {
    memory.take().into_pyarray(py)
}
